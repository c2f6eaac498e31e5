"""Immediate acceptance against plain Python and brute force: efficient as reported, neither stable nor truthful."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sides import (
    can_be_improved,
    gains_by_misreporting,
    is_stable,
    loses_by_falling,
    places,
    problem,
    problems,
    small_problems,
    solve,
)

from ruleshift.envs import load_rule
from ruleshift.envs.mechanisms import Problem
from ruleshift.envs.mechanisms.base import WANTS

NAME = "immediate_acceptance"


def _boston(market: Problem) -> list[int]:
    """Winners in plain Python: one unit of capacity and one job at a time, with everything sorted and searched anew."""
    kinds = market.preferences.shape[1]
    left = [int(capacity) for capacity in market.capacities]
    winner = [-1] * len(market.kinds)
    for round_ in range(kinds):
        for k in range(kinds):
            units = [i for i in range(len(left)) if market.preferences[i, round_] == k for _ in range(left[i])]
            for i in sorted(units, key=lambda i: -market.perturbed[k, i]):
                waiting = [j for j in range(len(winner)) if market.kinds[j] == k and winner[j] < 0]
                if waiting:
                    winner[max(waiting, key=lambda j: (market.values[j], -j))] = i
                    left[i] -= 1
    return winner


@settings(max_examples=200, deadline=None)
@given(market=problems())
def test_immediate_acceptance__agrees_with_plain_python(market: Problem) -> None:
    np.testing.assert_array_equal(solve(NAME, market).winner, _boston(market))


# Organizations 0 and 1 like kind 0 best, which ranks 0 above 1; organization 2 likes kind 1 best, which ranks 1 first.
CONTEST = problem([[0, 1, 2], [0, 1, 2], [1, 0, 2]], [[0, 1, 2], [1, 0, 2], [0, 1, 2]], [0, 1, 2], [1, 1, 1])


def test_immediate_acceptance__who_asks_first_keeps_it() -> None:
    assert solve(NAME, CONTEST).winner.tolist() == [0, 2, 1]
    assert not is_stable(CONTEST, solve(NAME, CONTEST).winner)
    assert is_stable(CONTEST, solve("deferred_acceptance", CONTEST).winner)


def test_immediate_acceptance__it_pays_to_ask_first_for_what_one_can_get() -> None:
    preferences = CONTEST.preferences.copy()
    preferences[1] = [1, 0, 2]
    reported = CONTEST._replace(preferences=preferences)
    honest, clever = solve(NAME, CONTEST).winner, solve(NAME, reported).winner
    assert places(CONTEST, honest)[1] == 2
    assert places(CONTEST, clever)[1] == 1
    assert gains_by_misreporting(NAME, CONTEST)
    assert not gains_by_misreporting("deferred_acceptance", CONTEST)


@settings(max_examples=80, deadline=None)
@given(market=small_problems())
def test_immediate_acceptance__is_efficient_as_reported(market: Problem) -> None:
    assert not can_be_improved(market, solve(NAME, market).winner)


def test_immediate_acceptance__lead_is_over_those_refused_in_the_same_round() -> None:
    """Kind 0 has two jobs. Organizations 0 (for one job) and 1 (for two) ask for it first, then 2, which got kind 1."""
    market = problem(
        [[0, 1], [0, 1], [1, 0]], [[2, 0, 1], [0, 1, 2]], [0, 0, 1], [1, 2, 2], wants=WANTS.margin,
        perturbed=np.array([[3.0, 1.5, 7.0], [5.0, 4.0, 3.0]]), values=np.array([1.0, 2.0, 1.0]),
    )  # fmt: skip
    match = solve(NAME, market)
    assert match.winner.tolist() == [1, 0, 2]
    # 0 is ahead of 1, whose second unit is refused; 1 is ahead of none, as it is no rival of its own; and nobody else
    # asked for kind 1.
    assert match.margin.tolist() == [np.inf, 1.5, np.inf]


@settings(max_examples=200, deadline=None)
@given(market=problems(wants=WANTS.margin), fall=st.floats(0.01, 20))
def test_immediate_acceptance__lead_is_the_fall_that_costs_a_job(market: Problem, fall: float) -> None:
    match = solve(NAME, market)
    for j, i in enumerate(match.winner):
        if i >= 0 and abs(match.margin[j] - fall) > 1e-9:
            assert loses_by_falling(NAME, market, i, market.kinds[j], fall) == (fall > match.margin[j])


def test_immediate_acceptance__its_rule_may_charge_the_second_price() -> None:
    rule = load_rule("clearing_house").replace(**{"matching.mechanism": NAME, "payment.pricing": "second_price"})
    assert rule.check_mechanism().name == NAME
