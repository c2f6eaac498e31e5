"""The claim about selection: which kind of organization spreads in a population as rules change more often.

Who earns more than its rivals spreads. Payoffs among the arms are measured in mixed markets, and weighted by the share
of the rounds that are played under held-out rules.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

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
    decide,
    explain,
    margin_thresholds,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.competence import gate_failures
from ruleshift.eval.claims.crossed import crossed
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.claims.rivals import scale
from ruleshift.eval.claims.transfer import no_scale
from ruleshift.eval.claims.wording import label, level, listed, percent
from ruleshift.eval.metagame import alpha_rank, replicator
from ruleshift.eval.statistics import Weights, equal, intervals, mean

METAGAME = "metagame"
"""Name of the protocol that plays the mixed markets."""
SHARES = np.linspace(0, 1, 11)
"""Shares of the rounds under held-out rules at which the population is computed."""
TIME = 1_000.0
"""Time for which the replicator dynamics run from equal shares, per unit of the scale from floor to best reply."""

Payoffs = Callable[[Weights], np.ndarray]
"""A function from B rows of weights to payoffs (B, 11, n, n), as scores, at each of `SHARES`."""


def metagame(returns: Returns) -> tuple[list[str], Payoffs]:
    """The names of the n arms that met in mixed markets, and what each earns against each.

    Raises:
        ValueError: the study did not play the mixed markets.
    """
    away = crossed(returns, METAGAME, GENERALIST)
    home = crossed(returns, f"{METAGAME}_home", GENERALIST, tuple(away), at_home=True)
    arms = list(dict.fromkeys(measure.split(" against ")[0] for measure in away))
    unit_home = (returns.home_best_reply - returns.home_floor)[:, None, None]
    unit_away = (returns.best_reply - returns.floor)[None, :, None]

    pairs = [f"{one} against {other}" for one in arms for other in arms]

    def payoffs(weights: Weights) -> np.ndarray:
        earned = _mixed(*(np.stack([mean(each[pair], weights) for pair in pairs], axis=-1) for each in (home, away)))
        unit = _mixed(mean(unit_home, weights)[:, None], mean(unit_away, weights)[:, None])
        return (earned / unit).reshape(len(earned), len(SHARES), len(arms), len(arms))

    return arms, payoffs


def _mixed(home: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Means (B, 11, n) of what is (B, n) under home rules and away, by the share of rounds away."""
    share = SHARES[:, None]
    mixed: np.ndarray = (1 - share) * home[:, None] + share * away[:, None]
    return mixed


def _held(index: int, payoffs: Payoffs, weights: Weights) -> np.ndarray:
    """By rows of weights, by how much the share of one arm grows from the first to the last of `SHARES`, then its share
    at each: (B, 1 + 11)."""
    shares = alpha_rank(payoffs(weights))[..., index]
    return np.concatenate([shares[:, -1:] - shares[:, :1], shares], axis=1)


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study did not play the mixed markets.
    """
    arms, payoffs = metagame(returns)
    problem = obstacle(returns) or no_scale(returns, scale(returns))
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    grown, *each = intervals(partial(_held, arms.index(GENERALIST), payoffs), returns.sizes, bounds=(-1, 1))
    named = {
        f"share of the generalist, {percent(share)} of rounds under new rules": replace(
            one, low=max(one.low, 0.0), high=min(one.high, 1.0)
        )
        for share, one in zip(SHARES, each, strict=True)
    }
    numbers = _numbers(arms, payoffs(equal(returns.sizes))[0])
    failures = gate_failures(returns, (GENERALIST, SPECIALIST))
    if failures:
        return Verdict(CLAIM.id, INCONCLUSIVE, failures, grown, named, numbers)
    outcome = decide(grown)
    return Verdict(CLAIM.id, outcome, explain(outcome, grown), grown, named, numbers)


def _numbers(arms: list[str], payoffs: np.ndarray) -> dict[str, float]:
    """The share of each arm by alpha-rank and by the replicator dynamics, at each share of rounds under new rules."""
    numbers = {}
    for share, game in zip(SHARES, payoffs, strict=True):
        ranked, grown = alpha_rank(game), replicator(game, np.full(len(arms), 1 / len(arms)), TIME)
        for arm, by_rank, by_growth in zip(arms, ranked, grown, strict=True):
            numbers[f"alpha-rank of {arm} at {share:.1f}"] = float(by_rank)
            numbers[f"replicator share of {arm} at {share:.1f}"] = float(by_growth)
    return numbers


def favoured(verdict: Verdict) -> list[tuple[float, str]]:
    """The share of rounds from which on an arm is the most common, with the arm, in rising order from 0."""
    found: list[tuple[float, str]] = []
    for share in SHARES:
        held = {
            name.removeprefix("alpha-rank of ").rsplit(" at ")[0]: value
            for name, value in verdict.numbers.items()
            if name.startswith("alpha-rank of ") and name.endswith(f" at {share:.1f}")
        }
        best = max(held, key=lambda arm: held[arm])
        if not found or found[-1][1] != best:
            found.append((float(share), best))
    return found


def answer(judgement: Judgement) -> str:
    """Say how the generalist's share changes with the share of rounds under new rules, and who is the most common."""
    verdict = judgement.verdicts[CLAIM.id]
    if verdict.measure is None:
        return unmeasured(verdict)
    first, *_, last = verdict.intervals.values()
    text = (
        f"Where no round is under new rules, a population in which organizations that earn more spread is of "
        f"generalists for {percent(first.estimate)} of the time, and where all are for {percent(last.estimate)} "
        f"({level()} of the difference: {percent(verdict.measure.low)} to {percent(verdict.measure.high)})."
    )
    if not judgement.incompetent:
        text = f"{_SHORT[verdict.outcome]} {text}"
    return f"{as_measured(judgement, text)} {_most_common(verdict)}"


_SHORT = {
    SUPPORTED: "Yes.",
    CONTRADICTED: "No, the reverse.",
    NO_DIFFERENCE: "No. How often rules change makes no material difference.",
    INCONCLUSIVE: "Inconclusive.",
}


def _most_common(verdict: Verdict) -> str:
    spans = favoured(verdict)
    if len(spans) == 1:
        return f"The most common is the {label(spans[0][1])}, whatever the share of rounds under new rules."
    told = [f"the {label(arm)}{f' from {percent(share)} on' if share else ''}" for share, arm in spans]
    return f"The most common, by the share of rounds under new rules, is {listed(told)}."


CLAIM = Claim(
    id="selection",
    question="Who spreads as rules change more often?",
    statement="As platforms change more often, organizations trained on many rules take a larger part of the "
    "population.",
    setting=f"frozen {GENERALIST} and {SPECIALIST}, and the other trained arms to which the rule is not disclosed, in "
    "markets of which two arms hold half of the seats each, under home rules and held-out rules",
    measure="share of the generalist in the stationary distribution of alpha-rank (population 50, intensity 1 per unit "
    "of the scale) with all rounds under held-out rules, minus that with none",
    thresholds=margin_thresholds("an arm"),
    judge=judge,
    answer=answer,
    essay="Organizations trained on general structural features of algorithmic systems should outperform organizations "
    "trained on procedures specific to their domestic AI infrastructure, even if the infrastructure-specific training "
    "produces faster initial performance.",
    protocols=(METAGAME,),
)
