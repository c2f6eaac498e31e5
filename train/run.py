"""One training run: a policy learns in some of the seats of many markets, among a fixed population of rivals.

One network is shared by all learning seats of all markets: they are one learner's experience, not several learners.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure

from ruleshift.agents.policy import CARD_FILE, LearnedPolicy, load_policy, save_policy
from ruleshift.envs.fields import Count, Flag, Maybe, Number, brief, checked
from ruleshift.envs.files import claim_folder, whole_file
from ruleshift.envs.notices import say_once
from ruleshift.train.callbacks import (
    CheckpointCallback,
    CurveCallback,
    HookCallback,
    MeasuresCallback,
    ProgressCallback,
    RewardsCallback,
)
from ruleshift.train.checkpoint import MarketEnvs, learned_policy, load_checkpoint, process_state
from ruleshift.train.distill import TaughtVecEnv
from ruleshift.train.networks import save_critic
from ruleshift.train.plan import TrainingPlan
from ruleshift.train.ppo import Learner
from ruleshift.train.replaying import CurriculumCallback

CONFIG_FILE, CHECKPOINT_FILE, CURVE_FOLDER = "config.json", "checkpoint.safetensors", "curve"
REWARDS_FILE, TEACHER_FOLDER = "rewards.npy", "teacher"


def train(
    plan: TrainingPlan,
    out: str | os.PathLike[str],
    *,
    checkpoint_seconds: float = 60.0,
    checkpoint_rollouts: int | None = None,
    on_rollout: Callable[[Learner], None] | None = None,
    tensorboard: bool = True,
    quiet: bool = False,
    threads: int = 1,
) -> LearnedPolicy:
    """Train one policy by PPO as a plan says, and leave it in the folder `out`.

    The first half of the seats of each market learn, with shared weights; rivals hold the others. A run that was
    killed goes on from its last checkpoint when called again with the same plan, and ends with the same bits; one
    that is complete is not trained again. The arguments after `out` say how it runs, and change no bit.

    stable-baselines3 draws from the generators of the process. So one run learns at a time, and those of other threads
    wait for it; a thread that draws from the global generators of numpy or torch meanwhile changes the weights.

    Args:
        plan: what is trained, such as `TrainingPlan("price_board", steps=1_000_000, seed=0)`.
        out: folder for `policy.safetensors`, `policy.json`, `critic.safetensors`, `config.json`, `curve/STEPS/`,
            `rewards.npy` (where the plan records them), `teacher/` (the run of the arm's teacher, where it has one) and
            `tensorboard/`.
        checkpoint_seconds: seconds between two checkpoints.
        checkpoint_rollouts: rollouts between two checkpoints, in place of seconds.
        on_rollout: called with the learner before each rollout.
        tensorboard: whether to write learning and market measures to `out/tensorboard`.
        quiet: whether to show no progress on the console.
        threads: threads that step the markets.

    Returns:
        the policy, as `load_policy(out)` gives it.

    Raises:
        TypeError: something else than a plan.
        ValueError: `out` holds another run, or an argument is impossible; one line.
    """
    if not isinstance(plan, TrainingPlan):
        given, rule = (brief(plan), brief(plan)) if isinstance(plan, str) else (f"a {type(plan).__name__}", "RULE")
        raise TypeError(f"train takes a plan, not {given}; write train(TrainingPlan({rule}, steps=...), out)")
    checkpoint_seconds = checked(checkpoint_seconds, Number(0, 1e9), "checkpoint_seconds")
    checkpoint_rollouts = checked(checkpoint_rollouts, Maybe(Count(1, 10**9)), "checkpoint_rollouts")
    tensorboard, quiet = checked(tensorboard, Flag(), "tensorboard"), checked(quiet, Flag(), "quiet")
    if on_rollout is not None and not callable(on_rollout):
        raise TypeError(f"on_rollout is {brief(on_rollout)}; it must be a function of the learner")
    out = Path(out)
    with process_state():
        curriculum = CurriculumCallback(plan, threads) if plan.curriculum else None
        env = plan.make_env(threads) if curriculum is None else curriculum.env
        model = plan.make_learner(env)  # whatever can be refused is refused before the folder is claimed
        claim_folder(out, CONFIG_FILE, plan.config(), what="run", foreign=lambda name: name == CARD_FILE)
        if (out / CARD_FILE).exists():
            (out / CHECKPOINT_FILE).unlink(missing_ok=True)  # where the run was killed just before it was removed
            return _finished(out, plan)
        if plan.teacher is not None:
            assert isinstance(env, TaughtVecEnv)
            env.teacher = train(
                plan.teacher,
                out / TEACHER_FOLDER,
                checkpoint_seconds=checkpoint_seconds,
                checkpoint_rollouts=checkpoint_rollouts,
                on_rollout=on_rollout,
                tensorboard=tensorboard,
                quiet=quiet,
                threads=threads,
            )
        recorder = RewardsCallback() if plan.record else None
        callbacks = [
            CurveCallback(out / CURVE_FOLDER, plan.snapshot_steps, plan.card),
            CheckpointCallback(
                out / CHECKPOINT_FILE, env, seconds=checkpoint_seconds, rollouts=checkpoint_rollouts,
                recorder=recorder, curriculum=curriculum,
            ),
            *_logging(model, env, out, tensorboard),
            *([HookCallback(on_rollout)] if on_rollout is not None else []),
            *([curriculum] if curriculum is not None else []),
        ]  # fmt: skip
        _learn(model, env, out, plan.steps, callbacks, recorder, curriculum, "" if quiet else plan.label)
        policy = learned_policy(model, replace(plan.card, steps=model.num_timesteps))
        save_critic(model, policy, out)
    save_policy(policy, out)
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return policy


def _finished(out: Path, plan: TrainingPlan) -> LearnedPolicy:
    policy = load_policy(out)
    found, wanted = (json.loads(json.dumps(asdict(replace(card, steps=0)))) for card in (policy.card, plan.card))
    if found != wanted:
        raise ValueError(f"{out / CARD_FILE}: is the policy of another run, seed {policy.card.seed}; remove the folder")
    return policy


def load_rewards(out: str | os.PathLike[str]) -> np.ndarray:
    """Read the rewards of a finished run whose plan says `record`: (steps, rows) float32, in mean job values.

    Raises:
        ValueError: no such file, or not one.
    """
    path = Path(out) / REWARDS_FILE
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: not an array ({error})") from None


def _logging(model: Learner, env: MarketEnvs, out: Path, tensorboard: bool) -> list[BaseCallback]:
    if not tensorboard:
        model.set_logger(Logger(None, []))
        return []
    if find_spec("tensorboard") is None:
        say_once("tensorboard", f"{out}: trains without logs, since tensorboard is not installed")
        return _logging(model, env, out, tensorboard=False)
    model.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))
    return [MeasuresCallback(env)]


def learning_curve(out: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """List the policies that a run saved as it learned, as (agent-steps, folder), the untrained one first."""
    folder = Path(out) / CURVE_FOLDER
    if not folder.is_dir():
        return []
    complete = [path for path in folder.iterdir() if path.name.isdigit() and (path / CARD_FILE).exists()]
    return sorted((int(path.name), path) for path in complete)


def _learn(
    model: Learner,
    env: MarketEnvs,
    out: Path,
    steps: int,
    callbacks: list[BaseCallback],
    recorder: RewardsCallback | None,
    curriculum: CurriculumCallback | None,
    label: str,
) -> None:
    """Learn up to `steps`, from the checkpoint where there is one; leave the rewards where they are recorded."""
    if (out / CHECKPOINT_FILE).exists():
        rewards = load_checkpoint(out / CHECKPOINT_FILE, model, env, steps, curriculum)
        if recorder is not None:
            if rewards is None:
                raise ValueError(f"{out / CHECKPOINT_FILE}: has no rewards, which this run records; remove it")
            recorder.kept = list(rewards)
    progress = ProgressCallback(steps, label) if label else None
    try:
        # What stable-baselines3 is given is what is left: it adds the steps already done, by a teacher too.
        model.learn(
            steps - model.num_timesteps,
            callback=[*callbacks, *(each for each in (recorder, progress) if each is not None)],
            reset_num_timesteps=model.num_timesteps == 0,
        )
    finally:
        model.logger.close()
        if progress:
            progress.stop()
    if recorder is not None:
        with whole_file(out / REWARDS_FILE) as temporary:
            np.save(temporary, recorder.rewards, allow_pickle=False)
