"""Wright's law (1936): unit cost falls by a fifth with every doubling of experience, a slope of log2(.8) = -0.322."""

import math

import numpy as np
import pytest

from ruleshift.envs import Economy, Market
from ruleshift.envs.layout import outcome_view, state_view


@pytest.mark.parametrize("ratio", [0.8, 0.9])
def test_wright__slope_of_log_unit_cost(ratio: float) -> None:
    economy = Economy(
        organizations=1, jobs=1, kinds=1, capacity=1, rounds=300, effort_cost=0.0, depreciation=0.0, shock_sd=0.0,
        value_spread=0.0, outside_share=0.0, progress_ratio=ratio,
    )  # fmt: skip
    market = Market(economy=economy)
    market.reset(seed=0)
    experience, cost = [], []
    for _ in range(256):
        experience.append(state_view(market.state[0], 1).experience[0, 0])
        market.step(np.zeros((1, 1, 4), np.float32))
        cost.append(outcome_view(market.outcomes[0], 1).cost[0])
    assert experience == list(range(256))
    slope, level = np.polyfit(np.log(1 + np.array(experience)), np.log(cost), 1)
    assert slope == pytest.approx(math.log2(ratio), abs=1e-9)
    assert math.exp(level) == pytest.approx(cost[0], rel=1e-9)
    assert cost[1] / cost[0] == pytest.approx(ratio, rel=1e-12)
    if ratio == 0.8:
        assert slope == pytest.approx(-0.322, abs=5e-4)
