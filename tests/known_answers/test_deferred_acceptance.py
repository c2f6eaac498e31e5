"""Deferred acceptance (Gale & Shapley 1962): stable, best for the proposers, who cannot gain by misreporting (Dubins &
Freedman 1981; Roth 1982); mean ranks in random markets (Wilson 1972; Pittel 1989).

K = J = n, one job of each kind, capacity 1; jobs rank organizations at random (amplification 0), organizations rank
kinds by the focus that they report.
"""

import itertools

import matching.games
import numpy as np
import pytest
from settings import bare, close

from ruleshift.envs import Market, load_rule
from ruleshift.envs.numerics import RACE, words

PROPOSERS = ["organizations", "jobs"]


def _market(n: int, proposer: str, markets: int) -> Market:
    economy = bare(organizations=n, jobs=n, kinds=n, demand="even")
    rule = load_rule("clearing_house").replace(
        **{"matching.proposer": proposer, "scoring.amplification": 0.0, "payment.reserve": 1.0}
    )
    return Market(rule, markets=markets, economy=economy)


def _actions(preferences: np.ndarray) -> np.ndarray:
    """Actions that report these preferences (B, n, n): kinds, the best first."""
    n = preferences.shape[-1]
    focus = np.empty(preferences.shape, np.float32)
    np.put_along_axis(focus, preferences, np.linspace(1, -1, n, dtype=np.float32), axis=-1)
    ones = np.zeros((*preferences.shape[:-1], 3), np.float32)
    return np.ascontiguousarray(np.concatenate([ones, focus], axis=-1))


def _preferences(markets: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((markets, n, n)).argsort(axis=-1)


def _priorities(market: Market, b: int) -> np.ndarray:
    """Organizations as each kind ranks them, (n, n), from the same random words: Gumbel noise, the largest first."""
    n = market.organizations
    key0, key1 = market.key[b]
    noise = np.empty((n, n))
    for k, i in itertools.product(range(n), range(n)):
        a, next_, _, _ = words(key0, key1, i, 0, 0, RACE + 16 * k)
        noise[k, i] = int(a) + int(next_) / 2**32
    return np.argsort(-noise, axis=1)


def _matches(market: Market) -> np.ndarray:
    """Kind of the job of each organization, (B, n)."""
    kinds = np.empty((market.markets, market.organizations), np.int64)
    np.put_along_axis(kinds, market.winners, market.served_kinds, axis=1)
    return kinds


def _ranks(order: np.ndarray) -> np.ndarray:
    """Place of each in an order, 0 the best, along the last axis."""
    return order.argsort(axis=-1)


@pytest.mark.parametrize("proposer", PROPOSERS)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_deferred_acceptance__no_blocking_pair(n: int, proposer: str) -> None:
    market = _market(n, proposer, 40)
    market.reset(seed=1)
    preferences = _preferences(40, n, 2)
    market.step(_actions(preferences))
    matches = _matches(market)
    for b in range(40):
        likes, priority = _ranks(preferences[b]), _ranks(_priorities(market, b))
        holder = matches[b].argsort()
        own = likes[np.arange(n), matches[b]]
        kept = priority[np.arange(n), holder]
        assert sorted(matches[b]) == list(range(n))
        assert not np.any((likes < own[:, None]) & (kept[None, :] > priority.T))


@pytest.mark.parametrize("proposer", PROPOSERS)
def test_deferred_acceptance__agrees_with_the_matching_package(proposer: str) -> None:
    n, markets = 5, 40
    market = _market(n, proposer, markets)
    market.reset(seed=3)
    preferences = _preferences(markets, n, 4)
    market.step(_actions(preferences))
    matches = _matches(market)
    for b in range(markets):
        game = matching.games.StableMarriage.create_from_dictionaries(
            {f"o{i}": [f"k{k}" for k in row] for i, row in enumerate(preferences[b])},
            {f"k{k}": [f"o{i}" for i in row] for k, row in enumerate(_priorities(market, b))},
        )
        solved = game.solve(optimal="suitor" if proposer == "organizations" else "reviewer")
        assert {f"o{i}": f"k{k}" for i, k in enumerate(matches[b])} == {
            str(suitor): str(reviewer) for suitor, reviewer in solved.items()
        }


@pytest.mark.parametrize(("proposer", "expected"), [("organizations", 2.393), ("jobs", 3.690)])
def test_deferred_acceptance__mean_rank(proposer: str, expected: float) -> None:
    """Ten to each side: organizations get their 2.393th choice proposing, their 3.690th choice receiving."""
    n, markets = 10, 3000
    market = _market(n, proposer, markets)
    market.reset(seed=5)
    preferences = _preferences(markets, n, 6)
    market.step(_actions(preferences))
    ranks = np.take_along_axis(_ranks(preferences), _matches(market)[:, :, None], axis=2)[:, :, 0] + 1
    assert close(ranks.mean(axis=1), expected)


@pytest.mark.parametrize("n", [3, 4])
def test_deferred_acceptance__no_proposer_gains_by_misreporting(n: int) -> None:
    """Organization 0 tries every report; against the same noise none gets it a kind that it likes better."""
    markets = 60
    market = _market(n, "organizations", markets)
    truth = _preferences(markets, n, 7)
    likes = _ranks(truth)[:, 0]
    places = []
    for report in itertools.permutations(range(n)):
        preferences = truth.copy()
        preferences[:, 0] = report
        market.reset(seed=8)
        market.step(_actions(preferences))
        places.append(np.take_along_axis(likes, _matches(market)[:, :1], axis=1)[:, 0])
    market.reset(seed=8)
    market.step(_actions(truth))
    honest = np.take_along_axis(likes, _matches(market)[:, :1], axis=1)[:, 0]
    assert np.all(honest <= np.min(places, axis=0))
    assert np.any(np.max(places, axis=0) > honest)


def test_deferred_acceptance__receivers_can_gain() -> None:
    """With jobs proposing some organization does gain by another report: truth is claimed for proposers only."""
    n, markets = 4, 100
    market = _market(n, "jobs", markets)
    truth = _preferences(markets, n, 9)
    likes = _ranks(truth)[:, 0]
    market.reset(seed=10)
    market.step(_actions(truth))
    honest = np.take_along_axis(likes, _matches(market)[:, :1], axis=1)[:, 0]
    best = honest.copy()
    for report in itertools.permutations(range(n)):
        preferences = truth.copy()
        preferences[:, 0] = report
        market.reset(seed=10)
        market.step(_actions(preferences))
        best = np.minimum(best, np.take_along_axis(likes, _matches(market)[:, :1], axis=1)[:, 0])
    assert np.any(best < honest)
