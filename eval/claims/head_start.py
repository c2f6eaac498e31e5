"""The essay's concession: training on one rule may be faster at first. No condition of the main claim."""

import numpy as np

from ruleshift.eval.claims.claim import (
    GENERALIST,
    MARGIN,
    SPECIALIST,
    UNDECIDED,
    Claim,
    Verdict,
    decide,
    explain,
    obstacle,
)
from ruleshift.eval.claims.competence import gate_failures
from ruleshift.eval.claims.returns import Returns, at_homes, of_arm
from ruleshift.eval.claims.transfer import no_scale
from ruleshift.eval.statistics import LEVEL, Interval, Statistic, Weights, bootstrap, equal, interval, mean, ratio

THRESHOLD = 0.8
"""Share of the way from the floor to the best reply at which a rule counts as learned."""


def area(curve: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Mean height of a learning curve (C, ...) over the steps that it covers, by trapezoids."""
    if len(steps) == 1:
        return curve[0]
    return np.trapezoid(curve, steps, axis=0) / (steps[-1] - steps[0])


def steps_to(threshold: float, height: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Steps at which curves (B, C) first reach a height, straight lines between points: (B,), infinite where never."""
    reached = height >= threshold
    at = reached.argmax(axis=1)
    before, rows = np.maximum(at - 1, 0), np.arange(len(height))
    low, high = height[rows, before], height[rows, at]
    rise = np.where(high > low, high - low, 1.0)
    share = np.where(at > before, (threshold - low) / rise, 0.0)
    when = steps[before] + share * (steps[at] - steps[before])
    return np.where(reached.any(axis=1), when, np.inf)


def time_to_threshold(returns: Returns, arm: str) -> Statistic:
    """Steps of training after which an arm has gone `THRESHOLD` of the way on the home rules."""
    scale = at_homes(returns.home_best_reply - returns.home_floor)
    gained = [curve[:, None] - at_homes(returns.home_floor) for curve in returns.curves[arm]]

    def statistic(weights: Weights) -> np.ndarray:
        heights = np.stack([mean(each, weights) for each in gained], axis=1) / mean(scale, weights)[:, None]
        return steps_to(THRESHOLD, heights, returns.curve_steps)

    return statistic


def judge(returns: Returns) -> Verdict:
    """The verdict on the head start; the generalist need not be competent, for being late is what is asked about."""
    scale = at_homes(returns.home_best_reply - returns.home_floor)
    problem = obstacle(returns) or no_scale(returns, scale)
    if problem:
        return Verdict(CLAIM.id, UNDECIDED, problem)
    areas = {arm: area(curve, returns.curve_steps) for arm, curve in returns.curves.items()}
    lead = of_arm(areas, SPECIALIST, "the curve") - of_arm(areas, GENERALIST, "the curve")
    found = interval(ratio(lead, scale), returns.sizes)
    times = {f"steps to threshold, {arm}": _time(returns, arm) for arm in returns.curves}
    failures = gate_failures(returns, (SPECIALIST,))
    word, reason = (UNDECIDED, failures) if failures else (decide(found), explain(decide(found), found))
    return Verdict(CLAIM.id, word, reason, found, times)


def _time(returns: Returns, arm: str) -> Interval:
    """Percentiles of the bootstrap: a time that may be infinite has no standard error."""
    statistic = time_to_threshold(returns, arm)
    draws = bootstrap(statistic, returns.sizes)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="closest_observation")
    return Interval(float(statistic(equal(returns.sizes))[0]), float(low), float(high), np.nan, np.nan)


CLAIM = Claim(
    id="head_start",
    says="Organizations trained on one rule learn that rule faster than those trained on many.",
    setting=f"{SPECIALIST} against {GENERALIST} on the home rules, policies kept in training, in the focal seat",
    measure="difference of the mean heights of the learning curves, from floor (0) to best reply (1), ratio of sums; "
    f"beside it the steps to {THRESHOLD} of the way",
    thresholds=f"supported: lower 95 % limit above {MARGIN}; contradicted: upper limit below -{MARGIN}; no material "
    f"difference: within +-{MARGIN}; otherwise undecided, as when the specialist fails the gate of competence",
    judge=judge,
)
