"""A learner's memory: rows of a VecEnv with what they remember, by the function that a learned policy remembers by."""

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnvWrapper

from ruleshift.agents.history import History
from ruleshift.agents.running_means import RunningMeans
from ruleshift.envs import Market
from ruleshift.envs.fields import brief
from ruleshift.train.groups import MixedVecEnv
from ruleshift.train.vec_env import SETTABLE, MarketVecEnv, check_alike


class MemoryVecEnv(VecEnvWrapper):
    """Observations (num_envs, F) become inputs (num_envs, I): each row with what its organization remembers.

    A row's memory is empty when its episode begins, and when a newcomer takes its seat; `terminal_observation` has
    the memory of the organization that it belongs to. What the markets add for a critic alone stays at the end.

    Args:
        venv: the markets.
        memory: what is remembered, such as `RunningMeans(kinds=3)` or `History(kinds=3, rounds=4)`.

    >>> from ruleshift.agents import History
    >>> MemoryVecEnv(MarketVecEnv("price_board", markets=2), History(kinds=3, rounds=4)).reset().shape
    (16, 140)
    """

    def __init__(self, venv: MarketVecEnv | MixedVecEnv, memory: History | RunningMeans) -> None:
        if not isinstance(memory, History | RunningMeans):
            raise TypeError(f"memory is {brief(memory)}; it must be a History or RunningMeans")
        self.memory = memory
        own = venv.observation_space.shape
        assert own is not None
        self._seen_size, self.privileged_size = own[0] - venv.privileged_size, venv.privileged_size
        size = self.memory.input_size + self.privileged_size
        super().__init__(venv, spaces.Box(-10.0, 10.0, (size,), np.float32))
        self.venv: MarketVecEnv | MixedVecEnv
        self._before = self._after = self.memory.empty(self.num_envs)  # before and after what was last seen

    def __setattr__(self, name: str, value: Any) -> None:
        """Hand on what `MarketVecEnv.set_attr` takes, so that it has an effect."""
        if name in SETTABLE:
            self.venv.set_attr(name, value)
        else:
            super().__setattr__(name, value)

    @property
    def all_markets(self) -> tuple[Market, ...]:
        """The batched markets that are played beneath."""
        return self.venv.all_markets

    def reset(self) -> np.ndarray:
        """Begin an episode and return inputs (num_envs, I), every memory empty."""
        return self._read(self.venv.reset(), self.memory.empty(self.num_envs))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """`step_async` and `step_wait` in one."""
        self.step_async(actions)
        return self.step_wait()

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """Play the round: inputs (num_envs, I), rewards, dones, infos."""
        observations, rewards, dones, infos = self.venv.step_wait()
        memory = self._after
        if dones.any():
            ended = np.flatnonzero(dones)
            self._add_memory(ended, infos)
            memory = memory.copy()
            memory[ended] = 0.0
        return self._read(observations, memory), rewards, dones, infos

    def _read(self, observations: np.ndarray, memory: np.ndarray) -> np.ndarray:
        self._before = memory
        inputs, self._after = self._with_memory(observations, memory)
        return inputs

    def _with_memory(self, observations: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inputs, after = self.memory.read(observations[:, : self._seen_size], memory)
        if self.privileged_size:
            inputs = np.concatenate([inputs, observations[:, self._seen_size :]], axis=1)
        return inputs, after

    def _add_memory(self, ended: np.ndarray, infos: list[dict[str, Any]]) -> None:
        """Where an episode was truncated a last round was seen; who went bankrupt saw none after the one acted on."""
        last = np.stack([infos[row]["terminal_observation"] for row in ended])
        truncated = np.array([infos[row]["TimeLimit.truncated"] for row in ended])
        memory = np.where(truncated[:, None], self._after[ended], self._before[ended])
        for row, own in zip(ended.tolist(), self._with_memory(last, memory)[0], strict=True):
            infos[row]["terminal_observation"] = own

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next steps depend on, as arrays: `load_state_dict` continues with the same bits."""
        return {**self.venv.state_dict(), **self._own_state()}

    def _own_state(self) -> dict[str, np.ndarray]:
        return {"memory": self._after.copy(), "memory_before": self._before.copy()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken, on a VecEnv made with the same arguments.

        Raises:
            ValueError: as `MarketVecEnv.load_state_dict`; nothing has changed.
        """
        own = self._own_state()
        check_alike({name: array for name, array in state.items() if name in own}, own)
        self.venv.load_state_dict({name: array for name, array in state.items() if name not in own})
        self._after, self._before = state["memory"].copy(), state["memory_before"].copy()
