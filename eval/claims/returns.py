"""The numbers on which claims are judged: returns of arms and of references, by the crossed factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ruleshift.eval.statistics import Sizes

AWAY, AT_HOME = ("home", "target", "seed", "panel", "economy"), ("home", "seed", "panel", "economy")
"""Axes of the returns of an arm at held-out targets, and on the home rules."""
_AXES: dict[str, tuple[str, ...]] = {
    "adapted": AWAY, "frozen": AWAY, "home": AT_HOME, "gate": AT_HOME, "curves": ("step", *AT_HOME),
    "conduct": ("part", *AWAY), "curve_steps": ("step",),
    **dict.fromkeys(("matching_distance", "feature_distance"), ("home", "target")),
    **dict.fromkeys(("best_reply", "floor", "constant"), ("target", "panel", "economy")),
    **dict.fromkeys(("home_best_reply", "home_floor", "home_constant"), ("home", "panel", "economy")),
    **dict.fromkeys(("gate_best_reply", "gate_floor"), ("home", "panel", "economy")),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """What one policy did at one target, as measured by one protocol, in all economies and panels."""

    arm: str
    """Name of the arm or of the reference."""
    home: str
    """Name of the rule that the policy was trained on; empty if there is no such rule."""
    target: str
    """Name of the rule in force."""
    seed: int | None
    """Training seed; None for policies that were never trained."""
    budget: float
    """Multiple of the training budget."""
    protocol: str
    """Name of the measurement, as in `results.csv`."""
    steps: int | None
    """On a learning curve, the agent-steps of training after which the policy was saved."""
    profile: tuple[float, ...]
    """What is drawn along the episode, such as the mean focal profit per round, in mean job values, in each stretch of
    it, or what is known of the rule in certain rounds; empty if nothing was recorded."""
    values: dict[str, np.ndarray] = field(default_factory=dict)
    """Values (E, P) of each measure, by its name; NaN where nothing was played, often beyond the first panel."""


@dataclass(frozen=True)
class Returns:
    """Returns of arms and of references: mean focal profit per round, in mean job values.

    The axes are H homes, G held-out targets, S seeds, P panels and E economies. A return is always that of one focal
    seat against a frozen panel. An arm that has one policy for all homes is repeated along H.

    Raises:
        ValueError: an array has a shape that does not fit the others, or holds a number that is not finite.
    """

    adapted: Mapping[str, np.ndarray]
    """By arm, (H, G, S, P, E) at held-out targets, averaged over the phase in which the arm keeps learning there; NaN
    where home and target do not meet, as they do in balanced blocks (`measured_pairs`)."""
    frozen: Mapping[str, np.ndarray]
    """By arm, (H, G, S, P, E) at held-out targets, of the policy as it was trained."""
    home: Mapping[str, np.ndarray]
    """By arm, (H, S, P, E) on the home rules, of the policy as it was trained."""
    gate: Mapping[str, np.ndarray]
    """By arm, (H, S, P, E) on its training rules, in markets of a separate seed: specialists on their own home rule,
    others on every home rule, and arms that train on few or other rules on theirs, repeated along H; see `own_gates`.
    """
    best_reply: np.ndarray
    """(G, P, E) of the best replies at held-out targets, or of who takes their place."""
    floor: np.ndarray
    """(G, P, E) of the scripted organizations, averaged, at held-out targets."""
    constant: np.ndarray
    """(G, P, E) of the best constant conduct, which was chosen on the home rules, at held-out targets."""
    home_best_reply: np.ndarray
    """(H, P, E) of the best replies on the home rules, or of who takes their place."""
    home_floor: np.ndarray
    """(H, P, E) of the scripted organizations, averaged, on the home rules."""
    home_constant: np.ndarray
    """(H, P, E) of the best constant conduct on the home rules."""
    gate_best_reply: np.ndarray
    """(H, P, E) of the best replies on the home rules, in the markets of the gate."""
    gate_floor: np.ndarray
    """(H, P, E) of the scripted organizations, averaged, on the home rules, in the markets of the gate."""
    curves: Mapping[str, np.ndarray]
    """By arm, (C, H, S, P, E) on the home rules, of the policies after each of `curve_steps`."""
    curve_steps: np.ndarray
    """(C,) agent-steps of training, rising."""
    own_gates: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """By arm that is trained on a rule other than the homes, floor and best reply of its gate, each (H, P, E)."""
    conduct: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By arm, (3, H, G, S, P, E) late ask, effort and promotion of the frozen policy at held-out targets."""
    economies: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By name of a field in which economies differ, (E,) its value in each."""
    matching_distance: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By arm, (H, G) distance of each held-out rule from the nearest of the homes that the arm trains on, by how
    differently they match, 0 .. 1."""
    feature_distance: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The same as the mean absolute difference of the rules' features."""
    tiers: Sequence[str] = ()
    """Part of the structure that each held-out rule is from, such as `family`; empty for other rules."""
    best_known: Mapping[str, str] = field(default_factory=dict)
    """Who takes the place of the best reply where another policy is known to earn more, by name of the rule."""
    runs: Sequence[Run] = ()
    """All measurements at every budget, in the order of the plan, for claims about further protocols."""

    def __post_init__(self) -> None:
        levels: dict[str, int] = {}
        for name, axes in _AXES.items():
            value = getattr(self, name)
            for arm, array in value.items() if isinstance(value, Mapping) else [("", value)]:
                where = f"{name}[{arm!r}]" if arm else name
                _check(where, array, axes, levels)
                if name == "adapted":
                    array = array[measured_pairs(where, array)]
                if not np.isfinite(array).all():
                    raise ValueError(f"{where} holds a number that is not finite")
        for name, array in self.economies.items():
            _check(f"economies[{name!r}]", array, ("economy",), levels)

    def distances(self, kind: str) -> Mapping[str, np.ndarray]:
        """By arm, the (H, G) distances of held-out rules: `matching` or `features`."""
        return {"matching": self.matching_distance, "features": self.feature_distance}[kind]

    def in_economy(self, economy: int) -> "Returns":
        """The returns of one of the economies alone, by its number."""
        own: dict[str, Any] = {}
        for name, axes in _AXES.items():
            if "economy" in axes:
                held, axis = getattr(self, name), axes.index("economy")
                arms = held if isinstance(held, Mapping) else {"": held}
                part = {arm: array.take([economy], axis=axis) for arm, array in arms.items()}
                own[name] = part if isinstance(held, Mapping) else part[""]
        gates = {arm: (floor[..., [economy]], best[..., [economy]]) for arm, (floor, best) in self.own_gates.items()}
        fields_ = {name: values[[economy]] for name, values in self.economies.items()}
        runs = [replace(run, values={key: one[[economy]] for key, one in run.values.items()}) for run in self.runs]
        return replace(self, **own, own_gates=gates, economies=fields_, runs=runs)

    @property
    def sizes(self) -> Sizes:
        """Number of homes, held-out targets, seeds, panels and economies."""
        (targets, panels, economies), homes = self.best_reply.shape, len(self.home_best_reply)
        seeds = next(iter(self.home.values())).shape[1] if self.home else 1
        return homes, targets, seeds, panels, economies


