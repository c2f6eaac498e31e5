"""Linear Polya urn: variance of shares (1/N) (1 - 1/N) (N a + T) / (T (N a + 1)) (Eggenberger & Polya 1923).

One job a round, drawn in proportion to popularity, which starts at a, lasts for ever and grows by the jobs won.
"""

import numpy as np
import pytest
from markets import bare

from ruleshift.envs import Market, load_rule
from ruleshift.envs.layout import state_view
from ruleshift.envs.rule import Weights

MARKETS = 8000


@pytest.mark.parametrize(("n", "start", "rounds"), [(4, 1.0, 40), (8, 2.0, 30)])
def test_polya__variance_of_shares(n: int, start: float, rounds: int) -> None:
    rule = load_rule("popularity_feed").replace(
        **{
            "scoring.weights": Weights(popularity=1.0),
            "scoring.amplification": 1.0,
            "feedback.persistence": 1.0,
            "feedback.prior": start,
        }
    )
    economy = bare(organizations=n, rounds=rounds + 1)
    market = Market(rule, economy=economy, markets=MARKETS)
    market.reset(seed=3)
    actions = np.zeros((MARKETS, n, 4), np.float32)
    for _ in range(rounds):
        market.step(actions)
    shares = np.array([state_view(state, 1).popularity for state in market.state])
    shares = (shares - start) / rounds
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    expected = (1 / n) * (1 - 1 / n) * (n * start + rounds) / (rounds * (n * start + 1))
    squares = ((shares - 1 / n) ** 2).mean(axis=1)
    assert abs(squares.mean() - expected) < 3 * squares.std() / np.sqrt(MARKETS)
    error = 3.5 * np.sqrt(expected / MARKETS)
    np.testing.assert_allclose(shares.mean(axis=0), 1 / n, atol=error)
