"""Tables of a study's numbers as the report shows them, before they are rounded or put into words."""

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
    Ratio,
    Statistic,
    Weights,
    interquartile_mean,
    interval,
    intervals,
    performance_profile,
    probability_of_improvement,
    scores,
)

OTHERS = ("home", "seed", "panel", "economy")
"""Factors over which a comparison of targets averages."""


@dataclass(frozen=True)
class Box:
    """A box of a heat table."""

    value: float | None
    """Number in the box; None if there is none."""
    shade: float
    """Place on the scale of colours, -1 .. 1, 0 in the middle."""
    inside: bool
    """Whether the target is inside the training support, so that it enters no verdict."""


@dataclass(frozen=True)
class Line:
    """A number that is drawn with its interval on a line."""

    name: str
    """Label of the line."""
    found: Interval | None
    """The number and its interval; None if there is no scale to measure on."""
    strong: bool = False
    """Whether the line is emphasized."""


def target_scales(findings: Findings) -> dict[str, float]:
    """Scale of each target, by name: best reply minus floor, in mean job values per round, as the verdicts use it."""
    names, own = findings.numbers, findings.returns
    spans = zip(
        [*names.homes, *names.held_out],
        [*(own.home_best_reply - own.home_floor).mean(axis=(1, 2)), *(own.best_reply - own.floor).mean(axis=(1, 2))],
        strict=True,
    )
    return {name: float(span) for name, span in spans}


