"""What a policy keeps when the payment changes: one focal organization among equilibrium rivals, costs uniform.

The first-price policy under second price keeps ((n - 1) / n)^(n - 1) (2 n - 1) / n of the optimum; the truthful policy
under first price keeps nothing.

Under second price against truthful rivals the focal wins where b(c) lies below the least of n - 1 uniform costs:
profit E[(1 - b)^(n-1) (b - c) + (1 - b)^n / n], with 1 - b = (1 - c) (n - 1) / n; the optimum is 1 / (n (n + 1)).
"""

import numpy as np
import pytest
from markets import act, close
from procurement import costs, procurement

MARKETS = 60_000


def _share_kept(n: int) -> float:
    return ((n - 1) / n) ** (n - 1) * (2 * n - 1) / n


@pytest.mark.parametrize("n", [2, 3, 6])
def test_transfer__first_price_policy_under_second_price(n: int) -> None:
    market = procurement(n, "second_price", MARKETS)
    cost = costs(market.reset(seed=7), market)
    asks = cost.copy()
    asks[:, 0] += (1 - cost[:, 0]) / n
    profit = market.step(act(asks))[1][:, 0]
    assert close(profit, _share_kept(n) / (n * (n + 1)))


@pytest.mark.parametrize("n", [2, 5])
def test_transfer__truthful_policy_under_first_price(n: int) -> None:
    market = procurement(n, "as_asked", 5000)
    cost = costs(market.reset(seed=8), market)
    asks = cost + (1 - cost) / n
    asks[:, 0] = cost[:, 0]
    profit = market.step(act(asks))[1][:, 0]
    assert (market.winners == 0).any()
    np.testing.assert_allclose(profit, 0, atol=1e-6)


def test_transfer__the_formula() -> None:
    """The share by numerical integration."""
    for n in (2, 3, 6):
        cost = (np.arange(100_000) + 0.5) / 100_000
        ask = cost + (1 - cost) / n
        profit = (1 - ask) ** (n - 1) * (ask - cost) + (1 - ask) ** n / n
        assert profit.mean() * n * (n + 1) == pytest.approx(_share_kept(n), rel=1e-6)
