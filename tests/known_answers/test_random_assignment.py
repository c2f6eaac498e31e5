"""Random assignment at costs Exp(1), n organizations to n jobs: the optimum costs the sum of 1/k**2, k = 1 .. n, in the
mean (Parisi 1998; Linusson & Wästlund 2004; Nair, Prabhakar & Sharma 2005); greedy and a dictatorship, in which one
after the other takes its cheapest job left, cost H_n = the sum of 1/k.

Greedy: the cheapest of m**2 pairs left costs 1/m**2 more than the last in the mean (Exp(1) has no memory), and all m
still to come bear it: 1/m. Dictatorship: the cheapest of m jobs left costs 1/m.
"""

import numpy as np
import pytest
from settings import bare, close

from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.layout import state_view

MARKETS = 3000


def _economy(n: int) -> Economy:
    return bare(
        organizations=n, jobs=n, kinds=n, demand="even", shock_law="exponential", shock_mean=1.0, shock_sd=1.0,
        quality_capability=0.0,
    )  # fmt: skip


def _costs(rule: Rule, n: int) -> np.ndarray:
    """Cost of all jobs together in each market; asks are 0, so that profits are costs. Focus is in order of cost, and
    promotion is random: the order of dictators."""
    market = Market(rule, economy=_economy(n), markets=MARKETS)
    market.reset(seed=1)
    rng = np.random.default_rng(2)
    actions = np.full((MARKETS, n, 3 + n), -1, np.float32)
    actions[:, :, 2] = rng.uniform(-1, 1, (MARKETS, n))
    for b, state in enumerate(market.state):
        order = state_view(state, n).shock.argsort(axis=0).argsort(axis=0)
        actions[b, :, 3:] = 1 - 2 * order.T / max(n - 1, 1)
    _, profits, _ = market.step(actions)
    assert np.all(market.winners >= 0)
    return -profits.sum(axis=1, dtype=np.float64)


def _by_worth(mechanism: str) -> Rule:
    return load_rule("sealed_tender").replace(
        **{"matching.mechanism": mechanism, "matching.parameters": (100.0, 0.0)}
    )


@pytest.mark.parametrize("n", [2, 6, 12])
def test_random_assignment__optimum(n: int) -> None:
    assert close(_costs(_by_worth("welfare_maximizing"), n), sum(1 / k**2 for k in range(1, n + 1)))


@pytest.mark.parametrize("n", [2, 6, 12])
def test_random_assignment__greedy(n: int) -> None:
    assert close(_costs(_by_worth("greedy"), n), sum(1 / k for k in range(1, n + 1)))


@pytest.mark.parametrize("n", [2, 6, 12])
def test_random_assignment__dictatorship(n: int) -> None:
    """Deferred acceptance where all kinds rank organizations alike is a dictatorship in that order."""
    rule = load_rule("clearing_house").replace(
        **{
            "scoring.amplification": float("inf"), "scoring.weights.promotion": 1.0, "scoring.weights.price": 0.0,
            "scoring.weights.capability": 0.0, "scoring.weights.reputation": 0.0,
        }
    )  # fmt: skip
    assert close(_costs(rule, n), sum(1 / k for k in range(1, n + 1)))
