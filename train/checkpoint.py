"""A training run between two rollouts, in one file that is whole or absent, and the policy that it has learned so far.

The file is safetensors: arrays, with the counters as JSON in its header. Weights, optimizer, the generators of python,
numpy and torch, the markets and the learner's counters are all in it: without any one of them the rest would differ.
"""

import hashlib
import json
import math
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch as th
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ruleshift.agents.policy import Card, LearnedPolicy
from ruleshift.envs.files import write_atomically
from ruleshift.train.distill import TaughtVecEnv
from ruleshift.train.groups import MixedVecEnv
from ruleshift.train.memory import MemoryVecEnv
from ruleshift.train.networks import policy_weights
from ruleshift.train.ppo import Learner
from ruleshift.train.recurrent import lstm_states, put_lstm_states
from ruleshift.train.vec_env import MarketVecEnv, part_of

FORMAT = 2

MarketEnvs = MarketVecEnv | MixedVecEnv | MemoryVecEnv | TaughtVecEnv
"""What a policy is trained in: each can be put back where it was."""


class Chooser(Protocol):
    """What chooses the rules of a run while it learns: its state is part of a checkpoint."""

    def state_dict(self) -> dict[str, np.ndarray]: ...

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None: ...


def save_checkpoint(
    path: str | Path,
    model: Learner,
    env: MarketEnvs,
    rewards: np.ndarray | None = None,
    curriculum: Chooser | None = None,
) -> None:
    """Write the state of `model`, `env` and curriculum between two rollouts, and the rewards (steps, rows) so far."""
    arrays = {f"env.{name}": value for name, value in env.state_dict().items()} | _learned(model)
    if rewards is not None:
        arrays["rewards"] = rewards
    if curriculum is not None:
        arrays |= {f"curriculum.{name}": value for name, value in curriculum.state_dict().items()}
    arrays["last_observations"] = np.array(model._last_obs)
    arrays["episode_starts"] = np.array(model._last_episode_starts)
    arrays["rng.torch"] = th.get_rng_state().numpy()
    # stable-baselines3 draws from numpy's global generator.
    _, words, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    arrays["rng.numpy"] = np.asarray(words)
    counters = json.dumps({
        "format": FORMAT,
        "steps": model.num_timesteps,
        "updates": model._n_updates,
        "remaining": model._current_progress_remaining,
        "numpy": [position, has_gauss, gauss],
        "python": random.getstate(),
    })  # fmt: skip
    whole = {name: np.ascontiguousarray(value).reshape(np.shape(value)) for name, value in arrays.items()}
    write_atomically(path, save(whole, metadata={"counters": counters, "sha256": _digest(counters, whole)}))


def load_checkpoint(
    path: str | Path, model: Learner, env: MarketEnvs, steps: int, curriculum: Chooser | None = None
) -> np.ndarray | None:
    """Put `model` and `env`, made with the same arguments as those saved, where `save_checkpoint` found them.

    What is read is checked before anything is put in place: its digest, then the names, shapes, types and ranges of all
    that the learner, its generators and the markets are given.

    Args:
        path: the file.
        model: the learner, which has not learned yet.
        env: its markets.
        steps: agent-steps of the whole run.
        curriculum: that of the run, where it has one.

    Returns:
        The rewards recorded so far, where they are.

    Raises:
        ValueError: not a checkpoint, or one of another run; one line that names the file.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get("sha256") != _digest(header.get("counters", ""), arrays):
            raise ValueError("its content is not what was saved")
        counters = json.loads(header["counters"])
        if counters["format"] != FORMAT:
            raise ValueError(f"format {counters['format']}, this version reads {FORMAT}")
        probed = int(arrays["curriculum.probed"][0]) if curriculum is not None else 0
        _check_counters(counters, model, steps, probed)
        _check_arrays(arrays, model)
        _check_rewards(arrays.get("rewards"), counters["steps"] - model.num_timesteps - probed, model.n_envs)
        if curriculum is not None:
            curriculum.load_state_dict(part_of(arrays, "curriculum."))  # the markets ask it for their rules
        _restore(counters, arrays, model, env)
        return arrays.get("rewards")
    except (
        OSError,
        SafetensorError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        RuntimeError,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not a checkpoint of this run ({reason}); remove it to begin anew") from None


def _digest(counters: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(counters.encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def _learned(model: Learner) -> dict[str, np.ndarray]:
    """The weights, the optimizer's state and the recurrent memory of a learner, by name."""
    arrays = {f"policy.{name}": tensor.detach().numpy() for name, tensor in model.policy.state_dict().items()}
    for index, state in model.policy.optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{index}.{name}": tensor.numpy() for name, tensor in state.items()}
    return arrays | {f"lstm.{name}": value for name, value in lstm_states(model).items()}


