"""PPO of stable-baselines3 with a leaner rollout: the same algorithm, one value forward for all truncated rows."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv

from ruleshift.envs import FEATURES
from ruleshift.envs.fields import Count, Number, Sizes, check_fields, option
from ruleshift.train.asymmetric import AsymmetricPolicy
from ruleshift.train.closed_form import LOG_SQRT_2_PI, ClosedForm, has_closed_form
from ruleshift.train.distill import TEACHER_COEF, TaughtVecEnv
from ruleshift.train.schema import SchemaPolicy
from ruleshift.train.standardized import StandardizedExtractor, standardize

Learner = OnPolicyAlgorithm
"""What learns: a `MarketPPO`, or a RecurrentPPO of sb3-contrib."""


@dataclass(frozen=True)
class PPOSettings:
    """Hyper-parameters of PPO, the same for every arm, under the names that stable-baselines3 gives them.

    The sizes were chosen by learning, not by speed. 500,000 agent-steps under `price_board`, then profit per round in
    one seat among the scripted rivals (cost-plus pricing earns 0.10 there): rollouts of 25,600 in minibatches of 6,400
    earned 0.01, of 12,800 in 1,600 0.06, of 6,400 in 800 0.10; twice the learning rate with more epochs, 0.04.

    Raises:
        ValueError: a value out of its range; names the field.
    """

    markets: int = option(64, Count(1, 10**6))
    """Markets that are stepped at once; half of their seats learn."""
    rollout_size: int = option(6_400, Count(2, 10**9))
    """Agent-steps between two updates, summed over all learning seats; SB3's `n_steps` counts them for one seat."""
    batch_size: int = option(800, Count(2, 10**9))
    """Agent-steps of one gradient step, or about as many: the nearest size that divides the rollout evenly."""
    n_epochs: int = option(2, Count(1, 1000))
    """Passes over each rollout."""
    learning_rate: float = option(1e-3, Number(0, 1))
    """Step size of Adam at the start; it falls linearly to a tenth."""
    gamma: float = option(0.98, Number(0, 1))
    """Discount of a round's reward against the one before; below .97 path dependence is out of sight."""
    gae_lambda: float = option(0.9, Number(0, 1))
    """Lambda of generalized advantage estimation (Schulman et al. 2016)."""
    clip_range: float = option(0.2, Number(0, 1))
    """Largest change of the probability ratio that is rewarded (Schulman et al. 2017)."""
    ent_coef: float = option(0.001, Number(0, 1))
    """Weight of the entropy bonus in the loss."""
    aux_coef: float = option(0.03, Number(0, 1e6))
    """Weight of an auxiliary task (Jaderberg et al. 2017) in the loss: from what the actor's last layer computes, to
    predict the features of the rule, which the critic knows. It has no part in what a policy does afterwards."""
    max_grad_norm: float = option(5.0, Number(0, 1e9))
    """Norm to which a gradient is scaled down. At SB3's 0.5, which holds for actor and critic together, the critic's
    part leaves the actor little."""
    log_std_init: float = option(math.log(0.35), Number(-20, 2))
    """Log of each action's standard deviation at the start. At deviation 1, asks lose so much that staying out wins."""
    net_arch: tuple[int, ...] = option((64, 64), Sizes(1, 65_536, 100))
    """Widths of the tanh layers, of the policy and of the value network alike."""

    def __post_init__(self) -> None:
        check_fields(self, "settings")

    def n_steps(self, rows: int) -> int:
        """Rounds of one rollout in which `rows` seats learn, over all markets: SB3's `n_steps`."""
        return max(self.rollout_size // rows, 1)

    def fitted_batch_size(self, rows: int) -> int:
        """Agent-steps of a minibatch there: the divisor of the rollout that is nearest to `batch_size`, as a ratio.

        >>> PPOSettings().fitted_batch_size(256), PPOSettings().fitted_batch_size(304)
        (800, 798)
        """
        rollout = self.n_steps(rows) * rows
        small = [count for count in range(1, math.isqrt(rollout) + 1) if rollout % count == 0]
        divisors = sorted({*small, *(rollout // count for count in small)} - {1})
        return min(divisors, key=lambda count: abs(math.log(count / self.batch_size)))


class MarketPPO(PPO):
    """PPO whose arithmetic is laid out for speed: the algorithm and the weights of stock PPO, up to rounding.

    Where the policy is two perceptrons with tanh and a Gaussian, a rollout values all its states at once when it ends,
    and the gradient is that of `ClosedForm`. Any other policy, device or option of PPO is left to stable-baselines3.
    Where the VecEnv says `clips_actions`, it gets the sampled actions as they are, and counts what it clips.

    Args:
        args: as of PPO.
        aux_coef: weight of the squared error of an `AsymmetricPolicy`'s predictor in the loss.
        teacher_coef: weight of the divergence from what a teacher advises, where the VecEnv is a `TaughtVecEnv`.
        kwargs: as of PPO.
    """

    def __init__(self, *args: Any, aux_coef: float = 0.0, teacher_coef: float = 0.0, **kwargs: Any) -> None:
        self.aux_coef, self.teacher_coef = aux_coef, teacher_coef
        self._advice = th.empty(0)
        super().__init__(*args, **kwargs)

    def closed_form(self) -> ClosedForm | None:
        """Make the gradient in closed form of the policy as it is; None where it has to be left to autograd."""
        stock = self.use_sde or self.clip_range_vf is not None or self.target_kl is not None
        if stock or type(self.rollout_buffer) is not RolloutBuffer or not has_closed_form(self.policy):
            return None
        return ClosedForm(self.policy)

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        closed_form = self.closed_form()
        if closed_form is None:
            return super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        buffer = rollout_buffer
        buffer.reset()
        callback.on_rollout_start()
        low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]
        clip = not getattr(env, "clips_actions", False)
        noise = th.empty(buffer.actions.shape)
        taught = self.teacher_coef > 0
        self._advice = th.empty(buffer.actions.shape if taught else 0)
        ends: list[tuple[int, int, dict[str, Any]]] = []
        with th.no_grad():
            std = self.policy.log_std.exp()
            for step in range(n_rollout_steps):
                buffer.observations[step] = self._last_obs
                buffer.episode_starts[step] = self._last_episode_starts
                if taught:
                    self._advice[step] = th.from_numpy(env.advice)  # type: ignore[attr-defined]
                means = closed_form.act(buffer.observations[step])
                actions = buffer.actions[step]
                th.addcmul(means, noise[step].normal_(), std, out=th.from_numpy(actions))
                new_obs, rewards, dones, infos = env.step(np.clip(actions, low, high) if clip else actions)
                self.num_timesteps += env.num_envs
                callback.update_locals(locals())
                if not callback.on_step():
                    return False
                buffer.rewards[step] = rewards
                if dones.any():
                    self._update_info_buffer(infos, dones)
                    ends += [(step, row, infos[row]) for row in np.flatnonzero(dones).tolist()]
                self._last_obs, self._last_episode_starts = new_obs, dones  # type: ignore[assignment]
            scaled = noise.square().sum(2).mul_(-0.5)
            th.sub(scaled, (self.policy.log_std + LOG_SQRT_2_PI).sum(), out=th.from_numpy(buffer.log_probs))
            self._fill_values(buffer, ends, closed_form)
            last_values = th.from_numpy(closed_form.value(np.asarray(new_obs)))
        buffer.compute_returns_and_advantage(last_values, dones)
        buffer.pos, buffer.full = n_rollout_steps, True
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _fill_values(
        self, buffer: RolloutBuffer, ends: list[tuple[int, int, dict[str, Any]]], closed_form: ClosedForm
    ) -> None:
        """Value all states of a rollout, and what follows for rows that were truncated there, discounted."""
        states = buffer.observations.reshape(-1, buffer.observations.shape[-1])
        buffer.values[:] = closed_form.value(states).reshape(buffer.values.shape)
        truncated = [(step, row, info) for step, row, info in ends if info.get("TimeLimit.truncated", False)]
        if truncated:
            steps, rows, infos = zip(*truncated, strict=True)
            last = np.stack([info["terminal_observation"] for info in infos])
            buffer.rewards[list(steps), list(rows)] += self.gamma * closed_form.value(last)

    def train(self) -> None:
        """Update the policy by the rollout; minibatches and what is logged are those of stock PPO."""
        buffer = self.rollout_buffer
        standardize(self.policy, buffer.observations)
        closed_form = self.closed_form()
        if closed_form is None:
            self._check_nothing_beside()
            super().train()
            return
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        clip_range = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        steps, rows = buffer.values.shape
        observations, actions, log_probs, advantages, returns = (
            th.from_numpy(each.reshape(steps * rows, *each.shape[2:]))
            for each in (buffer.observations, buffer.actions, buffer.log_probs, buffer.advantages, buffer.returns)
        )
        inputs = closed_form.features(observations)
        labels = observations[:, closed_form.own :][:, : getattr(self.policy, "named", 0)]
        advice, advice_log_std = self._teacher()
        minibatch = th.empty(self.batch_size, inputs.shape[1])
        logs: list[dict[str, th.Tensor]] = []
        with th.no_grad():
            for _ in range(self.n_epochs):
                order = np.random.permutation(steps * rows)  # noqa: NPY002 - SB3's generator, so that minibatches agree
                order = order % steps * rows + order // steps  # SB3 counts all rounds of a row before the next row
                for start in range(0, len(order), self.batch_size):
                    chosen = th.from_numpy(order[start : start + self.batch_size])
                    advantage = advantages[chosen]
                    if self.normalize_advantage and len(chosen) > 1:
                        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                    losses = closed_form.accumulate(
                        th.index_select(inputs, 0, chosen, out=minibatch[: len(chosen)]),
                        actions[chosen], log_probs[chosen], advantage, returns[chosen],
                        clip_range=clip_range, ent_coef=self.ent_coef, vf_coef=self.vf_coef, aux_coef=self.aux_coef,
                        labels=labels[chosen], teacher_coef=self.teacher_coef,
                        teacher=(advice[chosen], advice_log_std) if self.teacher_coef else None,
                    )  # fmt: skip
                    logs.append(losses)
                    closed_form.clip(self.max_grad_norm)
                    self.policy.optimizer.step()
                self._n_updates += 1
        self._log(logs, clip_range)

    def _teacher(self) -> tuple[th.Tensor, th.Tensor]:
        """Means (steps * rows, A) of what a teacher would have done in the rollout, and log deviations; or nothing."""
        if not self.teacher_coef:
            return th.empty(0), th.empty(0)
        env: Any = self.env
        return self._advice.flatten(0, 1), th.from_numpy(env.teacher.weights["log_std"])

    def _check_nothing_beside(self) -> None:
        """Refuse to leave to stock PPO what it would not train."""
        right = "with tanh layers and a Gaussian on the CPU, without use_sde, clip_range_vf or target_kl"
        if self.aux_coef and getattr(self.policy, "predictor", None) is not None:
            raise ValueError(
                f"aux_coef is {self.aux_coef}; a predictor is only trained {right}; leave out predicted or these"
            )
        if getattr(self.policy, "learns_names", False):
            raise ValueError(f"learns_names is True; a namer is only trained {right}; leave it out or these")
        if self.teacher_coef:
            raise ValueError(f"teacher_coef is {self.teacher_coef}; a teacher is only followed {right}")

    def _log(self, logs: list[dict[str, th.Tensor]], clip_range: float) -> None:
        means = {name: float(th.stack([each[name] for each in logs]).mean()) for name in logs[0]}
        entropy = float((self.policy.log_std.detach() + 0.5 + LOG_SQRT_2_PI).sum())
        loss = means["policy_gradient_loss"] - self.ent_coef * entropy + self.vf_coef * means["value_loss"]
        loss += self.aux_coef * means.get("auxiliary_loss", 0.0)
        loss += self.teacher_coef * means.get("teacher_divergence", 0.0)
        buffer = self.rollout_buffer
        explained = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        for name, value in {
            **means,
            "entropy_loss": -entropy,
            "loss": loss,
            "explained_variance": explained,
            "std": float(self.policy.log_std.detach().exp().mean()),
            "clip_range": clip_range,
        }.items():
            self.logger.record(f"train/{name}", value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")


def make_learner(
    env: VecEnv,
    settings: PPOSettings,
    *,
    seed: int,
    units: int = 0,
    named: int = 0,
    learns_names: bool = True,
    spent: float = 0.0,
) -> Learner:
    """PPO with tanh networks on the CPU: a `MarketPPO`, or the stock RecurrentPPO of sb3-contrib.

    Args:
        env: where it learns.
        settings: hyper-parameters.
        seed: of weights, actions and minibatches.
        units: width of the LSTM before the layers of each network, or 0 for none.
        named: how many features of the rule the actor names and acts on, or 0; never with an LSTM.
        learns_names: whether it learns to name them.
        spent: share of the run's steps that is spent before it begins, as those of its teacher are.

    Raises:
        ImportError: an LSTM is asked for, and sb3-contrib is not installed.
    """
    start = settings.learning_rate
    kind, policy, networks = _recurrent(units) if units else _perceptrons(env, settings, named, learns_names)
    return kind(
        policy,
        env,
        learning_rate=lambda remaining: start * (0.1 + 0.9 * min(max(remaining / (1.0 - spent), 0.0), 1.0)),
        n_steps=settings.n_steps(env.num_envs),
        batch_size=settings.fitted_batch_size(env.num_envs),
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        ent_coef=settings.ent_coef,
        max_grad_norm=settings.max_grad_norm,
        policy_kwargs={
            "net_arch": list(settings.net_arch),
            "activation_fn": th.nn.Tanh,
            "log_std_init": settings.log_std_init,
            "optimizer_kwargs": {"eps": 1e-5, "fused": not units},
            "features_extractor_class": StandardizedExtractor,
            **networks,
        },
        seed=seed,
        device="cpu",
    )


def _perceptrons(env: VecEnv, settings: PPOSettings, named: int, learns_names: bool) -> tuple[Any, Any, dict[str, Any]]:
    privileged: int = getattr(env, "privileged_size", 0)
    predicted = len(FEATURES) if settings.aux_coef and privileged else 0
    networks: dict[str, Any] = {"privileged": privileged, "predicted": predicted}
    if named:
        networks |= {"named": named, "learns_names": learns_names}
    kind = SchemaPolicy if named else AsymmetricPolicy
    own = {"aux_coef": settings.aux_coef, "teacher_coef": TEACHER_COEF if isinstance(env, TaughtVecEnv) else 0.0}
    return partial(MarketPPO, **own), kind, networks


def _recurrent(units: int) -> tuple[Any, Any, dict[str, Any]]:
    from sb3_contrib import RecurrentPPO  # an option that is installed apart

    class StandardizedRecurrentPPO(RecurrentPPO):  # type: ignore[misc]
        def train(self) -> None:
            standardize(self.policy, self.rollout_buffer.observations)
            super().train()

    return StandardizedRecurrentPPO, "MlpLstmPolicy", {"lstm_hidden_size": units}
