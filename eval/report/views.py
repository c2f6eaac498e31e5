"""The views beside the verdicts: around the shift, conduct, distance, rivalry, what the market did."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.experiment.protocols.shift import BINS, SHOWN
from ruleshift.eval.experiment.results import Run
from ruleshift.eval.play import CONDUCT
from ruleshift.eval.report.findings import Findings
from ruleshift.eval.report.tables import target_scales

RECOVERED = 0.9
"""Share of what the best reply earns after the shift at which an arm counts as recovered."""
MIDDLE = BINS // 2


def mean_value(runs: Iterable[Run], measure: str) -> float:
    """Mean of a measure over all economies and panels that were played; NaN of none."""
    return _mean_played([each.values[measure] for each in runs])


def _mean_played(values: list[np.ndarray]) -> float:
    together = np.concatenate([each[~np.isnan(each)] for each in values]) if values else np.empty(0)
    return float(together.mean()) if len(together) else float("nan")


def profile(findings: Findings, arm: str, protocol: str, target: str | None = None) -> np.ndarray:
    """(BINS,) mean focal profit along the episode, over homes, seeds and economies; at one target or over all."""
    found = [each.profile for each in findings.runs(f"{protocol}_profile", arm) if target in (None, each.target)]
    return np.mean(found, axis=0)


@dataclass(frozen=True)
class Recovery:
    """How an arm comes through a shift in mid-episode with its policy frozen."""

    arm: str
    before: float
    after: dict[str, float]
    """By protocol, mean focal profit per round from the shift on: shift, announced, placebo, twin."""
    recovered: float | None
    """Mean share of the episode from the shift to `RECOVERED` of the best reply's level, over targets where it gets
    there; None where it never does."""
    reached: int
    """Held-out targets at which it gets there before the episode ends."""
    regret: float
    """What it earns less than the best reply from the shift to the end of an episode, in mean job values."""


def recoveries(findings: Findings) -> list[Recovery]:
    """Of every arm, and of the references beside them."""
    shifted = {each.arm for each in findings.runs("shift")}
    arms = [*(arm for arm in findings.learned if arm in shifted), "best_reply", "constant"]
    return [_recovery(findings, arm) for arm in arms]


def _recovery(findings: Findings, arm: str) -> Recovery:
    times = [_time(findings, arm, target) for target in findings.numbers.held_out]
    there = [time for time in times if time is not None]
    shifts = findings.runs("shift", arm)
    protocols = ("shift", "announced", "placebo", "twin")
    return Recovery(
        arm=arm,
        before=mean_value(shifts, "before"),
        after={name: mean_value(findings.runs(name, arm), "after") for name in protocols},
        recovered=float(np.mean(there)) if there else None,
        reached=len(there),
        regret=_regret(findings, shifts),
    )


def _time(findings: Findings, arm: str, target: str) -> float | None:
    """Share of the episode after which a profile, as a running mean of three bins, is at the best reply's level."""
    level = RECOVERED * profile(findings, "best_reply", "shift", target)[MIDDLE:].mean()
    after = profile(findings, arm, "shift", target)[MIDDLE:]
    smooth = np.convolve(np.pad(after, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    there = np.flatnonzero(smooth >= level - 1e-12)
    return float(there[0]) / BINS if len(there) else None


def _regret(findings: Findings, shifts: list[Run]) -> float:
    best = {(each.home, each.target): each.values["after"] for each in findings.runs("shift", "best_reply")}
    rounds = np.array([[each.rounds - each.rounds // 2] for each in findings.design.economies])
    return _mean_played([rounds * (best[each.home, each.target] - each.values["after"]) for each in shifts])


@dataclass(frozen=True)
class Conduct:
    """A part of the conduct under one rule, frozen: the generalist's early and late in the episode, others' late."""

    target: str
    early: float
    late: float
    specialist: float
    best_reply: float


def conduct(findings: Findings) -> dict[str, list[Conduct]]:
    """By part of the conduct, one for each target."""
    found: dict[str, list[Conduct]] = {}
    for part in CONDUCT:
        found[part] = []
        for target in findings.numbers.targets:
            at = {
                arm: [each for each in findings.runs("frozen", arm) if each.target == target]
                for arm in (GENERALIST, SPECIALIST, "best_reply")
            }
            early, late = (mean_value(at[GENERALIST], f"{part}_{when}") for when in ("early", "late"))
            others = (mean_value(at[arm], f"{part}_late") for arm in (SPECIALIST, "best_reply"))
            found[part].append(Conduct(target, early, late, *others))
    return found


@dataclass(frozen=True)
class Dose:
    """What frozen policies lose at a target that lies so far from their home rule."""

    home: str
    target: str
    distance: float
    """0 (alike) .. 1; see `rule_distance`."""
    specialist: float
    """Share of the way from floor to best reply that it lacks; NaN where there is no scale."""
    generalist: float
    inside: bool
    """Whether arms trained on the target, or could have."""


def doses(findings: Findings) -> list[Dose]:
    """One a home and target, the home itself among them."""
    numbers, spans, found = findings.numbers, target_scales(findings), []
    apart = {(each.home, each.target): float(each.values["distance"][0, 0]) for each in findings.runs("distance")}
    best = numbers.reference("best_reply", numbers.targets).mean(axis=(1, 2))
    lost = {
        arm: best - numbers.array(arm, "frozen", numbers.targets).mean(axis=(2, 3, 4))
        for arm in (SPECIALIST, GENERALIST)
    }
    for h, home in enumerate(numbers.homes):
        for g, target in enumerate(numbers.targets):
            span = spans[target] if spans[target] > 0 else float("nan")
            specialist, generalist = (float(lost[arm][h, g]) / span for arm in (SPECIALIST, GENERALIST))
            inside = target in numbers.homes
            found.append(Dose(home, target, apart[home, target], specialist, generalist, inside))
    return found


@dataclass(frozen=True)
class Rivalry:
    """Secondary views at one target, in mean job values per round; means over homes, seeds and economies."""

    target: str
    generalist_lead: float
    constant_lead: float
    generalist: float
    specialist: float


def rivalries(findings: Findings) -> list[Rivalry]:
    """One a target; none where the study lacks an arm of the primary contrast."""
    found = []
    for target in findings.numbers.targets:
        heads, selves = (
            [each for each in findings.runs(name) if each.target == target] for name in ("head_to_head", "self_play")
        )
        if heads:
            leads = (mean_value(heads, f"{who}_lead") for who in ("generalist", "constant"))
            found.append(Rivalry(target, *leads, *(mean_value(selves, who) for who in ("generalist", "specialist"))))
    return found


def markets(findings: Findings) -> list[tuple[str, dict[str, float]]]:
    """By target, market measures from the shift on with the best reply in the focal seat."""
    shifts = findings.runs("shift", "best_reply")
    return [
        (target, {name: mean_value([e for e in shifts if e.target == target], f"market_{name}") for name in SHOWN})
        for target in findings.numbers.held_out
    ]
