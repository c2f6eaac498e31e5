"""Price competition under Luce's choice: ask = cost * e / (e - 1), e = amplification * weight of price * (1 - 1/N).

Ample capacity, symmetric rivals, no outside option (Dixit & Stiglitz 1977 with N finite; Anderson, de Palma & Thisse
1992). With s the amplification times the weight of price, an organization that asks a among rivals that ask p wins a
job with probability a^-s / (a^-s + (N - 1) p^-s); profit, (a - c) times that, is largest at a = p = c e / (e - 1).
"""

import numpy as np
import pytest
from markets import bare

from ruleshift.envs import Market, load_rule
from ruleshift.envs.act import to_action
from ruleshift.envs.layout import outcome_view
from ruleshift.envs.rule import Weights

N, COST, JOBS, MARKETS = 4, 0.4, 100, 400


def _market(amplification: float, weight: float) -> Market:
    economy = bare(
        organizations=N, jobs=JOBS, capacity=JOBS, base_cost=COST, initial_capability=(0.0, 0.0), learning="exogenous"
    )
    weights = Weights(price=weight, reputation=1 - weight)
    changes = {"scoring.weights": weights, "scoring.amplification": amplification, "payment.commission": 0.0}
    return Market(load_rule("price_board").replace(**changes), markets=MARKETS, economy=economy)


def _play(market: Market, own: float, others: float) -> tuple[np.ndarray, np.ndarray]:
    """Share of the jobs won, and profit a job posted, of organization 0 in every market."""
    asks = np.full(N, others)
    asks[0] = own
    actions = np.tile(to_action(ask=asks, effort=0.0, promotion=0.0, kinds=1), (MARKETS, 1, 1))
    market.reset(seed=11)
    profits = market.step(actions)[1]
    served = np.array([outcome_view(rows, 1).served[0] for rows in market.outcomes])
    return served / JOBS, profits[:, 0] / JOBS


def _elasticity(amplification: float, weight: float) -> float:
    return amplification * weight * (1 - 1 / N)


@pytest.mark.parametrize(("amplification", "weight"), [(6.0, 1.0), (8.0, 0.6)])
def test_monopolistic_competition__win_probability_is_luces(amplification: float, weight: float) -> None:
    market = _market(amplification, weight)
    for own, others in ((0.5, 0.6), (0.7, 0.6), (0.6, 0.6)):
        odds = (own / others) ** -(amplification * weight)
        expected = odds / (odds + N - 1)
        share, profit = _play(market, own, others)
        error = 3 * np.sqrt(expected * (1 - expected) / (JOBS * MARKETS))
        assert abs(share.mean() - expected) < error
        np.testing.assert_allclose(profit, share * (own - COST), atol=1e-6)


@pytest.mark.parametrize(("amplification", "weight"), [(6.0, 1.0), (8.0, 0.6)])
def test_monopolistic_competition__the_markup_is_a_best_reply(amplification: float, weight: float) -> None:
    """Where rivals ask the theorem's price no other ask earns more; elsewhere some other does. Same noise for all."""
    elasticity = _elasticity(amplification, weight)
    price = COST * elasticity / (elasticity - 1)
    market = _market(amplification, weight)
    steps = np.array([-0.12, -0.08, -0.05, 0.0, 0.05, 0.08, 0.12])
    profits = np.array([_play(market, price + step, price)[1] for step in steps])
    means = profits.mean(axis=1)
    for index in np.flatnonzero(steps):
        gain = profits[index] - profits[3]
        assert gain.mean() < 3 * gain.std() / np.sqrt(MARKETS)
    curve = np.polynomial.Polynomial.fit(steps, means, 3)
    best = [float(root.real) for root in curve.deriv().roots() if abs(root.imag) < 1e-9 and abs(root.real) < 0.12]
    assert best == [pytest.approx(0.0, abs=0.03)]
    assert _play(market, price + 0.1, price + 0.25)[1].mean() > _play(market, price + 0.25, price + 0.25)[1].mean()
