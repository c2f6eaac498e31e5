"""Welfare-maximizing assignment against scipy and enumeration; its externality payments (VCG) and what they promise."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from markets import act, bare, by_worth, close
from rounds import Round, play, rounds
from scipy.optimize import linear_sum_assignment

from ruleshift.envs import Economy, Market, load_rule

NAME = "welfare_maximizing"


def _best(worth: np.ndarray, capacity: int) -> float:
    """The largest total worth, by scipy: one column a unit of capacity, and nobody has to be matched."""
    columns = np.repeat(np.maximum(worth, 0.0), capacity, axis=1)
    return float(columns[linear_sum_assignment(columns, maximize=True)].sum())


def _best_by_enumeration(worth: np.ndarray, capacity: int) -> float:
    """The same, over every assignment that there is."""
    jobs, n = worth.shape
    best = 0.0
    for winners in itertools.product(range(-1, n), repeat=jobs):
        served = [(j, i) for j, i in enumerate(winners) if i >= 0]
        if all(winners.count(i) <= capacity for i in range(n)):
            best = max(best, sum(worth[pair] for pair in served))
    return best


def _check_payments(found: Round, best: Callable[[np.ndarray, int], float]) -> None:
    """Each winner is paid what the market is worth, less what it is worth without it, plus its cost."""
    total = best(found.worth, found.capacity)
    for i in set(found.winners) - {-1}:
        mine = found.winners == i
        cost = found.costs[mine, i].sum()
        externality = total - best(np.delete(found.worth, i, axis=1), found.capacity) + cost
        assert found.payments[mine].sum() == pytest.approx(externality, abs=1e-9)
        assert cost - 1e-9 <= found.payments[mine].sum() <= cost + found.worth[mine, i].sum() + 1e-9
        np.testing.assert_allclose(found.payments[mine] / found.values[mine], externality / found.values[mine].sum())


@settings(deadline=None, max_examples=60)
@given(rounds(NAME, organizations=12, jobs=20))
def test_welfare_maximizing__as_good_as_scipy(found: list[Round]) -> None:
    for each in found:
        assert each.total == pytest.approx(_best(each.worth, each.capacity), abs=1e-9)
        served = each.winners >= 0
        assert np.all(each.worth[served, each.winners[served]] >= 0.0)
        assert np.all(np.bincount(each.winners[served], minlength=1) <= each.capacity)


@pytest.mark.parametrize(
    ("organizations", "jobs", "kinds", "capacity"), [(40, 60, 3, 2), (30, 30, 30, 1), (60, 20, 1, 1)]
)
def test_welfare_maximizing__as_good_as_scipy_in_larger_markets(
    organizations: int, jobs: int, kinds: int, capacity: int
) -> None:
    economy = Economy(organizations=organizations, jobs=jobs, kinds=kinds, capacity=capacity, rounds=1)
    for each in play(by_worth(NAME, gain=0.3, pricing="externality"), economy, 5, seed=1):
        assert each.total == pytest.approx(_best(each.worth, capacity), abs=1e-9)
        _check_payments(each, _best)


@settings(deadline=None, max_examples=15)
@given(rounds(NAME, organizations=3, jobs=4, pricing="externality"))
def test_welfare_maximizing__externality_by_enumeration(found: list[Round]) -> None:
    for each in found[:3]:
        assert each.total == pytest.approx(_best_by_enumeration(each.worth, each.capacity), abs=1e-9)
        _check_payments(each, _best_by_enumeration)


@settings(deadline=None, max_examples=40)
@given(rounds(NAME, organizations=8, jobs=12, pricing="externality"))
def test_welfare_maximizing__externality_by_scipy(found: list[Round]) -> None:
    for each in found:
        _check_payments(each, _best)


@settings(deadline=None, max_examples=40)
@given(rounds(NAME, organizations=10, jobs=14, pricing="externality", ties=True))
def test_welfare_maximizing__as_good_as_scipy_where_many_pairs_tie(found: list[Round]) -> None:
    for each in found:
        assert each.total == pytest.approx(_best(each.worth, each.capacity), abs=1e-9)
        _check_payments(each, _best)


def test_welfare_maximizing__worked_example_of_the_docs() -> None:
    """Values 1, asks .3, .5 and .6, capacity 1, two jobs: each of the two that serve is paid .6."""
    economy = bare(organizations=3, jobs=2, quality_capability=0.0)
    market = Market(by_worth(NAME, gain=1.0, asks=True, pricing="externality"), economy=economy)
    market.reset(seed=0)
    market.step(act([[0.3, 0.5, 0.6]]))
    assert set(market.winners[0]) == {0, 1}
    np.testing.assert_allclose(market.payments[0], 0.6, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_welfare_maximizing__one_job_is_a_second_price_auction(n: int) -> None:
    markets = 500
    asks = np.random.default_rng(2).uniform(0.05, 1.1, (markets, n))
    paid = {}
    for rule in (
        by_worth(NAME, gain=1.0, asks=True, pricing="externality"),
        load_rule("second_price_exchange").replace(**{"payment.commission": 0.0}),
    ):
        market = Market(rule, economy=bare(organizations=n, quality_capability=0.0), markets=markets)
        market.reset(seed=0)
        market.step(act(asks))
        paid[rule.payment.pricing] = market.payments[:, 0], market.winners[:, 0].copy()
    np.testing.assert_array_equal(paid["externality"][1], paid["second_price"][1])
    np.testing.assert_allclose(paid["externality"][0], paid["second_price"][0], atol=1e-9)


def _profits_of_the_first(pricing: str, asks: np.ndarray, own: float | np.ndarray, cost: np.ndarray) -> np.ndarray:
    """What organization 0 earns when it asks `own`, where effort is the cost of all kinds alike and no quality."""
    kinds, markets = 2, len(asks)
    economy = Economy(
        organizations=3, jobs=4, kinds=kinds, capacity=2, rounds=1, base_cost=0.0, effort_cost=1.0, shock_sd=0.0,
        promotion_price=0.0, quality_capability=1.0, initial_capability=(0.3, 1.0),
    )  # fmt: skip
    rule = by_worth(NAME, gain=0.0, asks=True, pricing=pricing)
    market = Market(rule, economy=economy, markets=markets)
    market.reset(seed=3)
    asks = asks.copy()
    asks[:, 0] = own
    _, profits, _ = market.step(act(asks, cost, kinds=kinds))
    return profits[:, 0]


def test_welfare_maximizing__nobody_gains_by_another_ask_than_its_cost() -> None:
    """Whatever the others ask, draw by draw, where clients pay the externality; paid as asked, somebody does gain."""
    rng = np.random.default_rng(4)
    asks, cost = rng.uniform(0.0, 1.0, (300, 3)), rng.uniform(0.0, 1.0, (300, 3))
    for pricing, truthful in (("externality", True), ("as_asked", False)):
        honest = _profits_of_the_first(pricing, asks, cost[:, 0], cost)
        others = [_profits_of_the_first(pricing, asks, ask, cost) for ask in np.linspace(0, 1.25, 26)]
        assert np.all(np.max(others, axis=0) <= honest + 1e-6) == truthful
        assert np.any(np.max(others, axis=0) > np.min(others, axis=0) + 0.1)


@pytest.mark.parametrize("mechanism", [NAME, "greedy"])
def test_worth__a_lower_ask_never_loses_the_job(mechanism: str) -> None:
    markets = 300
    rivals = np.random.default_rng(5).uniform(0.0, 1.0, (markets, 4))
    won_before = np.zeros(markets, bool)
    economy = bare(organizations=4, quality_capability=0.0)
    for ask in np.linspace(1.25, 0.0, 26):
        market = Market(by_worth(mechanism, gain=0.9, asks=True), economy=economy, markets=markets)
        market.reset(seed=0)
        rivals[:, 0] = ask
        market.step(act(rivals))
        won = market.winners[:, 0] == 0
        assert np.all(won >= won_before)
        won_before = won
    assert np.all(won_before)


@pytest.mark.parametrize("mechanism", [NAME, "greedy"])
def test_worth__equal_organizations_are_treated_equally(mechanism: str) -> None:
    """Four alike, of capacity 2, five jobs of two kinds: each serves 5/4, and as many of the dearest."""
    markets = 4000
    economy = bare(
        organizations=4, jobs=5, kinds=2, capacity=2, value_spread=0.5, quality_capability=0.0
    )  # fmt: skip
    market = Market(by_worth(mechanism, gain=1.0, asks=True), economy=economy, markets=markets)
    market.reset(seed=6)
    market.step(act(np.full((markets, 4), 0.5), kinds=2))
    won = np.stack([np.sum(market.winners == i, axis=1) for i in range(4)], axis=1)
    assert np.all(won.sum(axis=1) == 5)
    assert close(won, 5 / 4, errors=4)
    dearest = market.winners[np.arange(markets), market.served_values.argmax(axis=1)]
    assert close(dearest[:, None] == np.arange(4), 1 / 4, errors=4)


@pytest.mark.parametrize("mechanism", [NAME, "greedy"])
def test_worth__a_market_is_the_same_alone_and_again(mechanism: str) -> None:
    rule, economy = by_worth(mechanism, gain=0.4), Economy(rounds=2)
    together = Market(rule, economy=economy, markets=4)
    alone = Market(rule, economy=economy, first_market=3)
    actions = np.random.default_rng(7).uniform(-1, 1, (4, 8, 6)).astype(np.float32)
    for seed in (8, 8):
        together.reset(seed=seed)
        alone.reset(seed=seed)
        together.step(actions)
        alone.step(np.ascontiguousarray(actions[3:]))
        np.testing.assert_array_equal(together.winners[3], alone.winners[0])
        np.testing.assert_array_equal(together.payments[3], alone.payments[0])


def test_welfare_maximizing__too_large_a_market_is_refused() -> None:
    with pytest.raises(ValueError, match=r"welfare_maximizing.*1,000,000.*4,000,000"):
        Market(by_worth(NAME), economy=Economy(organizations=2000, jobs=2000))
