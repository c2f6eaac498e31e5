"""The primary contrast: training on many rules against training on one, after the rule has changed."""

import math

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
    MARGIN,
    NO_DIFFERENCE,
    SUPPORTED,
    THESE_RULES,
    Claim,
    Judgement,
    Verdict,
    as_measured,
    decide,
    judge_by_margin,
    margin_thresholds,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.returns import Returns, at_targets, of_arm
from ruleshift.eval.claims.wording import ends, level, points
from ruleshift.eval.statistics import Ratio, Weights, equal, leave_out, mean


def advantage(returns: Returns, arm: str = GENERALIST, over: str = SPECIALIST) -> Ratio:
    """Delta, (B,): how much one arm scores above another at held-out rules, where 0 is the floor and 1 the best reply.

    Raises:
        ValueError: the study lacks an arm.
    """
    gained = of_arm(returns.adapted, arm, "the adapted return") - of_arm(returns.adapted, over, "the adapted return")
    return Ratio(gained, scale(returns))


def scale(returns: Returns) -> np.ndarray:
    """Best reply minus floor at held-out targets, (1, G, 1, P, E)."""
    return at_targets(returns.best_reply - returns.floor)


def no_scale(returns: Returns, denominator: np.ndarray) -> str:
    """Return why a ratio of sums is meaningless; empty if it is not.

    Its denominator must be above 0, and must stay so if any one level of a factor is left out.
    """
    sizes = returns.sizes
    rows: list[Weights] = [equal(sizes), *(leave_out(sizes, axis) for axis, size in enumerate(sizes) if size > 1)]
    lowest = min(float(mean(denominator, weights).min()) for weights in rows)
    if lowest > 0:
        return ""
    return f"the best replies earn no more than the floor (difference {lowest:.3g}), so there is no scale"


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    problem = obstacle(returns) or no_scale(returns, scale(returns))
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    return judge_by_margin(CLAIM.id, advantage(returns), returns, (GENERALIST, SPECIALIST))


def answer(judgement: Judgement) -> str:
    """Say who earns more after the rule change, by how much, and how sure that is, in both scopes."""
    return " ".join(filter(None, (_answer(judgement), under_these_rules(judgement))))


def under_these_rules(judgement: Judgement) -> str:
    """Say what holds for the rules of the study taken as they are, a narrower question; empty if not measured."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.intervals.get(THESE_RULES)
    if found is None or not math.isfinite(found.high):
        return ""
    outcome = "no verdict, since an arm fails the competence gate" if judgement.incompetent else decide(found)
    return (
        "Under these rules, taken as they are rather than as a sample of rules like these, the difference is "
        f"{points(found.estimate, signed=True)} ({level()}: {ends(found, signed=True)}): {outcome}."
    )


def _answer(judgement: Judgement) -> str:
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    higher = "higher" if found.estimate >= 0 else "lower"
    scored = f"The generalist scored {points(abs(found.estimate))} {higher} than the specialist"
    swapped = found.estimate < 0
    interval_ = f"{level()}: {ends(found, swapped=swapped)}"
    if verdict.outcome == INCONCLUSIVE and judgement.incompetent:
        return as_measured(judgement, f"{scored} ({interval_}).")
    if verdict.outcome == NO_DIFFERENCE:
        return f"Neither. {scored} ({interval_}), and a difference of less than {points(MARGIN)} counts as none."
    if verdict.outcome == INCONCLUSIVE:
        limits = ends(found, signed=True)
        return f"Inconclusive. {scored}, but the {level()} of the difference runs from {limits} points."
    winner, loser = ("generalist", "specialist") if verdict.outcome == SUPPORTED else ("specialist", "generalist")
    return (
        f"The {winner}. While both kept learning under the new rule, it scored {points(abs(found.estimate))} higher "
        f"than the {loser} ({interval_})."
    )


def headline(judgement: Judgement) -> str:
    """Answer the main question in one sentence."""
    outcome = judgement.verdicts[CLAIM.id].outcome
    if outcome == INCONCLUSIVE and judgement.incompetent:
        return "No conclusion at this budget: the organizations had not learned their own rules well enough."
    return {
        SUPPORTED: "After the rule change, organizations trained on many rules earned more.",
        CONTRADICTED: "After the rule change, organizations trained on one rule earned more: the claim is reversed.",
        NO_DIFFERENCE: "After the rule change, it made no material difference whether organizations had been trained "
        "on many rules or on one.",
        INCONCLUSIVE: "This study is inconclusive: it cannot tell who earns more after the rule change.",
    }[outcome]


CLAIM = Claim(
    id="transfer",
    question="Who earns more after the rule change?",
    statement="After the rule changes, organizations trained on many rules earn more than those trained on one.",
    setting=f"{GENERALIST} against {SPECIALIST} under held-out rules, where both keep learning for {{phase}} of their "
    "training budget",
    measure="Delta = sum over h, g, s, p, e of [Y_generalist - Y_specialist] / sum of [best reply - floor]",
    thresholds=margin_thresholds("an arm"),
    judge=judge,
    answer=answer,
    essay="Organizations trained on general structural features of algorithmic systems should outperform organizations "
    "trained on procedures specific to their domestic AI infrastructure",
)
