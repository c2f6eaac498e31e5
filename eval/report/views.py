"""Views that accompany the verdicts: the shift in mid-episode, conduct, knowledge, distance, rivalry, the market."""

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
"""Index of the first stretch of a profile after the shift."""


def mean_value(runs: Iterable[Run], measure: str) -> float:
    """Mean of a measure over all runs, economies and panels that were played; NaN if there are none."""
    return _mean_played([each.values[measure] for each in runs])


def _mean_played(values: list[np.ndarray]) -> float:
    together = np.concatenate([each[~np.isnan(each)] for each in values]) if values else np.empty(0)
    return float(together.mean()) if len(together) else float("nan")


def profile(findings: Findings, arm: str, protocol: str, target: str | None = None) -> np.ndarray:
    """Mean focal profit per round in each stretch of the episode, (BINS,), at one target or averaged over all.

    It is averaged over homes, seeds and economies, and is in mean job values.
    """
    found = [each.profile for each in findings.runs(f"{protocol}_profile", arm) if target in (None, each.target)]
    return np.mean(found, axis=0)


@dataclass(frozen=True)
class Recovery:
    """How an arm, with its policy frozen, comes through a shift in mid-episode."""

    arm: str
    """Name of the arm or reference."""
    before: float
    """Mean focal profit per round before the shift, in mean job values."""
    after: dict[str, float]
    """Mean focal profit per round from the shift on, by protocol: shift, announced, placebo and twin."""
    recovered: float | None
    """Share of the episode that passes from the shift until the arm earns `RECOVERED` of what the best reply earns,
    averaged over the targets where it does; None if it never does."""
    reached: int
    """Number of held-out targets at which the arm recovers before the episode ends."""
    regret: float
    """What the best reply earns more from the shift to the end of an episode, in mean job values."""


def recoveries(findings: Findings) -> list[Recovery]:
    """Recovery of every trained arm, of the best replies and of the best constant conduct."""
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
    """Share of the episode from the shift until the running mean of three stretches has recovered; None if never."""
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
    """One part of the conduct of frozen policies under one rule, such as the ask."""

    target: str
    """Name of the rule."""
    early: float
    """Mean of the generalist in the first tenth of the episode."""
    late: float
    """Mean of the generalist in the last tenth of the episode."""
    specialist: float
    """Mean of the specialists in the last tenth of the episode."""
    best_reply: float
    """Mean of the best reply in the last tenth of the episode."""


def conduct(findings: Findings) -> dict[str, list[Conduct]]:
    """Conduct under each target, by part of the conduct."""
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
    """What frozen policies lose at a target, and how far it lies from the home rule."""

    home: str
    """Name of the home rule."""
    target: str
    """Name of the target rule."""
    distance: float
    """Distance of the two rules, 0 (alike) .. 1; see `rule_distance`."""
    specialist: float
    """1 minus the score of the specialist, where 0 is the floor and 1 the best reply; NaN if there is no scale."""
    generalist: float
    """The same for the generalist."""
    inside: bool
    """Whether the target is inside the training support."""


def doses(findings: Findings) -> list[Dose]:
    """One dose per home rule and target, including the home rule itself."""
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
    """Head to head and self-play at one target, in mean job values per round, averaged over all else."""

    target: str
    """Name of the target rule."""
    generalist_lead: float
    """What the generalist earns more than the specialist in the same market."""
    constant_lead: float
    """What the best constant conduct earns more than the specialist in the same market."""
    generalist: float
    """What the generalist earns if it holds every seat."""
    specialist: float
    """What the specialist earns if it holds every seat."""


def rivalries(findings: Findings) -> list[Rivalry]:
    """One rivalry per target; none if the study lacks an arm of the primary contrast."""
    found = []
    for target in findings.numbers.targets:
        heads, selves = (
            [each for each in findings.runs(name) if each.target == target] for name in ("head_to_head", "self_play")
        )
        if heads:
            leads = (mean_value(heads, f"{who}_lead") for who in ("generalist", "constant"))
            found.append(Rivalry(target, *leads, *(mean_value(selves, who) for who in ("generalist", "specialist"))))
    return found


@dataclass(frozen=True)
class Knowledge:
    """What is read from an arm of the held-out rules, or what it names them to be, in the course of an episode."""

    arm: str
    """Name of the arm."""
    named: bool
    """Whether the arm itself named the rule."""
    by_round: list[float]
    """R2 after each of the protocol's `ROUNDS` and in the last round, over homes, held-out rules, seeds and economies:
    the share by which the squared error is less than that of the mean of the training rules, a ratio of sums."""


def knowledge(findings: Findings) -> list[Knowledge]:
    """What each trained arm knows, and after it what it names, if it does; empty if the study ran no probe."""
    found = []
    for arm in findings.learned:
        for protocol in ("probe", "naming"):
            runs = findings.runs(f"{protocol}_profile", arm)
            if runs:
                profiles = np.mean([each.profile for each in runs], axis=0)
                of_mean = mean_value(findings.runs(protocol, arm), "r2_of_mean")
                found.append(Knowledge(arm, protocol == "naming", ((profiles - of_mean) / (1 - of_mean)).tolist()))
    return found


def markets(findings: Findings) -> list[tuple[str, dict[str, float]]]:
    """Mean market measures from the shift on, by held-out target, with the best reply in the focal seat."""
    shifts = findings.runs("shift", "best_reply")
    return [
        (target, {name: mean_value([e for e in shifts if e.target == target], f"market_{name}") for name in SHOWN})
        for target in findings.numbers.held_out
    ]
