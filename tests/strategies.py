"""Hypothesis strategies: any rule, economy and schedule that a market accepts, small enough to play quickly."""

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from ruleshift.envs import Economy, Market, Rule, Shift
from ruleshift.envs.enumerations import (
    CHARGES,
    DEMANDS,
    ENTRIES,
    LEARNING,
    LEVELS,
    PRICE_SIGNALS,
    PRICINGS,
    PROPOSERS,
    SHOCK_LAWS,
)
from ruleshift.envs.mechanisms import MECHANISMS
from ruleshift.envs.rule import Disclosure, Feedback, Matching, Payment, Scoring, Weights

SIGNALS = tuple(Weights.__dataclass_fields__)
BUILT_IN = tuple(
    name for name, each in MECHANISMS.items() if each.function.__module__.startswith("ruleshift.envs.mechanisms")
)
MOST_ROUNDS = 9

few = settings(max_examples=40, deadline=None, derandomize=True)
"""Settings with few examples, which are the same in every run."""


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Floats in low .. high, in which both ends are frequent."""
    return st.sampled_from([low, high]) | st.floats(low, high, allow_subnormal=False)


def weights(signals: tuple[str, ...] = SIGNALS) -> st.SearchStrategy[Weights]:
    """Weights on some or all of these signals."""
    parts = st.lists(st.integers(0, 4), min_size=len(signals), max_size=len(signals)).filter(any)
    return parts.map(lambda each: Weights(**{name: part / sum(each) for name, part in zip(signals, each, strict=True)}))


def pairs(thresholds: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[tuple[float, float], ...]]:
    """Tiers of commission: at most two pairs, with rising thresholds."""
    starts = st.lists(thresholds, max_size=2, unique=True).map(sorted)
    return starts.flatmap(lambda each: st.tuples(*(st.tuples(st.just(start), numbers(0, 1)) for start in each)))


def supports(mechanism: str, **payment: Any) -> bool:
    """Whether the mechanism provides what a payment needs."""
    try:
        Rule(matching=Matching(mechanism=mechanism), payment=Payment(**payment)).check_mechanism()
    except ValueError:
        return False
    return True


@st.composite
def payments(draw: st.DrawFn, mechanism: str, divisible: bool = False) -> Payment:
    """A payment that the mechanism supports, and that divisible demand supports if there is any."""
    pricings = [each for each in PRICINGS if supports(mechanism, pricing=each)]
    return Payment(
        pricing=draw(st.sampled_from(["as_asked", "posted"] if divisible else pricings)),
        reserve=draw(numbers(0.3, 1)),
        commission=draw(numbers(0, 1)),
        tiers=draw(pairs(st.floats(0.05, 6))),
        charge=draw(st.sampled_from([each for each in CHARGES if supports(mechanism, charge=each)])),
    )


def parameters(mechanism: str) -> st.SearchStrategy[tuple[float, ...]]:
    """Parameters of a mechanism in their ranges, or fewer than it has."""
    ranges = [numbers(max(each.low, -100), min(each.high, 100)) for each in MECHANISMS[mechanism].parameters]
    return st.just(()) | st.tuples(*ranges)


@st.composite
def rules(draw: st.DrawFn, economy: Economy, **fixed: Any) -> Rule:
    """Any rule that can be played in the economy, except for `fixed` fields (dotted names with __ for the dot)."""
    divisible = economy.shares == "expected"
    mechanism = "serial" if divisible else draw(st.sampled_from(BUILT_IN))
    mechanism = fixed.pop("matching__mechanism", mechanism)
    rule = Rule(
        name="drawn",
        disclosure=Disclosure(
            level=draw(st.sampled_from(LEVELS)), noise=draw(numbers(0, 10)), delay=draw(st.integers(0, 8)),
            notice=draw(st.integers(0, 12)), reliability=draw(numbers(0, 1)),
        ),
        scoring=Scoring(
            weights=draw(weights()), promotion_floor=draw(numbers(0, 1)),
            amplification=draw(st.sampled_from([0.0, 1.0, 2000.0, 1e6, np.inf]) | st.floats(0, 50)),
            price_signal=draw(st.sampled_from(PRICE_SIGNALS)), logit_scale=draw(st.floats(0.001, 2)),
        ),
        matching=Matching(
            mechanism=mechanism, proposer=draw(st.sampled_from(PROPOSERS)), parameters=draw(parameters(mechanism))
        ),
        payment=draw(payments(mechanism, divisible)),
        feedback=Feedback(
            reputation_gain=draw(numbers(0, 1)), inflation=draw(numbers(0, 1)), persistence=draw(numbers(0, 1)),
            prior=draw(numbers(0, 1000)), entry=draw(st.sampled_from(ENTRIES)),
            entry_rate=0.0 if divisible else draw(numbers(0, 1)),
        ),
    )  # fmt: skip
    return rule.replace(**{name.replace("__", "."): value for name, value in fixed.items()})


@st.composite
def economies(draw: st.DrawFn, **fixed: Any) -> Economy:
    """Any small economy; `fixed` fields have these values."""
    demand = fixed.get("demand") or draw(st.sampled_from(DEMANDS))
    shares = fixed.get("shares") or draw(st.sampled_from(["sampled", "sampled", "expected"]))
    jobs = fixed.get("jobs") or draw(st.integers(1, 7))
    given = {
        "organizations": st.integers(1, 6), "kinds": st.integers(1, 4), "rounds": st.integers(1, MOST_ROUNDS),
        "capacity": st.just(jobs) if shares == "expected" else st.integers(1, 3), "blocs": st.integers(1, 3),
        "base_cost": numbers(0, 10), "effort_cost": numbers(0, 10), "promotion_price": numbers(0, 10),
        "outside_share": st.sampled_from([0.0, 0.1, 0.6]), "outside_ask": numbers(0.02, 1.25),
        "learning": st.sampled_from(LEARNING), "progress_ratio": numbers(0.5, 1),
        "depreciation": numbers(0, 1), "initial_capability": st.sampled_from([(0.1, 0.5), (0.0, 1.0), (0.3, 0.3)]),
        "infrastructure": st.sampled_from([(0.0, 0.0), (0.0, 3.0)]), "infrastructure_gain": numbers(0, 1),
        "shock_law": st.sampled_from(SHOCK_LAWS), "shock_mean": numbers(-10, 10),
        "shock_sd": numbers(0, 10), "value_spread": numbers(0, 1), "value_drift": numbers(0, 1),
        "demand_drift": st.just(0.0) if demand == "even" else numbers(0, 1), "drift_period": st.integers(2, 6),
        "quality_capability": numbers(0, 1), "quality_noise": numbers(0, 1), "initial_reputation": numbers(0.01, 1),
        "initial_cash": numbers(0, 5),
    }  # fmt: skip
    drawn = {name: draw(each) for name, each in given.items() if name not in fixed}
    return Economy(**{**drawn, "demand": demand, "shares": shares, "jobs": jobs, **fixed})


@st.composite
def schedules(draw: st.DrawFn, economy: Economy) -> tuple[Shift, ...]:
    """At most two shifts to any rules, announced or not, reliably or not."""
    rounds = st.integers(1, economy.rounds - 1) if economy.rounds > 1 else st.nothing()
    times = draw(st.lists(rounds, max_size=2, unique=True)) if economy.rounds > 1 else []
    return tuple(
        Shift(
            time, draw(rules(economy)), notice=draw(st.none() | st.integers(1, 12)), placebo=draw(st.booleans()),
            chance=draw(numbers(0, 1)),
        )
        for time in times
    )  # fmt: skip


@st.composite
def arguments(draw: st.DrawFn, **fixed: Any) -> dict[str, Any]:
    """The arguments of a market: rule, economy and schedule."""
    economy = draw(economies(**fixed))
    return {"rule": draw(rules(economy)), "economy": economy, "schedule": draw(schedules(economy))}


def actions(market: Market, rng: np.random.Generator) -> np.ndarray:
    """Draw random actions, some of them outside the box."""
    shape = (market.markets, market.organizations, market.action_size)
    return rng.uniform(-1.2, 1.2, shape).astype(np.float32)
