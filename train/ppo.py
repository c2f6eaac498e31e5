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

Learner = OnPolicyAlgorithm
"""What learns: a `MarketPPO`, or a RecurrentPPO of sb3-contrib."""


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of learning, the same for every arm.

    The sizes were chosen by learning, not by speed. 500,000 agent-steps under `price_board`, then profit a round in one
    seat among the scripted rivals (cost-plus pricing earns 0.10 there): rollouts of 25,600 in minibatches of 6,400
    earned 0.01, of 12,800 in 1,600 0.06, of 6,400 in 800 0.10; twice the learning rate with more epochs, 0.04.
    """

    markets: int = 64
    """Markets stepped at once; half of their seats learn."""
    rollout: int = 6_400
    """Agent-steps gathered before each update, shared out over all learning seats."""
    minibatch: int = 800
    """Agent-steps of one gradient step, or about as many."""
    epochs: int = 5
    """Passes over each rollout."""
    learning_rate: float = 1e-3
    """Of Adam at the start; it falls linearly to a tenth."""
    discount: float = 0.98
    """A round's weight against the next; below .97 path dependence is out of sight."""
    gae: float = 0.95
    """Lambda of generalized advantage estimation (Schulman et al. 2016)."""
    clip: float = 0.2
    """Range of the probability ratio (Schulman et al. 2017)."""
    entropy: float = 0.001
    """Weight of the entropy bonus."""
    spread: float = 0.35
    """Standard deviation of each action at the start. At 1, asks that wide lose so much that staying out is learned."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the tanh layers, of the policy and of the value network alike."""

    def rounds(self, rows: int) -> int:
        """Rounds of one rollout where `rows` seats learn, over all markets."""
        return max(self.rollout // rows, 1)

    def batch(self, rows: int) -> int:
        """Agent-steps of a minibatch there: what divides the rollout evenly and is nearest, as a ratio, to `minibatch`.

        >>> Settings().batch(256), Settings().batch(304)
        (800, 798)
        """
        rollout = self.rounds(rows) * rows
        divisors = [count for count in range(1, rollout + 1) if rollout % count == 0]
        return min(divisors, key=lambda count: abs(math.log(count / self.minibatch)))


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


def make_learner(env: VecEnv, settings: Settings, *, seed: int, units: int = 0) -> Learner:
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
        n_steps=settings.rounds(env.num_envs),
        batch_size=settings.batch(env.num_envs),
        n_epochs=settings.epochs,
        gamma=settings.discount,
        gae_lambda=settings.gae,
        clip_range=settings.clip,
        ent_coef=settings.entropy,
        policy_kwargs={
            "net_arch": list(settings.hidden),
            "activation_fn": th.nn.Tanh,
            "log_std_init": math.log(settings.spread),
            **lstm,
        },
        seed=seed,
        device="cpu",
    )


def _recurrent(units: int) -> tuple[type[Any], str, dict[str, Any]]:
    from sb3_contrib import RecurrentPPO  # an option that is installed apart

    return RecurrentPPO, "MlpLstmPolicy", {"lstm_hidden_size": units}
