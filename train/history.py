"""A learner's memory: rows of a VecEnv with their history, by the very function that a learned policy reads them by."""

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnvWrapper

from ruleshift.agents.history import History
from ruleshift.envs import Market
from ruleshift.train.groups import MixedVecEnv
from ruleshift.train.vec_env import SETTABLE, MarketVecEnv, check_alike


class HistoryVecEnv(VecEnvWrapper):
    """Observations become inputs (num_envs, F + h * W): each row with the outcome blocks of the h rounds before it.

    A row's history is empty when its episode begins, and when a newcomer takes its seat; `terminal_observation` has
    the history of the organization that it belongs to.

    Args:
        venv: the markets.
        rounds: h, from 1.

    >>> HistoryVecEnv(MarketVecEnv("price_board", markets=2), 4).reset().shape
    (16, 140)
    """

    def __init__(self, venv: MarketVecEnv | MixedVecEnv, rounds: int) -> None:
        self.history = History(venv.all_markets[0].kinds, rounds)
        super().__init__(venv, spaces.Box(-10.0, 10.0, (self.history.input_size,), np.float32))
        self.venv: MarketVecEnv | MixedVecEnv
        self._before = self._memory = self.history.empty(self.num_envs)  # before and after what was last seen

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
        """Begin an episode and return inputs (num_envs, F + h * W), every history empty."""
        return self._read(self.venv.reset(), self.history.empty(self.num_envs))

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """`step_async` and `step_wait` in one."""
        self.step_async(actions)
        return self.step_wait()

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """Play the round: inputs (num_envs, F + h * W), rewards, dones, infos."""
        observations, rewards, dones, infos = self.venv.step_wait()
        memory = self._memory
        if dones.any():
            ended = np.flatnonzero(dones)
            self._add_history(ended, infos)
            memory = memory.copy()
            memory[ended] = 0.0
        return self._read(observations, memory), rewards, dones, infos

    def _read(self, observations: np.ndarray, memory: np.ndarray) -> np.ndarray:
        self._before = memory
        inputs, self._memory = self.history.read(observations, memory)
        return inputs

    def _add_history(self, ended: np.ndarray, infos: list[dict[str, Any]]) -> None:
        """Where an episode was truncated a last round was seen; who went bankrupt saw none after the one acted on."""
        last = np.stack([infos[row]["terminal_observation"] for row in ended])
        truncated = np.array([infos[row]["TimeLimit.truncated"] for row in ended])
        memory = np.where(truncated[:, None], self._memory[ended], self._before[ended])
        for row, own in zip(ended.tolist(), self.history.read(last, memory)[0], strict=True):
            infos[row]["terminal_observation"] = own

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next steps depend on, as arrays: `load_state_dict` continues with the same bits."""
        return {**self.venv.state_dict(), **self._own_state()}

    def _own_state(self) -> dict[str, np.ndarray]:
        return {"history": self._memory.copy(), "history_before": self._before.copy()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken, on a VecEnv made with the same arguments.

        Raises:
            ValueError: as `MarketVecEnv.load_state_dict`; nothing has changed.
        """
        own = self._own_state()
        check_alike({name: array for name, array in state.items() if name in own}, own)
        self.venv.load_state_dict({name: array for name, array in state.items() if name not in own})
        self._memory, self._before = state["history"].copy(), state["history_before"].copy()
