"""What equalizing infrastructure does to inequality, against what equalizing competence does."""

from collections.abc import Mapping

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST
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
    decide,
    explain,
    unmeasured,
)
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.claims.spread import INEQUALITY, NATIVE, less, mean_of, spread
from ruleshift.eval.claims.wording import ends, level, score
from ruleshift.eval.statistics import RULES

FACTORS = ("capability", "infrastructure", "competence")
"""What organizations differ in, and what is equalized in turn."""
GAINS = (1.0, 3.0)
"""Further gains of infrastructure at which the contrast is measured, beside that of the economies."""
OWN_GAIN = 0.3
"""Gain of infrastructure in the economies."""
_UNEQUAL, _LEAD = "unequal", "lead of the competent half, in profit"


def equal(*factors: str) -> str:
    """Name of the setting in which organizations are equal in these factors and differ in the others."""
    return "_".join(("equal", *(each for each in FACTORS if each in factors))) if factors else _UNEQUAL


def at_gain(setting: str, gain: float) -> str:
    """Name of a setting at another gain of infrastructure."""
    return f"{setting}_gain_{gain:g}"


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study lacks the protocol that the claim is about.
    """
    of = {name: _gini(returns, name) for name in (_UNEQUAL, *map(equal, FACTORS), "equal_down")}
    contrast = less(of[equal("infrastructure")], of[equal("competence")])
    found = mean_of(contrast[NATIVE])
    lead = mean_of(spread(returns, _UNEQUAL, "lead", (NATIVE,))[NATIVE])
    intervals = {THESE_RULES: mean_of(contrast[NATIVE], RULES)}
    for factor in FACTORS:
        intervals[f"what equalizing {factor} takes off"] = mean_of(less(of[_UNEQUAL], of[equal(factor)])[NATIVE])
    intervals["the same, where none is competent"] = mean_of(less(of[_UNEQUAL], of["equal_down"])[NATIVE])
    intervals["Gini where all three differ"] = mean_of(of[_UNEQUAL][NATIVE])
    intervals["Gini where nothing differs"] = mean_of(_gini(returns, equal(*FACTORS))[NATIVE])
    if GENERALIST in contrast:
        intervals["with generalists as the competent half"] = mean_of(contrast[GENERALIST])
    for gain in GAINS:
        intervals[f"at an infrastructure gain of {gain:g}"] = mean_of(_at_gain(returns, gain))
    intervals[_LEAD] = lead
    numbers = {f"{each} by Shapley's value": value for each, value in shapley(_means(returns)).items()}
    flip = _flip({OWN_GAIN: found.estimate, **{gain: float(_at_gain(returns, gain).mean()) for gain in GAINS}})
    numbers |= {} if flip is None else {"infrastructure gain at which the sign flips": flip}
    if not lead.low > 0:
        problem = f"the competent half may earn no more than the other (lead {lead.low:.3f} to {lead.high:.3f})"
        return Verdict(CLAIM.id, INCONCLUSIVE, problem, found, intervals, numbers)
    outcome = decide(found)
    return Verdict(CLAIM.id, outcome, explain(outcome, found), found, intervals, numbers)


def _gini(returns: Returns, setting: str) -> dict[str, np.ndarray]:
    return spread(returns, setting, kinds=(NATIVE, GENERALIST))


def _at_gain(returns: Returns, gain: float) -> np.ndarray:
    one, other = (_gini(returns, at_gain(equal(each), gain))[NATIVE] for each in ("infrastructure", "competence"))
    return one - other


def _means(returns: Returns) -> dict[frozenset[str], float]:
    """Mean Gini index among natives, by the factors that are equalized."""
    subsets = [frozenset(f for bit, f in enumerate(FACTORS) if code >> bit & 1) for code in range(2 ** len(FACTORS))]
    return {each: float(_gini(returns, equal(*each))[NATIVE].mean()) for each in subsets}


def shapley(ginis: Mapping[frozenset[str], float]) -> dict[str, float]:
    """What equalizing each of the three factors takes off the Gini index, averaged over all orders (Shorrocks 2013).

    The three sum to the Gini index where all differ, less that where none does.

    Args:
        ginis: Gini index by the factors that are equalized, for all eight subsets of `FACTORS`.
    """
    weights = (1 / 3, 1 / 6, 1 / 3)
    return {
        factor: sum(
            weights[len(done)] * (gini - ginis[done | {factor}]) for done, gini in ginis.items() if factor not in done
        )
        for factor in FACTORS
    }


def _flip(contrasts: Mapping[float, float]) -> float | None:
    """Gain of infrastructure at which the contrast first changes its sign, by interpolation; None if it does not."""
    gains, values = list(contrasts), list(contrasts.values())
    for index in range(1, len(gains)):
        before, after = values[index - 1], values[index]
        if before * after < 0:
            return gains[index - 1] + (gains[index] - gains[index - 1]) * before / (before - after)
    return None


def answer(judgement: Judgement) -> str:
    """Say what equalizing each of the three takes off the Gini index, and which of the two takes off more."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    begins = {
        SUPPORTED: "No, equal competence would do more.",
        CONTRADICTED: "It does more than equal competence would.",
        NO_DIFFERENCE: "As much, or as little, as equal competence would.",
        INCONCLUSIVE: f"Inconclusive: {verdict.reason}." if not verdict.intervals[_LEAD].low > 0 else "Inconclusive.",
    }[verdict.outcome]
    off = {each: score(verdict.intervals[f"what equalizing {each} takes off"].estimate) for each in FACTORS}
    whole = score(verdict.intervals["Gini where all three differ"].estimate)
    return (
        f"{begins} Where organizations differ in capability, infrastructure and competence, the Gini index was {whole} "
        f"points. The same infrastructure for all took off {off['infrastructure']}, the same competence "
        f"{off['competence']} and the same capability {off['capability']} ({level()} of competence less "
        f"infrastructure: {ends(found, signed=True)})."
    )


CLAIM = Claim(
    id="infrastructure_equalizes",
    question="Does equal infrastructure make outcomes equal?",
    statement="Equalizing infrastructure lowers inequality by less than equalizing competence does.",
    setting="organizations that differ in initial capability, in infrastructure and in competence (half are natives, "
    "half post a price), under every rule of the study: the same infrastructure for all against natives in every seat",
    measure="mean over rules and economies of [Gini of income with infrastructure equal - with competence "
    "equal], each with the other two unequal; also what each takes off, alone and by Shapley's value, and the "
    "infrastructure gain at which the sign flips",
    thresholds=f"supported: lower 95% limit above {MARGIN}; contradicted: upper limit below -{MARGIN}; no material "
    f"difference: within +-{MARGIN}; otherwise inconclusive, as when natives earn no more than the others beside them",
    judge=judge,
    answer=answer,
    essay="The variance puzzle cannot be solved by ensuring everyone has the same computational resources.",
    by_construction="Infrastructure lowers the cost of serving, by (1 + infrastructure) ** -g, and nothing else. At a "
    "gain g of 0 equalizing it does nothing, and the claim is true of any competence that matters; the larger g and "
    "the wider the range of infrastructure, the more it does. The verdict is for g = 0.3 and infrastructure from 0 to "
    "6, which moves unit cost by as much as initial capability does; the contrast is also measured at larger gains, "
    "and the gain at which it flips is among its numbers, if it does up to 3. Natives were trained without "
    "infrastructure and do not see it, so that it changes what they earn but not what they ask.",
    protocols=(INEQUALITY,),
)
