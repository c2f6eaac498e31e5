"""The claim about every economy: the primary contrast economy by economy, and where its sign changes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

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
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.competence import gate_failures
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.claims.transfer import advantage, no_scale, scale
from ruleshift.eval.claims.wording import count, field_label, level, percent, points
from ruleshift.eval.statistics import LEVEL, Interval, Statistic, Weights, intervals

_OTHERS = ("home", "target", "seed", "panel")


@dataclass(frozen=True)
class Flip:
    """The field of the economy that best separates economies in which the generalist is ahead from the others."""

    field: str
    """Name of the field."""
    cut: float
    """Value that separates best, half-way between two economies, in the unit of the field."""
    ahead_above: bool
    """Whether the generalist is ahead above the cut, rather than below it."""
    separation: float
    """|2 A - 1|, where A is the area under the ROC curve: from 0 (the field tells nothing) to 1 (it tells all)."""
    chance: float
    """Probability that the best of all fields separates as well if signs are dealt at random."""


def advantages(returns: Returns) -> Statistic:
    """Delta, the primary contrast, within each economy, (B, E).

    Raises:
        ValueError: the study lacks an arm.
    """
    contrast = advantage(returns)

    def statistic(weights: Weights) -> np.ndarray:
        found = contrast.partial(weights, _OTHERS)
        return found.reshape(len(found), -1)

    return statistic


def flip(delta: np.ndarray, economies: Mapping[str, np.ndarray], deals: int = 999, seed: int = 0) -> Flip | None:
    """Find the field whose values best separate economies with delta > 0 from the others; None if no field can.

    Args:
        delta: (E,) primary contrast within each economy.
        economies: (E,) values of each field, by its name.
        deals: number of random permutations of the signs.
        seed: seed of the permutations.
    """
    ahead = delta > 0
    varying = {name: np.asarray(values, float) for name, values in economies.items() if len(np.unique(values)) > 1}
    if ahead.all() or not ahead.any() or not varying:
        return None
    ranks = np.stack([rankdata(values) for values in varying.values()])
    areas = _areas(ranks, ahead[None])[0]
    best = int(np.argmax(np.abs(2 * areas - 1)))
    name, above = list(varying)[best], bool(areas[best] > 0.5)
    dealt = np.random.default_rng(seed).permuted(np.repeat(ahead[None], deals, axis=0), axis=1)
    separation = float(abs(2 * areas[best] - 1))
    as_well = np.abs(2 * _areas(ranks, dealt) - 1).max(axis=1) >= separation - 1e-12
    chance = float((1 + as_well.sum()) / (1 + deals))
    return Flip(name, _cut(varying[name], ahead == above), above, separation, chance)


def _areas(ranks: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Areas under the ROC curve (deals, fields) from ranks (fields, E) and signs (deals, E) (Mann & Whitney 1947)."""
    many = ahead.sum(axis=1)[:, None]
    return (ahead @ ranks.T - many * (many + 1) / 2) / (many * (ahead.shape[1] - many))


def _cut(values: np.ndarray, high: np.ndarray) -> float:
    """Value that separates the economies meant to lie above it (`high`) from the others with the fewest errors."""
    levels = np.unique(values)
    cuts = (levels[1:] + levels[:-1]) / 2
    return float(cuts[np.argmax([((values > cut) == high).sum() for cut in cuts])])


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    To be supported, it needs every interval on one side, which calls for no correction for their number (Berger 1982).
    One reversed economy contradicts it, which is therefore read off intervals with a Bonferroni correction.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    count = returns.sizes[4]
    problem = obstacle(returns) or no_scale(returns, scale(returns))
    if not problem and (returns.best_reply - returns.floor).mean(axis=(0, 1)).min() <= 0:
        problem = "in some economy the best replies earn no more than the floor, so there is no scale"
    if not problem and count < 2:
        problem = "with one economy, nothing is known about others"
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    statistic = advantages(returns)
    each = intervals(statistic, returns.sizes)
    strict = intervals(statistic, returns.sizes, level=1 - (1 - LEVEL) / count)
    delta = np.array([one.estimate for one in each])
    found = flip(delta, returns.economies)
    outcome, reason = _outcome(each, strict)
    failures = gate_failures(returns, (GENERALIST, SPECIALIST))
    if failures:
        outcome, reason = INCONCLUSIVE, failures
    named = {f"economy {index}": one for index, one in enumerate(each)}
    return Verdict(CLAIM.id, outcome, f"{reason}{_told(found)}", None, named, _numbers(delta, each, found))


