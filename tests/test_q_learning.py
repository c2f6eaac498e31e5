"""The Q-learning kernel: the same as plain Python, and what learners that ignore the future must learn."""

import math

import numpy as np
import pytest

from ruleshift.envs.numerics import market_key, words
from ruleshift.eval.known_answers.q_learning import Learners, learn, session

DILEMMA = np.array([[[2.0, 0.0], [3.0, 1.0]], [[2.0, 3.0], [0.0, 1.0]]])
"""The prisoners' dilemma: price 1 is dominant, and both would earn more at price 0."""


def plain(payoffs: np.ndarray, values: np.ndarray, key: np.ndarray, rounds: int, rules: Learners) -> np.ndarray:
    """Q-values (2, S, M) after so many rounds, in plain Python with the same random words."""
    prices, values = payoffs.shape[1], values.copy()

    def uniform(word: int) -> float:
        return (int(word) + 0.5) / 2**32

    state = int(uniform(words(*key, 1, 0, 0, 0)[0]) * prices * prices)
    for t in range(rounds):
        a, b, c, d = (uniform(word) for word in words(*key, 0, t, 0, 0))
        explores = math.exp(-rules.decay * t)
        first = int(c * prices) if a < explores else int(np.argmax(values[0, state]))
        second = int(d * prices) if b < explores else int(np.argmax(values[1, state]))
        after = first * prices + second
        for learner, own in ((0, first), (1, second)):
            target = payoffs[learner, first, second] + rules.discount * values[learner, after].max()
            values[learner, state, own] += rules.rate * (target - values[learner, state, own])
        state = after
    return values


@pytest.mark.parametrize("rounds", [1, 500, 4_000])
def test_q_learning__kernel_is_the_textbook_loop(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    payoffs, values = rng.random((2, 3, 3)), rng.random((2, 9, 3))
    rules, key = Learners(decay=1e-3), market_key(1, 2)
    expected = plain(payoffs, values, key, rounds, rules)
    best, ended = values.argmax(axis=2), np.zeros(2, np.int64)
    learn(
        key, payoffs.reshape(2, -1), values, best, rules.rate, rules.discount, rules.decay, rounds + 1, rounds, ended
    )  # fmt: skip
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_array_equal(best, values.argmax(axis=2))
    assert ended[0] == rounds


def test_q_learning__without_a_future_both_play_what_dominates() -> None:
    for number in range(5):
        earned, rounds = session(DILEMMA, Learners(discount=0.0, decay=1e-4, patience=1_000), seed=1, number=number)
        assert earned == 1.0
        assert rounds > 1_000


def test_q_learning__says_where_it_did_not_converge() -> None:
    _, rounds = session(DILEMMA, Learners(longest=500), seed=1, number=0)
    assert rounds < 0
