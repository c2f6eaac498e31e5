"""PPO of stable-baselines3 with a leaner rollout: the same algorithm, one value forward for all truncated rows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from ruleshift.envs.fields import Count, Number, Sizes, check_fields, option

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
    n_epochs: int = option(5, Count(1, 1000))
    """Passes over each rollout."""
    learning_rate: float = option(1e-3, Number(0, 1))
    """Step size of Adam at the start; it falls linearly to a tenth."""
    gamma: float = option(0.98, Number(0, 1))
    """Discount of a round's reward against the one before; below .97 path dependence is out of sight."""
    gae_lambda: float = option(0.95, Number(0, 1))
    """Lambda of generalized advantage estimation (Schulman et al. 2016)."""
    clip_range: float = option(0.2, Number(0, 1))
    """Largest change of the probability ratio that is rewarded (Schulman et al. 2017)."""
    ent_coef: float = option(0.001, Number(0, 1))
    """Weight of the entropy bonus in the loss."""
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
    """PPO that bootstraps all truncated rows of a round at once (stock PPO does one forward pass a row).

    Gives the weights of stock PPO up to floating-point rounding, on any VecEnv. Continuous actions and flat
    observations only, without state-dependent exploration. Where the VecEnv says `clips_actions`, it gets the sampled
    actions as they are, and counts what it clips.
    """

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()
        low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]
        clip = not getattr(env, "clips_actions", False)
        for _ in range(n_rollout_steps):
            with th.no_grad():
                sampled, values, log_probs = self.policy(th.as_tensor(self._last_obs, device=self.device))
            actions = sampled.cpu().numpy()
            new_obs, rewards, dones, infos = env.step(np.clip(actions, low, high) if clip else actions)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            if dones.any():
                self._update_info_buffer(infos, dones)
                self._bootstrap(rewards, dones, infos)
            rollout_buffer.add(
                self._last_obs,  # type: ignore[arg-type]
                actions,
                rewards,
                self._last_episode_starts,  # type: ignore[arg-type]
                values,
                log_probs,
            )
            self._last_obs, self._last_episode_starts = new_obs, dones  # type: ignore[assignment]
        with th.no_grad():
            values = self.policy.predict_values(th.as_tensor(new_obs, device=self.device))  # type: ignore[arg-type]
        rollout_buffer.compute_returns_and_advantage(last_values=values, dones=dones)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _bootstrap(self, rewards: np.ndarray, dones: np.ndarray, infos: list[dict[str, Any]]) -> None:
        """Add to the reward of each truncated row the discounted value of the state that it did not go on from."""
        rows = [
            int(row)
            for row in np.flatnonzero(dones)
            if infos[row].get("TimeLimit.truncated", False) and infos[row].get("terminal_observation") is not None
        ]
        if not rows:
            return
        last = np.stack([infos[row]["terminal_observation"] for row in rows])
        with th.no_grad():
            values = self.policy.predict_values(th.as_tensor(last, device=self.device))
        rewards[rows] += self.gamma * values.cpu().numpy().reshape(-1)


def make_learner(env: VecEnv, settings: PPOSettings, *, seed: int, units: int = 0) -> Learner:
    """PPO with tanh networks on the CPU: a `MarketPPO`, or the stock RecurrentPPO of sb3-contrib.

    Args:
        env: where it learns.
        settings: hyper-parameters.
        seed: of weights, actions and minibatches.
        units: width of the LSTM before the layers of each network, or 0 for none.

    Raises:
        ImportError: an LSTM is asked for, and sb3-contrib is not installed.
    """
    start = settings.learning_rate
    kind, policy, lstm = _recurrent(units) if units else (MarketPPO, "MlpPolicy", {})
    return kind(
        policy,
        env,
        learning_rate=lambda remaining: start * (0.1 + 0.9 * max(remaining, 0.0)),
        n_steps=settings.n_steps(env.num_envs),
        batch_size=settings.fitted_batch_size(env.num_envs),
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        ent_coef=settings.ent_coef,
        policy_kwargs={
            "net_arch": list(settings.net_arch),
            "activation_fn": th.nn.Tanh,
            "log_std_init": settings.log_std_init,
            **lstm,
        },
        seed=seed,
        device="cpu",
    )


def _recurrent(units: int) -> tuple[type[Any], str, dict[str, Any]]:
    from sb3_contrib import RecurrentPPO  # an option that is installed apart

    return RecurrentPPO, "MlpLstmPolicy", {"lstm_hidden_size": units}
