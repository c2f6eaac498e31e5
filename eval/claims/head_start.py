"""The claim that training on one rule is faster at first: a concession, and no condition of the main claim."""

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
    NO_DIFFERENCE,
    SUPPORTED,
    Claim,
    Judgement,
    Verdict,
    failing,
    judge_by_margin,
    margin_thresholds,
    measured,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.returns import Returns, at_homes, of_arm
from ruleshift.eval.claims.transfer import no_scale
from ruleshift.eval.claims.wording import ends, level, points, score
from ruleshift.eval.statistics import (
    LEVEL,
    Interval,
    Ratio,
    Statistic,
    Weights,
    bootstrap,
    equal,
    mean,
)

THRESHOLD = 0.8
"""Score at which a rule counts as learned, where 0 is the floor and 1 the best reply."""


def area(curve: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Mean height (...) of learning curves (C, ...) over the steps (C,) that they cover, by trapezoids."""
    if len(steps) == 1:
        return curve[0]
    return np.trapezoid(curve, steps, axis=0) / (steps[-1] - steps[0])


def steps_to(threshold: float, height: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Steps (B,) at which curves first reach a threshold, by linear interpolation; infinite if they never do.

    Args:
        threshold: height to reach.
        height: (B, C) heights of the curves.
        steps: (C,) agent-steps of their points.
    """
    reached = height >= threshold
    at = reached.argmax(axis=1)
    before, rows = np.maximum(at - 1, 0), np.arange(len(height))
    low, high = height[rows, before], height[rows, at]
    rise = np.where(high > low, high - low, 1.0)
    share = np.where(at > before, (threshold - low) / rise, 0.0)
    when = steps[before] + share * (steps[at] - steps[before])
    return np.where(reached.any(axis=1), when, np.inf)


def time_to_threshold(returns: Returns, arm: str) -> Statistic:
    """Agent-steps of training (B,) after which an arm scores `THRESHOLD` on the home rules, infinite if never."""
    scale = at_homes(returns.home_best_reply - returns.home_floor)
    gained = [curve[:, None] - at_homes(returns.home_floor) for curve in returns.curves[arm]]

    def statistic(weights: Weights) -> np.ndarray:
        heights = np.stack([mean(each, weights) for each in gained], axis=1) / mean(scale, weights)[:, None]
        return steps_to(THRESHOLD, heights, returns.curve_steps)

    return statistic


def judge(returns: Returns) -> Verdict:
    """Judge the claim. The generalist need not be competent, since the claim is that it is late.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    scale = at_homes(returns.home_best_reply - returns.home_floor)
    problem = obstacle(returns) or no_scale(returns, scale)
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    areas = {arm: area(curve, returns.curve_steps) for arm, curve in returns.curves.items()}
    lead = of_arm(areas, SPECIALIST, "the curve") - of_arm(areas, GENERALIST, "the curve")
    times = {f"steps to threshold, {arm}": _time(returns, arm) for arm in returns.curves}
    return judge_by_margin(CLAIM.id, Ratio(lead, scale), returns, (SPECIALIST,), times)


def _time(returns: Returns, arm: str) -> Interval:
    """Steps to the threshold with percentiles of the bootstrap, since a time that may be infinite has no error."""
    statistic = time_to_threshold(returns, arm)
    draws = bootstrap(statistic, returns.sizes)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="closest_observation")
    return Interval(float(statistic(equal(returns.sizes))[0]), float(low), float(high), np.nan, np.nan)


def answer(judgement: Judgement) -> str:
    """Say whether the specialists learned their rule faster, and how long it took."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    by, over = points(abs(found.estimate)), "averaged over the whole of training"
    direction = "higher" if found.estimate >= 0 else "lower"
    scored = f"Specialists scored {by} {direction} on their home rules than the generalist, {over}"
    text = {
        SUPPORTED: f"Yes. {scored} ({level()}: {ends(found)}).",
        CONTRADICTED: f"No, the reverse. The generalist scored {by} higher on the specialists' own home rules, {over} "
        f"({level()}: {ends(found, swapped=True)}).",
        NO_DIFFERENCE: "No. On their home rules there was no material difference "
        f"({level()}: {ends(found, signed=True)}).",
        INCONCLUSIVE: f"Inconclusive. {scored}, but the {level()} of the difference runs from "
        f"{ends(found, signed=True)} points.",
    }[verdict.outcome]
    if verdict.outcome == INCONCLUSIVE and (failure := failing(judgement, SPECIALIST)):
        text = f"No verdict: {failure}. {measured(scored)}."
    return f"{text} {_times(verdict)}"


def _times(verdict: Verdict) -> str:
    """Say when each of the two arms had learned the home rules."""
    specialist, generalist = (
        verdict.intervals[f"steps to threshold, {arm}"].estimate for arm in (SPECIALIST, GENERALIST)
    )
    mark = f"a score of {score(THRESHOLD)}"
    if not np.isfinite([specialist, generalist]).any():
        return f"Neither reached {mark} within the budget."
    if not np.isfinite(specialist):
        return f"The generalist reached {mark} after {generalist:,.0f} agent-steps, and the specialists never did."
    late = f"after {generalist:,.0f}" if np.isfinite(generalist) else "never did"
    return f"Specialists reached {mark} after {specialist:,.0f} agent-steps, and the generalist {late}."


CLAIM = Claim(
    id="head_start",
    question="Did the specialists learn faster?",
    statement="Organizations trained on one rule learn that rule faster than those trained on many.",
    setting=f"{SPECIALIST} against {GENERALIST} on the home rules: policies saved during training, in the focal seat",
    measure="difference between the mean heights of the learning curves, on a scale from the floor (0) to the best "
    f"reply (1), a ratio of sums; also the agent-steps until a curve reaches {THRESHOLD}",
    thresholds=margin_thresholds("the specialist"),
    judge=judge,
    answer=answer,
    essay="even if the infrastructure-specific training produces faster initial performance",
)
