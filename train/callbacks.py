"""What happens beside learning: measures to TensorBoard, progress, checkpoints, the policies of a learning curve."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from stable_baselines3.common.callbacks import BaseCallback

from ruleshift.agents.policy import Card, save_policy
from ruleshift.envs import MEASURES
from ruleshift.train.checkpoint import Chooser, MarketEnvs, learned_policy, save_checkpoint
from ruleshift.train.ppo import Learner


class LearnerCallback(BaseCallback):
    """A callback of a learner, which goes on by default."""

    model: Learner

    def _on_step(self) -> bool:
        return True


class MeasuresCallback(LearnerCallback):
    """Logs the means of each market measure over the episodes of a rollout, as `market/...`."""

    def __init__(self, env: MarketEnvs) -> None:
        super().__init__()
        self._markets = env.all_markets

    def _on_step(self) -> bool:
        ended = [
            market.episode_measures
            for market in self._markets
            if market.round == 0 and market.episode_measures is not None  # a row may be done in mid-episode
        ]
        if ended:
            for name, value in zip(MEASURES, np.concatenate(ended).mean(axis=0), strict=True):
                self.logger.record_mean(f"market/{name}", float(value))
        return True


class RewardsCallback(LearnerCallback):
    """Keeps the reward of every row in every step."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[np.ndarray] = []

    def _on_step(self) -> bool:
        self.kept.append(self.locals["rewards"].copy())  # the learner goes on to add to them
        return True

    @property
    def rewards(self) -> np.ndarray:
        """The rewards so far, (steps, rows) float32, in mean job values."""
        return np.stack(self.kept) if self.kept else np.zeros((0, self.training_env.num_envs), np.float32)


class ProgressCallback(LearnerCallback):
    """A bar on the console with the agent-steps a second and an estimate of the time left."""

    def __init__(self, steps: int, label: str) -> None:
        super().__init__()
        self._steps, self._label = steps, label
        self._task = TaskID(0)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]} agent-steps/s,"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )

    def _on_training_start(self) -> None:
        self._begun, self._at_start = time.monotonic(), self.num_timesteps
        self._progress.start()
        self._task = self._progress.add_task(self._label, total=self._steps, completed=self.num_timesteps, speed="...")

    def _on_rollout_start(self) -> None:
        elapsed = time.monotonic() - self._begun
        done = self.model.num_timesteps - self._at_start
        speed = f"{done / elapsed:,.0f}" if done else "..."
        self._progress.update(self._task, completed=self.model.num_timesteps, speed=speed)

    def _on_training_end(self) -> None:
        self._on_rollout_start()

    def stop(self) -> None:
        """Give the console back, whether or not training ended."""
        self._progress.stop()


class CheckpointCallback(LearnerCallback):
    """Saves the run at the boundary of rollouts.

    Args:
        path: file of the checkpoint.
        env: the markets of the run.
        seconds: least time between two checkpoints.
        rollouts: rollouts between two checkpoints; the seconds do not count where it is given.
        recorder: a callback whose rewards are saved, too.
        curriculum: that of the run, which is saved, too.
    """

    def __init__(
        self,
        path: Path,
        env: MarketEnvs,
        *,
        seconds: float,
        rollouts: int | None,
        recorder: RewardsCallback | None = None,
        curriculum: Chooser | None = None,
    ) -> None:
        super().__init__()
        self._path, self._env, self._seconds, self._rollouts = path, env, seconds, rollouts
        self._recorder, self._curriculum = recorder, curriculum
        self._saved_at, self._since = time.monotonic(), 0

    def _on_rollout_start(self) -> None:
        late = time.monotonic() - self._saved_at >= self._seconds
        if self._since and (self._since >= self._rollouts if self._rollouts is not None else late):
            rewards = self._recorder.rewards if self._recorder else None
            save_checkpoint(self._path, self.model, self._env, rewards, self._curriculum)
            self._saved_at, self._since = time.monotonic(), 0
        self._since += 1


class CurveCallback(LearnerCallback):
    """Saves the policy into `folder/STEPS` at the first boundary of rollouts after each of the given step counts."""

    def __init__(self, folder: Path, counts: Sequence[int], card: Card) -> None:
        super().__init__()
        self._folder, self._counts, self._card = folder, sorted(counts), card

    def _on_training_start(self) -> None:
        if self.num_timesteps > 0:  # resumed: what was due by then was saved before the checkpoint
            self._counts = [count for count in self._counts if count > self.num_timesteps]

    def _on_rollout_start(self) -> None:
        steps = self.model.num_timesteps
        due = [count for count in self._counts if count <= steps]
        if due:
            self._counts = self._counts[len(due) :]
            save_policy(learned_policy(self.model, replace(self._card, steps=steps)), self._folder / str(steps))

    def _on_training_end(self) -> None:
        self._on_rollout_start()


class HookCallback(LearnerCallback):
    """Calls a function of the user's with the learner before each rollout."""

    def __init__(self, hook: Callable[[Learner], None]) -> None:
        super().__init__()
        self._hook = hook

    def _on_rollout_start(self) -> None:
        self._hook(self.model)
