"""The primary contrast: training on variety against training on one rule, once the rule has changed."""

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
from ruleshift.eval.claims.returns import Returns, at_targets, of_arm
from ruleshift.eval.statistics import Statistic, Weights, equal, interval, leave_out, mean, ratio


def advantage(returns: Returns, arm: str = GENERALIST, over: str = SPECIALIST) -> Statistic:
    """How much further one arm gets than another at held-out rules, as a share of the way from floor to best reply."""
    gained = of_arm(returns.adapted, arm, "the adapted return") - of_arm(returns.adapted, over, "the adapted return")
    return ratio(gained, scale(returns))


def scale(returns: Returns) -> np.ndarray:
    """The best reply less the floor at the targets, (1, G, 1, P, E)."""
    return at_targets(returns.best_reply - returns.floor)


def no_scale(returns: Returns, denominator: np.ndarray) -> str:
    """Why a ratio of sums has no meaning: its denominator is not positive, or hangs on one level of a factor."""
    sizes = returns.sizes
    rows: list[Weights] = [equal(sizes), *(leave_out(sizes, axis) for axis, size in enumerate(sizes) if size > 1)]
    lowest = min(float(mean(denominator, weights).min()) for weights in rows)
    return "" if lowest > 0 else f"the best replies earn no more than the floor ({lowest:.3g}): there is no scale"


def judge(returns: Returns) -> Verdict:
    """The verdict on the primary contrast."""
    problem = obstacle(returns) or no_scale(returns, scale(returns))
    if problem:
        return Verdict(CLAIM.id, UNDECIDED, problem)
    found = interval(advantage(returns), returns.sizes)
    failures = gate_failures(returns, (GENERALIST, SPECIALIST))
    if failures:
        return Verdict(CLAIM.id, UNDECIDED, failures, found)
    word = decide(found)
    return Verdict(CLAIM.id, word, explain(word, found), found)


CLAIM = Claim(
    id="transfer",
    says="After the rule changes, organizations trained on many rules earn more than those trained on one.",
    setting=f"{GENERALIST} against {SPECIALIST} at held-out rules, both learning on there for {{phase}} of the budget",
    measure="Delta = sum over h, g, s, p, e of [Y_generalist - Y_specialist] / sum of [best reply - floor]",
    thresholds=f"supported: lower 95 % limit above {MARGIN}; contradicted: upper limit below -{MARGIN}; no material "
    f"difference: within +-{MARGIN}; otherwise undecided, as when an arm fails the gate of competence",
    judge=judge,
)
