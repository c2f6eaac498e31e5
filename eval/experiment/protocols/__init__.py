"""The protocols of a study, one file each: which cells it has, and how one of them is computed.

A cell is a plain dictionary, so that any process can compute it:

    kind    name of the protocol, a key of `PROTOCOLS`
    name    what its files are called
    arm     whose policy it trains or scores
    home    name of the rule that the policy was trained on; empty where it has none
    target  name of the rule that it is scored under; empty where there are several
    seed    training seed; absent for conducts that were never trained
    budget  multiple of the training budget
    needs   names of the cells that come first
"""

from ruleshift.eval.experiment.protocols import (
    adaptation,
    constant,
    curve,
    distance,
    frozen,
    reference,
    rivalry,
    shift,
    training,
)

PROTOCOLS = {
    each.__name__.rpartition(".")[2]: each
    for each in (training, constant, reference, frozen, adaptation, curve, shift, rivalry, distance)
}
"""Every protocol: `cells(design)` lists its cells, `compute(cell, desk)` gives the entries of one."""

__all__ = ["PROTOCOLS"]
