"""The lead of a winner under deferred acceptance: by how far it could have fallen behind and kept its jobs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sides import loses_by_falling, problem, problems, solve

from ruleshift.envs.mechanisms import Problem
from ruleshift.envs.mechanisms.base import WANTS_LEAD

NAME = "deferred_acceptance"


def test_lead__none_is_its_own_rival() -> None:
    """Two jobs, each could serve three: the third unit of 0 is refused, but what it leads is 1."""
    market = problem([[0], [0]], [[0, 1]], [0, 0], [3, 3], race=np.array([[5.0, 3.0]]), wants=WANTS_LEAD)
    match = solve(NAME, market)
    assert match.winner.tolist() == [0, 0]
    assert match.lead.tolist() == [2.0, 2.0]


def test_lead__a_unit_refused_is_a_rival_to_others() -> None:
    market = problem([[0], [0]], [[0, 1]], [0, 0], [1, 2], race=np.array([[5.0, 3.0]]), wants=WANTS_LEAD)
    match = solve(NAME, market)
    assert match.winner.tolist() == [0, 1]
    assert match.lead.tolist() == [2.0, np.inf]


@settings(max_examples=200, deadline=None)
@given(market=problems(wants=WANTS_LEAD), fall=st.floats(0.01, 20))
def test_lead__is_the_fall_that_costs_a_job(market: Problem, fall: float) -> None:
    match = solve(NAME, market)
    for j, i in enumerate(match.winner):
        if i >= 0 and abs(match.lead[j] - fall) > 1e-9:
            assert loses_by_falling(NAME, market, i, market.kinds[j], fall) == (fall > match.lead[j])
