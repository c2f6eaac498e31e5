"""Second-price procurement beyond the known answer: what is paid, draw by draw."""

import numpy as np
import pytest

from ruleshift.eval.known_answers.auctions import LEAST, asks, procurement, truthful
from ruleshift.eval.known_answers.setting import Opened, conduct


@pytest.mark.parametrize("n", [2, 3, 5])
def test_second_price__the_winner_is_paid_the_next_ask(n: int) -> None:
    opened = Opened(procurement(n, "second_price", 2_000), seed=1)
    cost = asks(opened, truthful(n))
    opened.play(conduct(ask=cost))
    served = cost.min(axis=1) > LEAST
    np.testing.assert_allclose(opened.market.payments[served, 0], np.sort(cost, axis=1)[served, 1], atol=1e-6)


def test_second_price__alone_the_reserve_binds() -> None:
    opened = Opened(procurement(1, "second_price", 100), seed=0)
    opened.play(conduct(ask=np.full((100, 1), 0.4)))
    np.testing.assert_array_equal(opened.market.payments, 1.0)
