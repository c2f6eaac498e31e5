"""Inputs on one scale: by what was seen in training, without a change of what the policy does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from ruleshift.agents import Constant, Seats
from ruleshift.envs import Economy
from ruleshift.train import AsymmetricPolicy, MarketPPO, MarketVecEnv, StandardizedExtractor, policy_of
from ruleshift.train.networks import policy_weights
from ruleshift.train.standardized import SMALLEST_STD, standardize

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SEATS = Seats.shared(4, [Constant()])


def _learner(kind: Any = MarketPPO, **options: Any) -> Any:
    env = MarketVecEnv("promoted_listing", markets=3, economy=ECONOMY, seats=SEATS, privileged=True)
    own = {"privileged": env.privileged_size, "features_extractor_class": StandardizedExtractor}
    sizes = {"n_steps": 10, "batch_size": 20, "n_epochs": 2} | options
    model = kind(AsymmetricPolicy, env, seed=1, device="cpu", policy_kwargs=own, **sizes)
    model.set_logger(Logger(None, []))
    return model


class StockPPO(PPO):
    """PPO of stable-baselines3 with its own rollouts and gradient, but for the scale of inputs."""

    def train(self) -> None:
        standardize(self.policy, self.rollout_buffer.observations)
        super().train()


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_extractor__has_the_means_and_deviations_of_all_that_was_seen(sizes: list[int], seed: int) -> None:
    policy = _learner().policy
    rng, width = np.random.default_rng(seed), policy.features_extractor.features_dim
    rollouts = [rng.normal(rng.normal(), rng.uniform(0.1, 2), (size, 3, width)).astype(np.float32) for size in sizes]
    for rollout in rollouts:
        rollout[:, :, 0] = 0.25  # a number that never moves
        standardize(policy, rollout)
    seen = np.concatenate(rollouts).reshape(-1, width)
    features = policy.features_extractor(th.from_numpy(seen)).numpy()
    expected = (seen - seen.mean(0)) / np.maximum(seen.std(0), SMALLEST_STD)
    np.testing.assert_allclose(features, expected, atol=2e-4)
    assert (features[:, 0] == 0).all()


@pytest.mark.parametrize("kind", [MarketPPO, StockPPO])
def test_standardize__leaves_what_the_policy_does(kind: Any) -> None:
    model = _learner(kind).learn(60)
    seen = th.from_numpy(model.env.reset())
    before = [each.detach().clone() for each in (*model.policy(seen, deterministic=True),)]
    rng = np.random.default_rng(0)
    standardize(model.policy, rng.normal(3, 2, model.rollout_buffer.observations.shape).astype(np.float32))
    for was, now in zip(before, model.policy(seen, deterministic=True), strict=True):
        np.testing.assert_allclose(now.detach(), was, atol=1e-4)


def test_market_ppo__learns_the_weights_of_stock_ppo_on_the_same_scale() -> None:
    stock, ours = (_learner(kind).learn(240) for kind in (StockPPO, MarketPPO))
    assert ours.closed_form() is not None
    for name, weight in stock.policy.state_dict().items():
        np.testing.assert_allclose(ours.policy.state_dict()[name], weight, atol=5e-5, err_msg=name)


def test_policy__reads_observations_as_they_are_once_it_has_learned() -> None:
    model = _learner().learn(120)
    seen = model.env.reset()
    policy = policy_of(model)
    own = seen[:, : policy.card.observation_size]
    np.testing.assert_allclose(policy.mean(own).clip(-1, 1), model.predict(seen, deterministic=True)[0], atol=1e-5)


def test_extractor__is_saved_with_the_policy(tmp_path: Path) -> None:
    model = _learner().learn(120)
    model.save(tmp_path / "model")
    loaded = MarketPPO.load(tmp_path / "model", env=model.env, device="cpu")
    np.testing.assert_array_equal(loaded.policy.features_extractor.count, 120)  # type: ignore[arg-type]
    for name, weight in policy_weights(model).items():
        np.testing.assert_array_equal(policy_weights(loaded)[name], weight)
