"""Names and positions: what each row of a state array and each slice of an observation holds.

Inside a market, arrays are laid out as [field][organization]. The views below give every field its name, and a kernel
builds them once per round. N is the number of organizations, J of jobs and K of kinds. Amounts are in mean job values.
"""

from collections import namedtuple

import numpy as np

from ruleshift.envs.compile import inlined
from ruleshift.envs.enumerations import codes, constants

State = namedtuple(
    "State",
    [
        "reputation",  # (N,) in [.01, 1]
        "popularity",  # (N,) >= 0
        "cash",  # (N,) in mean job values
        "infrastructure",  # (N,) >= 0
        "relief",  # (N,) in (0, 1], the factor (1 + infrastructure)**-gain on the base cost
        "newcomer",  # (N,) 1 if the organization entered after the last round, else 0
        "experience",  # (K, N) >= 0, jobs served, depreciated
        "initial",  # (K, N) in [0, 1], capability without any experience
        "capability",  # (K, N) in [0, 1]
        "shock",  # (K, N) private cost shock of the round, as a share of the job's value
        "billed",  # (K, N) what the organization has been paid since it entered, in mean job values
    ],
)
"""An organization's state, float64 (6 + 5K, N)."""

Outcome = namedtuple(
    "Outcome",
    [
        "ask",  # (N,) in [0, 1.25], as a share of the job's value
        "effort",  # (N,) in [0, 1]
        "promotion",  # (N,) in [0, 1]
        "paid",  # (N,) what clients paid for its jobs
        "commission",  # (N,) what the platform kept of that
        "cost",  # (N,) cost of serving
        "charge",  # (N,) what the platform charged for promotion
        "profit",  # (N,) paid - commission - cost - charge
        "quality",  # (N,) in [0, 1], mean over the jobs served, 0 if there were none
        "priority",  # (N,) in [0, 1], share of the odds, over all kinds
        "rank",  # (N,) in [0, 1], 0 for the best-placed organization, 1 for the last
        "clipped",  # (N,) how many numbers of the action were outside the box
        "served",  # (N,) jobs won
        "focus",  # (K, N) in [0, 1], shares that sum to 1 over K
        "won",  # (K, N) jobs won by kind
    ],
)
"""What an organization did and received in the last round, float64 (13 + 2K, N)."""

STATE_SINGLE = State._fields.index("experience")
STATE_BY_KIND = len(State._fields) - STATE_SINGLE
OUTCOME_SINGLE = Outcome._fields.index("focus")
OUTCOME_BY_KIND = len(Outcome._fields) - OUTCOME_SINGLE


def state_rows(kinds: int) -> int:
    """Return the number of rows of a market's state array, which holds the fields of `State`."""
    return STATE_SINGLE + STATE_BY_KIND * kinds


def outcome_rows(kinds: int) -> int:
    """Return the number of rows of a market's outcome array, which holds the fields of `Outcome`."""
    return OUTCOME_SINGLE + OUTCOME_BY_KIND * kinds


def state_view(rows: np.ndarray, kinds: int) -> State:
    """Return a market's state (6 + 5K, N) as a `State` of views."""
    k = kinds
    by_kind = rows[STATE_SINGLE:]
    return State(
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5],
        by_kind[0:k], by_kind[k : 2 * k], by_kind[2 * k : 3 * k], by_kind[3 * k : 4 * k], by_kind[4 * k : 5 * k],
    )  # fmt: skip


def outcome_view(rows: np.ndarray, kinds: int) -> Outcome:
    """Return a market's outcome (13 + 2K, N) as an `Outcome` of views."""
    k = kinds
    by_kind = rows[OUTCOME_SINGLE:]
    return Outcome(
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6],
        rows[7], rows[8], rows[9], rows[10], rows[11], rows[12],
        by_kind[0:k], by_kind[k : 2 * k],
    )  # fmt: skip


state_of, outcome_of = inlined(state_view), inlined(outcome_view)  # for kernels


# The kernel's row of a rule, float64 (RULE_ROW,).
(
    W_PRICE, W_CAPABILITY, W_REPUTATION, W_PROMOTION, W_POPULARITY, W_FOCUS, W_PROXIMITY,
    AMPLIFICATION, PROMOTION_FLOOR, LEVEL, PRICING, RESERVE, COMMISSION, CHARGE,
    GAIN, INFLATION, PERSISTENCE, PRIOR, READS_PREFERENCES, READS_PRIORITIES, PROPOSER,
    TIER_1, TIER_1_SHARE, TIER_2, TIER_2_SHARE, NOISE, DELAY, LOGIT_SCALE, ENTRY, ENTRY_RATE,
    READS_COSTS, DRAWS_ORGANIZATIONS, NOTICE, RELIABILITY, WANTS,
    PARAMETER_0, PARAMETER_1, PARAMETER_2, PARAMETER_3,
) = range(39)  # fmt: skip
RULE_ROW = PARAMETER_3 + 1
MOST_PARAMETERS = RULE_ROW - PARAMETER_0

# The kernel's row of an economy, float64 (ECONOMY_ROW,).
(
    ROUNDS, CAPACITY, BLOCS, BASE_COST, EFFORT_COST, PROMOTION_PRICE, LOG_OUTSIDE_ODDS, OUTSIDE_ASK,
    LEARNING_EXPONENT, DEPRECIATION, CAPABILITY_LOW, CAPABILITY_HIGH, INFRASTRUCTURE_LOW, INFRASTRUCTURE_HIGH,
    INFRASTRUCTURE_GAIN, SHOCK_LAW, SHOCK_MEAN, SHOCK_SD, VALUE_SPREAD, DEMAND,
    QUALITY_CAPABILITY, QUALITY_NOISE, INITIAL_REPUTATION, INITIAL_CASH, SHARES, DEMAND_DRIFTS,
) = range(26)  # fmt: skip
ECONOMY_ROW = DEMAND_DRIFTS + 1

