"""The numbers of a study as the report shows them. Nothing here rounds, and nothing is put into words."""

from dataclasses import dataclass

import numpy as np

from ruleshift.eval.claims import adaptation, transfer
from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.competence import LEAST, competence
from ruleshift.eval.claims.returns import at_targets
from ruleshift.eval.claims.wording import in_order, label
from ruleshift.eval.experiment.results import returns_of
from ruleshift.eval.report.findings import Findings
from ruleshift.eval.statistics import (
    Interval,
    Statistic,
    Weights,
    interquartile_mean,
    interval,
    intervals,
    partial_mean,
    performance_profile,
    probability_of_improvement,
    ratio,
    scores,
)

OTHERS = ("home", "seed", "panel", "economy")
"""What is averaged over where targets stand side by side."""


@dataclass(frozen=True)
class Box:
    """A cell of a heat table: a number, None where there is none, and where it lies on the scale of its colour."""

    value: float | None
    shade: float
    """-1 .. 1: how far towards one end, 0 in the middle."""
    inside: bool
    """Whether arms trained on the target, or could have: it enters no verdict."""


@dataclass(frozen=True)
class Line:
    """A number with its interval, on a line of its own; None where there is no scale to measure on."""

    name: str
    found: Interval | None
    strong: bool = False


def target_scales(findings: Findings) -> dict[str, float]:
    """By target, the best reply minus the floor; held-out targets as the verdicts have them."""
    names, own = findings.numbers, findings.returns
    spans = zip(
        [*names.homes, *names.held_out],
        [*(own.home_best_reply - own.home_floor).mean(axis=(1, 2)), *(own.best_reply - own.floor).mean(axis=(1, 2))],
        strict=True,
    )
    return {name: float(span) for name, span in spans}


def transfer_matrix(findings: Findings) -> list[tuple[str, list[Box]]]:
    """By home and target, the generalist minus the specialist as a share of the target's scale.

    At held-out targets both keep learning; at targets inside the training support both are frozen.
    """
    numbers, spans = findings.numbers, target_scales(findings)
    inside = _difference(findings, "frozen", numbers.homes)
    outside = _difference(findings, "adaptation", numbers.held_out)
    rows = np.concatenate([inside, outside], axis=1)
    columns = [(target, spans[target]) for target in numbers.targets]
    return [
        (home, [_box(findings, target, value, span) for (target, span), value in zip(columns, row, strict=True)])
        for home, row in zip(numbers.homes, rows, strict=True)
    ]


def _difference(findings: Findings, protocol: str, targets: list[str]) -> np.ndarray:
    """(H, G), generalist minus specialist."""
    ours, theirs = (findings.numbers.array(arm, protocol, targets) for arm in (GENERALIST, SPECIALIST))
    return (ours - theirs).mean(axis=(2, 3, 4))


def _box(findings: Findings, target: str, value: float, span: float) -> Box:
    inside = target in findings.numbers.homes
    return Box(value / span, float(np.clip(value / span, -1, 1)), inside) if span > 0 else Box(None, 0.0, inside)


def returns_table(findings: Findings) -> list[tuple[str, list[Box]]]:
    """By arm or reference and target, focal profit per round: frozen, but arms at held-out targets as they learn on."""
    numbers, own = findings.numbers, findings.returns
    rows: dict[str, np.ndarray] = {}
    for arm in findings.arms:
        at_home = numbers.array(arm, "frozen", numbers.homes) if arm in own.frozen else None
        home = np.full(len(numbers.homes), np.nan) if at_home is None else at_home.mean(axis=(0, 2, 3, 4))
        rows[arm] = np.concatenate([home, own.adapted[arm].mean(axis=(0, 2, 3, 4))])
    for arm in ("best_reply", "native", "constant"):
        rows[arm] = numbers.reference(arm, numbers.targets).mean(axis=(1, 2))
    rows["floor"] = numbers.floor(numbers.targets).mean(axis=(1, 2))
    low, high = rows["floor"], rows["best_reply"]
    return [(arm, [_level(findings, i, each, low, high) for i, each in enumerate(row)]) for arm, row in rows.items()]


def _level(findings: Findings, target: int, value: float, low: np.ndarray, high: np.ndarray) -> Box:
    inside = target < len(findings.numbers.homes)
    if np.isnan(value):
        return Box(None, 0.0, inside)
    span = high[target] - low[target]
    shade = float(np.clip((value - low[target]) / span, 0, 1)) if span > 0 else 0.0
    return Box(float(value), shade, inside)


def by_target(findings: Findings) -> list[Line]:
    """The primary contrast, in all and target by target."""
    own, names = findings.returns, findings.numbers.held_out
    gained, scale = own.adapted[GENERALIST] - own.adapted[SPECIALIST], transfer.scale(own)
    usable = scale.mean(axis=(0, 2, 3, 4)) > 0
    statistic, sizes = _each_target(gained[:, usable], scale[:, usable]), _sizes(findings, int(usable.sum()))
    each = iter(intervals(statistic, sizes) if usable.any() else ())
    lines = [Line(name, next(each) if fits else None) for name, fits in zip(names, usable, strict=True)]
    return [Line("all together", findings.judgement.verdicts["transfer"].measure, strong=True), *lines]


