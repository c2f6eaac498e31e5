"""The claim that routine expertise transfers poorly and adaptive expertise well: what is lost when the rule changes.

What an organization loses is its score on the rules that it was trained on minus its score under held-out rules, before
it learns anything there. The loss is also told by how far the rule has moved, by part of the structure and by how many
rules an organization was trained on.
"""

import re

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
    as_measured,
    judge_by_margin,
    margin_thresholds,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.returns import Returns, at_homes, at_targets, of_arm
from ruleshift.eval.claims.transfer import no_scale, scale
from ruleshift.eval.claims.wording import ends, label, level, listed, points
from ruleshift.eval.statistics import Combination, Interval, Ratio, interval

DISTANCES = ("matching", "features")
"""Distances of rules: how differently they match, and how differently they are written."""
_BROAD = re.escape(GENERALIST).replace(r"\+", r"@(\d+)\+")


def loss(returns: Returns, arm: str, targets: np.ndarray | slice = slice(None)) -> Combination:
    """What an arm loses when the rule changes: its score on its own training rules minus that at held-out rules.

    Args:
        returns: what arms and references earned.
        arm: name of the arm.
        targets: which held-out rules (G,) count; by default all.

    Raises:
        ValueError: the study lacks the arm.
    """
    away = of_arm(returns.frozen, arm, "the frozen return")
    gained, unit = away - at_targets(returns.floor), scale(returns)
    return Combination((1.0, -1.0), (_own(returns, arm), Ratio(gained[:, targets], unit[:, targets])))


def _own(returns: Returns, arm: str) -> Ratio:
    """Score of an arm on its own training rules, in the markets of the gate."""
    floor, best = returns.own_gates.get(arm, (returns.gate_floor, returns.gate_best_reply))
    return Ratio(of_arm(returns.gate, arm, "the gate") - at_homes(floor), at_homes(best - floor))


def slope(returns: Returns, arm: str, distances: np.ndarray) -> Ratio:
    """Slope (B,) of an arm's loss over the distance (H, G) of the rule, by least squares: loss per unit of distance.

    Raises:
        ValueError: the study lacks the arm.
    """
    floor, best = returns.own_gates.get(arm, (returns.gate_floor, returns.gate_best_reply))
    own = (of_arm(returns.gate, arm, "the gate") - at_homes(floor)) / _unit(at_homes(best - floor))
    away = (of_arm(returns.frozen, arm, "the frozen return") - at_targets(returns.floor)) / _unit(scale(returns))
    lost, apart = own - away, (distances - distances.mean())[:, :, None, None, None]
    return Ratio(apart * (lost - lost.mean()), apart**2)


def _unit(span: np.ndarray) -> np.ndarray:
    """Best reply minus floor under each rule, averaged over panels and economies."""
    return span.mean(axis=(3, 4), keepdims=True)


def judge(returns: Returns) -> Verdict:
    """Judge the claim; the further intervals are losses of each arm, by part of the structure, and slopes.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    scale_at_home = at_homes(returns.gate_best_reply - returns.gate_floor)
    problem = obstacle(returns) or no_scale(returns, scale(returns)) or no_scale(returns, scale_at_home)
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    contrast = loss(returns, SPECIALIST) - loss(returns, GENERALIST)
    return judge_by_margin(CLAIM.id, contrast, returns, (GENERALIST, SPECIALIST), _by_arm(returns))


def _by_arm(returns: Returns) -> dict[str, Interval]:
    """Losses of every arm with their intervals, over all held-out rules and by part; and slopes over distance."""
    sizes, found = returns.sizes, dict[str, Interval]()
    for arm in returns.frozen:
        found[f"loss of {label(arm)}"] = interval(loss(returns, arm), sizes)
    parts = list(dict.fromkeys(part for part in returns.tiers if part))
    for part in parts if len(parts) > 1 else []:
        chosen = np.array([each == part for each in returns.tiers])
        inner = (sizes[0], int(chosen.sum()), *sizes[2:])
        for arm in (GENERALIST, SPECIALIST):
            found[f"loss of {label(arm)}, {part}"] = interval(loss(returns, arm, chosen), inner)
    usable = min(_unit(each).min() for each in (scale(returns), at_homes(returns.gate_best_reply - returns.gate_floor)))
    for kind in DISTANCES if usable > 0 else ():
        for arm, apart in returns.distances(kind).items():
            if np.ptp(apart) > 0:
                found[f"slope of {label(arm)} over distance by {kind}"] = interval(slope(returns, arm, apart), sizes)
    return found


def answer(judgement: Judgement) -> str:
    """Say what each of the two lost when the rule changed, and whether more rules in training lose less."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    lost = {arm: verdict.intervals[f"loss of {label(arm)}"].estimate for arm in (SPECIALIST, GENERALIST)}
    told = (
        f"Before learning anything under the new rules, the specialist {_changed(lost[SPECIALIST])} against its home "
        f"rule, and the generalist {_changed(lost[GENERALIST])} against its training rules"
    )
    limits = f"{level()} of the difference: {ends(found, signed=True)}"
    if verdict.outcome == INCONCLUSIVE and judgement.incompetent:
        return as_measured(judgement, f"{told} ({limits}).")
    short = {
        SUPPORTED: "Yes.",
        CONTRADICTED: "No, the reverse.",
        NO_DIFFERENCE: "No, both alike.",
        INCONCLUSIVE: "Inconclusive.",
    }[verdict.outcome]
    return f"{short} {told} ({limits}). {_by_breadth(judgement)}".strip()


def _changed(lost: float) -> str:
    return f"{'gained' if lost < 0 else 'lost'} {points(abs(lost))}"


def _by_breadth(judgement: Judgement) -> str:
    """What generalists of few rules lost, in the order of their number; empty if the study has none."""
    held = {}
    for name, found in judgement.verdicts[CLAIM.id].intervals.items():
        if match := re.fullmatch(rf"loss of {_BROAD}", name):
            held[int(match[1])] = found.estimate
    if not held:
        return ""
    told = listed([f"{points(held[count])} with {count}" for count in sorted(held)])
    return f"By the number of rules in training, the loss was {told}."


CLAIM = Claim(
    id="routine",
    question="Does routine expertise transfer poorly, and adaptive expertise well?",
    statement="When the rule changes, organizations trained on one rule lose more of their score than those trained on "
    "many.",
    setting=f"{SPECIALIST} against {GENERALIST}, as they were trained: each on its own training rules, in the markets "
    "of the gate, and under held-out rules, before it learns there",
    measure="[score on training rules - score at held-out rules] of the specialist minus that of the generalist, each "
    "score a ratio of sums on the scale from floor (0) to best reply (1); also the loss of every arm, by part of the "
    "structure, and its slope over the distance of the nearest training rule, by matching and by features",
    thresholds=margin_thresholds("an arm"),
    judge=judge,
    answer=answer,
    essay="routine expertise transfers poorly across contexts while adaptive expertise transfers well",
)
