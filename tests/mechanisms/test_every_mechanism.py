"""What every built-in mechanism keeps to, whatever the market."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sides import problems, random_problem, reports, solve, upper_sums

from ruleshift.envs import Economy, Market, load_rule
from ruleshift.envs.mechanisms import MECHANISMS, Problem
from ruleshift.envs.mechanisms.base import WANTS_BID, WANTS_BID_EXTERNALITY, WANTS_LEAD, WANTS_PRICE

NAMES = sorted(name for name in MECHANISMS if MECHANISMS[name].function.__module__.startswith("ruleshift."))
WANTED = {"lead": WANTS_LEAD, "price": WANTS_PRICE, "bid": WANTS_BID, "bid_externality": WANTS_BID_EXTERNALITY}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(market=problems(), proposer=st.integers(0, 1), sharp=st.integers(0, 1))
def test_mechanism__keeps_to_capacities_and_repeats_itself(
    name: str, market: Problem, proposer: int, sharp: int
) -> None:
    wants = sum(WANTED[payment] for payment in MECHANISMS[name].payments)
    market = market._replace(proposer=proposer, sharp=sharp, wants=wants)
    match, again = solve(name, market), solve(name, market, dirt=1_000_000)
    n = len(market.capacities)
    assert np.all((match.winner >= -1) & (match.winner < n))
    assert np.all(np.bincount(match.winner[match.winner >= 0], minlength=n) <= market.capacities)
    assert np.all(match.lead >= 0)
    for one, other in zip(match, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(market=problems(), random=st.randoms(use_true_random=False))
def test_mechanism__what_it_is_paid_for_moves_no_job(name: str, market: Problem, random: Random) -> None:
    wants = random.choice([WANTED[payment] for payment in MECHANISMS[name].payments] or [0])
    asked = solve(name, market._replace(wants=wants))
    np.testing.assert_array_equal(asked.winner, solve(name, market).winner)


@pytest.mark.parametrize("name", NAMES)
def test_mechanism__reads_what_it_declares_and_nothing_else(name: str) -> None:
    markets = [random_problem(seed, n=6, kinds=3, jobs=6) for seed in range(60)]
    for fields, declared in (
        (("log_odds", "race", "priority"), MECHANISMS[name].reads_odds),
        (("race", "priority"), MECHANISMS[name].reads_priorities),
        (("preferences",), MECHANISMS[name].reads_preferences),
    ):
        pairs = pairwise(markets)
        others = [one._replace(**{field: getattr(other, field) for field in fields}) for one, other in pairs]
        assert _moves(name, markets[:-1], others) == declared
    assert _moves(name, markets, [one._replace(proposer=1) for one in markets]) == MECHANISMS[name].reads_proposer


def _moves(name: str, markets: list[Problem], others: list[Problem]) -> bool:
    """Whether some market is matched otherwise than the other one in its place."""
    pairs = zip(markets, others, strict=True)
    return any(np.any(solve(name, one).winner != solve(name, other).winner) for one, other in pairs)


@pytest.mark.parametrize("name", [name for name in NAMES if "organizations" in MECHANISMS[name].strategy_proof])
@pytest.mark.parametrize("capacity", [1, 2])
def test_mechanism__truth_is_best_up_to_the_capacity_that_it_declares(name: str, capacity: int) -> None:
    """Up to there no report gets organization 0, which has that capacity, more of its best kinds, however many of them
    are counted. Beyond, some report gets it more and never fewer: the declaration is not merely cautious."""
    gains, sure_gains = False, False
    for seed in range(300):
        market = random_problem(seed, n=3, kinds=4, jobs=4)
        market = market._replace(kinds=np.arange(4), capacities=np.array([capacity, 1, 1]))
        more = np.array([upper_sums(name, market, each, 0) for each in reports(market, 0)])
        more -= upper_sums(name, market, market, 0)
        gains = gains or bool(np.any(more > 0))
        sure_gains = sure_gains or bool(np.any(np.all(more >= 0, axis=1) & np.any(more > 0, axis=1)))
    if capacity <= MECHANISMS[name].strategy_proof_capacity:
        assert not gains
    else:
        assert sure_gains


@pytest.mark.parametrize("name", NAMES)
def test_mechanism__plays_in_a_market(name: str) -> None:
    """Random conduct through whole episodes: the market checks every assignment, and some jobs are served."""
    rule = load_rule("price_board").replace(**{"matching.mechanism": name})
    market = Market(rule, markets=4, economy=Economy(rounds=20, capacity=2))
    market.reset(seed=1)
    rng = np.random.default_rng(2)
    for _ in range(20):
        market.step(rng.uniform(-1, 1, (4, 8, market.action_size)).astype(np.float32))
        assert np.any(market.winners >= 0)


@pytest.mark.parametrize("amplification", [0.0, 4.0, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_mechanism__treats_those_that_act_alike_alike(name: str, amplification: float) -> None:
    """Organizations with one conduct, under a rule that scores only that, serve as many jobs each."""
    rule = load_rule("sealed_tender").replace(**{"matching.mechanism": name, "scoring.amplification": amplification})
    markets, n = 1500, 4
    market = Market(rule, markets=markets, economy=Economy(organizations=n, jobs=5, kinds=2, rounds=1, capacity=2))
    market.reset(seed=3)
    market.step(np.zeros((markets, n, market.action_size), np.float32))
    jobs = (market.winners[:, :, None] == np.arange(n)).sum(axis=1)
    assert np.all(abs(jobs.mean(axis=0) - jobs.mean()) <= 4 * jobs.std(axis=0) / np.sqrt(markets))
