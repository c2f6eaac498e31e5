"""The claim about changes in mid-episode: who loses less while the rule changes, with frozen weights."""

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
    MARGIN,
    NO_DIFFERENCE,
    SUPPORTED,
    Claim,
    Judgement,
    Verdict,
    as_measured,
    judge_by_margin,
    margin_thresholds,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.crossed import crossed
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.claims.rivals import scale
from ruleshift.eval.claims.transfer import no_scale
from ruleshift.eval.claims.wording import ends, label, level, percent, points
from ruleshift.eval.statistics import Interval, Ratio, interval

SWITCHING = "switching"
"""Name of the protocol that plays the changes."""
FORGETTING = "forgetting"
"""Name of the protocol that scores policies at home after they learned elsewhere."""
PATTERNS = ("abrupt", "periodic", "drifting", "random")
"""Patterns of change."""
NOTICES = ("hidden", "announced", "false")
"""What is said before a change; where it is false, the rule stays."""


def lost(returns: Returns, arm: str) -> dict[str, np.ndarray]:
    """What an arm loses per round against its twin without a change, by `PATTERN_NOTICE`: (H, G, S, 1, E).

    Raises:
        ValueError: the study did not play the changes, or not with this arm.
    """
    names = [f"{pattern}_{notice}" for pattern in PATTERNS for notice in NOTICES]
    found = crossed(returns, SWITCHING, arm, [f"{name}_lost" for name in names])
    return {name: found[f"{name}_lost"] for name in names}


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study did not play the changes, or lacks an arm that the claim is about.
    """
    unit, sizes = scale(returns), returns.sizes
    problem = obstacle(returns) or no_scale(returns, unit)
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    by_arm = {arm: lost(returns, arm) for arm in (GENERALIST, SPECIALIST)}
    saved = {name: by_arm[SPECIALIST][name] - each for name, each in by_arm[GENERALIST].items()}
    primary = Ratio(np.mean([saved[f"{pattern}_hidden"] for pattern in PATTERNS], axis=0), unit)
    named = dict[str, Interval]()
    for arm, each in by_arm.items():
        named |= {
            f"lost by the {label(arm)}, {name.replace('_', ', ')}": interval(Ratio(array, unit), sizes)
            for name, array in each.items()
        }
        named |= _recoveries(returns, arm)
    numbers = {name: each for arm in by_arm for name, each in forgetting(returns, arm).items()}
    return judge_by_margin(CLAIM.id, primary, returns, (GENERALIST, SPECIALIST), named, numbers)


def forgetting(returns: Returns, arm: str) -> dict[str, float]:
    """What an arm gains at a target and loses at home while it keeps learning at the target, by name, as scores.

    Means over the few targets of the protocol, after a tenth of the phase (`few steps`) and after all of it; empty if
    the study did not measure it.
    """
    runs = [run for run in returns.runs if (run.protocol, run.arm, run.budget) == (FORGETTING, arm, 1.0)]
    if not runs:
        return {}
    unit = float(np.mean(scale(returns)))
    found = {}
    for stage, when in (("few", "after few steps"), ("after", "after the phase")):
        for rule, sign, what in (("target", 1, "gained at the target"), ("home", -1, "forgotten of home")):
            moved = np.mean([np.nanmean(run.values[f"{rule}_{stage}"] - run.values[f"{rule}_before"]) for run in runs])
            found[f"{what} {when}, {label(arm)}"] = sign * float(moved) / unit
    return found


def _recoveries(returns: Returns, arm: str) -> dict[str, Interval]:
    """Share of the rounds after an abrupt change until the arm has recovered, by name."""
    held = {notice: f"abrupt_{notice}_recovery" for notice in ("hidden", "announced")}
    found = crossed(returns, SWITCHING, arm, list(held.values()))
    return {
        _recovery_of(arm, notice): interval(Ratio(found[name], np.ones((1, 1, 1, 1, 1))), returns.sizes)
        for notice, name in held.items()
    }


def answer(judgement: Judgement) -> str:
    """Say who loses less while the rule changes, and how long each needs to recover from an abrupt change."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    less = "less" if found.estimate >= 0 else "more"
    swapped = found.estimate < 0
    text = (
        f"While the rule changed unannounced, the generalist lost {points(abs(found.estimate))} {less} against a "
        f"market without the change than the specialist did ({level()}: {ends(found, swapped=swapped)})."
    )
    if not judgement.incompetent:
        text = f"{_SHORT[verdict.outcome]} {text}"
    times = [verdict.intervals[_recovery_of(arm, "hidden")].estimate for arm in (GENERALIST, SPECIALIST)]
    return (
        f"{as_measured(judgement, text)} After an abrupt change, the generalist needed {percent(times[0])} of the "
        f"remaining rounds to recover, and the specialist {percent(times[1])}.{_forgotten(verdict)}"
    )


def _forgotten(verdict: Verdict) -> str:
    """Say what each arm forgot of home while it kept learning at a target; empty if that was not measured."""
    names = [f"forgotten of home after the phase, {label(arm)}" for arm in (GENERALIST, SPECIALIST)]
    if not all(name in verdict.numbers for name in names):
        return ""
    one, other = (points(verdict.numbers[name]) for name in names)
    return f" While it kept learning under a new rule, the generalist forgot {one} of home, and the specialist {other}."


def _recovery_of(arm: str, notice: str) -> str:
    return f"share of rounds until recovery, {label(arm)}, {notice}"


_SHORT = {
    SUPPORTED: "Yes.",
    CONTRADICTED: "No, the reverse.",
    NO_DIFFERENCE: f"Neither loses more, to within {points(MARGIN)}.",
    INCONCLUSIVE: "Inconclusive.",
}

CLAIM = Claim(
    id="recovery",
    question="Who loses less while the rule changes?",
    statement="While the rule changes in mid-episode, unannounced, organizations trained on many rules lose less than "
    "those trained on one.",
    setting=f"frozen {GENERALIST} against {SPECIALIST}, each against its twin in the same market without a change, "
    "where the rule changes abruptly, periodically, in small steps or at random; the rivals stay natives of the home "
    "rule",
    measure="[loss of specialist - loss of generalist] per round / [best reply - floor], the mean of home rule and "
    "target, a ratio of sums over the four patterns of change",
    thresholds=margin_thresholds("an arm"),
    judge=judge,
    answer=answer,
    essay="that procedural knowledge provides no scaffolding for novel problems",
    protocols=(SWITCHING, FORGETTING),
)
