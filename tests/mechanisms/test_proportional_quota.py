"""Proportional quota: every share rounded down or up, exact on average, and what overflows goes down the line."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sides import problem, problems, solve

from ruleshift.envs.mechanisms import Problem
from ruleshift.envs.numerics import padded

NAME = "proportional_quota"


def _split(odds: list[float], jobs: int, capacity: int = 100, **fields: Any) -> Problem:
    """Jobs of one kind among organizations of these odds; the last is the outside option's."""
    n = len(odds) - 1
    with np.errstate(divide="ignore"):
        log_odds = np.log(np.array([odds], float))
    capacities = [capacity if each > 0 else 0 for each in odds[:n]]
    market = problem([[0]] * n, [range(n)], [0] * jobs, capacities, log_odds=log_odds)
    rng = np.random.default_rng(5)
    return market._replace(uniforms=rng.random((4, padded(max(jobs, n)))))._replace(**fields)


def _counts(market: Problem) -> np.ndarray:
    """Jobs of each organization, then those that nobody serves."""
    winner, n = solve(NAME, market).winner, len(market.capacities)
    return np.bincount(np.where(winner < 0, n, winner), minlength=n + 1)


def _redrawn(market: Problem, draws: int) -> np.ndarray:
    """Counts under fresh random numbers, (draws, N + 1)."""
    rng = np.random.default_rng(6)
    shape = market.uniforms.shape
    return np.array([_counts(market._replace(uniforms=rng.random(shape))) for _ in range(draws)])


@settings(max_examples=200, deadline=None)
@given(
    odds=st.lists(st.just(0.0) | st.floats(0.01, 100), min_size=2, max_size=7).filter(any),
    jobs=st.integers(1, 12),
    start=st.floats(1e-9, 1 - 1e-9),
)
def test_proportional_quota__each_gets_its_share_rounded_down_or_up(odds: list[float], jobs: int, start: float) -> None:
    market = _split(odds, jobs)
    market.uniforms[0] = start
    shares = jobs * np.array(odds) / sum(odds)
    assert np.all(_counts(market) >= np.floor(shares - 1e-9))
    assert np.all(_counts(market) <= np.ceil(shares + 1e-9))


@pytest.mark.parametrize("start", [0.05, 0.35, 0.65, 0.95])
def test_proportional_quota__is_systematic_sampling(start: float) -> None:
    """By hand: odds 4, 3, 2 and 1 outside, 5 jobs: stretches end at 2, 3.5, 4.5 and 5; jobs fall at u, u + 1, ..."""
    market = _split([3, 4, 2, 1], 5)
    market.uniforms[0] = start
    at = np.arange(5) + start
    by_place = np.array([1, 0, 2, -1])[np.searchsorted([2, 3.5, 4.5, 5], at, side="right")]
    np.testing.assert_array_equal(solve(NAME, market).winner, by_place)


def test_proportional_quota__shares_are_exact_on_average() -> None:
    odds, jobs, draws = np.array([0.7, 2.0, 1.1, 3.0, 0.4]), 4, 2000
    counts = _redrawn(_split(odds.tolist(), jobs), draws)
    expected = jobs * odds / odds.sum()
    assert np.all(abs(counts.mean(axis=0) - expected) < 3 * counts.std(axis=0) / math.sqrt(draws))


def test_proportional_quota__varies_less_than_independent_draws() -> None:
    counts = _redrawn(_split([1, 1, 1, 0], 7), 500)
    assert set(np.unique(counts[:, :3])) == {2, 3}


def test_proportional_quota__without_amplification_it_is_a_round_robin() -> None:
    """Seven jobs among three: one gets three, and each is as often the one."""
    counts = _redrawn(_split([1, 1, 1, 0], 7), 1500)[:, :3]
    assert np.all(np.sort(counts, axis=1) == [2, 2, 3])
    assert np.all(abs((counts == 3).mean(axis=0) - 1 / 3) < 3 * math.sqrt(2 / 9 / 1500))


