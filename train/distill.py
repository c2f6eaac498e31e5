"""Distillation: a student learns from a teacher to whom the rule is disclosed, on the student's own rollouts.

As in DAgger (Ross, Gordon and Bagnell 2011), the student acts and the teacher says what it would have done there, so
that the student also learns where only its own mistakes lead. It cannot copy what rests on what it does not see: it
learns what its teacher does on average over all rules that look alike to it.
"""

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnvWrapper

from ruleshift.agents.policy import LearnedPolicy
from ruleshift.envs import Market, Structure
from ruleshift.envs.layout import observation_layout
from ruleshift.train.groups import MixedVecEnv
from ruleshift.train.memory import MemoryVecEnv
from ruleshift.train.vec_env import MarketVecEnv, check_alike

TEACHER_COEF = 0.1
"""Weight of the divergence from the teacher in the student's loss. A mean that is one deviation away from the teacher's
then weighs as much as an advantage of a tenth of its deviation over the minibatch."""


def hidden_columns(structure: Structure, kinds: int) -> slice:
    """The columns of an observation that a structure's rules leave empty, and that the same rules disclosed fill.

    Raises:
        ValueError: rules of the training part differ in what they disclose, or disclose no public statistics, which a
            memory would have to be kept from as well.
    """
    level, layout = structure.base.disclosure.level, observation_layout(kinds)
    if any("disclosure.level" in draws for draws in structure.parts["train"].alternatives) or level == "opaque":
        raise ValueError(
            f"structure {structure.name}: a student of a teacher to whom rules are disclosed needs training rules that "
            "all disclose `outcomes`, or all `scores`"
        )
    end = layout["features"].stop
    return slice({"outcomes": layout["priority"].start, "scores": layout["features_mask"].start}.get(level, end), end)


class TaughtVecEnv(VecEnvWrapper):
    """Markets whose rules are disclosed, as a student sees them to whom they are not; and what its teacher would do.

    Give it a `teacher` before the first reset.

    Args:
        venv: the markets, with what is remembered where student and teacher have a memory.
        hidden: columns of an observation that the student sees as 0, `hidden_columns`.
    """

    def __init__(self, venv: MarketVecEnv | MixedVecEnv | MemoryVecEnv, hidden: slice) -> None:
        super().__init__(venv)
        self.venv: MarketVecEnv | MixedVecEnv | MemoryVecEnv
        self.privileged_size, self._hidden = venv.privileged_size, hidden
        self.teacher: LearnedPolicy | None = None
        """Who says what it would do, by its own observations and memory."""
        assert venv.action_space.shape is not None
        self.advice = np.zeros((venv.num_envs, *venv.action_space.shape), np.float32)
        """The means (num_envs, A) of the teacher's actions for what was observed last."""

    @property
    def all_markets(self) -> tuple[Market, ...]:
        """The batched markets that are played beneath."""
        return self.venv.all_markets

    def reset(self) -> np.ndarray:
        """Begin an episode and return what the student sees."""
        return self._shown(self.venv.reset())

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """`step_async` and `step_wait` in one."""
        self.step_async(actions)
        return self.step_wait()

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """Play the round: what the student sees, rewards, dones, infos."""
        seen, rewards, dones, infos = self.venv.step_wait()
        for row in np.flatnonzero(dones).tolist():
            infos[row]["terminal_observation"][self._hidden] = 0.0
        return self._shown(seen), rewards, dones, infos

    def _shown(self, seen: np.ndarray) -> np.ndarray:
        """Ask the teacher about all that is seen, then hide what the student must not see."""
        if self.teacher is None:
            raise RuntimeError("there is no teacher; set one before the first reset")
        self.advice = self.teacher.mean(seen[:, : seen.shape[1] - self.privileged_size])
        shown = seen.copy()
        shown[:, self._hidden] = 0.0
        return shown

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next steps depend on, as arrays: `load_state_dict` continues with the same bits."""
        return {**self.venv.state_dict(), "advice": self.advice.copy()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken, on a VecEnv made with the same arguments.

        Raises:
            ValueError: as `MarketVecEnv.load_state_dict`; nothing has changed.
        """
        check_alike({name: array for name, array in state.items() if name == "advice"}, {"advice": self.advice})
        self.venv.load_state_dict({name: array for name, array in state.items() if name != "advice"})
        self.advice = state["advice"].copy()
