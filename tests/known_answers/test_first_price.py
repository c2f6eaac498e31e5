"""First-price procurement, n organizations with costs uniform on [0, 1] (Vickrey 1961; Krishna 2010, chapter 2).

In equilibrium each asks b(c) = c + (1 - c) / n: the mean price is 2 / (n + 1), everyone's profit 1 / (n (n + 1)).
With a commission t, asks scale by 1 / (1 - t) and net profit stays.
"""

import numpy as np
import pytest
from markets import act, close
from procurement import costs, procurement

MARKETS = 20_000


def _equilibrium(cost: np.ndarray, n: int) -> np.ndarray:
    return cost + (1 - cost) / n


@pytest.mark.parametrize("n", [2, 3, 5])
def test_first_price__mean_price_and_profit(n: int) -> None:
    market = procurement(n, "as_asked", MARKETS)
    cost = costs(market.reset(seed=1), market)
    _, profits, _ = market.step(act(_equilibrium(cost, n)))
    np.testing.assert_array_equal(market.winners[:, 0], cost.argmin(axis=1))
    assert close(market.payments[:, 0], 2 / (n + 1))
    assert close(profits.mean(axis=1), 1 / (n * (n + 1)))


def test_first_price__commission_scales_asks_and_leaves_profit() -> None:
    n, commission = 4, 0.2
    free, taxed = procurement(n, "as_asked", 5000), procurement(n, "as_asked", 5000, commission)
    cost = costs(free.reset(seed=2), free) * (1 - commission)
    taxed.reset(seed=2)
    # Costs up to 1 - t, so that no ask passes the reserve: the equilibrium on [0, 1 - t], scaled by 1 / (1 - t).
    asks = cost + (1 - commission - cost) / n
    kept = np.flatnonzero((asks / (1 - commission) <= 1).all(axis=1))
    _, net, _ = free.step(act(asks))
    _, net_taxed, _ = taxed.step(act(asks / (1 - commission)))
    np.testing.assert_allclose(net_taxed[kept], net[kept], atol=1e-6)
    np.testing.assert_allclose(taxed.payments[kept] * (1 - commission), free.payments[kept], atol=1e-6)
    np.testing.assert_allclose(taxed.measures[kept, 3], commission * taxed.payments[kept, 0], rtol=1e-9)


@pytest.mark.parametrize("n", [2, 4])
def test_first_price__no_deviation_pays(n: int) -> None:
    """Against equilibrium rivals neither another slope nor a constant added earns more, with the same noise."""
    profits = {}
    for slope, constant in [(1.0, 0.0), (0.8, 0.0), (0.9, 0.0), (1.1, 0.0), (1.2, 0.0), (1.0, 0.05), (1.0, -0.05)]:
        market = procurement(n, "as_asked", MARKETS)
        cost = costs(market.reset(seed=3), market)
        asks = _equilibrium(cost, n)
        asks[:, 0] = 1 - slope * (1 - asks[:, 0]) + constant
        profits[slope, constant] = market.step(act(asks.clip(0, 1.2)))[1][:, 0]
    equilibrium = profits.pop((1.0, 0.0))
    for profit in profits.values():
        gain = profit - equilibrium
        assert gain.mean() + 3 * gain.std() / np.sqrt(MARKETS) < 0.001
        assert gain.mean() < 0


def test_first_price__a_constant_markup_earns_no_more() -> None:
    n = 3
    market = procurement(n, "as_asked", MARKETS)
    for markup in (0.02, 0.1, 0.2, 0.3, 0.4):
        cost = costs(market.reset(seed=4), market)
        asks = _equilibrium(cost, n)
        asks[:, 0] = cost[:, 0] + markup
        profit = market.step(act(asks))[1][:, 0]
        assert profit.mean() < 1 / (n * (n + 1)) + 3 * profit.std() / np.sqrt(MARKETS)
