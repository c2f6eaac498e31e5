"""The recursion behind the dial of persistence agrees with the urn at one end and with a Markov chain at the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruleshift.eval.known_answers.dials import jobs_variance
from ruleshift.eval.known_answers.urns import variance

sizes = st.integers(2, 10), st.floats(0.1, 5), st.integers(1, 60)


@given(*sizes)
def test_jobs_variance__of_an_urn_is_polyas(organizations: int, start: float, rounds: int) -> None:
    expected = variance(organizations, start, rounds) * rounds**2
    assert jobs_variance(organizations, start, 1.0, rounds) == pytest.approx(expected)


@given(*sizes)
def test_jobs_variance__without_persistence_is_that_of_a_chain(organizations: int, start: float, rounds: int) -> None:
    """The last winner is one job ahead, so that wins k rounds apart have the correlation (1 / (N a + 1)) ** k."""
    rho = 1 / (organizations * start + 1)
    lags = sum((rounds - k) * rho**k for k in range(1, rounds))
    expected = (1 - 1 / organizations) / organizations * (rounds + 2 * lags)
    assert jobs_variance(organizations, start, 0.0, rounds) == pytest.approx(expected)
