"""Wright's law (1936): unit cost falls by a fifth with every doubling of experience, a slope of log2(.8) = -0.322."""

import math
from collections.abc import Iterator

import numpy as np

from ruleshift.envs import Economy, Market
from ruleshift.envs.layout import outcome_view, state_view
from ruleshift.eval.known_answers.answer import Answer, Measurement, Row, Tolerance

ROUNDS = 256


def unit_costs(ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Experience before each round, and what its one job then cost."""
    economy = Economy(
        organizations=1, jobs=1, kinds=1, capacity=1, rounds=ROUNDS + 1, effort_cost=0.0, depreciation=0.0,
        shock_sd=0.0, value_spread=0.0, outside_share=0.0, progress_ratio=ratio,
    )  # fmt: skip
    market = Market(economy=economy)
    market.reset(seed=0)
    experience, cost = [], []
    for _ in range(ROUNDS):
        experience.append(state_view(market.state[0], 1).experience[0, 0])
        market.step(np.zeros((1, 1, 4), np.float32))
        cost.append(outcome_view(market.outcomes[0], 1).cost[0])
    return np.array(experience), np.array(cost)


def wright(run: Measurement) -> Iterator[Row]:
    """The slope, and the fall at the first doubling."""
    for ratio in (0.8, 0.9):
        experience, cost = unit_costs(ratio)
        slope, _ = np.polyfit(np.log(1 + experience), np.log(cost), 1)
        yield Row(f"slope at a progress ratio of {ratio:g}", math.log2(ratio), float(slope))
        yield Row(f"cost after the first doubling over cost before, {ratio:g}", ratio, float(cost[1] / cost[0]))


ANSWERS = (
    Answer(
        id="wright",
        title="Wright's law",
        formula="the slope of log unit cost on log(1 + experience) is log2(progress ratio): −0.322 at 0.8",
        setting="J = 1, effort, depreciation and infrastructure 0",
        source="Wright 1936",
        tolerance=Tolerance(errors=0, absolute=1e-9),
        measure=wright,
        seconds=1,
    ),
)
