"""A policy that stable-baselines3 trained, as a policy of ours: weights by name, which load without running code."""

from typing import Any

import torch as th
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor

from ruleshift.agents.history import History
from ruleshift.agents.policy import Card, LearnedPolicy
from ruleshift.envs.layout import ACTION
from ruleshift.train.networks import policy_weights


def policy_of(model: OnPolicyAlgorithm, *, rule: str = "", arm: str = "") -> LearnedPolicy:
    """Return the policy that an on-policy algorithm of stable-baselines3, such as PPO, has learned so far.

    Its actions for an observation are those of `model.predict`, within rounding.

    Args:
        model: trained with `MlpPolicy` and tanh, on observations of the market, alone or with a history.
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
    card = Card(
        kinds=kinds, hidden=tuple(each.out_features for each in layers), history=_history(kinds, size), arm=arm,
        rule=rule, seed=model.seed or 0, steps=model.num_timesteps,
    )  # fmt: skip
    return LearnedPolicy(policy_weights(model), card)


def _check_normalization(model: OnPolicyAlgorithm) -> None:
    normalize = model.get_vec_normalize_env()
    if normalize is not None and normalize.norm_obs:
        raise ValueError(
            "model: it was trained on observations that VecNormalize changed, which a policy of ours does not do; "
            "train with VecNormalize(..., norm_obs=False)"
        )


def _check_network(policy: Any) -> None:
    """Refuse a policy that is more than linear layers with tanh between them and a Gaussian."""
    for what, right, fits in (
        ("policy", "MlpPolicy", type(policy) is ActorCriticPolicy),
        ("features extractor", "FlattenExtractor", isinstance(policy.features_extractor, FlattenExtractor)),
        ("distribution", "DiagGaussianDistribution", type(policy.action_dist) is DiagGaussianDistribution),
        ("squash_output", "False", not policy.squash_output),
    ):
        if not fits:
            raise ValueError(f"model: its {what} is none that can be exported; it must be {right}")
    for layer in policy.mlp_extractor.policy_net:
        if not isinstance(layer, th.nn.Linear | th.nn.Tanh):
            raise ValueError(f"model: its policy has {type(layer).__name__}; its activation must be tanh")


def _history(kinds: int, size: int) -> int:
    """Return how many rounds are remembered in inputs of a size."""
    history = History(kinds, 0) if kinds > 0 else None
    rounds, rest = divmod(size - history.observation_size, history.width) if history else (-1, 0)
    if rounds < 0 or rest:
        raise ValueError(f"model: it reads {size} numbers; no observation of a market with {kinds} kinds has so many")
    return rounds
