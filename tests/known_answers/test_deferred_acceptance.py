"""Deferred acceptance (Gale & Shapley 1962): stable, best for the proposers, who cannot gain by misreporting (Dubins &
Freedman 1981; Roth 1982); mean ranks in random markets (Wilson 1972; Pittel 1989), and where one side is longer
(Ashlagi, Kanoria & Leshno 2017).
"""

import itertools

import matching.games
import numpy as np
import pytest
from one_to_one import draw_preferences, matches, mean_rank, one_to_one, ranks, to_actions
from settings import close

from ruleshift.envs import Market
from ruleshift.envs.numerics import RACE, words

NAME = "deferred_acceptance"
PROPOSERS = ["organizations", "jobs"]


def _priorities(market: Market, b: int) -> np.ndarray:
    """Organizations as each kind ranks them, (n, n), from the same random words: Gumbel noise, the largest first."""
    n = market.organizations
    key0, key1 = market.key[b]
    noise = np.empty((n, n))
    for k, i in itertools.product(range(n), range(n)):
        a, next_, _, _ = words(key0, key1, i, 0, 0, RACE + 16 * k)
        noise[k, i] = int(a) + int(next_) / 2**32
    return np.argsort(-noise, axis=1)


@pytest.mark.parametrize("proposer", PROPOSERS)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_deferred_acceptance__no_blocking_pair(n: int, proposer: str) -> None:
    market = one_to_one(NAME, n, 40, proposer)
    market.reset(seed=1)
    preferences = draw_preferences(market, 2)
    market.step(to_actions(preferences))
    matched = matches(market)
    for b in range(40):
        likes, priority = ranks(preferences[b]), ranks(_priorities(market, b))
        holder = matched[b].argsort()
        own = likes[np.arange(n), matched[b]]
        kept = priority[np.arange(n), holder]
        assert sorted(matched[b]) == list(range(n))
        assert not np.any((likes < own[:, None]) & (kept[None, :] > priority.T))


@pytest.mark.parametrize("proposer", PROPOSERS)
def test_deferred_acceptance__agrees_with_the_matching_package(proposer: str) -> None:
    n, markets = 5, 40
    market = one_to_one(NAME, n, markets, proposer)
    market.reset(seed=3)
    preferences = draw_preferences(market, 4)
    market.step(to_actions(preferences))
    matched = matches(market)
    for b in range(markets):
        game = matching.games.StableMarriage.create_from_dictionaries(
            {f"o{i}": [f"k{k}" for k in row] for i, row in enumerate(preferences[b])},
            {f"k{k}": [f"o{i}" for i in row] for k, row in enumerate(_priorities(market, b))},
        )
        solved = game.solve(optimal="suitor" if proposer == "organizations" else "reviewer")
        assert {f"o{i}": f"k{k}" for i, k in enumerate(matched[b])} == {
            str(suitor): str(reviewer) for suitor, reviewer in solved.items()
        }


@pytest.mark.parametrize(
    ("proposer", "organizations", "jobs", "expected"),
    [
        ("organizations", 10, 10, 2.393),
        ("jobs", 10, 10, 3.690),
        ("organizations", 50, 50, 4.173),
        ("jobs", 50, 50, 11.81),
        ("organizations", 101, 100, 20.14),
        ("jobs", 100, 101, 4.92),
        ("organizations", 100, 101, 4.11),
        ("jobs", 101, 100, 23.45),
    ],
)
def test_deferred_acceptance__mean_rank(proposer: str, organizations: int, jobs: int, expected: float) -> None:
    """Of the kinds that organizations get, proposing or receiving; one too many on a side costs that side dearly."""
    markets = 20_000 // organizations
    market = one_to_one(NAME, organizations, markets, proposer, jobs)
    market.reset(seed=5)
    preferences = draw_preferences(market, 6)
    market.step(to_actions(preferences))
    assert np.all((matches(market) >= 0).sum(axis=1) == min(organizations, jobs))
    assert close(mean_rank(preferences, matches(market)), expected)


@pytest.mark.parametrize("n", [3, 4])
def test_deferred_acceptance__no_proposer_gains_by_misreporting(n: int) -> None:
    """Organization 0 tries every report; against the same noise none gets it a kind that it likes better."""
    markets = 60
    market = one_to_one(NAME, n, markets)
    truth = draw_preferences(market, 7)
    likes = ranks(truth)[:, 0]
    places = []
    for report in itertools.permutations(range(n)):
        preferences = truth.copy()
        preferences[:, 0] = report
        market.reset(seed=8)
        market.step(to_actions(preferences))
        places.append(np.take_along_axis(likes, matches(market)[:, :1], axis=1)[:, 0])
    market.reset(seed=8)
    market.step(to_actions(truth))
    honest = np.take_along_axis(likes, matches(market)[:, :1], axis=1)[:, 0]
    assert np.all(honest <= np.min(places, axis=0))
    assert np.any(np.max(places, axis=0) > honest)


def test_deferred_acceptance__receivers_can_gain() -> None:
    """With jobs proposing some organization does gain by another report: truth is claimed for proposers only."""
    n, markets = 4, 100
    market = one_to_one(NAME, n, markets, "jobs")
    truth = draw_preferences(market, 9)
    likes = ranks(truth)[:, 0]
    market.reset(seed=10)
    market.step(to_actions(truth))
    honest = np.take_along_axis(likes, matches(market)[:, :1], axis=1)[:, 0]
    best = honest.copy()
    for report in itertools.permutations(range(n)):
        preferences = truth.copy()
        preferences[:, 0] = report
        market.reset(seed=10)
        market.step(to_actions(preferences))
        best = np.minimum(best, np.take_along_axis(likes, matches(market)[:, :1], axis=1)[:, 0])
    assert np.any(best < honest)
