"""The meta-game against closed forms: fixation in a Moran process, alpha-rank and replicator dynamics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ruleshift.eval.metagame import alpha_rank, fixation, replicator, stationary

PAYOFFS = arrays(np.float64, (3, 3), elements=st.floats(-1, 1))


def constant(*earned: float) -> np.ndarray:
    """A game in which each kind earns the same whomever it meets."""
    return np.repeat(np.array(earned)[:, None], len(earned), axis=1)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 1), st.integers(2, 60), st.floats(0.1, 3))
def test_fixation__is_that_of_the_moran_process_where_payoffs_are_constant(
    lead: float, population: int, intensity: float
) -> None:
    """(1 - 1/r) / (1 - 1/r^m) for a mutant that is r times as fit among m (Moran 1958)."""
    r = np.exp(intensity * lead)
    found = fixation(constant(0.0, lead), population, intensity)
    assert found[0, 1] == pytest.approx((1 - 1 / r) / (1 - 1 / r**population))
    assert found[1, 0] == pytest.approx((1 - r) / (1 - r**population))


@given(PAYOFFS, st.integers(2, 20))
def test_fixation__is_a_draw_without_selection(payoffs: np.ndarray, population: int) -> None:
    assert fixation(payoffs, population, 0.0) == pytest.approx(np.full((3, 3), 1 / population))


@settings(max_examples=20, deadline=None)
@given(PAYOFFS)
def test_fixation__is_that_of_a_birth_and_death_chain_solved_as_a_linear_system(payoffs: np.ndarray) -> None:
    """With m organizations the chain of the number k of mutants has m + 1 states, of which the ends absorb."""
    m, intensity = 6, 2.0
    for i, j in ((0, 1), (2, 1)):
        ups, downs = np.zeros(m + 1), np.zeros(m + 1)
        for k in range(1, m):
            mutant = ((k - 1) * payoffs[j, j] + (m - k) * payoffs[j, i]) / (m - 1)
            resident = (k * payoffs[i, j] + (m - k - 1) * payoffs[i, i]) / (m - 1)
            weights = k * np.exp(intensity * mutant), (m - k) * np.exp(intensity * resident)
            ups[k], downs[k] = weights[0] * (m - k), weights[1] * k
        chain, reached = np.eye(m + 1), np.zeros(m + 1)
        reached[m] = 1
        for k in range(1, m):
            chain[k, k - 1], chain[k, k + 1] = -downs[k] / (ups[k] + downs[k]), -ups[k] / (ups[k] + downs[k])
        assert fixation(payoffs, m, intensity)[i, j] == pytest.approx(np.linalg.solve(chain, reached)[1])


def test_alpha_rank__a_dominant_kind_has_all_the_time() -> None:
    assert alpha_rank(constant(0.1, 0.9, 0.3), intensity=10.0) == pytest.approx([0, 1, 0], abs=1e-6)


@given(st.floats(0.1, 2), st.floats(0, 3))
def test_alpha_rank__rock_paper_scissors_is_uniform(stake: float, intensity: float) -> None:
    wins = stake * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    assert alpha_rank(wins, intensity=intensity) == pytest.approx(np.full(3, 1 / 3))


@given(st.floats(-0.2, 0.2), st.integers(2, 50))
def test_alpha_rank__of_two_constant_kinds_is_a_power_of_their_fitness(lead: float, population: int) -> None:
    """The two fixation probabilities have the ratio r^(m - 1)."""
    odds = np.exp(lead * (population - 1))
    assert alpha_rank(constant(lead, 0.0), population)[0] == pytest.approx(odds / (1 + odds))


@settings(max_examples=30, deadline=None)
@given(PAYOFFS, st.permutations(range(3)), st.floats(-5, 5))
def test_alpha_rank__does_not_depend_on_the_order_of_kinds_or_on_a_gift_to_all(
    payoffs: np.ndarray, order: list[int], gift: float
) -> None:
    found = alpha_rank(payoffs)
    assert alpha_rank(payoffs[np.ix_(order, order)]) == pytest.approx(found[order])
    assert alpha_rank(payoffs + gift) == pytest.approx(found)
    assert alpha_rank(np.stack([payoffs, payoffs.T]))[0] == pytest.approx(found)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (4, 4), elements=st.floats(1e-3, 1)))
def test_stationary__is_the_left_eigenvector_of_the_chain(rates: np.ndarray) -> None:
    np.fill_diagonal(rates, 0)
    shares = stationary(rates)
    assert shares @ (rates - np.diag(rates.sum(axis=1))) == pytest.approx(np.zeros(4), abs=1e-12)
    assert shares.sum() == pytest.approx(1)


def test_stationary__keeps_the_digits_of_tiny_shares() -> None:
    assert stationary(np.array([[0, 1e-200], [1.0, 0]]))[1] == pytest.approx(1e-200, rel=1e-9)


@given(st.floats(-1, 1), st.floats(0.05, 0.95), st.floats(0, 20))
def test_replicator__of_two_constant_kinds_is_logistic(lead: float, start: float, time: float) -> None:
    found = replicator(constant(lead, 0.0), np.array([start, 1 - start]), time)
    odds = start / (1 - start) * np.exp(lead * time)
    assert found == pytest.approx([odds / (1 + odds), 1 / (1 + odds)], abs=1e-6)


def test_replicator__hawks_and_doves_end_at_their_equilibrium_and_the_absent_stay_absent() -> None:
    """With a prize of 1 and a cost of 2 a half are hawks (Maynard Smith & Price 1973)."""
    games = np.array([[-0.5, 1.0, 9.0], [0.0, 0.5, 9.0], [9.0, 9.0, 9.0]])
    assert replicator(games, np.array([0.9, 0.1, 0.0]), 200.0) == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)


def test_replicator__rock_paper_scissors_keeps_the_product_of_shares() -> None:
    wins = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    start = np.array([0.5, 0.3, 0.2])
    assert replicator(wins, start, 15.0).prod() == pytest.approx(start.prod(), rel=1e-5)
