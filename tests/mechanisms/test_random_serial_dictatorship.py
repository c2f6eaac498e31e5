"""Random serial dictatorship: the order by chance or by score, the turns against plain Python, truth by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from sides import (
    can_be_improved,
    gains_by_misreporting,
    places,
    problem,
    problems,
    reports,
    small_problems,
    solve,
    upper_sums,
)

from ruleshift.envs.mechanisms import Problem

NAME = "random_serial_dictatorship"


def _in_turn(market: Problem) -> list[int]:
    """Winners, where organizations choose in the order of their mean log odds and noise."""
    noise = -np.log(-np.log(market.uniforms[0]))
    winner = [-1] * len(market.kinds)
    n = len(market.capacities)
    mean = market.log_odds[:, :n].mean(axis=0)
    perturbed = [(mean[i], noise[i]) if market.ranked else mean[i] + noise[i] for i in range(n)]
    for i in sorted(range(n), key=lambda i: perturbed[i], reverse=True):
        likes = market.preferences[i].tolist().index
        best = sorted(range(len(winner)), key=lambda j: (likes(market.kinds[j]), -market.values[j]))
        for j in [j for j in best if winner[j] < 0][: market.capacities[i]]:
            winner[j] = i
    return winner


@pytest.mark.parametrize("ranked", [0, 1])
@settings(max_examples=150, deadline=None)
@given(market=problems())
def test_random_serial_dictatorship__agrees_with_plain_python(ranked: int, market: Problem) -> None:
    market = market._replace(ranked=ranked)
    np.testing.assert_array_equal(solve(NAME, market).winner, _in_turn(market))


def _first(log_odds: np.ndarray, ranked: int, draws: int) -> np.ndarray:
    """How often each organization chooses first, which shows because all want the only job."""
    kinds, columns = log_odds.shape
    n = columns - 1
    market = problem([range(kinds)] * n, [range(n)] * kinds, [0], [1] * n, log_odds=log_odds, ranked=ranked)
    uniforms = np.random.default_rng(3).random((draws, 4, 8))
    return np.bincount([solve(NAME, market._replace(uniforms=each)).winner[0] for each in uniforms], minlength=n)


def test_random_serial_dictatorship__turns_are_drawn_by_the_mean_odds() -> None:
    """Plackett and Luce: the first turn goes to each in proportion to the geometric mean of its odds over kinds."""
    log_odds, draws = np.log([[1.0, 4.0, 2.0, 9.0], [1.0, 1.0, 8.0, 9.0]]), 3000
    expected = np.array([1, 2, 4]) / 7
    found = _first(log_odds, 0, draws) / draws
    assert np.all(abs(found - expected) < 3 * np.sqrt(expected * (1 - expected) / draws))


def test_random_serial_dictatorship__ranked_ties_are_drawn_evenly() -> None:
    log_odds, draws = np.array([[1.0, 0.0, 2.0, 0.0], [1.0, 2.0, 0.0, 0.0]]), 2000
    found = _first(log_odds - [[0, 0, 0.5, 0]], 1, draws)
    assert found[2] == 0
    assert abs(found[0] - draws / 2) < 3 * np.sqrt(draws / 4)


@settings(max_examples=80, deadline=None)
@given(market=small_problems())
def test_random_serial_dictatorship__is_efficient(market: Problem) -> None:
    assert not can_be_improved(market, solve(NAME, market).winner)


@settings(max_examples=60, deadline=None)
@given(market=small_problems())
def test_random_serial_dictatorship__no_organization_gains_by_misreporting(market: Problem) -> None:
    assert not gains_by_misreporting(NAME, market)


@settings(max_examples=60, deadline=None)
@given(market=small_problems(most=3))
def test_random_serial_dictatorship__truth_is_best_with_more_capacity_too(market: Problem) -> None:
    """By telling the truth an organization gets the most jobs of its best kind, of its best two, and so on."""
    for i in range(len(market.capacities)):
        honest, *others = (upper_sums(NAME, market, reported, i) for reported in (market, *reports(market, i)))
        assert np.all(honest >= np.array(others))


def test_random_serial_dictatorship__the_last_gets_what_is_left() -> None:
    market = problem([[0, 1]] * 3, [[0, 1, 2]] * 2, [0, 1, 0], [1, 1, 1], ranked=1)
    market.log_odds[:, :3] = [3, 2, 1]
    winner = solve(NAME, market._replace(values=np.array([1.0, 1.0, 2.0]))).winner
    assert winner.tolist() == [1, 2, 0]
    assert places(market, winner).tolist() == [0, 0, 1]