def _outcome(each: list[Interval], strict: list[Interval]) -> tuple[str, str]:
    low, high = np.array([one.low for one in each]), np.array([one.high for one in each])
    reversed_ = sum(one.high < 0 for one in strict)
    if (low > 0).all():
        return SUPPORTED, f"ahead in each of {len(each)} economies"
    if reversed_:
        return CONTRADICTED, f"behind in {reversed_} of {len(each)} economies, by intervals corrected for their number"
    if (low >= -MARGIN).all() and (high <= MARGIN).all():
        return NO_DIFFERENCE, f"within +-{MARGIN:g} in each of {len(each)} economies"
    return INCONCLUSIVE, f"the interval is above 0 in {(low > 0).sum()} of {len(each)} economies, and below in none"


def _told(found: Flip | None) -> str:
    if found is None:
        return ""
    side = "above" if found.ahead_above else "below"
    return (
        f"; of the economy's fields, {found.field} best separates the signs (ahead {side} {found.cut:.3g}; chance "
        f"alone does as well in {100 * found.chance:.0f}% of cases)"
    )


def _numbers(delta: np.ndarray, each: list[Interval], found: Flip | None) -> dict[str, float]:
    worst = np.sort(delta)[: math.ceil(len(delta) / 10)]
    numbers = {
        "share_ahead": float((delta > 0).mean()),
        "share_behind": float((delta < 0).mean()),
        "share_surely_ahead": float(np.mean([one.low > 0 for one in each])),
        "share_surely_behind": float(np.mean([one.high < 0 for one in each])),
        "worst_decile": float(worst.mean()),
    }
    if found:
        numbers |= {f"cut of {found.field}": found.cut, "separation": found.separation, "chance": found.chance}
    return numbers


def answer(judgement: Judgement) -> str:
    """Say in how many economies each arm is ahead, what the worst ones give, and what separates them."""
    verdict = judgement.verdicts[CLAIM.id]
    if not verdict.numbers:
        return unmeasured(verdict)
    numbers, total = verdict.numbers, len(verdict.intervals)
    ahead, behind, surely_ahead, surely_behind = (
        round(numbers[f"share_{name}"] * total) for name in ("ahead", "behind", "surely_ahead", "surely_behind")
    )
    text = (
        f"Out of {count(total, 'economy')}, the generalist was ahead in {_many(ahead, surely_ahead, 'above')} and "
        f"behind in {_many(behind, surely_behind, 'below')}. In the worst tenth, its lead averaged "
        f"{points(numbers['worst_decile'], signed=True)}."
    )
    if not judgement.incompetent:
        text = f"{_SHORT[verdict.outcome]} {text}"
    return f"{as_measured(judgement, text)} {_told_apart(judgement, verdict)}".strip()


_SHORT = {
    SUPPORTED: "Yes.",
    CONTRADICTED: "No. In some economies, the specialist is ahead.",
    NO_DIFFERENCE: "No. There is no material difference in any economy.",
    INCONCLUSIVE: "Inconclusive.",
}


def _many(number: int, sure: int, side: str) -> str:
    """Say how many economies there are, and in how many the interval agrees: `3 (the 95% interval is above 0 in 2)`."""
    return f"{number} (the {level()} is {side} 0 in {sure or 'none'})" if number else "none"


def _told_apart(judgement: Judgement, verdict: Verdict) -> str:
    """Name the field that best separates where the generalist is ahead; empty if the sign never changes."""
    found = flip(np.array([each.estimate for each in verdict.intervals.values()]), judgement.returns.economies)
    if found is None:
        return ""
    side = "above" if found.ahead_above else "below"
    chance = "" if found.chance <= 0.05 else f", though chance alone does as well in {percent(found.chance)} of cases"
    return (
        f"What best separates these economies is {field_label(found.field)}: the generalist is ahead where it is "
        f"{side} {found.cut:.3g}{chance}."
    )


CLAIM = Claim(
    id="economies",
    question="Does it hold in every economy?",
    statement="After the rule changes, organizations trained on many rules earn more in every economy.",
    setting=f"{GENERALIST} against {SPECIALIST} under held-out rules, economy by economy",
    measure="Delta within each economy; also the share of economies with each sign, the mean of the worst tenth, and "
    "the field of the economy that best separates the signs",
    thresholds="supported: every lower 95% limit above 0; contradicted: an upper limit, corrected for the number of "
    f"economies, below 0; no material difference: all limits within +-{MARGIN}; otherwise inconclusive, as when an arm "
    "fails the competence gate",
    judge=judge,
    answer=answer,
    essay="transferable understanding of underlying mechanisms",
)
