"""What a mechanism is: one function of one signature, and what is declared about it."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Problem = namedtuple(
    "Problem",
    [
        "log_odds",  # (K, N + 1) float64; -inf where not offered; the last column is the outside option
        "sharp",  # int64, 1 where amplification is inf: then log_odds is the score, and only its order counts
        "race",  # (K, N) log odds with the round's noise; filled for mechanisms that read it and `priority`
        "priority",  # (K, N) int64, organizations by race, the best first; likewise
        "preferences",  # (N, K) int64, kinds by reported focus, the best first; filled for mechanisms that read them
        "costs",  # (K, N) true cost of serving, a share of the value; filled for mechanisms that read costs
        "qualities",  # (K, N) quality to expect of serving; likewise
        "asks",  # (N,) in [0, 1.25], a share of the value
        "promotions",  # (N,) in [0, 1]
        "kinds",  # (J,) int64, kind of each job, in order of arrival
        "values",  # (J,)
        "capacities",  # (N,) int64, jobs that each can still serve, 0 where it offers nothing; free to be changed
        "uniforms",  # (4, J or more) in (0, 1): rows 0 (of 52 random bits), 1 and 2 are a job's own, or,
        # for mechanisms that draw organizations, (4, max(J, N) or more) and an organization's as well
        "wants",  # int64, which of `match` the payment reads: a sum of the WANTS_ below, or 0
        "proposer",  # int64, 0 organizations, 1 jobs
        "parameters",  # (4,) the rule's own numbers for the mechanism
    ],
)  # fmt: skip
"""What a mechanism is given, for one market and round. Only `capacities` may be written."""

Match = namedtuple(
    "Match",
    [
        "winner",  # (J,) int64, the organization that serves each job, or -1
        "lead",  # (J,) log odds by which it leads the best excluded rival; inf where there is none
        "price",  # (J,) what the client pays under the pricing `externality`, a share of the value
        "bid",  # (J,) the promotion charged under the charges `next_bid` and `externality`, in [0, 1]
    ],
)
"""What a mechanism fills: -1, inf, 0 and 0 stand there before."""

WANTS_LEAD, WANTS_PRICE, WANTS_BID, WANTS_BID_EXTERNALITY = 1, 2, 4, 8

PAYMENTS = ("lead", "price", "bid", "bid_externality")
"""What a mechanism may tell beside the winner."""

Function = Callable[[Any, Any, Any, Any], None]


@dataclass(frozen=True)
class Mechanism:
    """A matching mechanism: `function(problem, match, floats, integers)` and what is claimed of it.

    `floats` and `integers` are scratch memory of the sizes that `scratch(N, J, K, C)` asks for, not cleared.
    """

    name: str
    function: Function
    source: str
    """Author and year."""
    cost: str
    """Worst case, in organizations N, jobs J, kinds K and capacity C."""
    reads_odds: bool = True
    """Whether it reads `log_odds` or the `race` that they give: else nothing that is scored counts."""
    reads_preferences: bool = False
    """Whether it reads `preferences`."""
    reads_priorities: bool = False
    """Whether it reads `race` and `priority`."""
    reads_costs: bool = False
    """Whether it reads `costs` and `qualities`."""
    reads_proposer: bool = False
    """Whether it reads `proposer`."""
    draws_organizations: bool = False
    """Whether `uniforms` must have a column for each organization, too."""
    payments: tuple[str, ...] = ()
    """What it fills beside the winner, where asked: lead (second price, uniform), price (externality), bid (next bid),
    bid_externality. A rule whose payment needs what is not named here is refused."""
    largest: int | None = None
    """The largest N * J that it is meant for, where its cost is super-linear; larger markets are refused."""
    stable: bool = False
    """No organization and job would rather have each other."""
    strategy_proof: tuple[str, ...] = ()
    """Sides that cannot gain in the round by misreporting, where there is a proposer when they propose: organizations,
    jobs. Of preferences, and for organizations of a capacity up to `strategy_proof_capacity`."""
    strategy_proof_capacity: float = 1
    """Up to which capacity truth is best for organizations: what they get, by place in their preferences, cannot be
    bettered by another report; inf for any. Theorems are mostly of 1: deferred acceptance is manipulable beyond (Roth
    1985, "The college admissions problem is not equivalent to the marriage problem")."""
    strategy_proof_payments: tuple[str, ...] = ()
    """Of `payments`, those under which, without a commission, the true cost or bid is best in the round whatever others
    do, at any capacity; docs/rules.md says what is assumed of costs and values."""
    efficient: bool = False
    """No other matching is better for some organization and worse for none, by what those of capacity 1 report; or,
    where costs are read, for the sum of worth."""
    scratch: Callable[[int, int, int, int], tuple[int, int]] = lambda n, j, k, c: (0, 0)
    """Numbers of float64 and int64 of scratch memory for N organizations of capacity C, J jobs and K kinds."""

    def __post_init__(self) -> None:
        if isinstance(self.payments, str) or not set(self.payments) <= set(PAYMENTS):
            raise ValueError(
                f"mechanism {self.name!r}: payments is {self.payments!r}; it must be a tuple of {', '.join(PAYMENTS)}"
            )