def transfer_matrix(findings: Findings) -> list[tuple[str, list[Box]]]:
    """Rows of generalist minus specialist as a share of the target's scale, one per home, with one box per target.

    At held-out targets both arms keep learning; on the home rules both are frozen.
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
    """Generalist minus specialist, (H, G), in mean job values per round."""
    ours, theirs = (findings.numbers.array(arm, protocol, targets) for arm in (GENERALIST, SPECIALIST))
    return (ours - theirs).mean(axis=(2, 3, 4))


def _box(findings: Findings, target: str, value: float, span: float) -> Box:
    inside = target in findings.numbers.homes
    if span <= 0 or np.isnan(value):
        return Box(None, 0.0, inside)
    return Box(value / span, float(np.clip(value / span, -1, 1)), inside)


def returns_table(findings: Findings) -> list[tuple[str, list[Box]]]:
    """Rows of focal profit per round, in mean job values, one per arm or reference, with one box per target.

    Policies are frozen, except that arms keep learning at held-out targets.
    """
    numbers, own = findings.numbers, findings.returns
    rows: dict[str, np.ndarray] = {}
    for arm in findings.arms:
        at_home = numbers.array(arm, "frozen", numbers.homes) if arm in own.frozen else None
        home = np.full(len(numbers.homes), np.nan) if at_home is None else at_home.mean(axis=(0, 2, 3, 4))
        rows[arm] = np.concatenate([home, np.nanmean(own.adapted[arm], axis=(0, 2, 3, 4))])
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
    """The primary contrast over all held-out targets, and at each of them."""
    own, names = findings.returns, findings.numbers.held_out
    gained, scale = own.adapted[GENERALIST] - own.adapted[SPECIALIST], transfer.scale(own)
    usable = scale.mean(axis=(0, 2, 3, 4)) > 0
    statistic, sizes = _each_target(Ratio(gained[:, usable], scale[:, usable])), _sizes(findings, int(usable.sum()))
    each = iter(intervals(statistic, sizes) if usable.any() else ())
    lines = [Line(name, next(each) if fits else None) for name, fits in zip(names, usable, strict=True)]
    return [Line("all together", findings.judgement.verdicts["transfer"].measure, strong=True), *lines]


def _sizes(findings: Findings, targets: int) -> tuple[int, int, int, int, int]:
    homes, _, seeds, panels, economies = findings.returns.sizes
    return homes, targets, seeds, panels, economies


def _each_target(contrast: Ratio) -> Statistic:
    def statistic(weights: Weights) -> np.ndarray:
        found = contrast.partial(weights, OTHERS)
        return found.reshape(len(found), -1)

    return statistic


def contrasts(findings: Findings) -> list[Line]:
    """The generalist against the specialist in other ways, and against the other arms and the best constant conduct."""
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
    return [Line(name, interval(Ratio(gap, scale), own.sizes) if usable else None) for name, gap in pairs.items()]


def _role(arm: str) -> str:
    return {adaptation.WITHOUT_MEMORY: " (no memory)"}.get(arm, "")


def budgets(findings: Findings) -> list[Line]:
    """The primary contrast at each budget of the study, in rising order."""
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
    """Scores of an arm in the competence gate."""

    arm: str
    """Name of the arm."""
    shares: list[float]
    """Score on each training rule, where 0 is the floor and 1 the best reply; NaN if there is no scale."""

    @property
    def failed(self) -> list[bool]:
        """Whether the arm fails the gate, for each training rule."""
        return [not share >= LEAST for share in self.shares]


def gates(findings: Findings) -> list[Gate]:
    """The competence gate of every trained arm."""
    return [Gate(arm, [float(x) for x in competence(findings.returns, arm)]) for arm in findings.learned]


@dataclass(frozen=True)
class Summary:
    """An arm at held-out rules in three ways: all runs, the middle half of the runs, and against the specialist."""

    arm: str
    """Name of the arm."""
    mean: Interval
    """Score of all runs together, where 0 is the floor and 1 the best reply."""
    middle: Interval
    """Mean score of the middle half of the runs, on the same scale."""
    better: Interval | None
    """Probability that a run of the arm scores above a run of the specialist, 0 .. 1; None for the specialist."""


def run_scores(findings: Findings) -> dict[str, Statistic]:
    """Scores of each arm at held-out rules while it keeps learning, where 0 is the floor and 1 the best reply.

    The result is empty if a rule has no scale, because its best reply earns no more than the floor.
    """
    own = findings.returns
    if (own.best_reply - own.floor).mean(axis=(1, 2)).min() <= 0:
        return {}
    floor, best = at_targets(own.floor), at_targets(own.best_reply)
    return {arm: scores(own.adapted[arm], floor, best) for arm in findings.arms}


def summaries(findings: Findings) -> list[Summary]:
    """Summary of every arm (Agarwal et al. 2021); empty if a rule has no scale."""
    own, runs = findings.returns, run_scores(findings)
    floor, scale = at_targets(own.floor), transfer.scale(own)
    return [
        Summary(
            arm,
            interval(Ratio(own.adapted[arm] - floor, scale), own.sizes),
            interval(interquartile_mean(of), own.sizes),
            None
            if arm == SPECIALIST
            else interval(probability_of_improvement(of, runs[SPECIALIST]), own.sizes, bounds=(0, 1)),
        )
        for arm, of in runs.items()
    ]


THRESHOLDS = np.linspace(0, 1.2, 49)
"""Scores at which performance profiles are computed."""


def performance_profiles(findings: Findings) -> dict[str, list[Interval]]:
    """Share of the runs of each arm that score above each of `THRESHOLDS`, 0 .. 1 (Agarwal et al. 2021)."""
    return {
        arm: intervals(performance_profile(of, THRESHOLDS), findings.returns.sizes, bounds=(0, 1))
        for arm, of in run_scores(findings).items()
    }


def curve_table(findings: Findings) -> list[tuple[str, list[float]]]:
    """Focal profit per round of each arm after each of `curve_steps`, averaged over home rules and all else."""
    curves = findings.returns.curves
    return [(arm, curves[arm].mean(axis=(1, 2, 3, 4)).tolist()) for arm in in_order(curves)]


def reach(lines: list[Line]) -> float:
    """Reach of an axis to either side of 0 that shows all these intervals, .1 .. 1.5; ends beyond are cut."""
    ends = [abs(end) for line in lines if line.found for end in (line.found.low, line.found.high)]
    return min(max([0.1, *(end for end in ends if np.isfinite(end))]), 1.5)
