"""The variance puzzle: how unequal identical organizations with identical access become, and what amplifies it."""

from collections.abc import Iterator

import numpy as np

from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
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
from ruleshift.eval.claims.spread import HIGH, INEQUALITY, LOW, less, mean_of, spread, together, unreplicated
from ruleshift.eval.claims.wording import ends, label, level, listed, score
from ruleshift.eval.statistics import RULES, Interval

DRAMATIC = 0.1
"""Least difference in the Gini index that counts as dramatic: about that between the incomes of unequal countries and
of equal ones."""
_SWEEP = ("0", LOW, HIGH, "inf")
_TAILS = {
    "low": f"amplification {LOW}",
    "high": f"amplification {HIGH}",
    "linear": "linear popularity, no entry",
    "entry": "linear popularity, entry",
}
_GINI, _EXOGENOUS = "Gini at amplification", "the same with exogenous capability"


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study lacks the protocol that the claim is about.
    """
    by_kind = _amplified(returns)
    found = mean_of(together(by_kind))
    shown = {
        THESE_RULES: mean_of(together(by_kind), RULES),
        **{f"held by: {label(kind)}": mean_of(array) for kind, array in by_kind.items()},
        **dict(_further(returns)),
    }
    numbers = _numbers(returns)
    problem = unreplicated(returns, list(by_kind))
    outcome = INCONCLUSIVE if problem else decide(found, DRAMATIC)
    return Verdict(CLAIM.id, outcome, problem or explain(outcome, found, DRAMATIC), found, shown, numbers)


def _amplified(returns: Returns, capability: str = "amplification") -> dict[str, np.ndarray]:
    """What high amplification adds to the Gini index, by kind of organization."""
    return less(spread(returns, f"{capability}_{HIGH}"), spread(returns, f"{capability}_{LOW}"))


def _further(returns: Returns) -> Iterator[tuple[str, Interval]]:
    endogenous, exogenous = _amplified(returns), _amplified(returns, "exogenous")
    yield _EXOGENOUS, mean_of(together(exogenous))
    yield "what endogenous capability adds to it", mean_of(together(less(endogenous, exogenous)))
    pairs = {
        f"endogenous less exogenous capability, amplification {HIGH}": (f"amplification_{HIGH}", f"exogenous_{HIGH}"),
        "popularity that fades, less none": ("fading", "plain"),
        "popularity that lasts, less none": ("lasting", "plain"),
        "newcomers for the bankrupt, less none": ("entry", "plain"),
        "outcomes of others hidden, less shown": ("opaque", "plain"),
    }
    for name, (one, other) in pairs.items():
        yield name, mean_of(together(less(spread(returns, one), spread(returns, other))))
    for at in _SWEEP:
        yield f"{_GINI} {at}", mean_of(together(spread(returns, f"amplification_{at}")))


def _numbers(returns: Returns) -> dict[str, float]:
    numbers = {
        f"share of the top tenth at amplification {at}": float(
            together(spread(returns, f"amplification_{at}", "top_tenth")).mean()
        )
        for at in (LOW, HIGH)
    }
    for tail, name in _TAILS.items():
        protocol = f"{INEQUALITY}_tail_{tail}"
        rejected = [run.values["rejected"].flat[0] for run in returns.runs if run.protocol == protocol]
        if rejected:
            numbers[f"crowds tested, {name}"] = float(len(rejected))
            numbers[f"power law not rejected, {name}"] = float(len(rejected) - np.sum(rejected))
    return numbers


def answer(judgement: Judgement) -> str:
    """Say how unequal outcomes are at either amplification, and what exogenous capability does to the difference."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    low, high = (verdict.intervals[f"{_GINI} {at}"].estimate for at in (LOW, HIGH))
    begins = {
        SUPPORTED: "Yes, by far.",
        CONTRADICTED: "No, by far less unequal.",
        NO_DIFFERENCE: f"No: a difference of less than {score(DRAMATIC)} points of the Gini index counts as none here.",
        INCONCLUSIVE: "Inconclusive.",
    }[verdict.outcome]
    exogenous = verdict.intervals[_EXOGENOUS].estimate
    return (
        f"{begins} Among identical organizations with identical infrastructure, the Gini index of incomes was "
        f"{score(low)} points at amplification {LOW} and {score(high)} at {HIGH} (difference: "
        f"{score(found.estimate)}, {level()}: {ends(found, signed=True)}). Where capability does not grow with "
        f"participation, the difference was {score(exogenous)}. {_tails(verdict)}"
    ).strip()


def _tails(verdict: Verdict) -> str:
    """Say in how many crowds a power law was not rejected; empty if none was tested."""
    told = []
    for name in _TAILS.values():
        tested = verdict.numbers.get(f"crowds tested, {name}", 0)
        if tested:
            told.append(f"{verdict.numbers[f'power law not rejected, {name}']:.0f} of {tested:.0f} ({name})")
    return f"In crowds, a power law of jobs won was not rejected in {listed(told)}." if told else ""


CLAIM = Claim(
    id="variance",
    question="Do equals become unequal?",
    statement="Among identical organizations with identical infrastructure, a platform that amplifies more makes "
    "outcomes dramatically more unequal.",
    setting="every seat held by the same policy (scripted, native or randomized+memory), with the same infrastructure, "
    f"under every rule of the study: amplification {HIGH} against {LOW}, nothing else changed",
    measure="mean over kinds of organization, rules, seeds and economies of [Gini of income at amplification "
    f"{HIGH} - at {LOW}], where income is profit over an episode; also with exogenous capability, with popularity that "
    "fades or lasts, with newcomers, with outcomes hidden, and the tail test of jobs won in crowds",
    thresholds=f"supported: lower 95% limit above {DRAMATIC}; contradicted: upper limit below -{DRAMATIC}; no material "
    f"difference: within +-{DRAMATIC}; otherwise inconclusive, as when the study has one training seed",
    judge=judge,
    answer=answer,
    essay="Workers with identical access to algorithmic systems show dramatically different outcomes, with power-law "
    "distributions emerging not from differential infrastructure access but from algorithmic amplification of initial "
    "differences in how workers engage with those systems",
    by_construction="Amplification multiplies the differences of log signals: at 0 every job is a fair draw, and in "
    "one round more of it concentrates jobs wherever a weighted signal differs. It does nothing where none differs, or "
    "where the mechanism reads no odds. Over an episode the sign is open, because cost shocks make winners change. "
    "Path dependence flips at amplification x weight of popularity = 1: below it lasting popularity evens shares out, "
    "above it one organization takes most, as far as its capacity goes.",
    protocols=(INEQUALITY,),
)
