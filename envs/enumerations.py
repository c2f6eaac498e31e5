"""Enumerations: the words that fields of rules and economies may take.

Files and Python use words, and kernels compare codes. The code of a word is its position in its table: `PRICING.posted`
is the code of `posted` in `PRICINGS`, and a constant to the compiler. What a word implies is stated beside it.
"""

from collections import namedtuple
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


def constants(values: Mapping[str, Any]) -> Any:
    """Return numbers, or tuples of numbers, as a namedtuple whose fields a kernel reads as constants."""
    return namedtuple("Constants", list(values))(**values)  # type: ignore[misc]


def codes(words: Iterable[str]) -> Any:
    """Return the positions of words as `constants`, each under its word.

    >>> codes(("low", "high")).high
    1
    """
    return constants({word: code for code, word in enumerate(words)})


LEVELS = ("opaque", "outcomes", "scores", "full")
"""How much a rule discloses; each level includes those before it."""
LEVEL = codes(LEVELS)

PRICE_SIGNALS = ("ratio", "logit")
"""How an ask is turned into the signal `price`."""

PROPOSERS = ("organizations", "jobs")
"""The sides of a market, either of which may propose."""
PROPOSER = codes(PROPOSERS)

PAYMENTS = ("margin", "price", "bid", "bid_externality")
"""What a mechanism can report in addition to the winner; see `mechanisms.Match`."""
WANTS = constants({word: 1 << code for code, word in enumerate(PAYMENTS)})
"""The bit of each in `Problem.wants`."""


class Pricing(NamedTuple):
    """What a word of `Payment.pricing` implies."""

    own_ask: float
    """How much the payment depends on the winner's own ask, in [0, 1]: the rule's feature `pricing`."""
    needs: str | None = None
    """What the mechanism has to report for it, one of `PAYMENTS`; None for nothing."""


PRICINGS = {
    "as_asked": Pricing(own_ask=1.0),
    "second_price": Pricing(own_ask=0.5, needs="margin"),
    "posted": Pricing(own_ask=0.0),
    "uniform": Pricing(own_ask=0.25, needs="margin"),
    "externality": Pricing(own_ask=0.125, needs="price"),
}
PRICING = codes(PRICINGS)


class Charge(NamedTuple):
    """What a word of `Payment.charge` implies."""

    if_lost: bool
    """Whether organizations that win nothing pay: the rule's feature `charge_if_lost`."""
    if_won: float
    """How much of its own promotion a winner pays, in [0, 1]: the rule's feature `charge_if_won`."""
    needs: str | None = None
    """What the mechanism has to report for it, one of `PAYMENTS`; None for nothing."""


CHARGES = {
    "sunk": Charge(if_lost=True, if_won=1.0),
    "if_matched": Charge(if_lost=False, if_won=1.0),
    "next_bid": Charge(if_lost=False, if_won=0.5, needs="bid"),
    "externality": Charge(if_lost=False, if_won=0.25, needs="bid_externality"),
}
CHARGE = codes(CHARGES)

ENTRIES = ("closed", "replacement")
"""What happens to bankrupt organizations: they stay, or newcomers take their seats."""
ENTRY = codes(ENTRIES)

LEARNING = ("endogenous", "exogenous")
"""Whether capability grows by participation or is given ex ante."""

SHOCK_LAWS = ("uniform", "exponential")
"""Distributions of the private cost shocks."""
SHOCK_LAW = codes(SHOCK_LAWS)

DEMANDS = ("random", "even")
"""How the kinds of a round's jobs are determined."""
DEMAND = codes(DEMANDS)

SHARES = ("sampled", "expected")
"""Whether a job goes to the organization drawn or is divided among all of them by their odds."""
SHARE = codes(SHARES)
