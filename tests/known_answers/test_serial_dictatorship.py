"""Random serial dictatorship beyond its mean rank: each is as likely as any other to choose first, second, last."""

import numpy as np
import pytest

from ruleshift.eval.known_answers.matching import matched, reporting, two_sided
from ruleshift.eval.known_answers.setting import Opened


@pytest.mark.parametrize("name", ["random_serial_dictatorship", "top_trading_cycles"])
def test_random_serial_dictatorship__every_turn_is_equally_likely_for_each(name: str) -> None:
    """All organizations have the same preferences, so that what each gets shows its turn."""
    n, markets = 5, 4_000
    opened = Opened(two_sided(n, n, "organizations", markets, mechanism=name), seed=3)
    opened.play(reporting(np.broadcast_to(np.arange(n), (markets, n, n)).copy()))
    turn = matched(opened.market)
    for i in range(n):
        share = np.bincount(turn[:, i], minlength=n) / markets
        assert np.all(abs(share - 1 / n) < 4 * np.sqrt(1 / n * (1 - 1 / n) / markets))
