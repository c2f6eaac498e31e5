"""PPO's gradient in closed form, for a Gaussian actor and a critic that are perceptrons with tanh.

It is what autograd computes for the loss of stable-baselines3, within rounding, without the graph: every pass runs in
arrays that are allocated once for all minibatches of an update.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy

from ruleshift.train.standardized import EXTRACTORS, NAMED_MEAN, NAMED_STD

LOG_SQRT_2_PI = 0.5 * math.log(2.0 * math.pi)
_MINUS_ONE = th.tensor(-1.0)
_PART = 1_600


def has_closed_form(policy: ActorCriticPolicy) -> bool:
    """Whether a policy is what `ClosedForm` can differentiate: two perceptrons with tanh and a Gaussian."""
    layers = [*policy.mlp_extractor.policy_net, *policy.mlp_extractor.value_net]
    return (
        type(policy.features_extractor) in EXTRACTORS
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
            out, last = self._signals[index][: len(inputs)], index == len(self.layers) - 1
            scale = 1.0 if last else 2.0
            th.addmm(layer.bias, signal, layer.weight.t(), beta=scale, alpha=scale, out=out)
            if not last:  # tanh(x) = 2 sigmoid(2 x) - 1, and torch's sigmoid takes a third of the time of its tanh
                th.add(_MINUS_ONE, out.sigmoid_(), alpha=2.0, out=out)
            signal = out
        return signal

    @property
    def last_hidden(self) -> th.Tensor:
        """What the last layer read in the last forward pass, (n, U)."""
        return self._signals[-2][: len(self._seen)] if len(self.layers) > 1 else self._seen

    def backward(self, error: th.Tensor, hidden_error: th.Tensor | None = None) -> None:
        """Write the gradient of the weights into their `grad`.

        Args:
            error: the gradient of the loss by the last outputs, (n, O).
            hidden_error: what the loss has besides, by what the last layer read, (n, U).
        """
        count = len(error)
        for index in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[index]
            below = self._signals[index - 1][:count] if index else self._seen
            th.mm(error.t(), below, out=layer.weight.grad)
            th.sum(error, 0, out=layer.bias.grad)
            if index:
                out = self._errors[index - 1][:count]
                th.mm(error, layer.weight, out=out)
                if hidden_error is not None and index == len(self.layers) - 1:
                    out.add_(hidden_error)
                th.ops.aten.tanh_backward.grad_input(out, below, grad_input=out)
                error = out

    def _make_room(self, count: int) -> None:
        if not self._signals or len(self._signals[0]) < count:
            self._signals = [th.empty(count, layer.out_features) for layer in self.layers]
            self._errors = [th.empty(count, layer.out_features) for layer in self.layers[:-1]]


class ClosedForm:
    """The gradient of PPO's loss by the weights of a policy of which `has_closed_form` is true.

    The `grad` of every weight becomes a view of one flat vector, so that the norm of the whole takes one call. Those of
    the namer of a `SchemaPolicy` are apart: its loss is another, and neither is scaled down because of the other.

    Args:
        policy: the policy of a PPO.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self.actor = Perceptron(linear_layers(policy.mlp_extractor.policy_net, policy.action_net))
        self.critic = Perceptron(linear_layers(policy.mlp_extractor.value_net, policy.value_net))
        self.features: Any = policy.features_extractor
        self.log_std: Any = policy.log_std
        self.predictor: Any = getattr(policy, "predictor", None)
        layers = [*self.actor.layers, *self.critic.layers, *([self.predictor] if self.predictor is not None else [])]
        weights = [policy.log_std, *(each for layer in layers for each in (layer.weight, layer.bias))]
        self.gradient = th.zeros(sum(each.numel() for each in weights))
        """The gradient of every weight, in one vector."""
        start = 0
        for weight in weights:
            weight.grad = self.gradient[start : start + weight.numel()].view_as(weight)
            start += weight.numel()
        self.namer = _namer_of(policy)
        self.learns_names: bool = self.namer is not None and policy.learns_names  # type: ignore[assignment]
        self.own = self.namer.inputs if self.namer is not None else self.actor.inputs
        """How many inputs the actor may read; privileged ones follow."""
        self._named = th.empty(0)

    def act(self, observations: np.ndarray) -> th.Tensor:
        """The means of the actions, (n, A), for observations (n, I) float32; the next call overwrites them."""
        return self.actor.forward(self._with_names(self.features(th.from_numpy(observations))))

    def _with_names(self, inputs: th.Tensor) -> th.Tensor:
        """What the actor reads: the inputs as they are, or those that it may read and what the namer makes of them."""
        if self.namer is None:
            return inputs
        self._named = self.namer.forward(inputs).sigmoid_()
        return th.cat([inputs[:, : self.own], (self._named - NAMED_MEAN) / NAMED_STD], 1)

    def value(self, observations: np.ndarray) -> np.ndarray:
        """What the critic expects from each of n observations (n, I) float32 on, (n,); they fit the cache in parts."""
        values = np.empty(len(observations), np.float32)
        for start in range(0, len(observations), _PART):
            part = self.features(th.from_numpy(observations[start : start + _PART]))
            values[start : start + _PART] = self.critic.forward(part)[:, 0].numpy()
        return values

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
        aux_coef: float = 0.0,
        labels: th.Tensor | None = None,
        teacher: tuple[th.Tensor, th.Tensor] | None = None,
        teacher_coef: float = 0.0,
    ) -> dict[str, th.Tensor]:
        """Write the gradient of the loss of one minibatch (Schulman et al. 2017, equations 7 and 9).

        Args:
            inputs: features of what was observed, (n, I); the actor reads the first of them where it has fewer inputs.
            actions: (n, A), not clipped.
            old_log_prob: log of their density when they were taken, (n,).
            advantages: (n,).
            returns: what the critic is to predict, (n,).
            clip_range: largest rewarded change of the probability ratio.
            ent_coef: weight of the entropy bonus.
            vf_coef: weight of the critic's squared error.
            aux_coef: weight of the predictor's squared error, summed over what it predicts.
            labels: what a namer that learns is to name, (n, F) from 0 to 1.
            teacher: means (n, A) and log deviations (A,) of what a teacher would have done.
            teacher_coef: weight of the divergence from the teacher.

        Returns:
            Parts of the loss by the names under which stable-baselines3 logs them.
        """
        count = len(inputs)
        inverse_std = th.exp(-self.log_std)
        means = self.actor.forward(self._with_names(inputs))
        scaled = (actions - means).mul_(inverse_std)
        squares = scaled * scaled
        log_ratio = squares.sum(1).mul_(-0.5).sub_(old_log_prob).sub_((self.log_std + LOG_SQRT_2_PI).sum())
        ratio = log_ratio.exp()
        gain, clipped = advantages * ratio, advantages * ratio.clamp(1.0 - clip_range, 1.0 + clip_range)
        # The derivative of the loss by the log of each density: 0 where clipping has taken the reward away.
        slope = th.where(gain <= clipped, gain, 0.0).mul_(-1.0 / count)
        self.log_std.grad.copy_(slope @ (squares - 1.0)).sub_(ent_coef)
        by_means = scaled.mul_(inverse_std).mul_(slope[:, None])
        others, hidden_error = self._predict(inputs, aux_coef)
        if teacher is not None:
            others["teacher_divergence"], toward, by_log_std = divergence(means, self.log_std, *teacher)
            by_means.add_(toward, alpha=teacher_coef)
            self.log_std.grad.add_(by_log_std, alpha=teacher_coef)
        self.actor.backward(by_means, hidden_error)
        others |= self._name(labels)
        misses = self.critic.forward(inputs)[:, 0] - returns
        self.critic.backward((misses * (2.0 * vf_coef / count))[:, None])
        return {
            "policy_gradient_loss": -th.minimum(gain, clipped).mean(),
            "value_loss": misses.square().mean(),
            "approx_kl": (ratio - 1.0 - log_ratio).mean(),
            "clip_fraction": ((ratio - 1.0).abs() > clip_range).float().mean(),
            **others,
        }

    def _predict(self, inputs: th.Tensor, aux_coef: float) -> tuple[dict[str, th.Tensor], th.Tensor | None]:
        """Write the gradient of the predictor; return its loss, and the error of what it reads, (n, U)."""
        if self.predictor is None:
            return {}, None
        hidden, start = self.actor.last_hidden, self.own
        target = inputs[:, start : start + self.predictor.out_features]
        misses = th.addmm(self.predictor.bias, hidden, self.predictor.weight.t()).sub_(target)
        loss = misses.square().sum(1).mean()
        error = misses.mul_(2.0 * aux_coef / len(inputs))
        th.mm(error.t(), hidden, out=self.predictor.weight.grad)
        th.sum(error, 0, out=self.predictor.bias.grad)
        return {"auxiliary_loss": loss}, error @ self.predictor.weight

    def _name(self, labels: th.Tensor | None) -> dict[str, th.Tensor]:
        """Write the gradient of the cross-entropy of what was named to its labels, summed over them; return it."""
        if self.namer is None or not self.learns_names or labels is None:
            return {}
        loss = th.nn.functional.binary_cross_entropy(self._named, labels, reduction="sum") / len(labels)
        self.namer.backward((self._named - labels).div_(len(labels)))
        return {"naming_loss": loss}

    def clip(self, max_grad_norm: float) -> None:
        """Scale the gradient down to a norm, as `torch.nn.utils.clip_grad_norm_` does."""
        self.gradient.mul_((max_grad_norm / (self.gradient.norm() + 1e-6)).clamp_(max=1.0))


