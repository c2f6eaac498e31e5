"""Greedy matching against the same in plain Python, and against its bound: half of the best assignment (Avis 1983)."""

import numpy as np
import pytest
from hypothesis import given, settings
from markets import by_worth
from rounds import Round, play, rounds
from scipy.optimize import linear_sum_assignment

from ruleshift.envs import Economy


def _greedy(worth: np.ndarray, capacity: int) -> np.ndarray:
    """Winners (J,): the best pair left, again and again."""
    left = worth.copy()
    winners = np.full(len(worth), -1)
    load = np.zeros(worth.shape[1], int)
    while left.max() >= 0.0:
        j, i = np.unravel_index(left.argmax(), left.shape)
        winners[j] = i
        left[j] = -np.inf
        load[i] += 1
        if load[i] == capacity:
            left[:, i] = -np.inf
    return winners


@settings(deadline=None, max_examples=60)
@given(rounds("greedy", organizations=12, jobs=20))
def test_greedy__as_in_plain_python(found: list[Round]) -> None:
    for each in found:
        np.testing.assert_array_equal(each.winners, _greedy(each.worth, each.capacity))


def test_greedy__as_in_plain_python_in_larger_markets() -> None:
    economy = Economy(organizations=100, jobs=150, kinds=5, capacity=2, rounds=1)
    for each in play(by_worth("greedy", gain=0.3), economy, 5, seed=1):
        np.testing.assert_array_equal(each.winners, _greedy(each.worth, each.capacity))


@settings(deadline=None, max_examples=30)
@given(rounds("greedy"))
def test_greedy__at_least_half_of_the_best(found: list[Round]) -> None:
    for each in found:
        columns = np.repeat(np.maximum(each.worth, 0.0), each.capacity, axis=1)
        best = columns[linear_sum_assignment(columns, maximize=True)].sum()
        assert best / 2 - 1e-9 <= each.total <= best + 1e-9


def test_greedy__can_fall_short_of_the_best() -> None:
    economy = Economy(organizations=6, jobs=6, capacity=1, shock_sd=0.3, rounds=1)
    short = 0
    for each in play(by_worth("greedy", gain=1.0), economy, 20, seed=2):
        rows, columns = linear_sum_assignment(np.maximum(each.worth, 0.0), maximize=True)
        short += each.total < np.maximum(each.worth, 0.0)[rows, columns].sum() - 1e-6
    assert short > 0


def test_greedy__needs_a_payment_that_it_tells() -> None:
    with pytest.raises(ValueError, match=r"payment.pricing.*second_price.*greedy"):
        by_worth("greedy", pricing="second_price").check_mechanism()
