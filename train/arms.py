"""The arms: what a learner trains on. The one list of them; everything that names an arm derives from it.

All arms are one code path: each turns its argument into what a market takes as `rule=`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ruleshift.envs import Rule, Structure, load_rule, load_structure


@dataclass(frozen=True)
class Arm:
    """A way to train: its name, what it says to a reader, and how its argument becomes a rule or a structure."""

    name: str
    summary: str
    load: Callable[[str | Rule | Structure], Rule | Structure]


def _one_rule(given: str | Rule | Structure) -> Rule:
    if isinstance(given, Structure):
        raise ValueError(f"arm fixed trains on one rule, not on structure {given.name}: that is arm randomized")
    return load_rule(given)


def _a_structure(given: str | Rule | Structure) -> Structure:
    if isinstance(given, Rule):
        raise ValueError(f"arm randomized trains on a structure, not on rule {given.name}: that is arm fixed")
    return given if isinstance(given, Structure) else load_structure(given)


ARMS = {
    arm.name: arm
    for arm in (
        Arm("fixed", "one rule: a specialist", _one_rule),
        Arm("randomized", "rules drawn from the training part of a structure: a generalist", _a_structure),
    )
}


def load_arm(name: str | None, given: str | Rule | Structure) -> tuple[Arm, Rule | Structure]:
    """The arm of this name with its rule or structure; without a name, the one that fits what is given.

    Raises:
        ValueError: no such arm, or one that trains on something else.
    """
    name = name or ("randomized" if isinstance(given, Structure) else "fixed")
    if name not in ARMS:
        raise ValueError(f"arm {name!r} is unknown; the arms are {', '.join(ARMS)}")
    return ARMS[name], ARMS[name].load(given)