def _sizes(findings: Findings, targets: int) -> tuple[int, int, int, int, int]:
    homes, _, seeds, panels, economies = findings.returns.sizes
    return homes, targets, seeds, panels, economies


def _each_target(gained: np.ndarray, scale: np.ndarray) -> Statistic:
    def statistic(weights: Weights) -> np.ndarray:
        found = partial_mean(gained, weights, OTHERS) / partial_mean(scale, weights, OTHERS)
        return found.reshape(len(found), -1)

    return statistic


def contrasts(findings: Findings) -> list[Line]:
    """The generalist against the specialist in other ways, and against what cannot adapt."""
    own, numbers = findings.returns, findings.numbers
    scale, mean_actions = transfer.scale(own), "mean_actions"
    pairs = {
        "the specialist, both frozen": own.frozen[GENERALIST] - own.frozen[SPECIALIST],
        "the specialist, both frozen, mean actions": numbers.array(GENERALIST, mean_actions, numbers.held_out)
        - numbers.array(SPECIALIST, mean_actions, numbers.held_out),
    }
    for arm, adapted in own.adapted.items():
        if arm not in (GENERALIST, SPECIALIST):
            pairs[f"{label(arm)}{_role(arm)}"] = own.adapted[GENERALIST] - adapted
    pairs[label("constant")] = own.adapted[GENERALIST] - at_targets(own.constant)
    usable = not transfer.no_scale(own, scale)
    return [Line(name, interval(ratio(gap, scale), own.sizes) if usable else None) for name, gap in pairs.items()]


def _role(arm: str) -> str:
    return {adaptation.WITHOUT_MEMORY: " (no memory)"}.get(arm, "")


def budgets(findings: Findings) -> list[Line]:
    """The primary contrast at every budget that was asked for, the least first."""
    lines = []
    for budget in sorted({1.0, *findings.design.preset.budgets}):
        own = findings.returns if budget == 1.0 else returns_of(findings.numbers, budget)
        if GENERALIST in own.adapted and SPECIALIST in own.adapted:
            lines.append(
                Line(
                    "the study's budget" if budget == 1 else f"{budget:g} times the budget",
                    transfer.judge(own).measure,
                    strong=budget == 1.0,
                )
            )
    return lines


@dataclass(frozen=True)
class Gate:
    """What an arm came to in the gate of competence, by training rule."""

    arm: str
    shares: list[float]
    """0 at the floor, 1 at the best reply; NaN where there is no scale."""

    @property
    def failed(self) -> list[bool]:
        """By training rule, whether it is not competent."""
        return [not share >= LEAST for share in self.shares]


def gates(findings: Findings) -> list[Gate]:
    """Of every arm that was trained."""
    return [Gate(arm, [float(x) for x in competence(findings.returns, arm)]) for arm in findings.learned]


@dataclass(frozen=True)
class Summary:
    """An arm at held-out rules in three ways: all cells, the middle half of the runs, and against the specialist."""

    arm: str
    mean: Interval
    middle: Interval
    better: Interval | None
    """Probability that a run of it scores above a run of the specialist."""


def run_scores(findings: Findings) -> dict[str, Statistic]:
    """By arm, scores at held-out rules while it learns on, 0 at the floor and 1 at the best reply; none without a scale
    at each rule."""
    own = findings.returns
    if (own.best_reply - own.floor).mean(axis=(1, 2)).min() <= 0:
        return {}
    floor, best = at_targets(own.floor), at_targets(own.best_reply)
    return {arm: scores(own.adapted[arm], floor, best) for arm in findings.arms}


def summaries(findings: Findings) -> list[Summary]:
    """Of every arm (Agarwal et al. 2021)."""
    own, runs = findings.returns, run_scores(findings)
    floor, scale = at_targets(own.floor), transfer.scale(own)
    return [
        Summary(
            arm,
            interval(ratio(own.adapted[arm] - floor, scale), own.sizes),
            interval(interquartile_mean(of), own.sizes),
            None
            if arm == SPECIALIST
            else interval(probability_of_improvement(of, runs[SPECIALIST]), own.sizes, bounds=(0, 1)),
        )
        for arm, of in runs.items()
    ]


THRESHOLDS = np.linspace(0, 1.2, 49)


def performance_profiles(findings: Findings) -> dict[str, list[Interval]]:
    """By arm, the share of runs that score above each of `THRESHOLDS` (Agarwal et al. 2021)."""
    return {
        arm: intervals(performance_profile(of, THRESHOLDS), findings.returns.sizes, bounds=(0, 1))
        for arm, of in run_scores(findings).items()
    }


def curve_table(findings: Findings) -> list[tuple[str, list[float]]]:
    """By arm, focal profit per round on the home rules after each of `curve_steps`, mean over all rules and seeds."""
    curves = findings.returns.curves
    return [(arm, curves[arm].mean(axis=(1, 2, 3, 4)).tolist()) for arm in in_order(curves)]


def reach(lines: list[Line]) -> float:
    """How far an axis that shows all these numbers must reach to either side; ends beyond 1.5 are cut."""
    ends = [abs(end) for line in lines if line.found for end in (line.found.low, line.found.high)]
    return min(max([0.1, *(end for end in ends if np.isfinite(end))]), 1.5)
