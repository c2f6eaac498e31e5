"""One training run: a policy learns in some of the seats of many markets, among a fixed population of rivals.

One network is shared by all learning seats of all markets: they are one learner's experience, not several learners.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure

from ruleshift.agents.policy import CARD_FILE, LearnedPolicy, Policy, load_policy, save_policy
from ruleshift.envs import Economy, Rule, Shift, Structure
from ruleshift.envs.files import claim_folder, whole_file
from ruleshift.envs.mechanisms import load_mechanisms
from ruleshift.train.callbacks import (
    CheckpointCallback,
    CurveCallback,
    HookCallback,
    MeasuresCallback,
    ProgressCallback,
    RewardsCallback,
)
from ruleshift.train.checkpoint import MarketEnvs, learned_policy, load_checkpoint, process_state
from ruleshift.train.groups import Group
from ruleshift.train.networks import load_start, save_critic
from ruleshift.train.plan import Plan, markets_of, memory_of
from ruleshift.train.ppo import Learner, PPOSettings

CONFIG_FILE, CHECKPOINT_FILE, CURVE_FOLDER = "config.json", "checkpoint.safetensors", "curve"
REWARDS_FILE = "rewards.npy"


def train(
    rule: str | Rule | Structure | None = None,
    *,
    out: str | os.PathLike[str],
    steps: int,
    seed: int = 0,
    arm: str | None = None,
    economy: Economy | None = None,
    rivals: Sequence[Policy] | None = None,
    schedule: Sequence[Shift] = (),
    groups: Sequence[Group] | None = None,
    history: int | None = None,
    units: int | None = None,
    start: str | os.PathLike[str] | None = None,
    mechanisms: Sequence[str] = (),
    settings: PPOSettings | None = None,
    snapshots: int | Sequence[int] = 10,
    checkpoint_seconds: float = 60.0,
    checkpoint_rollouts: int | None = None,
    on_rollout: Callable[[Learner], None] | None = None,
    record: bool = False,
    tensorboard: bool = True,
    quiet: bool = False,
    threads: int = 1,
) -> LearnedPolicy:
    """Train one policy by PPO, and leave it in `out`.

    The first half of the seats of each market learn, with shared weights; rivals hold the others. A run that was
    killed goes on from its last checkpoint when called again with the same arguments, and ends with the same bits; one
    that is complete is not trained again. Same arguments, machine and library versions: same bits.

    Args:
        rule: what the arm trains on: the name or path of a rule or a structure, or one itself.
        out: folder for `policy.safetensors`, `policy.json`, `critic.safetensors`, `config.json`, `curve/STEPS/` and
            `tensorboard/`.
        steps: agent-steps to learn from, rounded up to whole rollouts.
        seed: of weights, exploration, minibatches and markets.
        arm: a name of `variants()`; by default `randomized` for a Structure and else `fixed`.
        economy: of every market, in place of those of the arm and without its randomized rivals.
        rivals: policies of the other seats, in turn, in place of those of the arm.
        schedule: shifts of the rule in mid-episode.
        groups: the markets themselves, in place of all that the arm would make of `rule`; `arm` is then a label, but
            its memory counts.
        history: rounds that the policy remembers.
        units: width of an LSTM in place of a history; it needs sb3-contrib. Where neither is given, the memory is that
            of the `start`, or of the arm.
        start: folder of a finished run, whose policy and critic are where this one begins.
        mechanisms: places of users' mechanisms, `module:function`.
        settings: hyper-parameters.
        snapshots: policies saved for the learning curve: so many, evenly spaced, after the untrained one; or the step
            counts themselves.
        checkpoint_seconds: between two checkpoints.
        checkpoint_rollouts: the same in rollouts, in place of seconds.
        on_rollout: called with the learner before each rollout.
        record: leave the reward of every row in every step in `rewards.npy`, for `load_rewards`.
        tensorboard: whether to write learning and market measures to `out/tensorboard`.
        quiet: no progress on the console.
        threads: threads that step the markets; they change no bit.

    Raises:
        ValueError: `out` holds another run, or an argument is impossible; one line.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    load_mechanisms(tuple(mechanisms))  # a rule's file may name them
    settings = settings or PPOSettings()
    begin = None if start is None else load_start(start)
    name, markets = markets_of(rule, arm, groups, settings.markets, economy, rivals, schedule)
    plan = Plan(
        name, markets, *memory_of(history, units, name, begin), begin, tuple(mechanisms), steps, seed, settings,
        tuple(_counts(snapshots, steps)), record,
    )  # fmt: skip
    out = Path(out)
    claim_folder(out, CONFIG_FILE, plan.config(), what="run", foreign=lambda name: name == CARD_FILE)
    if (out / CARD_FILE).exists():
        return load_policy(out)
    hooks: list[BaseCallback] = [] if on_rollout is None else [HookCallback(on_rollout)]
    with process_state():
        env = plan.env(threads)
        model = plan.learner(env)
        recorder = RewardsCallback() if record else None
        callbacks = [
            CurveCallback(out / CURVE_FOLDER, plan.counts, plan.card),
            CheckpointCallback(
                out / CHECKPOINT_FILE, env, seconds=checkpoint_seconds, rollouts=checkpoint_rollouts, recorder=recorder
            ),
            *_logging(model, env, out, tensorboard),
            *hooks,
        ]
        _learn(model, env, out, steps, callbacks, recorder, "" if quiet else plan.label)
        policy = learned_policy(model, replace(plan.card, steps=model.num_timesteps))
        save_critic(model, policy, out)
    save_policy(policy, out)
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return policy


def load_rewards(out: str | os.PathLike[str]) -> np.ndarray:
    """What a finished run with `record=True` earned as it learned, float32 (steps, rows), in mean job values.

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
    model.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))
    return [MeasuresCallback(env)]


def learning_curve(out: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """The policies that a run saved as it learned: (agent-steps, folder), the untrained one first."""
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
    label: str,
) -> None:
    """Learn up to `steps`, from the checkpoint where there is one; leave the rewards where they are recorded."""
    resumed = (out / CHECKPOINT_FILE).exists()
    if resumed:
        rewards = load_checkpoint(out / CHECKPOINT_FILE, model, env)
        if recorder is not None and rewards is not None:
            recorder.kept = list(rewards)
    progress = ProgressCallback(steps, label) if label else None
    try:
        # What stable-baselines3 is given is what is left: it adds the steps already done.
        model.learn(
            steps - model.num_timesteps if resumed else steps,
            callback=[*callbacks, *(each for each in (recorder, progress) if each is not None)],
            reset_num_timesteps=not resumed,
        )
    finally:
        model.logger.close()
        if progress:
            progress.stop()
    if recorder is not None:
        with whole_file(out / REWARDS_FILE) as temporary:
            np.save(temporary, recorder.rewards, allow_pickle=False)


def _counts(snapshots: int | Sequence[int], steps: int) -> list[int]:
    if isinstance(snapshots, int):
        return [steps * index // snapshots for index in range(snapshots + 1)] if snapshots > 0 else []
    return sorted(set(snapshots))