def _check(name: str, array: np.ndarray, axes: tuple[str, ...], levels: dict[str, int]) -> None:
    if array.ndim != len(axes):
        raise ValueError(f"{name} has the shape {array.shape}; its axes are {', '.join(axes)}")
    for axis, length in zip(axes, array.shape, strict=True):
        if levels.setdefault(axis, length) != length or length == 0:
            raise ValueError(f"{name} has {length} along the axis {axis}, others have {levels[axis]}")


def measured_pairs(name: str, array: np.ndarray) -> np.ndarray:
    """Which homes and targets of an array (H, G, S, P, E) meet, (H, G) bool: those that are not NaN throughout.

    Raises:
        ValueError: the blocks are not balanced: homes do not all meet as many targets, or targets as many homes.
    """
    met = ~np.isnan(array).all(axis=(2, 3, 4))
    for axis, what in ((1, "home"), (0, "target")):
        counts = met.sum(axis=axis)
        if counts.min() != counts.max():
            found = f"{counts.min()} to {counts.max()} rules by {what}"
            raise ValueError(f"{name} has returns under {found}; it must be as many for all")
    return met


def at_targets(reference: np.ndarray) -> np.ndarray:
    """View a reference (G, P, E) with the five axes of the factors, (1, G, 1, P, E)."""
    return reference[None, :, None, :, :]


def at_homes(reference: np.ndarray) -> np.ndarray:
    """View a reference (H, P, E) with the five axes of the factors, (H, 1, 1, P, E)."""
    return reference[:, None, None, :, :]


def of_arm(table: Mapping[str, np.ndarray], arm: str, what: str) -> np.ndarray:
    """Return the array of an arm with the five axes of the factors, (H, G, S, P, E) or (H, 1, S, P, E).

    Args:
        table: one of the mappings of `Returns`.
        arm: name of the arm.
        what: what the table holds, for the message.

    Raises:
        ValueError: the table lacks the arm.
    """
    if arm not in table:
        raise ValueError(f"{what} of the arm {arm} is missing; there are {', '.join(table) or 'none'}")
    array = table[arm]
    return array if array.ndim == 5 else array[:, None]
