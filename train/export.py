"""A policy that stable-baselines3 trained, as a policy of ours: weights by name, which load without running code."""

from typing import Any

import torch as th
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.vec_env import VecEnvWrapper

from ruleshift.agents.history import History
from ruleshift.agents.policy import Card, LearnedPolicy
from ruleshift.agents.running_means import RunningMeans
from ruleshift.envs.layout import ACTION
from ruleshift.train.asymmetric import AsymmetricPolicy
from ruleshift.train.memory import MemoryVecEnv
from ruleshift.train.networks import policy_weights
from ruleshift.train.schema import SchemaPolicy
from ruleshift.train.standardized import EXTRACTORS


def policy_of(
    model: OnPolicyAlgorithm, *, memory: History | RunningMeans | None = None, rule: str = "", arm: str = ""
) -> LearnedPolicy:
    """Return the policy that an on-policy algorithm of stable-baselines3, such as PPO, has learned so far.

    Its actions for an observation are those of `model.predict`, within rounding.

    Args:
        model: trained with `MlpPolicy` or `AsymmetricPolicy` and tanh, on observations of the market.
        memory: what a `MemoryVecEnv` remembered for it, where the model does not have its environment any more.
        rule: name of the rule or structure that it learned on, for the card.
        arm: name of the arm, for the card.

    Raises:
        TypeError: it is not such an algorithm.
        ValueError: its policy computes something that ours does not, such as another activation or normalized
            observations; says what would be right.
    """
    if not isinstance(model, OnPolicyAlgorithm):
        raise TypeError(f"model is {type(model).__name__}; it must be an on-policy algorithm of stable-baselines3")
    _check_normalization(model)
    policy = model.policy
    _check_network(policy)
    layers = [each for each in policy.mlp_extractor.policy_net if isinstance(each, th.nn.Linear)]
    kinds, size = policy.action_net.out_features - ACTION.focus, layers[0].in_features if layers else 0
    remembered, named = _memory_of(model) if memory is None else memory, getattr(policy, "named", 0)
    card = Card(
        kinds=kinds, hidden=tuple(each.out_features for each in layers), arm=arm, rule=rule, seed=model.seed or 0,
        history=remembered.rounds if isinstance(remembered, History) else 0,
        rates=remembered.rates if isinstance(remembered, RunningMeans) else (), steps=model.num_timesteps,
        named=named,
    )  # fmt: skip
    if kinds < 1 or size != card.input_size + named:
        raise ValueError(
            f"model: it reads {size} numbers; an observation of a market with {kinds} kinds and its memory has "
            f"{card.input_size + named if kinds > 0 else 'more'}"
        )
    return LearnedPolicy(policy_weights(model), card)


def _check_normalization(model: OnPolicyAlgorithm) -> None:
    normalize = model.get_vec_normalize_env()
    if normalize is not None and normalize.norm_obs:
        raise ValueError(
            "model: it was trained on observations that VecNormalize changed, which a policy of ours does not do; "
            "train with VecNormalize(..., norm_obs=False)"
        )


_POLICIES = (ActorCriticPolicy, AsymmetricPolicy, SchemaPolicy)


def _check_network(policy: Any) -> None:
    """Refuse a policy that is more than linear layers with tanh between them and a Gaussian."""
    extractor, distribution = type(policy.features_extractor), type(policy.action_dist)
    for what, right, fits in (
        ("policy", "MlpPolicy, AsymmetricPolicy or SchemaPolicy", type(policy) in _POLICIES),
        ("features extractor", "FlattenExtractor or StandardizedExtractor", extractor in EXTRACTORS),
        ("distribution", "DiagGaussianDistribution", distribution is DiagGaussianDistribution),
        ("squash_output", "False", not policy.squash_output),
    ):
        if not fits:
            raise ValueError(f"model: its {what} is none that can be exported; it must be {right}")
    for layer in policy.mlp_extractor.policy_net:
        if not isinstance(layer, th.nn.Linear | th.nn.Tanh):
            raise ValueError(f"model: its policy has {type(layer).__name__}; its activation must be tanh")


def _memory_of(model: OnPolicyAlgorithm) -> History | RunningMeans | None:
    """What the learner's environment remembers for it."""
    env: Any = model.get_env()
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, MemoryVecEnv):
            return env.memory
        env = env.venv
    return None
