"""PPO on the market against PPO on a VecEnv that does nothing, with the same shapes and the same bootstrapping."""

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv
from timing import arguments, interleave, median, ratio

from ruleshift.train import MarketPPO, MarketVecEnv

MARKETS, ROUNDS, EPISODE = 64, 50, 100


class Idle(VecEnv):
    """A VecEnv with as many rows, observations and truncations as the market, which computes nothing."""

    def __init__(self, like: MarketVecEnv) -> None:
        super().__init__(like.num_envs, like.observation_space, like.action_space)
        size = (self.num_envs, *self.observation_space.shape)
        self._observations = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
        self._rewards = np.zeros(self.num_envs, np.float32)
        self._round = 0

    def reset(self):
        return self._observations.copy()

    def step_async(self, actions) -> None:
        self._round += 1

    def step_wait(self):
        last = self._round % EPISODE == 0
        dones = np.full(self.num_envs, last)
        infos = [{}] * self.num_envs
        if last:
            infos = [{"terminal_observation": row, "TimeLimit.truncated": True} for row in self._observations]
        return self._observations.copy(), self._rewards.copy(), dones, infos

    def close(self) -> None:
        self._observations = self._observations[:0]

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None) -> None:
        setattr(self, attr_name, value)

    def env_method(self, method_name, *method_args, indices=None, **method_kwargs):
        return [getattr(self, method_name)(*method_args, **method_kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


def learner_block(env: VecEnv):
    """Return a block of one rollout and its five epochs of updates."""
    steps = ROUNDS * env.num_envs
    learner = MarketPPO(
        "MlpPolicy", env, n_steps=ROUNDS, batch_size=steps // 4, n_epochs=5, device="cpu", seed=0,
        policy_kwargs={"net_arch": [64, 64]},
    )  # fmt: skip

    def block() -> int:
        learner.learn(steps, reset_num_timesteps=False)
        return steps

    return block


if __name__ == "__main__":
    options = arguments(__doc__, seconds=60)
    torch.set_num_threads(1)
    market = MarketVecEnv("price_board", markets=MARKETS)
    rates = interleave({"market": learner_block(market), "idle": learner_block(Idle(market))}, options.seconds)
    for name, each in rates.items():
        print(f"PPO on {name:<8}{median(each):10,.0f} agent-steps/s")
    print(f"market / idle {ratio(rates, 'market', 'idle')}, target 0.93")
