"""What a mechanism is: a function with a fixed signature, and the properties declared for it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from numba import types
from numba.core.typing import signature

from ruleshift.envs.compile import Floats1, Floats2, Integer, Integers1, Integers2, compiled_type
from ruleshift.envs.enumerations import PAYMENTS, PROPOSERS, WANTS
from ruleshift.envs.fields import Count, Number
from ruleshift.envs.layout import MOST_PARAMETERS

__all__ = ["MECHANISM_SIGNATURE", "PAYMENTS", "WANTS", "Match", "Mechanism", "Parameter", "Problem"]


MOST_PRICE = 1e5
"""The highest price that a mechanism can report, as a share of the job's value."""


class Problem(NamedTuple):
    """What a mechanism reads, for one market and round; it may write only to `capacities`."""

    log_odds: Floats2  # (K, N + 1), -inf if not offered; the last column is the outside option
    ranked: Integer  # 1 if amplification is inf, so that log_odds are scores of which only the order counts; else 0
    perturbed: Floats2  # (K, N) log odds plus the round's Gumbel noise, if the mechanism reads priorities
    priority: Integers2  # (K, N) organizations by perturbed log odds, the best first, if it reads priorities
    preferences: Integers2  # (N, K) kinds by reported focus, the best first, if the mechanism reads preferences
    costs: Floats2  # (K, N) true cost of serving, as a share of the value, if the mechanism reads costs
    qualities: Floats2  # (K, N) expected quality, in [0, 1], if the mechanism reads costs
    asks: Floats1  # (N,) in [0, 1.25], as shares of the value
    promotions: Floats1  # (N,) in [0, 1]
    kinds: Integers1  # (J,) kind of each job, in order of arrival
    values: Floats1  # (J,) value of each job, in mean job values
    capacities: Integers1  # (N,) jobs that each can still serve, 0 if it does not offer; may be changed
    # (4, J or more) in (0, 1), of which rows 0 (of 52 random bits), 1 and 2 may be used, with a column per job. If the
    # mechanism draws organizations, it is (4, max(J, N) or more), and the columns may also be used for organizations.
    uniforms: Floats2
    wants: Integer  # which fields of `Match` the payment reads: a sum of fields of `WANTS`, or 0
    proposer: Integer  # a field of `enumerations.PROPOSER`
    parameters: Floats1  # (4,) the rule's parameters for the mechanism, by position in `Mechanism.parameters`


class Match(NamedTuple):
    """What a mechanism writes; the fields hold -1, inf, 0 and 0 before it is called."""

    winner: Integers1  # (J,) the organization that serves each job, or -1
    margin: Floats1  # (J,) log odds by which the winner leads the best excluded rival; inf if there is none
    price: Floats1  # (J,) what the client pays under the pricing `externality`, a share of the value in [0, MOST_PRICE]
    bid: Floats1  # (J,) the promotion charged under the charges `next_bid` and `externality`, in [0, 1]


MECHANISM_SIGNATURE = signature(
    types.none, compiled_type(Problem), compiled_type(Match), compiled_type(Floats1), compiled_type(Integers1)
)
"""The signature for which every mechanism is compiled: `function(problem, match, floats, integers)`, without result."""

Function = Callable[[Any, Any, Any, Any], None]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a mechanism, which rules set by its position in `matching.parameters`."""

    name: str
    """The name of the parameter."""
    meaning: str
    """What the parameter is, with its unit."""
    default: float = 0.0
    """The value if a rule does not set it."""
    low: float = -math.inf
    """The lowest value."""
    high: float = math.inf
    """The highest value."""


@dataclass(frozen=True)
class Mechanism:
    """A matching mechanism: `function(problem, match, floats, integers)` and its declared properties.

    `floats` and `integers` are scratch memory of the sizes that `scratch` returns; they are not cleared.

    Raises:
        ValueError: if a property is not one of the known words, or if there are too many parameters; names it.
    """

    name: str
    """The name that rules use."""
    function: Function
    """The module-level function, plain Python or compiled."""
    source: str
    """Author and year of the mechanism."""
    cost: str
    """Worst-case cost, in organizations N, jobs J, kinds K and capacity C."""
    reads_odds: bool = True
    """Whether it reads `log_odds`, or `perturbed` and `priority`, which depend on them; if not, the score has no
    effect."""
    reads_preferences: bool = False
    """Whether it reads `preferences`."""
    reads_priorities: bool = False
    """Whether it reads `perturbed` and `priority`."""
    reads_costs: bool = False
    """Whether it reads `costs` and `qualities`."""
    reads_proposer: bool = False
    """Whether it reads `proposer`."""
    draws_organizations: bool = False
    """Whether it uses columns of `uniforms` for organizations as well as for jobs."""
    parameters: tuple[Parameter, ...] = ()
    """Its parameters, at most four, in the order of `matching.parameters` and `Problem.parameters`."""
    payments: tuple[str, ...] = ()
    """What it can report in addition to the winner: margin (for second price and uniform), price (for externality), bid
    (for next bid) and bid_externality. A rule whose payment needs anything else is refused."""
    largest: int | None = None
    """The largest N * J for which it is meant, if its cost is super-linear; larger markets are refused."""
    stable: bool = False
    """Whether no organization and job would prefer each other to their matches."""
    strategy_proof: tuple[str, ...] = ()
    """The sides (organizations, jobs) that cannot gain within the round by misreporting preferences; if the mechanism
    has a proposer, then only when they propose. It holds for capacities up to `strategy_proof_capacity`."""
    strategy_proof_capacity: float = 1
    """The largest capacity at which no misreport improves what an organization receives, by rank in its preferences;
    inf for any. Most theorems are about capacity 1, and deferred acceptance can be manipulated beyond it (Roth 1985,
    "The college admissions problem is not equivalent to the marriage problem")."""
    strategy_proof_payments: tuple[str, ...] = ()
    """Those of `payments` under which, without a commission, reporting the true cost or bid is best within the round
    whatever others do, at any capacity; docs/rules.md states what is assumed about costs and values."""
    efficient: bool = False
    """Whether no other matching is better for one organization and worse for none, by the reports of organizations of
    capacity 1; for mechanisms that read costs, whether total surplus is the largest possible."""
    scratch: Callable[[int, int, int, int], tuple[int, int]] = lambda n, j, k, c: (0, 0)
    """Returns how many float64 and int64 numbers of scratch memory (N, J, K, C) requires."""

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

    def scratch_sizes(self, n: int, j: int, k: int, c: int) -> tuple[int, int]:
        """Return the sizes that `scratch` asks for.

        Raises:
            ValueError: if they are not two whole numbers from 0 to 2**32; names the mechanism.
        """
        given: Any = self.scratch(n, j, k, c)
        size = Count(0, 2**32)
        if not isinstance(given, tuple | list) or len(given) != 2 or any(size.problem(each) for each in given):
            raise ValueError(
                f"mechanism {self.name!r}: scratch({n}, {j}, {k}, {c}) is {given!r:.80}; it must be two whole numbers "
                "from 0 to 2**32"
            )
        return int(given[0]), int(given[1])

    def check_parameters(self, values: tuple[float, ...]) -> None:
        """Refuse a rule's values for the parameters if any is out of range.

        Raises:
            ValueError: if one is; names the mechanism, the position and the parameter.
        """
        for position, (parameter, value) in enumerate(zip(self.parameters, values, strict=False)):
            problem = Number(parameter.low, parameter.high).problem(value)
            if problem:
                raise ValueError(
                    f"matching.parameters[{position}] is {value:g}; as {parameter.name} of {self.name!r} it {problem}"
                )
