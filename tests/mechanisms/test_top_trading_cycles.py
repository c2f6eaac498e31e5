"""Top trading cycles against plain Python, the core of a housing market, and brute force."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sides import (
    can_be_improved,
    gains_by_misreporting,
    is_stable,
    places,
    problem,
    problems,
    random_problem,
    small_problems,
    solve,
)

from ruleshift.envs.mechanisms import Problem

NAME = "top_trading_cycles"


def _cycles(market: Problem) -> list[int]:
    """Winners in plain Python: each job points by itself, and all is looked up anew after each trade of one job."""
    left = [int(capacity) for capacity in market.capacities]
    winner = [-1] * len(market.kinds)

    def wanted(i: int) -> int:
        place = market.preferences[i].tolist().index
        free = [j for j in range(len(winner)) if winner[j] < 0]
        return min(free, key=lambda j: (place(market.kinds[j]), -market.values[j]))

    def owner(j: int) -> int:
        return next(int(i) for i in market.priority[market.kinds[j]] if left[i] > 0)

    while any(left) and -1 in winner:
        i = next(i for i in range(len(left)) if left[i] > 0)
        for _ in left:
            i = owner(wanted(i))  # after so many steps the walk is on a cycle
        trades = [(i, wanted(i))]
        while owner(trades[-1][1]) != i:
            following = owner(trades[-1][1])
            trades.append((following, wanted(following)))
        for trader, j in trades:
            winner[j] = trader
            left[trader] -= 1
    return winner


@settings(max_examples=200, deadline=None)
@given(market=problems())
def test_top_trading_cycles__agrees_with_plain_python(market: Problem) -> None:
    np.testing.assert_array_equal(solve(NAME, market).winner, _cycles(market))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), most=st.integers(1, 5))
def test_top_trading_cycles__agrees_with_plain_python_in_a_larger_market(seed: int, most: int) -> None:
    market = random_problem(seed, n=25, kinds=12, jobs=40, most=most)
    np.testing.assert_array_equal(solve(NAME, market).winner, _cycles(market))


def test_top_trading_cycles__two_trade_their_priorities() -> None:
    """0 has priority for kind 1 and 1 for kind 0; each would rather have the other's. Kind 2 is left for 2."""
    market = problem([[0, 1, 2], [1, 0, 2], [0, 1, 2]], [[1, 2, 0], [0, 2, 1], [0, 1, 2]], [0, 1, 2], [1, 1, 1])
    winner = solve(NAME, market).winner
    assert winner.tolist() == [0, 1, 2]
    assert not is_stable(market, winner)  # kind 0 would rather have 2, and 2 kind 0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 4))
def test_top_trading_cycles__gives_the_core_of_a_housing_market(seed: int, n: int) -> None:
    """Each owns a house. No group can do better by trading within itself (Shapley & Scarf 1974); all are tried."""
    market = random_problem(seed, n, n, n)._replace(kinds=np.arange(n))
    perturbed = market.perturbed + 100 * np.eye(n)
    market = market._replace(perturbed=perturbed, priority=(-perturbed).argsort(axis=1))
    own = places(market, solve(NAME, market).winner)
    likes = market.preferences.argsort(axis=1)
    for size in range(1, n + 1):
        for group in itertools.combinations(range(n), size):
            for houses in itertools.permutations(group):
                gains = [own[i] - likes[i, house] for i, house in zip(group, houses, strict=True)]
                assert min(gains) < 0 or max(gains) == 0


@settings(max_examples=80, deadline=None)
@given(market=small_problems())
def test_top_trading_cycles__is_efficient(market: Problem) -> None:
    assert not can_be_improved(market, solve(NAME, market).winner)


@settings(max_examples=60, deadline=None)
@given(market=small_problems())
def test_top_trading_cycles__no_organization_gains_by_misreporting(market: Problem) -> None:
    assert not gains_by_misreporting(NAME, market)
