"""An actor that reads what an organization sees, and a critic that reads more: for PPO and A2C of stable-baselines3."""

from typing import Any

import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import MlpExtractor

from ruleshift.envs.fields import Count, checked


class AsymmetricPolicy(ActorCriticPolicy):
    """`MlpPolicy` whose actor does not read the last numbers of an observation.

    The critic only weighs what was done, and is not needed where the policy plays. Knowing the rule, it tells more of
    what an action was worth, and the gradient stays unbiased (Pinto et al. 2018; Baisero and Amato 2022).

    Args:
        args: as of `MlpPolicy`.
        privileged: how many numbers at the end of an observation the actor does not read; `privileged_size` of
            the VecEnv.
        predicted: how many of these, the first ones, a layer of its own predicts from what the actor's last layer
            computes. `MarketPPO` trains actor and predictor for it (`aux_coef`); nothing that plays uses it.
        kwargs: as of `MlpPolicy`.

    Raises:
        ValueError: nothing is left for the actor to read, or more is to be predicted than it does not read.
    """

    def __init__(self, *args: Any, privileged: int, predicted: int = 0, **kwargs: Any) -> None:
        self.privileged = checked(privileged, Count(0, 10**9), "privileged")
        self.predicted = checked(predicted, Count(0, self.privileged), "predicted")
        super().__init__(*args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **super()._get_constructor_parameters(), "privileged": self.privileged, "predicted": self.predicted,
        }  # fmt: skip

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = self._make_extractor()
        self.predictor = None
        if self.predicted:
            self.predictor = th.nn.Linear(self.mlp_extractor.latent_dim_pi, self.predicted)
            th.nn.init.zeros_(self.predictor.weight)

    def _make_extractor(self) -> "AsymmetricExtractor":
        return AsymmetricExtractor(self.features_dim, self.privileged, self.net_arch, self.activation_fn, self.device)


class AsymmetricExtractor(MlpExtractor):
    """The layers of actor and critic before the last; the actor's do not read the last `privileged` features."""

    def __init__(self, size: int, privileged: int, net_arch: Any, activation_fn: Any, device: Any) -> None:
        super().__init__(size, net_arch, activation_fn, device)
        if privileged >= size:
            raise ValueError(f"privileged is {privileged}; an observation has {size} numbers, some for the actor")
        self.own = size - privileged
        actor = MlpExtractor(self.own, net_arch, activation_fn, device)
        self.policy_net, self.latent_dim_pi = actor.policy_net, actor.latent_dim_pi

    def forward_actor(self, features: th.Tensor) -> th.Tensor:
        return self.policy_net(features[:, : self.own])
