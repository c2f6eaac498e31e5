"""What a claim is: registered before it is run, with its measure, its thresholds and its verdict side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.competence import INCOMPETENT, LEAST, competence, gate_failures
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.claims.wording import count, label, score, share_in_words
from ruleshift.eval.statistics import Interval

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NO_DIFFERENCE, INCONCLUSIVE = "no material difference", "inconclusive"
VERDICTS = (SUPPORTED, CONTRADICTED, NO_DIFFERENCE, INCONCLUSIVE)
"""All that a claim can come to."""

MARGIN = 0.05
"""What is material, as a share of the way from the floor to the best reply."""
LEAST_SEEDS = 2
"""Training runs that a verdict on an arm needs: one says nothing of the next."""


@dataclass(frozen=True)
class Verdict:
    """What a claim came to."""

    claim: str
    """Id of the claim."""
    outcome: str
    """One of `VERDICTS`."""
    reason: str
    """Why, in a sentence."""
    measure: Interval | None = None
    """What the thresholds were applied to; None where it could not be measured."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Further numbers with their intervals, by name."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Further numbers by name: shares, counts, infinite where never reached."""


@dataclass(frozen=True)
class Judgement:
    """The verdicts on all claims of a study, with what they were judged on."""

    returns: Returns
    """What arms and references earned."""
    verdicts: Mapping[str, Verdict]
    """By id of the claim."""
    constant: Mapping[str, float] = field(default_factory=dict)
    """The best constant conduct: its ask, effort and promotion."""

    @property
    def has_primary(self) -> bool:
        """Whether both arms of the primary contrast are there."""
        return {GENERALIST, SPECIALIST} <= set(self.returns.adapted)

    @property
    def incompetent(self) -> str:
        """Which arms of the primary contrast fail the gate of competence, and where; empty where both pass it."""
        return gate_failures(self.returns, (GENERALIST, SPECIALIST)) if self.has_primary else ""


@dataclass(frozen=True)
class Claim:
    """A claim of the essay, or about it, as it was registered."""

    id: str
    """What it is called in code and files."""
    question: str
    """What a reader wants to know."""
    statement: str
    """What is claimed, in a sentence that is true or false."""
    setting: str
    """Who is compared, where; `{phase}` stands for the share of the budget that arms keep learning for."""
    measure: str
    """The formula."""
    thresholds: str
    """What makes it supported, contradicted, without a material difference, or inconclusive."""
    judge: Callable[[Returns], Verdict]
    """The verdict; ValueError where the study lacks an arm that the claim is about."""
    answer: Callable[[Judgement], str]
    """The answer to the question in sentences that follow from the verdict and its numbers."""
    by_construction: str = ""
    """What the model assumes that makes it true, where something does; empty where it could come out false."""

    def setting_of(self, adaptation: float) -> str:
        """The setting in a study whose arms keep learning for this share of the budget."""
        return self.setting.format(phase=share_in_words(adaptation))


def decide(found: Interval, margin: float = MARGIN, null: float = 0.0) -> str:
    """What a measure comes to: beyond the null by more than the margin, within it, or neither is sure.

    Supported: lower limit above null + margin. Contradicted: upper limit below null - margin. No material difference:
    both limits within. Otherwise inconclusive.
    """
    if found.low > null + margin:
        return SUPPORTED
    if found.high < null - margin:
        return CONTRADICTED
    if null - margin <= found.low and found.high <= null + margin:
        return NO_DIFFERENCE
    return INCONCLUSIVE


def explain(outcome: str, found: Interval, margin: float = MARGIN, null: float = 0.0) -> str:
    """The sentence that goes with `decide`."""
    low, high = null - margin, null + margin
    return {
        SUPPORTED: f"the lower limit {found.low:.3f} is above {high:g}",
        CONTRADICTED: f"the upper limit {found.high:.3f} is below {low:g}",
        NO_DIFFERENCE: f"the interval {found.low:.3f} to {found.high:.3f} lies within {low:g} to {high:g}",
        INCONCLUSIVE: f"the interval {found.low:.3f} to {found.high:.3f} includes {low:g} or {high:g}",
    }[outcome]


def obstacle(returns: Returns) -> str:
    """Why no verdict on arms is possible at all; empty where nothing stands in the way."""
    seeds = returns.sizes[2]
    if seeds < LEAST_SEEDS:
        return f"with {count(seeds, 'training seed')}, nothing is known about how another would have turned out"
    return ""


def unmeasured(verdict: Verdict) -> str:
    """The answer where a claim could not be measured: why not."""
    return f"Inconclusive: {verdict.reason}."


def as_measured(judgement: Judgement, text: str) -> str:
    """A sentence, marked as a measurement that no verdict follows from where an arm is not competent."""
    if not judgement.incompetent:
        return text
    return f"No verdict, for the reason given above. {measured(text)}"


def measured(text: str) -> str:
    """A sentence as what was measured, where it is not what is concluded."""
    return f"As measured, {text[0].lower()}{text[1:]}"


def failing(judgement: Judgement, arm: str) -> str:
    """Where an arm fails the gate of competence, such as `the generalist is not competent on 1 of its 3 rules`."""
    shares = competence(judgement.returns, arm)
    failed = ~(shares >= LEAST)
    if not failed.any():
        return ""
    worst = "no scale to measure on" if np.isnan(shares).any() else f"a score of {score(float(shares.min()))} at worst"
    rules = count(len(shares), "training rule")
    return f"the {label(arm)} is {INCOMPETENT} on {failed.sum()} of its {rules} ({worst})"
