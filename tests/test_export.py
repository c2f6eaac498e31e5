"""A policy that stable-baselines3 trained acts alike as a policy of ours, or is refused."""

from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import VecNormalize

from ruleshift.agents import History, RunningMeans, load_policy, save_policy
from ruleshift.envs import Economy
from ruleshift.train import MarketVecEnv, MemoryVecEnv, policy_of

ECONOMY = Economy(organizations=2, jobs=2, kinds=2, rounds=5)


def _env() -> MarketVecEnv:
    return MarketVecEnv(markets=2, economy=ECONOMY)


def _ppo(env: Any, **options: Any) -> PPO:
    return PPO("MlpPolicy", env, n_steps=8, batch_size=8, n_epochs=1, device="cpu", **options)


@pytest.mark.parametrize("wrap", [lambda env: env, lambda env: MemoryVecEnv(env, History(2, 3)),
                                  lambda env: MemoryVecEnv(env, RunningMeans(2)),
                                  lambda env: VecNormalize(env, norm_obs=False)])  # fmt: skip
def test_policy_of__acts_as_the_model(wrap: Any, tmp_path: Any) -> None:
    env = wrap(_env())
    model = _ppo(env, policy_kwargs={"net_arch": {"pi": [8, 4], "vf": [16]}}, seed=5)
    model.learn(64)
    policy = load_policy(save_policy(policy_of(model, rule="price_board"), tmp_path))
    assert (policy.card.kinds, policy.card.hidden, policy.card.seed) == (2, (8, 4), 5)
    assert policy.memory.input_size == env.observation_space.shape[0]
    seen = env.reset()
    np.testing.assert_allclose(policy.mean(seen).clip(-1, 1), model.predict(seen, deterministic=True)[0], atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _ppo(VecNormalize(_env())), r"VecNormalize changed.*norm_obs=False"),
        (lambda: _ppo(_env(), policy_kwargs={"activation_fn": th.nn.ReLU}), "ReLU; its activation must be tanh"),
        (lambda: _ppo(_env(), use_sde=True), "distribution is none that can be exported"),
    ],
)
def test_policy_of__refuses_what_it_would_change(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy_of(make())


def test_policy_of__takes_any_on_policy_algorithm_and_nothing_else() -> None:
    assert policy_of(A2C("MlpPolicy", _env(), n_steps=2, device="cpu")).card.steps == 0
    with pytest.raises(TypeError, match="model is int"):
        policy_of(3)  # type: ignore[arg-type]