# What a market as a whole did in a round, float64 (len(MEASURES),); an episode reports the means over its rounds.
MEASURES = (
    "served",  # share of the jobs posted that were served
    "surplus",  # clients' value * quality - payment, per job posted
    "profit",  # profit of the organizations, per job posted
    "revenue",  # the platform's commission and promotion charges, per job posted
    "welfare",  # surplus + profit + revenue
    "price",  # payments as a share of the value of the jobs served
    "quality",  # mean over the jobs served
    "ask",  # mean over organizations
    "effort",  # mean over organizations
    "promotion",  # mean over organizations
    "capability",  # mean over organizations and kinds
    "concentration",  # Herfindahl index of the jobs served in the round, 1/N .. 1, or 0 if none was served
    "clipped",  # numbers outside the action box, per organization
    "entered",  # newcomers that replaced bankrupt organizations, per seat
)
MEASURE = codes(MEASURES)

# The names of a rule's features, which observations and distances read: float32 in [0, 1].
FEATURES = (
    "weight_price", "weight_capability", "weight_reputation", "weight_promotion", "weight_popularity",
    "weight_focus", "weight_proximity", "amplification", "promotion_floor",
    "reads_preferences", "stable", "strategy_proof", "efficient",
    "pricing", "reserve", "commission_first", "commission_last", "charge_if_lost", "charge_if_won",
    "reputation_gain", "inflation", "persistence", "prior",
)  # fmt: skip

PUBLIC_STATISTICS = ("ask", "effort", "promotion", "reputation", "popularity", "capability")
PUBLIC = codes(PUBLIC_STATISTICS)

# What was disclosed before a round, kept for rules that disclose with a delay, float64 (8 + 2N,): the round, the level
# (opaque, outcomes or scores), the public statistics, then the priority and the rank of each organization.
DISCLOSED_ROUND, DISCLOSED_LEVEL, DISCLOSED_PUBLIC = range(3)
DISCLOSED_SCORES = DISCLOSED_PUBLIC + len(PUBLIC_STATISTICS)


def disclosed_size(organizations: int) -> int:
    """Return how many numbers are kept of what was disclosed to N organizations before a round: 8 + 2N."""
    return DISCLOSED_SCORES + 2 * organizations


ACTION = codes(("ask", "effort", "promotion", "focus"))
"""Where each part of an action begins: three single numbers, then one per kind."""


def action_layout(kinds: int) -> dict[str, slice]:
    """Return the slice of each part of an action (3 + K,), by name.

    >>> action_layout(3)["focus"]
    slice(3, 6, None)
    """
    return _slices({"ask": 1, "effort": 1, "promotion": 1, "focus": kinds})


_OBSERVATION = {
    "capability": (0, 1),
    "shock": (0, 1),
    "reputation": (1, 0),
    "popularity": (1, 0),  # relative to the market's mean
    "cash": (1, 0),  # in units of ten mean job values
    "infrastructure": (1, 0),
    "newcomer": (1, 0),
    "jobs": (0, 1),  # jobs now posted, by kind, relative to an even split
    "values": (0, 1),  # mean value of the jobs now posted, by kind, 0 if there are none
    "notice": (1, 0),  # 0, rising to 1 as an announced shift comes near
    "last_ask": (1, 0),
    "last_effort": (1, 0),
    "last_promotion": (1, 0),
    "last_focus": (0, 1),
    "won": (0, 1),  # jobs won, by kind, per unit of capacity
    "paid": (1, 0),  # per unit of capacity
    "profit": (1, 0),  # the last reward
    "quality": (1, 0),
    "public": (len(PUBLIC_STATISTICS), 0),  # winners' mean minus everyone's
    "public_mask": (1, 0),
    "priority": (1, 0),  # the organization's share of the odds, times N
    "rank": (1, 0),  # 0 for the best-placed organization, 1 for the last
    "scores_mask": (1, 0),
    "features_mask": (1, 0),
    "features": (len(FEATURES), 0),
}
"""The parts of an observation, in order: how many numbers each has, and how many more per kind."""


def _starts() -> dict[str, tuple[int, int]]:
    """Return where each part of an observation begins, as (a, b) for column a + b * kinds."""
    starts, alone, by_kind = {}, 0, 0
    for name, size in _OBSERVATION.items():
        starts[name] = (alone, by_kind)
        alone, by_kind = alone + size[0], by_kind + size[1]
    return starts


START = constants(_starts())
"""Where each part of an observation begins, as `column` reads it."""


@inlined
def column(start: tuple[int, int], kinds: int) -> int:
    """Return the first column of a part of an observation, such as `column(START.public, kinds)`."""
    return start[0] + start[1] * kinds


def observation_layout(kinds: int) -> dict[str, slice]:
    """Return the slice of each part of an observation (64 numbers if K = 3, 23 of them features), by name, in order.

    The parts from `last_ask` to `public_mask` are the outcome block, which a memory stacks.

    >>> layout = observation_layout(3)
    >>> layout["shock"], layout["features"].stop
    (slice(3, 6, None), 64)
    """
    return _slices({name: alone + by_kind * kinds for name, (alone, by_kind) in _OBSERVATION.items()})


def _slices(sizes: dict[str, int]) -> dict[str, slice]:
    layout, start = {}, 0
    for name, size in sizes.items():
        layout[name] = slice(start, start + size)
        start += size
    return layout
