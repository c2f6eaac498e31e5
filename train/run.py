"""One training run: a policy learns in half of the seats of many markets, among a fixed population of rivals.

One network is shared by all learning seats of all markets: they are one learner's experience, not several learners.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, configure

from ruleshift.agents.policy import CARD_FILE, Card, LearnedPolicy, Policy, load_policy, save_policy, write_atomically
from ruleshift.agents.scripted import rival_population
from ruleshift.agents.seats import Seats
from ruleshift.envs import Economy, Rule, Shift, Structure
from ruleshift.envs.mechanisms import load_mechanisms
from ruleshift.train.arms import load_arm
from ruleshift.train.callbacks import (
    CheckpointCallback,
    CurveCallback,
    HookCallback,
    MeasuresCallback,
    ProgressCallback,
)
from ruleshift.train.checkpoint import learned_policy, load_checkpoint, process_state
from ruleshift.train.ppo import MarketPPO, Settings, make_learner
from ruleshift.train.vec_env import MarketVecEnv

FORMAT = 1
CONFIG_FILE, CHECKPOINT_FILE, CURVE_FOLDER = "config.json", "checkpoint.safetensors", "curve"


def train(
    rule: str | Rule | Structure,
    *,
    out: str | os.PathLike[str],
    steps: int,
    seed: int = 0,
    arm: str | None = None,
    economy: Economy | None = None,
    rivals: Sequence[Policy] | None = None,
    schedule: Sequence[Shift] = (),
    mechanisms: Sequence[str] = (),
    settings: Settings | None = None,
    snapshots: int | Sequence[int] = 10,
    checkpoint_seconds: float = 60.0,
    checkpoint_rollouts: int | None = None,
    on_rollout: Callable[[MarketPPO], None] | None = None,
    tensorboard: bool = True,
    quiet: bool = False,
    threads: int = 1,
) -> LearnedPolicy:
    """Train one policy by PPO, and leave it in `out`.

    The first half of the seats of each market learn, with shared weights; `rivals` hold the others, in turn. A run
    that was killed goes on from its last checkpoint when called again with the same arguments, and ends with the same
    bits; one that is complete is not trained again. Same arguments, machine and library versions: same bits.

    Args:
        rule: name, path or Rule for arm `fixed`; name, path or Structure for arm `randomized`.
        out: folder for `policy.safetensors`, `policy.json`, `config.json`, `curve/STEPS/` and `tensorboard/`.
        steps: agent-steps to learn from, rounded up to whole rollouts.
        seed: of weights, exploration, minibatches and markets.
        arm: a name of `ARMS`; by default `randomized` for a Structure and else `fixed`.
        economy: of every market; the default economy where None.
        rivals: policies of the other seats; the common scripted population where None.
        schedule: shifts of the rule in mid-episode.
        mechanisms: places of users' mechanisms, `module:function`.
        settings: hyper-parameters.
        snapshots: policies saved for the learning curve: so many, evenly spaced, after the untrained one; or the step
            counts themselves.
        checkpoint_seconds: between two checkpoints.
        checkpoint_rollouts: the same in rollouts, in place of seconds.
        on_rollout: called with the learner before each rollout.
        tensorboard: whether to write learning and market measures to `out/tensorboard`.
        quiet: no progress on the console.
        threads: threads that step the markets; they change no bit.

    Raises:
        ValueError: `out` holds another run, or an argument is impossible; one line.
    """
    out = Path(out)
    if steps < 1:
        raise ValueError(f"steps is {steps}; it must be at least 1")
    load_mechanisms(tuple(mechanisms))  # a rule's file may name them
    chosen, given = load_arm(arm, rule)
    economy, settings = economy or Economy(), settings or Settings()
    seats = Seats.shared(economy.organizations, rivals if rivals is not None else rival_population(economy))
    counts = _counts(snapshots, steps)
    config = {
        "format": FORMAT,
        "arm": chosen.name,
        "rule": given.name,
        "rule_hash": given.hash,
        "economy": asdict(economy),
        "seats": seats.describe(),
        "schedule": [repr(shift) for shift in schedule],
        "mechanisms": list(mechanisms),
        "steps": steps,
        "seed": seed,
        "settings": asdict(settings),
        "snapshots": counts,
    }
    _claim_folder(out, config)
    if (out / CARD_FILE).exists():
        return load_policy(out)
    card = Card(
        kinds=economy.kinds,
        hidden=settings.hidden,
        arm=chosen.name,
        rule=given.name,
        rule_hash=given.hash,
        economy=config["economy"],  # type: ignore[arg-type]
        seed=seed,
    )
    with process_state():
        env = MarketVecEnv(given, settings.markets, 0, seed, economy, seats, schedule, mechanisms, threads)
        model = make_learner(env, settings, learning=len(seats.learning), seed=seed)
        callbacks: list[BaseCallback] = [
            CurveCallback(out / CURVE_FOLDER, counts, card),
            CheckpointCallback(out / CHECKPOINT_FILE, env, seconds=checkpoint_seconds, rollouts=checkpoint_rollouts),
        ]
        if tensorboard:
            model.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))
            callbacks.append(MeasuresCallback(env))
        else:
            model.set_logger(Logger(None, []))
        if on_rollout is not None:
            callbacks.append(HookCallback(on_rollout))
        label = "" if quiet else f"{chosen.name} {given.name} seed {seed}"
        _learn(model, env, out, steps, callbacks, label)
        policy = learned_policy(model, replace(card, steps=model.num_timesteps))
    save_policy(policy, out)
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return policy


def learning_curve(out: str | os.PathLike[str]) -> list[tuple[int, Path]]:
    """The policies that a run saved as it learned: (agent-steps, folder), the untrained one first."""
    folder = Path(out) / CURVE_FOLDER
    if not folder.is_dir():
        return []
    complete = [path for path in folder.iterdir() if path.name.isdigit() and (path / CARD_FILE).exists()]
    return sorted((int(path.name), path) for path in complete)


def _learn(
    model: MarketPPO, env: MarketVecEnv, out: Path, steps: int, callbacks: list[BaseCallback], label: str
) -> None:
    """Learn up to `steps`, from the checkpoint where there is one."""
    resumed = (out / CHECKPOINT_FILE).exists()
    if resumed:
        load_checkpoint(out / CHECKPOINT_FILE, model, env)
    progress = ProgressCallback(steps, label) if label else None
    try:
        # What stable-baselines3 is given is what is left: it adds the steps already done.
        model.learn(
            steps - model.num_timesteps if resumed else steps,
            callback=[*callbacks, progress] if progress else callbacks,
            reset_num_timesteps=not resumed,
        )
    finally:
        model.logger.close()
        if progress:
            progress.stop()


def _counts(snapshots: int | Sequence[int], steps: int) -> list[int]:
    if isinstance(snapshots, int):
        return [steps * index // snapshots for index in range(snapshots + 1)] if snapshots > 0 else []
    return sorted(set(snapshots))


def _claim_folder(out: Path, config: dict[str, Any]) -> None:
    """Make `out` this run's folder; ValueError where it is another's."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / CONFIG_FILE
    text = json.dumps(config, indent=2) + "\n"
    if not path.exists():
        if (out / CARD_FILE).exists():
            raise ValueError(f"{out}: holds a policy but no {CONFIG_FILE}; choose another folder")
        write_atomically(path, text.encode())
        return
    try:
        found = json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    wanted = json.loads(text)
    if found == wanted:
        return
    for key, value in wanted.items():
        if not isinstance(found, dict) or found.get(key) != value:
            there = found.get(key) if isinstance(found, dict) else found
            raise ValueError(f"{path}: holds another run ({key} is {there!r}, not {value!r}); choose another folder")
    raise ValueError(f"{path}: holds a run of another version; choose another folder")
