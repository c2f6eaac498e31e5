"""The share that the first-price policy keeps under second price, by numerical integration."""

import numpy as np
import pytest

from ruleshift.eval.known_answers.auctions import share_kept


@pytest.mark.parametrize("n", [2, 3, 6])
def test_transfer__the_formula(n: int) -> None:
    cost = (np.arange(100_000) + 0.5) / 100_000
    ask = cost + (1 - cost) / n
    profit = (1 - ask) ** (n - 1) * (ask - cost) + (1 - ask) ** n / n
    assert profit.mean() * n * (n + 1) == pytest.approx(share_kept(n), rel=1e-6)
