"""Schema induction: an actor that names the features of the rule in force, and acts on what it names.

What is named is a prediction, learned from labels alone: the rule's own features, which a VecEnv lays beside the
observations of training rules. The loss of the policy does not reach the namer, which thus cannot become a channel of
its own between what was seen and what is done.
"""

from typing import Any

import torch as th
from stable_baselines3.common.torch_layers import MlpExtractor

from ruleshift.envs.fields import Count, Flag, checked
from ruleshift.train.asymmetric import AsymmetricExtractor, AsymmetricPolicy
from ruleshift.train.standardized import NAMED_MEAN, NAMED_STD


class SchemaPolicy(AsymmetricPolicy):
    """An `AsymmetricPolicy` whose actor also reads what a network beside it, the namer, names.

    The namer has the layers of the actor, reads the same inputs, and gives F numbers from 0 to 1. `MarketPPO` trains it
    by the cross-entropy to the first F privileged numbers, of which each must be from 0 to 1: that is least where it
    names their expectation given its inputs. Whatever else trains the policy leaves the namer as it is.

    Args:
        args: as of `MlpPolicy`.
        named: F, how many of the privileged numbers, the first ones, are named.
        learns_names: whether `MarketPPO` trains the namer; it must not where the rule is one that is held out.
        kwargs: as of `AsymmetricPolicy`.

    Raises:
        ValueError: more is to be named than is privileged, or as `AsymmetricPolicy`.
    """

    def __init__(self, *args: Any, named: int, learns_names: bool = True, **kwargs: Any) -> None:
        self.named = checked(named, Count(1, kwargs.get("privileged", 0)), "named")
        self.learns_names = checked(learns_names, Flag(), "learns_names")
        super().__init__(*args, **kwargs)
        *_, last = self.mlp_extractor.namer.children()  # type: ignore[union-attr]
        th.nn.init.zeros_(last.weight)  # type: ignore[arg-type] # at first 1/2, whatever was seen

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"named": self.named, "learns_names": self.learns_names}
        return {**super()._get_constructor_parameters(), **own}

    def _make_extractor(self) -> AsymmetricExtractor:
        return _NamingExtractor(
            self.features_dim, self.privileged, self.net_arch, self.activation_fn, self.device, named=self.named
        )


class _NamingExtractor(AsymmetricExtractor):
    """The layers before the last of an actor that reads what `namer` names, and of its critic, which does not."""

    def __init__(self, *args: Any, named: int) -> None:
        super().__init__(*args)
        _, _, net_arch, activation, device = args
        before = MlpExtractor(self.own, net_arch, activation, device)
        after = MlpExtractor(self.own + named, net_arch, activation, device)
        self.policy_net, self.latent_dim_pi = after.policy_net, after.latent_dim_pi
        self.namer = th.nn.Sequential(*before.policy_net, th.nn.Linear(before.latent_dim_pi, named)).to(device)
        self.kept: tuple[th.Tensor, th.Tensor] | None = None
        """The first weights of a namer that stays as it is, such that they read observations."""

    def forward_actor(self, features: th.Tensor) -> th.Tensor:
        own = features[:, : self.own]
        named = self.namer(own).sigmoid().detach()
        return self.policy_net(th.cat([own, (named - NAMED_MEAN) / NAMED_STD], 1))
