"""The compiled round against the same equations in plain Python, given the same random words."""

import importlib.util
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import economies, few, rules

from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.layout import outcome_view, state_view
from ruleshift.envs.numerics import words

PLAIN = Path(__file__).parents[1] / "bench" / "peers" / "plain" / "plain_market.py"
EVERYTHING = {
    "disclosure.level": "full",
    "scoring.weights.price": 0.3,
    "scoring.weights.reputation": 0.1,
    "scoring.weights.capability": 0.1,
    "scoring.weights.promotion": 0.2,
    "scoring.weights.popularity": 0.1,
    "scoring.weights.focus": 0.1,
    "scoring.weights.proximity": 0.1,
    "feedback.inflation": 0.3,
}
LATE_AND_NOISY = {"disclosure.level": "scores", "disclosure.noise": 0.2, "disclosure.delay": 2}
TIERED = {"payment.tiers": ((1.5, 0.5), (4.0, 0.05))}
DENSE = Economy(
    organizations=5, jobs=9, kinds=2, rounds=30, capacity=2, blocs=2, infrastructure=(0.0, 2.0),
    shock_law="exponential", demand="even", outside_share=0.0, depreciation=0.05,
)  # fmt: skip

CROWDED = Economy(organizations=4_200, jobs=60, kinds=2, rounds=2, capacity=1, outside_share=0.1)  # beyond `order.FAR`
DRIFTING = Economy(rounds=20, value_drift=0.6, demand_drift=1.0, drift_period=8, initial_cash=0.2, effort_cost=0.8)