def test_proportional_quota__ranked_the_best_share_evenly() -> None:
    market = _split([5, 1, 5, 5, 2], 9, sharp=1)
    assert _counts(market).tolist() == [3, 0, 3, 3, 0]
    market.log_odds[0, -1] += 3
    assert _counts(market).tolist() == [0, 0, 0, 0, 9]


def test_proportional_quota__ranked_overflow_goes_to_the_next_best() -> None:
    market = _split([5, 1, 3, 4, 0], 5, capacity=2, sharp=1)
    assert solve(NAME, market).winner.tolist() == [0, 0, 3, 3, 2]


def test_proportional_quota__the_outside_option_is_never_full() -> None:
    market = _split([5, 1, 3, 4, 2], 9, capacity=2, sharp=1)
    assert solve(NAME, market).winner.tolist() == [0, 0, 3, 3, 2, 2, -1, -1, -1]


@settings(max_examples=150, deadline=None)
@given(market=problems(), sharp=st.integers(0, 1))
def test_proportional_quota__no_job_goes_unserved_where_capacity_is_left(market: Problem, sharp: int) -> None:
    market = market._replace(sharp=sharp)
    market.log_odds[:, -1] = -np.inf
    served = (solve(NAME, market).winner >= 0).sum()
    assert served == min(len(market.kinds), market.capacities.sum())


@settings(max_examples=100, deadline=None)
@given(market=problems(most=1), capacity=st.integers(10, 20), sharp=st.integers(0, 1))
def test_proportional_quota__kinds_are_split_one_by_one(market: Problem, capacity: int, sharp: int) -> None:
    market = market._replace(sharp=sharp, capacities=np.full(len(market.capacities), capacity))
    winner, n = solve(NAME, market).winner, len(market.capacities)
    for k in set(market.kinds.tolist()):
        of_kind = market.kinds == k
        odds = np.exp(market.log_odds[k] - market.log_odds[k].max())
        odds = (odds == 1).astype(float) if sharp else odds
        shares = of_kind.sum() * odds / odds.sum()
        counts = np.bincount(np.where(winner < 0, n, winner)[of_kind], minlength=n + 1)
        assert np.all((counts >= np.floor(shares - 1e-9)) & (counts <= np.ceil(shares + 1e-9)))


def test_proportional_quota__symmetric_organizations_overflow_alike() -> None:
    """One is far ahead and soon full; the three others, all alike, take over as often as each other."""
    counts = _redrawn(_split([50, 1, 1, 1, 0.5], 5, capacity=2), 2000)[:, 1:4]
    spread = counts.mean(axis=0) - counts.mean()
    assert np.all(abs(spread) < 3 * counts.std(axis=0) / math.sqrt(2000))


def test_proportional_quota__odds_beyond_floating_point_keep_the_line_in_order() -> None:
    market = _split([1, 1, 1, 0], 3, capacity=1)
    log_odds = np.array([[-3000.0, 0.0, -2000.0, -np.inf]])
    assert solve(NAME, market._replace(log_odds=log_odds)).winner.tolist() == [1, 2, 0]


def test_proportional_quota__odds_that_vanish_get_no_share_at_the_end_of_the_line() -> None:
    market = _split([1, 1, 1, 0], 3, log_odds=np.array([[0.0, -3000.0, 0.0, -np.inf]]))
    market.uniforms[0] = 1.0
    assert _counts(market)[1] == 0


def test_proportional_quota__kinds_are_rounded_independently() -> None:
    """One job of each of two kinds, two alike: half of the time one gets both."""
    draws = 1500
    market = problem([[0, 1]] * 2, [[0, 1]] * 2, [0, 1], [2, 2])
    uniforms = np.random.default_rng(7).random((draws, 4, 8))
    winners = np.array([solve(NAME, market._replace(uniforms=each)).winner for each in uniforms])
    assert abs((winners[:, 0] == winners[:, 1]).mean() - 0.5) < 3 * math.sqrt(0.25 / draws)
