"""First come, first served: every queue is equally likely, its head serves all that it can, and nothing is scored."""

import itertools
from collections import Counter

import numpy as np
from hypothesis import given, settings
from sides import problem, problems, solve

from ruleshift.envs import Economy, Market, load_rule
from ruleshift.envs.mechanisms import Problem

NAME = "first_come"


def _offered(capacities: list[int], jobs: int) -> Problem:
    n = len(capacities)
    return problem([[0]] * n, [range(n)], [0] * jobs, capacities)


@settings(max_examples=150, deadline=None)
@given(market=problems())
def test_first_come__each_serves_all_that_it_can_before_the_next(market: Problem) -> None:
    winner = solve(NAME, market).winner.tolist()
    queue = list(dict.fromkeys(i for i in winner if i >= 0))
    in_turn = [i for i in queue for _ in range(market.capacities[i])]
    assert sum(market.capacities) >= len(winner) or sorted(queue) == np.flatnonzero(market.capacities).tolist()
    assert winner == (in_turn + [-1] * len(winner))[: len(winner)]


def test_first_come__every_queue_is_equally_likely() -> None:
    draws, market = 4800, _offered([1, 1, 1, 1], 4)
    uniforms = np.random.default_rng(1).random((draws, 4, 8))
    found = Counter(tuple(solve(NAME, market._replace(uniforms=each)).winner.tolist()) for each in uniforms)
    assert set(found) == set(itertools.permutations(range(4)))
    expected = draws / 24
    chi_squared = sum((count - expected) ** 2 / expected for count in found.values())
    assert chi_squared < 49.7  # the 99.9th percentile with 23 degrees of freedom


def test_first_come__who_does_not_offer_keeps_nobody_waiting() -> None:
    draws, market = 1000, _offered([1, 0, 1], 1)
    uniforms = np.random.default_rng(2).random((draws, 4, 8))
    found = np.bincount([solve(NAME, market._replace(uniforms=each)).winner[0] for each in uniforms], minlength=3)
    assert found[1] == 0
    assert abs(found[0] - draws / 2) < 3 * np.sqrt(draws / 4)


def test_first_come__the_ends_of_the_unit_interval_are_places_too() -> None:
    market = _offered([1, 1, 1], 3)
    for end in (np.nextafter(0, 1), np.nextafter(1, 0), 1.0):
        winner = solve(NAME, market._replace(uniforms=np.full((4, 8), end))).winner
        assert sorted(winner) == [0, 1, 2]


@settings(max_examples=50, deadline=None)
@given(market=problems())
def test_first_come__nothing_is_scored(market: Problem) -> None:
    offers = market.log_odds > -np.inf
    other = market._replace(log_odds=np.where(offers, -3.0, -np.inf), ranked=1, values=market.values[::-1].copy())
    np.testing.assert_array_equal(solve(NAME, market).winner, solve(NAME, other).winner)


def test_first_come__at_a_posted_price_all_that_offer_serve_alike() -> None:
    """Whatever they ask from 0 to the reserve, clients pay the reserve, and each organization serves an equal share."""
    rule = load_rule("price_board").replace(
        **{"matching.mechanism": NAME, "payment.pricing": "posted", "payment.reserve": 1.0}
    )
    markets, n = 2000, 4
    market = Market(rule, markets=markets, economy=Economy(organizations=n, jobs=2, kinds=1, rounds=1, capacity=1))
    market.reset(seed=4)
    actions = np.zeros((markets, n, 4), np.float32)
    actions[:, :, 0] = np.linspace(-1, 0.5, n)
    market.step(actions)
    np.testing.assert_allclose(market.payments, market.served_values)
    share = np.bincount(market.winners.ravel(), minlength=n) / markets
    assert np.all(abs(share - 0.5) < 3 * np.sqrt(0.25 / markets))
