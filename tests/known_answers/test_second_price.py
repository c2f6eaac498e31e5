"""Second-price procurement: asking the cost is dominant, draw by draw; mean price 2 / (n + 1) (Vickrey 1961)."""

import numpy as np
import pytest
from markets import act, close
from procurement import costs, procurement

MARKETS = 40_000


@pytest.mark.parametrize("n", [2, 3, 5])
def test_second_price__mean_price_and_profit(n: int) -> None:
    market = procurement(n, "second_price", MARKETS)
    cost = costs(market.reset(seed=1), market)
    _, profits, _ = market.step(act(cost))
    second = np.sort(cost, axis=1)[:, 1]
    served = cost.min(axis=1) > 0.02  # below it asks count alike
    np.testing.assert_allclose(market.payments[served, 0], second[served], atol=1e-6)
    assert close(market.payments[:, 0], 2 / (n + 1))
    assert close(profits.mean(axis=1), 1 / (n * (n + 1)))


@pytest.mark.parametrize("deviation", ["up", "down", "a little up", "any"])
def test_second_price__truth_is_dominant_draw_by_draw(deviation: str) -> None:
    """Whatever the rivals ask, in every single draw no other ask earns more than the cost."""
    market = procurement(4, "second_price", 10_000)
    cost = costs(market.reset(seed=5), market)
    rng = np.random.default_rng(6)
    asks = rng.uniform(0.03, 1.0, cost.shape)
    asks[:, 0] = cost[:, 0]
    truthful = market.step(act(asks))[1][:, 0]
    change = {"up": 0.2, "down": -0.2, "a little up": 0.01, "any": rng.uniform(-1, 1, len(asks))}[deviation]
    asks[:, 0] = np.clip(cost[:, 0] + change, 0.02, 1)
    market.reset(seed=5)
    deviating = market.step(act(asks))[1][:, 0]
    told = cost[:, 0] > 0.02  # below it asks count alike
    assert np.all(deviating[told] <= truthful[told] + 1e-6)
    assert np.any(deviating[told] < truthful[told] - 1e-3)


def test_second_price__alone_the_reserve_binds() -> None:
    market = procurement(1, "second_price", 100)
    market.reset(seed=0)
    market.step(act(np.full((100, 1), 0.4)))
    np.testing.assert_array_equal(market.payments, 1.0)
