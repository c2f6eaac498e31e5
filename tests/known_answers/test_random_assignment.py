"""If all kinds rank organizations alike, deferred acceptance is a dictatorship in that order, which costs H_n."""

import numpy as np
import pytest
from markets import close

from ruleshift.envs.rule import Rule, Weights
from ruleshift.eval.known_answers.assignments import assignment, harmonic
from ruleshift.eval.known_answers.matching import reporting
from ruleshift.eval.known_answers.setting import Opened


@pytest.mark.parametrize("n", [2, 6, 12])
def test_random_assignment__one_ranking_of_all_kinds_is_a_dictatorship(n: int) -> None:
    market = assignment(n, "deferred_acceptance", 3_000)
    ranked = {"scoring.weights": Weights(promotion=1.0), "scoring.amplification": float("inf")}
    assert isinstance(market.rule, Rule)
    market.reset(rule=market.rule.replace(**ranked))
    opened = Opened(market, seed=1)
    actions = reporting(opened.shocks.argsort(axis=-1))
    actions[:, :, 0] = -1
    actions[:, :, 2] = np.random.default_rng(2).uniform(-1, 1, actions.shape[:2])
    profits = opened.play(actions)
    assert np.all(market.winners >= 0)
    assert close(-profits.sum(axis=1), harmonic(n))
