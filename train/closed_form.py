"""PPO's gradient in closed form, for a Gaussian actor and a critic that are perceptrons with tanh.

It is what autograd computes for the loss of stable-baselines3, within rounding, without the graph: every pass runs in
arrays that are allocated once for all minibatches of an update.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch as th
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor

LOG_SQRT_2_PI = 0.5 * math.log(2.0 * math.pi)


def has_closed_form(policy: ActorCriticPolicy) -> bool:
    """Whether a policy is what `ClosedForm` can differentiate: two perceptrons with tanh and a Gaussian."""
    layers = [*policy.mlp_extractor.policy_net, *policy.mlp_extractor.value_net]
    return (
        isinstance(policy.features_extractor, FlattenExtractor)
        and type(policy.action_dist) is DiagGaussianDistribution
        and not policy.squash_output
        and all(isinstance(layer, th.nn.Linear | th.nn.Tanh) for layer in layers)
        and all(isinstance(layer, th.nn.Tanh) for layer in layers[1::2])
        and policy.device.type == "cpu"
    )


class Perceptron:
    """Passes of linear layers with tanh between them, in arrays that the next pass of the same kind overwrites."""

    def __init__(self, layers: Sequence[th.nn.Linear]) -> None:
        self.layers = list(layers)
        self.inputs = self.layers[0].in_features
        self._signals: list[th.Tensor] = []
        self._errors: list[th.Tensor] = []
        self._seen = th.empty(0)

    def forward(self, inputs: th.Tensor) -> th.Tensor:
        """Return outputs (n, O) for inputs (n, at least I), of which the first I are read."""
        self._make_room(len(inputs))
        signal = self._seen = inputs[:, : self.inputs]
        for index, layer in enumerate(self.layers):
            out = self._signals[index][: len(inputs)]
            th.addmm(layer.bias, signal, layer.weight.t(), out=out)
            signal = out if index == len(self.layers) - 1 else out.tanh_()
        return signal

    def backward(self, error: th.Tensor) -> None:
        """Write the gradient of the weights into their `grad`; `error` is the loss's by the last outputs (n, O)."""
        count = len(error)
        for index in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[index]
            below = self._signals[index - 1][:count] if index else self._seen
            th.mm(error.t(), below, out=layer.weight.grad)
            th.sum(error, 0, out=layer.bias.grad)
            if index:
                out = self._errors[index - 1][:count]
                th.mm(error, layer.weight, out=out)
                th.ops.aten.tanh_backward.grad_input(out, below, grad_input=out)
                error = out

    def _make_room(self, count: int) -> None:
        if not self._signals or len(self._signals[0]) < count:
            self._signals = [th.empty(count, layer.out_features) for layer in self.layers]
            self._errors = [th.empty(count, layer.out_features) for layer in self.layers[:-1]]


class ClosedForm:
    """The gradient of PPO's loss by the weights of a policy of which `has_closed_form` is true.

    The `grad` of every weight becomes a view of one flat vector, so that the norm of the whole takes one call.

    Args:
        policy: the policy of a PPO.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self.actor = Perceptron(linear_layers(policy.mlp_extractor.policy_net, policy.action_net))
        self.critic = Perceptron(linear_layers(policy.mlp_extractor.value_net, policy.value_net))
        self.log_std: Any = policy.log_std
        weights = [policy.log_std, *(each for net in (self.actor, self.critic) for each in _weights(net))]
        self.gradient = th.zeros(sum(each.numel() for each in weights))
        """The gradient of every weight, in one vector."""
        start = 0
        for weight in weights:
            weight.grad = self.gradient[start : start + weight.numel()].view_as(weight)
            start += weight.numel()

    def accumulate(
        self,
        inputs: th.Tensor,
        actions: th.Tensor,
        old_log_prob: th.Tensor,
        advantages: th.Tensor,
        returns: th.Tensor,
        *,
        clip_range: float,
        ent_coef: float,
        vf_coef: float,
    ) -> dict[str, th.Tensor]:
        """Write the gradient of the loss of one minibatch (Schulman et al. 2017, equations 7 and 9).

        Args:
            inputs: what the networks read, (n, I); the actor reads the first of them where it has fewer inputs.
            actions: (n, A), not clipped.
            old_log_prob: log of their density when they were taken, (n,).
            advantages: (n,).
            returns: what the critic is to predict, (n,).
            clip_range: largest rewarded change of the probability ratio.
            ent_coef: weight of the entropy bonus.
            vf_coef: weight of the critic's squared error.

        Returns:
            Parts of the loss by the names under which stable-baselines3 logs them.
        """
        count = len(inputs)
        inverse_std = th.exp(-self.log_std)
        scaled = (actions - self.actor.forward(inputs)).mul_(inverse_std)
        squares = scaled * scaled
        log_ratio = squares.sum(1).mul_(-0.5).sub_(old_log_prob).sub_((self.log_std + LOG_SQRT_2_PI).sum())
        ratio = log_ratio.exp()
        gain, clipped = advantages * ratio, advantages * ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
        # The derivative of the loss by the log of each density: 0 where clipping has taken the reward away.
        slope = th.where(gain <= clipped, gain, 0.0).mul_(-1.0 / count)
        self.log_std.grad.copy_(slope @ (squares - 1.0)).sub_(ent_coef)
        self.actor.backward(scaled.mul_(inverse_std).mul_(slope[:, None]))
        misses = self.critic.forward(inputs)[:, 0] - returns
        self.critic.backward((misses * (2.0 * vf_coef / count))[:, None])
        return {
            "policy_gradient_loss": -th.minimum(gain, clipped).mean(),
            "value_loss": misses.square().mean(),
            "approx_kl": (ratio - 1.0 - log_ratio).mean(),
            "clip_fraction": ((ratio - 1.0).abs() > clip_range).float().mean(),
        }

    def clip(self, max_grad_norm: float) -> None:
        """Scale the gradient down to a norm, as `torch.nn.utils.clip_grad_norm_` does."""
        self.gradient.mul_((max_grad_norm / (self.gradient.norm() + 1e-6)).clamp_(max=1.0))


def linear_layers(network: Any, head: Any) -> list[Any]:
    """The linear layers of a network of stable-baselines3, with its head, in order."""
    return [*(layer for layer in network if isinstance(layer, th.nn.Linear)), head]


def _weights(network: Perceptron) -> list[Any]:
    return [each for layer in network.layers for each in (layer.weight, layer.bias)]
