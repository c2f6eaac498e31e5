"""Names and places: which row of a state array, which slice of an observation, holds what.

Inside a market arrays lie [field][organization]. The views below give every field its name back; a kernel builds them
once a round. K is the number of kinds, N of organizations, J of jobs.
"""

from collections import namedtuple

import numpy as np

from ruleshift.envs.compile import inlined

# An organization's state, float64 (6 + 5K, N).
State = namedtuple(
    "State",
    [
        "reputation",  # (N,) in [.01, 1]
        "popularity",  # (N,) >= 0
        "cash",  # (N,) in mean job values
        "infrastructure",  # (N,) >= 0
        "relief",  # (N,) the factor (1 + infrastructure)**-gain on the base cost, fixed within an episode
        "newcomer",  # (N,) 1 where the tenant of the seat entered in the last round
        "experience",  # (K, N) >= 0, jobs served, depreciated
        "initial",  # (K, N) capability without any experience
        "capability",  # (K, N) in (0, 1)
        "shock",  # (K, N) private cost shock of the round, a share of the job's value
        "billed",  # (K, N) what it was paid since it entered, in mean job values
    ],
)

# What an organization did and got in the last round, float64 (13 + 2K, N).
Outcome = namedtuple(
    "Outcome",
    [
        "ask",  # (N,) in [0, 1.25], a share of the job's value
        "effort",  # (N,) in [0, 1]
        "promotion",  # (N,) in [0, 1]
        "paid",  # (N,) what clients paid for its jobs
        "commission",  # (N,) what the platform kept of that
        "cost",  # (N,) of serving
        "charge",  # (N,) for promotion
        "profit",  # (N,) paid - commission - cost - charge
        "quality",  # (N,) mean over the jobs it served, 0 where none
        "priority",  # (N,) its share of the odds, over kinds
        "rank",  # (N,) 0 the best placed, 1 the last
        "clipped",  # (N,) numbers of its action that lay outside the box
        "served",  # (N,) jobs won
        "focus",  # (K, N) shares that sum to 1 over K
        "won",  # (K, N) jobs won by kind
    ],
)

STATE_SINGLE, STATE_BY_KIND = 6, 5
OUTCOME_SINGLE, OUTCOME_BY_KIND = 13, 2


def state_rows(kinds: int) -> int:
    """Rows of a market's state array."""
    return STATE_SINGLE + STATE_BY_KIND * kinds


def outcome_rows(kinds: int) -> int:
    """Rows of a market's outcome array."""
    return OUTCOME_SINGLE + OUTCOME_BY_KIND * kinds


def state_view(rows: np.ndarray, kinds: int) -> State:
    """A market's state (6 + 5K, N) as a `State`."""
    k = kinds
    by_kind = rows[6:]
    return State(
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5],
        by_kind[0:k], by_kind[k : 2 * k], by_kind[2 * k : 3 * k], by_kind[3 * k : 4 * k], by_kind[4 * k : 5 * k],
    )  # fmt: skip


def outcome_view(rows: np.ndarray, kinds: int) -> Outcome:
    """A market's outcome (13 + 2K, N) as an `Outcome`."""
    k = kinds
    by_kind = rows[13:]
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
    READS_COSTS, DRAWS_ORGANIZATIONS, NOTICE, RELIABILITY,
    PARAMETER_0, PARAMETER_1, PARAMETER_2, PARAMETER_3,
) = range(38)  # fmt: skip
RULE_ROW = 38

# The kernel's row of an economy, float64 (ECONOMY_ROW,).
(
    ROUNDS, CAPACITY, BLOCS, BASE_COST, EFFORT_COST, PROMOTION_PRICE, LOG_OUTSIDE_ODDS, OUTSIDE_ASK,
    LEARNING_EXPONENT, DEPRECIATION, CAPABILITY_LOW, CAPABILITY_HIGH, INFRASTRUCTURE_LOW, INFRASTRUCTURE_HIGH,
    INFRASTRUCTURE_GAIN, SHOCK_EXPONENTIAL, SHOCK_MEAN, SHOCK_SD, VALUE_SPREAD, DEMAND_EVEN,
    QUALITY_CAPABILITY, QUALITY_NOISE, INITIAL_REPUTATION, INITIAL_CASH, EXPECTED_SHARES, DEMAND_DRIFTS,
) = range(26)  # fmt: skip
ECONOMY_ROW = 26

# What a market as a whole did in a round, float64 (len(MEASURES),); an episode reports the means over its rounds.
MEASURES = (
    "served",  # share of the jobs that an organization of the market served
    "surplus",  # clients: value * quality - payment, a job posted
    "profit",  # organizations, a job posted
    "revenue",  # platform: commission and promotion charges, a job posted
    "welfare",  # the three together
    "price",  # payment as a share of value, over the jobs served
    "quality",  # over the jobs served
    "ask",  # mean over organizations
    "effort",
    "promotion",
    "capability",
    "concentration",  # Herfindahl index of the jobs served in the round, 1/N .. 1
    "clipped",  # numbers outside the action box, an organization
    "entered",  # newcomers that took the seats of the bankrupt, a seat
)

# The rule as observations and distances read it: float32 in [0, 1], each by its name.
FEATURES = (
    "weight_price", "weight_capability", "weight_reputation", "weight_promotion", "weight_popularity",
    "weight_focus", "weight_proximity", "amplification", "promotion_floor",
    "reads_preferences", "stable", "strategy_proof", "efficient",
    "pricing", "reserve", "commission_first", "commission_last", "charge_if_lost", "charge_if_won",
    "reputation_gain", "inflation", "persistence", "prior",
)  # fmt: skip

PUBLIC_STATISTICS = ("ask", "effort", "promotion", "reputation", "popularity", "capability")


def action_layout(kinds: int) -> dict[str, slice]:
    """Where each part of an action (3 + K,) lies.

    >>> action_layout(3)["focus"]
    slice(3, 6, None)
    """
    return _slices({"ask": 1, "effort": 1, "promotion": 1, "focus": kinds})


def observation_layout(kinds: int) -> dict[str, slice]:
    """Where each part of an observation (41 + 23 = 64 numbers at K = 3) lies, by name, in order.

    The parts from `last_ask` to `public_mask` are the outcome block: what a memory stacks.

    >>> layout = observation_layout(3)
    >>> layout["shock"], layout["features"].stop
    (slice(3, 6, None), 64)
    """
    return _slices(
        {
            "capability": kinds,
            "shock": kinds,
            "reputation": 1,
            "popularity": 1,  # relative to the market's mean
            "cash": 1,  # in ten mean job values
            "infrastructure": 1,
            "newcomer": 1,
            "jobs": kinds,  # posted now, by kind, relative to an even split
            "values": kinds,  # mean value of the jobs posted now, 0 where none
            "notice": 1,  # 0, rising to 1 as an announced shift comes near
            "last_ask": 1,
            "last_effort": 1,
            "last_promotion": 1,
            "last_focus": kinds,
            "won": kinds,  # jobs won by kind, a unit of capacity
            "paid": 1,  # a unit of capacity
            "profit": 1,  # the last reward
            "quality": 1,
            "public": len(PUBLIC_STATISTICS),  # winners' mean less everyone's
            "public_mask": 1,
            "priority": 1,  # own share of the odds, times N
            "rank": 1,  # 0 the best placed, 1 the last
            "scores_mask": 1,
            "features_mask": 1,
            "features": len(FEATURES),
        }
    )


def _slices(sizes: dict[str, int]) -> dict[str, slice]:
    layout, start = {}, 0
    for name, size in sizes.items():
        layout[name] = slice(start, start + size)
        start += size
    return layout
