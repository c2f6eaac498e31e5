"""The numbers that the verdicts read, and nothing else: returns of arms and of references, by the crossed factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ruleshift.eval.statistics import Sizes

AWAY, AT_HOME = ("home", "target", "seed", "panel", "economy"), ("home", "seed", "panel", "economy")
_AXES: dict[str, tuple[str, ...]] = {
    "adapted": AWAY, "frozen": AWAY, "home": AT_HOME, "gate": AT_HOME, "curves": ("step", *AT_HOME),
    "conduct": ("part", *AWAY), "curve_steps": ("step",),
    **dict.fromkeys(("best_reply", "floor", "constant"), ("target", "panel", "economy")),
    **dict.fromkeys(("home_best_reply", "home_floor", "home_constant"), ("home", "panel", "economy")),
    **dict.fromkeys(("gate_best_reply", "gate_floor"), ("home", "panel", "economy")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """What one arm of one seed did, from one home at one target, by one protocol, in all economies and panels."""

    arm: str
    """Name of the arm or of the reference."""
    home: str
    """Name of the rule that the policy was trained on; empty where it has none."""
    target: str
    """Name of the rule in force."""
    seed: int | None
    """Training seed; None for policies that were never trained."""
    budget: float
    """Multiple of the training budget."""
    protocol: str
    """Which measurement it is, as in `results.csv`."""
    steps: int | None
    """Agent-steps of training after which the policy was kept, on a learning curve."""
    profile: tuple[float, ...]
    """Mean focal profit by stretch of the episode; empty where the protocol keeps none."""
    values: dict[str, np.ndarray] = field(default_factory=dict)
    """By measure, (E, P); NaN where nothing was played, as in most protocols beyond the first panel."""


@dataclass(frozen=True)
class Returns:
    """Mean focal profit per round, in mean job values; H homes, G held-out targets, S seeds, P panels, E economies.

    Return is only ever that of one focal seat against a frozen panel. An arm without a home is repeated along H.

    Raises:
        ValueError: an array whose shape does not fit the others, or that holds a number that is not finite.
    """

    adapted: Mapping[str, np.ndarray]
    """By arm, (H, G, S, P, E): at held-out targets, mean over the phase in which the arm goes on learning there."""
    frozen: Mapping[str, np.ndarray]
    """By arm, (H, G, S, P, E): the policy as it was trained, at the same targets."""
    home: Mapping[str, np.ndarray]
    """By arm, (H, S, P, E): the policy as it was trained, on the home rules."""
    gate: Mapping[str, np.ndarray]
    """By arm, (H, S, P, E): on what the arm trained on, in markets of a separate seed: specialists on their own home,
    others on every home, `central` on its one rule, repeated along H; see `own_gates`."""
    best_reply: np.ndarray
    """(G, P, E), as `floor` (scripted) and `constant` (the best constant conduct, chosen on training rules)."""
    floor: np.ndarray
    constant: np.ndarray
    home_best_reply: np.ndarray
    """(H, P, E), as the two that follow."""
    home_floor: np.ndarray
    home_constant: np.ndarray
    gate_best_reply: np.ndarray
    """(H, P, E), in the markets of the gate."""
    gate_floor: np.ndarray
    curves: Mapping[str, np.ndarray]
    """By arm, (C, H, S, P, E): on the home rule, after `curve_steps[c]` steps of training."""
    curve_steps: np.ndarray
    """(C,): agent-steps, rising."""
    own_gates: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Floor and best reply of the gate, (H, P, E), of the arms that trained on other rules than the homes."""
    conduct: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By arm, (3, H, G, S, P, E): late ask, effort and promotion of the frozen policy at the targets."""
    economies: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By field of an economy, (E,): its value in each."""
    runs: Sequence[Run] = ()
    """All that was measured at every budget, in the order of the plan, for claims about further protocols."""

    def __post_init__(self) -> None:
        levels: dict[str, int] = {}
        for name, axes in _AXES.items():
            value = getattr(self, name)
            for arm, array in value.items() if isinstance(value, Mapping) else [("", value)]:
                _check(f"{name}[{arm!r}]" if arm else name, array, axes, levels)
        for name, array in self.economies.items():
            _check(f"economies[{name!r}]", array, ("economy",), levels)

    @property
    def sizes(self) -> Sizes:
        """Homes, targets, seeds, panels, economies."""
        (targets, panels, economies), homes = self.best_reply.shape, len(self.home_best_reply)
        seeds = next(iter(self.home.values())).shape[1] if self.home else 1
        return homes, targets, seeds, panels, economies


def _check(name: str, array: np.ndarray, axes: tuple[str, ...], levels: dict[str, int]) -> None:
    if array.ndim != len(axes):
        raise ValueError(f"{name} has the shape {array.shape}; its axes are {', '.join(axes)}")
    for axis, length in zip(axes, array.shape, strict=True):
        if levels.setdefault(axis, length) != length or length == 0:
            raise ValueError(f"{name} has {length} along the axis {axis}, others have {levels[axis]}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a number that is not finite")


def at_targets(reference: np.ndarray) -> np.ndarray:
    """A reference (G, P, E) with the five axes of the factors."""
    return reference[None, :, None, :, :]


def at_homes(reference: np.ndarray) -> np.ndarray:
    """A reference (H, P, E) with the five axes of the factors."""
    return reference[:, None, None, :, :]


def of_arm(table: Mapping[str, np.ndarray], arm: str, what: str) -> np.ndarray:
    """An arm's array with the five axes of the factors; ValueError where the arm is missing."""
    if arm not in table:
        raise ValueError(f"{what} of the arm {arm} is missing; there are {', '.join(table) or 'none'}")
    array = table[arm]
    return array if array.ndim == 5 else array[:, None]
