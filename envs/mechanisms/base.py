"""What a mechanism is: one function of one signature, and what is declared about it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from numba import types
from numba.core.typing import signature

from ruleshift.envs.compile import Floats1, Floats2, Integer, Integers1, Integers2, compiled_type
from ruleshift.envs.enumerations import PAYMENTS, PROPOSERS, WANTS
from ruleshift.envs.fields import Number
from ruleshift.envs.layout import MOST_PARAMETERS

__all__ = ["MECHANISM_SIGNATURE", "PAYMENTS", "WANTS", "Match", "Mechanism", "Parameter", "Problem"]


class Problem(NamedTuple):
    """What a mechanism is given, for one market and round. Only `capacities` may be written."""

    log_odds: Floats2  # (K, N + 1); -inf where not offered; the last column is the outside option
    ranked: Integer  # 1 where amplification is inf: then log_odds is the score, and only its order counts
    perturbed: Floats2  # (K, N) log odds plus the round's Gumbel noise; for mechanisms that read priorities
    priority: Integers2  # (K, N) organizations by perturbed log odds, the best first (Plackett-Luce); likewise
    preferences: Integers2  # (N, K) kinds by reported focus, the best first; for mechanisms that read them
    costs: Floats2  # (K, N) true cost of serving, a share of the value; for mechanisms that read costs
    qualities: Floats2  # (K, N) quality to expect of serving; likewise
    asks: Floats1  # (N,) in [0, 1.25], a share of the value
    promotions: Floats1  # (N,) in [0, 1]
    kinds: Integers1  # (J,) kind of each job, in order of arrival
    values: Floats1  # (J,)
    capacities: Integers1  # (N,) jobs that each can still serve, 0 where it offers nothing; free to be changed
    uniforms: Floats2  # (4, J or more) in (0, 1): rows 0 (of 52 random bits), 1 and 2 are a job's own, or,
    # for mechanisms that draw organizations, (4, max(J, N) or more) and an organization's as well
    wants: Integer  # which of `match` the payment reads: a sum of fields of `WANTS`, or 0
    proposer: Integer  # a field of `enumerations.PROPOSER`
    parameters: Floats1  # (4,) the rule's own numbers for the mechanism, by position in `Mechanism.parameters`


class Match(NamedTuple):
    """What a mechanism fills: -1, inf, 0 and 0 stand there before."""

    winner: Integers1  # (J,) the organization that serves each job, or -1
    margin: Floats1  # (J,) log odds by which the winner leads the best excluded rival; inf where there is none
    price: Floats1  # (J,) what the client pays under the pricing `externality`, a share of the value
    bid: Floats1  # (J,) the promotion charged under the charges `next_bid` and `externality`, in [0, 1]


MECHANISM_SIGNATURE = signature(
    types.none, compiled_type(Problem), compiled_type(Match), compiled_type(Floats1), compiled_type(Integers1)
)
"""What every mechanism is compiled for: `function(problem, match, floats, integers)`, which returns nothing."""

Function = Callable[[Any, Any, Any, Any], None]


@dataclass(frozen=True)
class Parameter:
    """A number of a mechanism's own, which rules give by its position in `matching.parameters`."""

    name: str
    meaning: str
    """What it is, with its unit."""
    default: float = 0.0
    """Its value where a rule gives none."""
    low: float = -math.inf
    high: float = math.inf


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
    """Whether it reads `log_odds`, or `perturbed` and `priority`, which follow from them: else no score counts."""
    reads_preferences: bool = False
    """Whether it reads `preferences`."""
    reads_priorities: bool = False
    """Whether it reads `perturbed` and `priority`."""
    reads_costs: bool = False
    """Whether it reads `costs` and `qualities`."""
    reads_proposer: bool = False
    """Whether it reads `proposer`."""
    draws_organizations: bool = False
    """Whether `uniforms` must have a column for each organization, too."""
    parameters: tuple[Parameter, ...] = ()
    """Its own numbers, at most four, by their positions in `matching.parameters` and in `Problem.parameters`."""
    payments: tuple[str, ...] = ()
    """What it fills beside the winner, where asked: margin (second price, uniform), price (externality), bid (next
    bid), bid_externality. A rule whose payment needs what is not named here is refused."""
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
        for key, known in (
            ("payments", PAYMENTS),
            ("strategy_proof", PROPOSERS),
            ("strategy_proof_payments", self.payments),
        ):
            value = getattr(self, key)
            if isinstance(value, str) or not set(value) <= set(known):
                words = ", ".join(known) or "nothing"
                raise ValueError(f"mechanism {self.name!r}: {key} is {value!r}; it must be a tuple of {words}")
        if len(self.parameters) > MOST_PARAMETERS:
            raise ValueError(
                f"mechanism {self.name!r}: it has {len(self.parameters)} parameters; at most {MOST_PARAMETERS}"
            )

    def check_parameters(self, values: tuple[float, ...]) -> None:
        """Refuse numbers of a rule that are out of the range of the parameters that they stand for.

        Raises:
            ValueError: names the mechanism, the position and the parameter.
        """
        for position, (parameter, value) in enumerate(zip(self.parameters, values, strict=False)):
            problem = Number(parameter.low, parameter.high).problem(value)
            if problem:
                raise ValueError(
                    f"matching.parameters[{position}] is {value:g}; as {parameter.name} of {self.name!r} it {problem}"
                )
