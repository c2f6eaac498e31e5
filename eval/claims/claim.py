"""What a claim is: registered before it is run, with its measure, thresholds and verdict in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.competence import INCOMPETENT, LEAST, competence, gate_failures
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.claims.wording import count, label, score, share_in_words
from ruleshift.eval.statistics import RULES, Combination, Interval, Ratio, interval

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NO_DIFFERENCE, INCONCLUSIVE = "no material difference", "inconclusive"
VERDICTS = (SUPPORTED, CONTRADICTED, NO_DIFFERENCE, INCONCLUSIVE)
"""All possible outcomes of a claim."""

MARGIN = 0.05
"""Least material difference, on the scale from floor (0) to best reply (1)."""
THESE_RULES = "under these rules"
"""Name of the interval of a measure for the rules of the study alone."""
LEAST_SEEDS = 2
"""Least number of training seeds for a verdict on an arm, since a single run says nothing about the next."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim."""

    claim: str
    """Id of the claim."""
    outcome: str
    """One of `VERDICTS`."""
    reason: str
    """Reason for the outcome, in a sentence."""
    measure: Interval | None = None
    """The measure to which the thresholds were applied; None if there is none."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Further numbers with their intervals, by name."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Further numbers without intervals, by name."""


@dataclass(frozen=True)
class Judgement:
    """The verdicts on all claims of a study, with the numbers on which they were judged."""

    returns: Returns
    """What arms and references earned."""
    verdicts: Mapping[str, Verdict]
    """Verdict on each claim, by its id."""
    constant: Mapping[str, float] = field(default_factory=dict)
    """Ask, effort and promotion of the best constant conduct, by name."""

    @property
    def has_primary(self) -> bool:
        """Whether the study has both arms of the primary contrast."""
        return {GENERALIST, SPECIALIST} <= set(self.returns.adapted)

    @property
    def incompetent(self) -> str:
        """Which arms of the primary contrast fail the competence gate, and where; empty if both pass it."""
        return gate_failures(self.returns, (GENERALIST, SPECIALIST)) if self.has_primary else ""


@dataclass(frozen=True)
class Claim:
    """A claim as it was registered."""

    id: str
    """Name of the claim in code and files."""
    question: str
    """Question that a reader asks."""
    statement: str
    """What is claimed, as a sentence that is true or false."""
    setting: str
    """Who is compared, and where; `{phase}` stands for the share of the budget for which arms keep learning."""
    measure: str
    """Formula of the measure."""
    thresholds: str
    """Conditions under which the claim is supported, contradicted, without a material difference, or inconclusive."""
    judge: Callable[[Returns], Verdict]
    """Function that gives the verdict; it raises ValueError if the study lacks an arm that the claim is about."""
    answer: Callable[[Judgement], str]
    """Function that answers the question in sentences that follow from the verdict and its numbers."""
    essay: str = ""
    """The words of the argument that the claim puts to the test."""
    by_construction: str = ""
    """What the model assumes that makes the claim true, and the parameter at which it flips; empty if nothing does."""
    protocols: tuple[str, ...] = ()
    """Protocols that only studies run which ask this claim by name; it is asked by default if there are none."""

    def setting_of(self, adaptation: float) -> str:
        """Return the setting in a study whose arms keep learning for this share of the budget, 0 .. 1."""
        return self.setting.format(phase=share_in_words(adaptation))


def decide(found: Interval, margin: float = MARGIN, null: float = 0.0) -> str:
    """Return the outcome for a measure, one of `VERDICTS`.

    Supported: the lower limit is above null + margin. Contradicted: the upper limit is below null - margin. No material
    difference: both limits lie between these two. Otherwise inconclusive.

    Args:
        found: the measure with its interval.
        margin: least material difference, in the unit of the measure.
        null: value of the measure if there is no difference.
    """
    if found.low > null + margin:
        return SUPPORTED
    if found.high < null - margin:
        return CONTRADICTED
    if null - margin <= found.low and found.high <= null + margin:
        return NO_DIFFERENCE
    return INCONCLUSIVE


def explain(outcome: str, found: Interval, margin: float = MARGIN, null: float = 0.0) -> str:
    """Return the reason for an outcome of `decide`, given the same arguments."""
    low, high = null - margin, null + margin
    return {
        SUPPORTED: f"the lower limit {found.low:.3f} is above {high:g}",
        CONTRADICTED: f"the upper limit {found.high:.3f} is below {low:g}",
        NO_DIFFERENCE: f"the interval {found.low:.3f} to {found.high:.3f} lies within {low:g} to {high:g}",
        INCONCLUSIVE: f"the interval {found.low:.3f} to {found.high:.3f} includes {low:g} or {high:g}",
    }[outcome]


def judge_by_margin(
    claim: str,
    measure: Ratio | Combination,
    returns: Returns,
    arms: Sequence[str],
    intervals: Mapping[str, Interval] | None = None,
    numbers: Mapping[str, float] | None = None,
) -> Verdict:
    """The verdict of `decide` on a measure, which is also told for these rules alone; inconclusive if an arm fails.

    Args:
        claim: id of the claim.
        measure: the measure.
        returns: what arms and references earned.
        arms: arms that have to pass the competence gate.
        intervals, numbers: further ones of the verdict, by name.
    """
    found = interval(measure, returns.sizes)
    here = {THESE_RULES: interval(measure, returns.sizes, fixed=RULES)}
    failures = gate_failures(returns, arms)
    outcome = INCONCLUSIVE if failures else decide(found)
    return Verdict(
        claim, outcome, failures or explain(outcome, found), found, here | dict(intervals or {}), numbers or {}
    )


def margin_thresholds(failing: str) -> str:
    """The conditions of `judge_by_margin` in words, where `failing` says who must pass the gate, such as `an arm`."""
    return (
        f"supported: lower 95% limit above {MARGIN}; contradicted: upper limit below -{MARGIN}; no material "
        f"difference: within +-{MARGIN}; otherwise inconclusive, as when {failing} fails the competence gate"
    )


def obstacle(returns: Returns) -> str:
    """Return why no verdict on arms is possible at all; empty if one is."""
    seeds = returns.sizes[2]
    if seeds < LEAST_SEEDS:
        return f"with {count(seeds, 'training seed')}, nothing is known about how another would have turned out"
    return ""


def unmeasured(verdict: Verdict) -> str:
    """Return the answer for a claim that could not be measured, which says why."""
    return f"Inconclusive: {verdict.reason}."


def as_measured(judgement: Judgement, text: str) -> str:
    """Return a sentence, marked as a measurement without a verdict if an arm of the primary contrast is incompetent."""
    if not judgement.incompetent:
        return text
    return f"No verdict, for the reason given above. {measured(text)}"


def measured(text: str) -> str:
    """A sentence as what was measured, where it is not what is concluded."""
    return f"As measured, {text[0].lower()}{text[1:]}"


def failing(judgement: Judgement, arm: str) -> str:
    """Say where an arm fails the competence gate; empty if it passes."""
    shares = competence(judgement.returns, arm)
    failed = ~(shares >= LEAST)
    if not failed.any():
        return ""
    worst = "no scale to measure on" if np.isnan(shares).any() else f"a score of {score(float(shares.min()))} at worst"
    rules = count(len(shares), "training rule")
    return f"the {label(arm)} is {INCOMPETENT} on {failed.sum()} of its {rules} ({worst})"
