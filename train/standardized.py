"""Inputs on one scale: less their mean, over their standard deviation, by what was seen in training.

What an organization sees has deviations from 0.03 to 0.7, and a step of Adam is as long for one weight as for another:
without a scale, a learner is slow to read the small numbers, above all the means over an episode that tell the rule.
"""

from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.torch_layers import FlattenExtractor

SMALLEST_STD = 0.05
"""Smaller deviations count as this one, so that what hardly moved in training is not blown up once it does."""
NAMED_MEAN, NAMED_STD = 0.5, 0.25
"""The scale on which an actor reads what its namer names, numbers from 0 to 1: fixed, so that no label decides it."""


class StandardizedExtractor(FlattenExtractor):
    """Features of a policy of stable-baselines3: observations (n, I) less their means, over their deviations.

    Means are 0 and deviations 1 until `standardize` is told what was seen. They are saved with the policy.
    """

    count: th.Tensor
    mean: th.Tensor
    variance: th.Tensor

    def __init__(self, observation_space: Any) -> None:
        super().__init__(observation_space)
        self.register_buffer("count", th.zeros(()))
        self.register_buffer("mean", th.zeros(self.features_dim))
        self.register_buffer("variance", th.ones(self.features_dim))

    @property
    def std(self) -> th.Tensor:
        """The deviations by which is divided, (I,)."""
        return self.variance.sqrt().clamp_(min=SMALLEST_STD)

    def forward(self, observations: th.Tensor) -> th.Tensor:
        return (super().forward(observations) - self.mean) / self.std

    def update(self, observations: np.ndarray) -> None:
        """Make means and variances those of all that was seen, with these observations (n, I) (Chan et al. 1983)."""
        count, held = len(observations), float(self.count)
        mean, variance = observations.mean(0, dtype=np.float64), observations.var(0, dtype=np.float64)
        if held:
            before, share = self.mean.double().numpy(), count / (held + count)
            variance = self.variance.double().numpy() * (1 - share) + variance * share
            variance += (mean - before) ** 2 * share * (1 - share)
            mean = before + (mean - before) * share
        self.count += count
        self.mean.copy_(th.from_numpy(mean))
        self.variance.copy_(th.from_numpy(variance))


EXTRACTORS = (FlattenExtractor, StandardizedExtractor)
"""Those whose policies can be exported and differentiated in closed form."""


def standardize(policy: Any, observations: np.ndarray) -> None:
    """Tell the extractor of a policy what a rollout saw, (steps, rows, I); a policy without one stays as it is.

    The first weights of actor and critic move along, so that the policy goes on doing what it did: only how far a step
    of the optimizer leads changes.
    """
    extractor = policy.features_extractor
    if isinstance(extractor, StandardizedExtractor):
        layers = _first_layers(policy)
        before = [unscaled(weight, bias, extractor, named) for weight, bias, named in layers]
        if (kept := getattr(policy.mlp_extractor, "kept", None)) is not None:
            before[-1] = kept  # what has to stay the same to the bit is not rounded anew each time
        extractor.update(observations.reshape(-1, observations.shape[-1]))
        with th.no_grad():
            for (weight, bias, named), raw in zip(layers, before, strict=True):
                for parameter, value in zip((weight, bias), scaled(*raw, extractor, named), strict=True):
                    parameter.copy_(value)


def unscaled(weight: th.Tensor, bias: th.Tensor, extractor: Any, named: int = 0) -> tuple[th.Tensor, th.Tensor]:
    """Weights (U, I) and biases (U,) that do with observations what these do with the extractor's features.

    The last `named` of the I inputs are what a namer names.
    """
    if named or isinstance(extractor, StandardizedExtractor):
        mean, std = _scale(extractor, weight.shape[1], named)
        weight = weight.detach() / std
        bias = bias.detach() - weight @ mean
    return weight.detach(), bias.detach()


def scaled(weight: th.Tensor, bias: th.Tensor, extractor: Any, named: int = 0) -> tuple[th.Tensor, th.Tensor]:
    """Weights (U, I) and biases (U,) that do with the extractor's features what these do with observations."""
    if named or isinstance(extractor, StandardizedExtractor):
        mean, std = _scale(extractor, weight.shape[1], named)
        weight, bias = weight * std, bias + weight @ mean
    return weight, bias


def _scale(extractor: Any, size: int, named: int) -> tuple[th.Tensor, th.Tensor]:
    """The means (I,) and deviations (I,) of `size` inputs, the last `named` of which are what a namer names."""
    own = size - named
    mean, std = th.zeros(own), th.ones(own)
    if isinstance(extractor, StandardizedExtractor):
        mean, std = extractor.mean[:own], extractor.std[:own]
    return th.cat([mean, th.full((named,), NAMED_MEAN)]), th.cat([std, th.full((named,), NAMED_STD)])


def _first_layers(policy: Any) -> list[tuple[th.Tensor, th.Tensor, int]]:
    """What reads the features: weights (U, I), biases (U,) and how many inputs are named; the actor, the critic, and
    the namer where there is one."""
    if hasattr(policy, "lstm_actor"):
        return [(lstm.weight_ih_l0, lstm.bias_ih_l0, 0) for lstm in (policy.lstm_actor, policy.lstm_critic)]
    networks = policy.mlp_extractor
    nets = [(*networks.policy_net, policy.action_net), (*networks.value_net, policy.value_net)]
    nets += [networks.namer] if hasattr(networks, "namer") else []
    firsts = [next(layer for layer in net if isinstance(layer, th.nn.Linear)) for net in nets]
    named = [getattr(policy, "named", 0), 0, 0]
    return [(first.weight, first.bias, count) for first, count in zip(firsts, named, strict=False)]
