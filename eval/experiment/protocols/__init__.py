"""The protocols of a study, one file each: which cells it has, how one of them is computed, and what that costs.

The list below is the only one; `register_protocol` adds to it from outside.
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
from ruleshift.eval.experiment.protocols.protocol import Protocol

__all__ = ["PROTOCOLS", "Protocol", "register_protocol"]

PROTOCOLS: dict[str, Protocol] = {
    module.PROTOCOL.name: module.PROTOCOL
    for module in (training, constant, reference, frozen, adaptation, curve, shift, rivalry, distance)
}
"""By name, in the order in which a study computes them."""


def register_protocol(protocol: Protocol) -> None:
    """Add a protocol of one's own, such as from a module that a preset names among its extensions.

    Raises:
        ValueError: another protocol has its name.
    """
    if PROTOCOLS.setdefault(protocol.name, protocol) is not protocol:
        raise ValueError(f"a protocol named {protocol.name!r} is already registered")