def _check_counters(counters: dict[str, Any], model: Learner, steps: int, probed: int) -> None:
    """Refuse counters that no run of `steps` agent-steps can have between two rollouts, `probed` of them in probes."""
    rollout = model.n_steps * model.n_envs
    whole = probed - (probed - steps) // rollout * rollout
    if counters["steps"] not in range(probed, whole + 1, rollout):
        raise ValueError(f"steps is {counters['steps']}; a run of {steps} has rollouts of {rollout}")
    position, has_gauss, gauss = counters["numpy"]
    for name, value, most in (("updates", counters["updates"], 2**53), ("position", position, 624)):
        if type(value) is not int or not 0 <= value <= most:
            raise ValueError(f"{name} is {value!r}; it must be a whole number from 0 to {most}")
    if has_gauss not in (0, 1) or not math.isfinite(gauss) or not 0 <= counters["remaining"] <= 1:
        raise ValueError("a counter is out of its range")


def _check_arrays(arrays: Mapping[str, np.ndarray], model: Learner) -> None:
    """Refuse arrays whose names, shapes or types are not those of the learner, or that hold a NaN or an infinity."""
    rows, observations = model.n_envs, model.observation_space.shape
    assert observations is not None
    wanted: dict[str, tuple[tuple[int, ...], Any]] = {
        "last_observations": ((rows, *observations), np.float32),
        "episode_starts": ((rows,), np.bool_),
        "rng.torch": (tuple(th.get_rng_state().shape), np.uint8),
        "rng.numpy": ((624,), np.uint32),
    }
    parameters = model.policy.state_dict()
    wanted |= {f"policy.{name}": (tuple(tensor.shape), np.float32) for name, tensor in parameters.items()}
    wanted |= {f"lstm.{name}": (value.shape, np.float32) for name, value in lstm_states(model).items()}
    if any(name.startswith("optimizer.") for name in arrays):
        for index, parameter in enumerate(model.policy.parameters()):
            wanted[f"optimizer.{index}.step"] = ((), np.float32)
            wanted |= {f"optimizer.{index}.{name}": (tuple(parameter.shape), np.float32) for name in _MOMENTS}
    held = {name: (each.shape, each.dtype) for name, each in arrays.items() if name.split(".")[0] not in _BESIDE}
    for name in wanted.keys() | held.keys():
        if name not in held or name not in wanted or held[name] != wanted[name]:
            raise ValueError(f"{name} is {held.get(name, 'missing')}; it must be {wanted.get(name, 'absent')}")
        if held[name][1] == np.float32 and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} holds NaN or infinity")


def _check_rewards(rewards: np.ndarray | None, steps: int, rows: int) -> None:
    """Refuse recorded rewards that are not one float32 number for each agent-step."""
    if rewards is not None and (rewards.shape, rewards.dtype) != ((steps // rows, rows), np.float32):
        raise ValueError(f"rewards are {rewards.dtype} {rewards.shape}; they must be float32 {(steps // rows, rows)}")


_MOMENTS = ("exp_avg", "exp_avg_sq")
_BESIDE = ("env", "rewards", "curriculum")


def _restore(counters: dict[str, Any], arrays: dict[str, np.ndarray], model: Learner, env: MarketEnvs) -> None:
    env.load_state_dict(part_of(arrays, "env."))
    model.policy.load_state_dict({name: th.tensor(value) for name, value in part_of(arrays, "policy.").items()})
    state: dict[int, dict[str, th.Tensor]] = {}
    for name, value in part_of(arrays, "optimizer.").items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = th.tensor(value)
    optimizer = model.policy.optimizer
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    put_lstm_states(model, part_of(arrays, "lstm."))
    model._last_obs = arrays["last_observations"]
    model._last_episode_starts = arrays["episode_starts"]
    model.num_timesteps, model._n_updates = counters["steps"], counters["updates"]
    model._current_progress_remaining = counters["remaining"]
    th.set_rng_state(th.tensor(arrays["rng.torch"]))
    position, has_gauss, gauss = counters["numpy"]
    np.random.set_state(("MT19937", arrays["rng.numpy"], position, has_gauss, gauss))  # noqa: NPY002
    version, words, gauss_next = counters["python"]
    random.setstate((version, tuple(words), gauss_next))


def learned_policy(model: Learner, card: Card) -> LearnedPolicy:
    """Make a policy, which needs no torch, of what `model` has learned so far."""
    return LearnedPolicy(policy_weights(model), card)


@contextmanager
def process_state() -> Iterator[None]:
    """Let the block learn alone on one torch thread; afterwards thread count and global generators are as they were."""
    with _LEARNING:
        yield from _process_state()


_LEARNING = threading.RLock()
"""Held by the thread that learns: the generators and the number of threads belong to the process."""


def _process_state() -> Iterator[None]:
    threads, torch_state = th.get_num_threads(), th.get_rng_state()
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    th.set_num_threads(1)
    try:
        yield
    finally:
        th.set_num_threads(threads)
        th.set_rng_state(torch_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
