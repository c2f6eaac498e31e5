"""The generalized second price is not VCG (Edelman, Ostrovsky & Schwarz 2007): two slots of 200 and 100 clicks,
and bidders who value a click at 10, 4 and 2. They pay 800 and 200 at the next bid, 600 and 200 at the externality.
"""

import numpy as np
import pytest
from settings import bare

from ruleshift.envs import Market, load_rule
from ruleshift.envs.act import to_action


@pytest.mark.parametrize(("charge", "expected"), [("next_bid", [800, 200, 0]), ("externality", [600, 200, 0])])
def test_generalized_second_price__published_payments(charge: str, expected: list[float]) -> None:
    """Bids in tens, clicks in hundreds; organizations bid what a click is worth to them."""
    economy = bare(organizations=3, jobs=2, promotion_price=10.0)
    rule = load_rule("sealed_tender").replace(
        **{"matching.mechanism": "position_auction", "payment.charge": charge, "payment.pricing": "as_asked"}
    )
    market = Market(rule, economy=economy)
    market.reset(seed=0)
    market.job_values[:] = [[1.0, 2.0]]
    _, profits, _ = market.step(to_action(ask=0, effort=0, promotion=np.array([1.0, 0.4, 0.2]), kinds=1)[None])
    np.testing.assert_array_equal(market.winners, [[1, 0]])
    np.testing.assert_allclose(-100 * profits[0], expected, rtol=1e-5)
