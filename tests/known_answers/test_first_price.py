"""First-price procurement beyond the known answer: who wins, and that conduct off the equilibrium is detected."""

import numpy as np
import pytest

from ruleshift.eval.known_answers.answer import EXACT
from ruleshift.eval.known_answers.auctions import STEPS, asks, equilibrium, procurement
from ruleshift.eval.known_answers.setting import Opened, best_deviation, conduct


@pytest.mark.parametrize("n", [2, 5])
def test_first_price__the_least_cost_wins_and_is_paid_its_ask(n: int) -> None:
    opened = Opened(procurement(n, "as_asked", 1_000), seed=1)
    bids = asks(opened, equilibrium(n))
    opened.play(conduct(ask=bids))
    winners = opened.market.winners[:, 0]
    np.testing.assert_array_equal(winners, opened.shocks[:, :, 0].argmin(axis=1))
    np.testing.assert_allclose(opened.market.payments[:, 0], bids[np.arange(1_000), winners], atol=1e-7)


@pytest.mark.parametrize("assumed", [2, 9])
def test_first_price__bids_for_another_number_of_rivals_are_no_equilibrium(assumed: int) -> None:
    """If four bid as if there were two or nine of them, a deviation gains more than the known answer allows."""
    opened = Opened(procurement(4, "as_asked", 6_000), seed=2)
    bids = asks(opened, equilibrium(assumed))

    def moved(step: float) -> np.ndarray:
        deviating = bids.copy()
        deviating[:, 0] = np.clip(deviating[:, 0] + step, 0, 1)
        return opened.play(conduct(ask=deviating))[:, 0]

    row = best_deviation("", bids[:, 0], moved, STEPS)
    assert not EXACT.holds(row)