def divergence(
    means: th.Tensor, log_std: th.Tensor, teacher_means: th.Tensor, teacher_log_std: th.Tensor
) -> tuple[th.Tensor, th.Tensor, th.Tensor]:
    """The Kullback-Leibler divergence of a student's Gaussians from its teacher's, and its gradient.

    With means m, t and deviations s, u of student and teacher, it is for each action

        log(s / u) + (u^2 + (m - t)^2) / (2 s^2) - 1/2.

    Args:
        means: m, (n, A).
        log_std: log of s, (A,).
        teacher_means: t, (n, A).
        teacher_log_std: log of u, (A,).

    Returns:
        the divergence, summed over actions and averaged over the n, and its derivatives by `means` (n, A) and by
        `log_std` (A,).
    """
    away, inverse_variance = means - teacher_means, th.exp(-2.0 * log_std)
    spread = (th.exp(2.0 * teacher_log_std) + away.square().mean(0)) * inverse_variance
    value = (log_std - teacher_log_std + 0.5 * spread - 0.5).sum()
    return value, away.mul_(inverse_variance / len(means)), 1.0 - spread


def _namer_of(policy: ActorCriticPolicy) -> Perceptron | None:
    """The namer of a `SchemaPolicy`, with gradients of 0, or None."""
    namer = getattr(policy.mlp_extractor, "namer", None)
    if namer is None:
        return None
    for weight in namer.parameters():
        weight.grad = th.zeros_like(weight)
    return Perceptron([layer for layer in namer if isinstance(layer, th.nn.Linear)])


def linear_layers(network: Any, head: Any) -> list[Any]:
    """The linear layers of a network of stable-baselines3, with its head, in order."""
    return [*(layer for layer in network if isinstance(layer, th.nn.Linear)), head]