def _plain() -> Any:
    if not PLAIN.is_file():
        pytest.skip("the plain market is not part of an installed package")
    spec = importlib.util.spec_from_file_location("plain_market", PLAIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rules() -> list[Rule]:
    board = load_rule("price_board")
    everything = board.replace(**EVERYTHING)
    return [
        everything.replace(**{"scoring.amplification": 4, "payment.pricing": "second_price"}),
        everything.replace(**{"scoring.amplification": np.inf, "payment.charge": "sunk", "payment.reserve": 0.8}),
        load_rule("dispatch_lottery").replace(**{"disclosure.level": "scores"}),
        load_rule("second_price_exchange"),
        load_rule("popularity_feed"),
        everything.replace(
            **LATE_AND_NOISY, **TIERED, **{"payment.pricing": "uniform", "scoring.price_signal": "logit"}
        ),
        load_rule("reputation_ladder").replace(**LATE_AND_NOISY, **{"feedback.entry": "replacement"}),
        load_rule("popularity_feed").replace(
            **TIERED, **{"feedback.entry_rate": 0.3, "feedback.prior": 0.0, "payment.pricing": "second_price"}
        ),
    ]


@pytest.mark.parametrize("economy", [Economy(rounds=40), DENSE, DRIFTING], ids=["default", "dense", "drifting"])
@pytest.mark.parametrize(
    "rule",
    _rules(),
    ids=["everything", "ranking", "lottery", "second_price", "popularity", "uniform_logit", "newcomers", "entrants"],
)
def test_round__plain_python_gives_the_same(rule: Rule, economy: Economy) -> None:
    _assert_same(rule, economy)


@pytest.mark.parametrize(("amplification", "level"), [(1.0, "opaque"), (np.inf, "full")], ids=["drawn", "ranking"])
def test_round__plain_python_gives_the_same_among_thousands(amplification: float, level: str) -> None:
    rule = load_rule("price_board").replace(
        **{"scoring.amplification": amplification, "disclosure.level": level, "payment.pricing": "second_price"}
    )
    _assert_same(rule, CROWDED)


@pytest.mark.parametrize("outside_share", [0.0, 0.1])
@pytest.mark.parametrize("weights", [{"price": 1.0}, {"price": 0.5, "focus": 0.5}], ids=["one_order", "order_by_kind"])
def test_round__plain_python_gives_the_same_where_many_tie(weights: dict[str, float], outside_share: float) -> None:
    rule = load_rule("second_price_exchange")
    none = dict.fromkeys(asdict(rule.scoring.weights), 0.0)
    rule = rule.replace(**{f"scoring.weights.{name}": value for name, value in {**none, **weights}.items()})
    economy = Economy(organizations=90, jobs=150, rounds=3, capacity=2, outside_share=outside_share)
    _assert_same(rule.replace(**{"scoring.amplification": np.inf}), economy, tied=True)


@few
@given(data=st.data(), economy=economies(shares="sampled"))
def test_round__plain_python_gives_the_same_under_any_rule(data: st.DataObject, economy: Economy) -> None:
    amplification = data.draw(st.sampled_from([0.0, 1.0, 20.0, np.inf]))
    rule = data.draw(
        rules(economy, matching__mechanism="serial", scoring__amplification=amplification, scoring__logit_scale=0.5)
    )
    _assert_same(rule, economy)


def _assert_same(rule: Rule, economy: Economy, tied: bool = False) -> None:
    market = Market(rule, economy=economy, first_market=3)
    seen = market.reset(seed=5)
    key0, key1 = market.key[0]
    oracle = _plain().PlainMarket(
        rule, economy, lambda purpose, round_, episode, index: words(key0, key1, index, round_, episode, purpose)
    )
    expected, _ = oracle.reset()
    rng = np.random.default_rng(1)
    for round_ in range(economy.rounds):
        np.testing.assert_allclose(seen[0], list(expected.values()), rtol=1e-6, atol=1e-7)
        shape = (economy.organizations, market.action_size)
        actions = rng.uniform(-1.2, 1.2, shape).astype(np.float32)
        actions[:, 0] = rng.uniform(-0.9, 0.6, economy.organizations)
        if tied:
            actions = (np.round(2 * actions) / 2).astype(np.float32)
        seen, rewards, truncated = market.step(actions[None])
        expected, profits, _, _, _ = oracle.step(dict(zip(oracle.agents, actions, strict=True)))
        np.testing.assert_allclose(rewards[0], list(profits.values()), rtol=1e-6, atol=1e-7)
        assert truncated == (round_ + 1 == economy.rounds) == (not oracle.agents)
        _assert_same_outcome(market, oracle)
        if not truncated:
            _assert_same_state(market, oracle)
    assert market.last_observations is not None
    np.testing.assert_allclose(market.last_observations[0], list(expected.values()), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(seen[0], list(oracle.reset()[0].values()), rtol=1e-6, atol=1e-7)


def _assert_same_outcome(market: Market, oracle: Any) -> None:
    outcome = outcome_view(market.outcomes[0], market.kinds)
    np.testing.assert_array_equal(market.winners[0], [-1 if w is None else w for w in oracle.winners])
    np.testing.assert_allclose(market.payments[0], oracle.payments, rtol=1e-9, atol=1e-12)
    for name in ("ask", "effort", "promotion", "paid", "commission", "cost", "charge", "profit", "quality"):
        expected = [getattr(org, name) for org in oracle.organizations]
        np.testing.assert_allclose(getattr(outcome, name), expected, rtol=1e-9, atol=1e-12)


def _assert_same_state(market: Market, oracle: Any) -> None:
    state = state_view(market.state[0], market.kinds)
    for name in ("reputation", "popularity", "cash", "newcomer", "experience", "capability", "billed", "shock"):
        expected = np.array([getattr(org, name) for org in oracle.organizations]).T
        np.testing.assert_allclose(getattr(state, name), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(market.job_kinds[0], [job.kind for job in oracle.jobs])
    np.testing.assert_allclose(market.job_values[0], [job.value for job in oracle.jobs], rtol=1e-12)


def test_plain_market__is_a_parallel_environment() -> None:
    module = _plain()
    market = module.make()
    seen, _ = market.reset(seed=1)
    assert list(seen) == market.possible_agents
    for round_ in range(100):
        actions = {agent: market.action_space(agent).sample() for agent in market.agents}
        seen, _, terminated, truncated, _ = market.step(actions)
        assert all(seen[agent] in market.observation_space(agent) for agent in seen)
        assert not any(terminated.values())
        assert all(truncated.values()) == any(truncated.values()) == (round_ == 99)
    assert not market.agents
