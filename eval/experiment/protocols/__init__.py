"""The protocols of a study, one file each: which cells a protocol has, how a cell is computed, and how long it takes.

The list below is the only one; `register_protocol` adds protocols of your own to it.
"""

from ruleshift.eval.experiment.protocols import (
    adaptation,
    constant,
    curve,
    distance,
    forgetting,
    frozen,
    inequality,
    metagame,
    probe,
    reference,
    rivalry,
    rivals,
    shift,
    switching,
    training,
)
from ruleshift.eval.experiment.protocols.protocol import Protocol

__all__ = ["PROTOCOLS", "Protocol", "register_protocol"]

PROTOCOLS: dict[str, Protocol] = {
    module.PROTOCOL.name: module.PROTOCOL
    for module in (
        training, constant, reference, frozen, adaptation, curve, shift, rivalry, distance,
        probe, rivals, metagame, switching, forgetting, inequality,
    )
}  # fmt: skip
"""The protocols by name, in the order in which a study computes them."""


def register_protocol(protocol: Protocol) -> None:
    """Add a protocol of your own, for instance in a module that a preset names among its extensions.

    Raises:
        ValueError: another protocol has the same name.
    """
    if PROTOCOLS.setdefault(protocol.name, protocol) is not protocol:
        raise ValueError(f"a protocol named {protocol.name!r} is already registered")
