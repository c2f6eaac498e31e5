"""The margin of a winner under deferred acceptance: by how much its log odds could fall before it loses the job."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sides import after_falling, is_stable, loses_by_falling, problem, problems, solve

from ruleshift.envs.mechanisms import Problem
from ruleshift.envs.mechanisms.base import WANTS

NAME = "deferred_acceptance"
PERTURBED = np.array([[5.0, 3.0]])
JOBS = 1  # who proposes


@pytest.mark.parametrize("proposer", [0, JOBS])
def test_lead__none_is_its_own_rival(proposer: int) -> None:
    """Each of two organizations could serve three jobs, but there are two. The third unit of organization 0 is refused,
    yet its margin is over organization 1."""
    market = problem([[0], [0]], [[0, 1]], [0, 0], [3, 3], perturbed=PERTURBED, wants=WANTS.margin, proposer=proposer)
    match = solve(NAME, market)
    assert match.winner.tolist() == [0, 0]
    assert match.margin.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("proposer", [0, JOBS])
def test_lead__who_serves_one_and_wants_another_is_a_rival(proposer: int) -> None:
    market = problem([[0], [0]], [[0, 1]], [0, 0], [1, 2], perturbed=PERTURBED, wants=WANTS.margin, proposer=proposer)
    match = solve(NAME, market)
    assert match.winner.tolist() == [0, 1]
    assert match.margin.tolist() == [2.0, np.inf]


@settings(max_examples=150, deadline=None)
@given(market=problems(most=1, wants=WANTS.margin), fall=st.floats(0.01, 20))
def test_lead__is_the_fall_that_costs_the_job(market: Problem, fall: float) -> None:
    match = solve(NAME, market)
    for j, i in enumerate(match.winner):
        if i >= 0 and abs(match.margin[j] - fall) > 1e-9:
            assert loses_by_falling(NAME, market, i, market.kinds[j], fall) == (fall > match.margin[j])


@settings(max_examples=150, deadline=None)
@given(market=problems(wants=WANTS.margin), part=st.floats(0.01, 0.99))
def test_lead__whoever_falls_by_less_keeps_all_its_jobs(market: Problem, part: float) -> None:
    match = solve(NAME, market)
    for j, i in enumerate(match.winner):
        if i >= 0:
            assert not loses_by_falling(NAME, market, i, market.kinds[j], part * min(match.margin[j], 100.0))


@pytest.mark.parametrize("proposer", [0, JOBS])
@settings(max_examples=100, deadline=None)
@given(market=problems(most=1, wants=WANTS.margin), fall=st.floats(0.01, 20))
def test_lead__is_the_fall_that_makes_the_match_unstable(proposer: int, market: Problem, fall: float) -> None:
    market = market._replace(proposer=proposer)
    match = solve(NAME, market)
    for j, i in enumerate(match.winner):
        if i >= 0 and abs(match.margin[j] - fall) > 1e-9:
            fallen = after_falling(market, i, market.kinds[j], fall)
            assert is_stable(fallen, match.winner) == (fall < match.margin[j])
