"""Enumerations: the words that a field of a rule or an economy may be, each list once.

Files and Python say words, kernels compare codes: the code of a word is its position in its table, and `PRICING.posted`
is that of the word `posted` of `PRICINGS`, a constant to the compiler. What follows from a word stands beside it.
"""

from collections import namedtuple
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


def constants(values: Mapping[str, Any]) -> Any:
    """Numbers, or tuples of numbers, by name, as a namedtuple whose fields a kernel reads as constants."""
    return namedtuple("Constants", list(values))(**values)  # type: ignore[misc]


def codes(words: Iterable[str]) -> Any:
    """The positions of words, each by its word, as `constants`.

    >>> codes(("low", "high")).high
    1
    """
    return constants({word: code for code, word in enumerate(words)})


LEVELS = ("opaque", "outcomes", "scores", "full")
"""How much a rule discloses, each level with all that those before it do."""
LEVEL = codes(LEVELS)

PRICE_SIGNALS = ("ratio", "logit")
"""How an ask becomes the signal price."""

PROPOSERS = ("organizations", "jobs")
"""The sides of a market, one of which proposes."""
PROPOSER = codes(PROPOSERS)

PAYMENTS = ("margin", "price", "bid", "bid_externality")
"""What a mechanism may tell beside the winner; see `mechanisms.Match`."""
WANTS = constants({word: 1 << code for code, word in enumerate(PAYMENTS)})
"""The bit of each in `Problem.wants`."""


class Pricing(NamedTuple):
    """What follows from how a client's payment is found."""

    own_ask: float
    """How much the payment hangs on the winner's own ask, in [0, 1]: the rule's feature `pricing`."""
    needs: str | None = None
    """What the mechanism has to tell for it, one of `PAYMENTS`."""


PRICINGS = {
    "as_asked": Pricing(own_ask=1.0),
    "second_price": Pricing(own_ask=0.5, needs="margin"),
    "posted": Pricing(own_ask=0.0),
    "uniform": Pricing(own_ask=0.25, needs="margin"),
    "externality": Pricing(own_ask=0.125, needs="price"),
}
PRICING = codes(PRICINGS)


class Charge(NamedTuple):
    """What follows from how promotion is charged."""

    if_lost: bool
    """Whether those pay who win nothing: the rule's feature `charge_if_lost`."""
    if_won: float
    """How much of the own promotion a winner pays, in [0, 1]: the rule's feature `charge_if_won`."""
    needs: str | None = None
    """What the mechanism has to tell for it, one of `PAYMENTS`."""


CHARGES = {
    "sunk": Charge(if_lost=True, if_won=1.0),
    "if_matched": Charge(if_lost=False, if_won=1.0),
    "next_bid": Charge(if_lost=False, if_won=0.5, needs="bid"),
    "externality": Charge(if_lost=False, if_won=0.25, needs="bid_externality"),
}
CHARGE = codes(CHARGES)

ENTRIES = ("closed", "replacement")
"""What becomes of the bankrupt: they stay, or newcomers take their seats."""
ENTRY = codes(ENTRIES)

LEARNING = ("endogenous", "exogenous")
"""Capability grows by participation, or is given ex ante."""

SHOCK_LAWS = ("uniform", "exponential")
"""Laws of the private cost shocks."""
SHOCK_LAW = codes(SHOCK_LAWS)

DEMANDS = ("random", "even")
"""How the kinds of a round's jobs are found."""
DEMAND = codes(DEMANDS)

SHARES = ("sampled", "expected")
"""A job goes to the organization drawn, or is divided among all by their odds."""
SHARE = codes(SHARES)
