"""What a claim is: registered before it is run, with its measure, its thresholds and its verdict side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.statistics import Interval

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NO_DIFFERENCE, UNDECIDED = "no material difference", "undecided"
WORDS = (SUPPORTED, CONTRADICTED, NO_DIFFERENCE, UNDECIDED)

MARGIN = 0.05
"""What is material, as a share of the way from the floor to the best reply."""
LEAST_SEEDS = 2
"""Training runs that a verdict on an arm needs: one says nothing of the next."""

GENERALIST, SPECIALIST = "randomized+memory", "fixed+nuisance+memory"
"""The two arms of the primary contrast: alike in all but the rules that they trained on."""


@dataclass(frozen=True)
class Verdict:
    """What a claim came to."""

    claim: str
    """Id of the claim."""
    word: str
    """One of `WORDS`."""
    reason: str
    """Why, in a sentence."""
    measure: Interval | None = None
    """What the thresholds were applied to; None where it could not be measured."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Further numbers with their intervals, by name."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Further numbers by name: shares, counts, infinite where never reached."""


@dataclass(frozen=True)
class Claim:
    """A claim of the essay, or about it, as it was registered."""

    id: str
    says: str
    """What is claimed, in a sentence that is true or false."""
    setting: str
    """Who is compared, where; `{phase}` stands for the share of the budget that arms go on learning for."""
    measure: str
    """The formula."""
    thresholds: str
    """What makes it supported, contradicted, no material difference, undecided."""
    judge: Callable[[Returns], Verdict]
    by_construction: str = ""
    """What the model assumes that makes it true, where something does; empty where it could come out false."""

    def setting_of(self, adaptation: float) -> str:
        """The setting in a study whose arms go on learning for this share of the budget."""
        return self.setting.format(phase=share_in_words(adaptation))


def share_in_words(share: float) -> str:
    """`a tenth`, or `25 %` where it is another share."""
    return "a tenth" if share == 0.1 else f"{100 * share:.3g}\u00a0%"


def decide(found: Interval, margin: float = MARGIN, null: float = 0.0) -> str:
    """The word for a measure: beyond the null by more than the margin, within it, or neither is sure.

    Supported: lower limit above null + margin. Contradicted: upper limit below null - margin. No material difference:
    both limits within. Otherwise undecided.
    """
    if found.low > null + margin:
        return SUPPORTED
    if found.high < null - margin:
        return CONTRADICTED
    if null - margin <= found.low and found.high <= null + margin:
        return NO_DIFFERENCE
    return UNDECIDED


def explain(word: str, found: Interval, margin: float = MARGIN, null: float = 0.0) -> str:
    """The sentence that goes with `decide`."""
    low, high = null - margin, null + margin
    return {
        SUPPORTED: f"the lower limit {found.low:.3f} is above {high:g}",
        CONTRADICTED: f"the upper limit {found.high:.3f} is below {low:g}",
        NO_DIFFERENCE: f"the interval {found.low:.3f} to {found.high:.3f} lies within {low:g} to {high:g}",
        UNDECIDED: f"the interval {found.low:.3f} to {found.high:.3f} reaches across {low:g} or {high:g}",
    }[word]


def obstacle(returns: Returns) -> str:
    """Why no verdict on arms is possible at all; empty where nothing stands in the way."""
    seeds = returns.sizes[2]
    if seeds < LEAST_SEEDS:
        return f"{seeds} training seed: nothing is known of how another would have come out"
    return ""
