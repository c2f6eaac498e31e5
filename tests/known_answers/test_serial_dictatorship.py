"""Random serial dictatorship (Abdulkadiroglu & Sonmez 1998): mean rank ((n + 1) / n) (H_(n + 1) - 1).

The organization whose turn is t-th finds n - t + 1 kinds left, at random in its ranking of n: the least of so many
ranks out of 1 .. n is (n + 1) / (n - t + 2) on average. Top trading cycles in which each kind draws a priority of its
own give the same lottery over matches (Pathak & Sethuraman 2011).
"""

import numpy as np
import pytest
from one_to_one import draw_preferences, matches, mean_rank, one_to_one, ranks, to_actions
from settings import close

NAMES = ["random_serial_dictatorship", "top_trading_cycles"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 10, 50])
def test_random_serial_dictatorship__mean_rank(name: str, n: int) -> None:
    market = one_to_one(name, n, 20_000 // n)
    market.reset(seed=1)
    preferences = draw_preferences(market, 2)
    market.step(to_actions(preferences))
    found = mean_rank(preferences, matches(market))
    expected = (n + 1) / n * sum(1 / t for t in range(2, n + 2))
    assert close(found, expected) if n > 1 else np.all(found == expected)


@pytest.mark.parametrize("name", NAMES)
def test_random_serial_dictatorship__every_turn_is_equally_likely_for_each(name: str) -> None:
    """Where all want the same, ranks are turns."""
    n, markets = 5, 4000
    market = one_to_one(name, n, markets)
    market.reset(seed=3)
    preferences = np.broadcast_to(np.arange(n), (markets, n, n)).copy()
    market.step(to_actions(preferences))
    turn = np.take_along_axis(ranks(preferences), matches(market)[:, :, None], axis=2)[:, :, 0]
    for i in range(n):
        share = np.bincount(turn[:, i], minlength=n) / markets
        assert np.all(abs(share - 1 / n) < 4 * np.sqrt(1 / n * (1 - 1 / n) / markets))
