"""A training run between two rollouts, in one file that is whole or absent, and the policy that it has learned so far.

The file is safetensors: arrays, with the counters as JSON in its header. Weights, optimizer, the generators of python,
numpy and torch, the markets and the learner's counters are all in it: without any one of them the rest would differ.
"""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ruleshift.agents.policy import Card, LearnedPolicy
from ruleshift.envs.files import write_atomically
from ruleshift.train.groups import MixedVecEnv
from ruleshift.train.history import HistoryVecEnv
from ruleshift.train.networks import policy_weights
from ruleshift.train.ppo import Learner
from ruleshift.train.recurrent import lstm_states, put_lstm_states
from ruleshift.train.vec_env import MarketVecEnv, part_of

FORMAT = 1

MarketEnvs = MarketVecEnv | MixedVecEnv | HistoryVecEnv
"""What a policy is trained in: each can be put back where it was."""


def save_checkpoint(path: str | Path, model: Learner, env: MarketEnvs, rewards: np.ndarray | None = None) -> None:
    """Write the state of `model` and `env` between two rollouts, and the rewards (steps, rows) recorded so far."""
    arrays = {f"env.{name}": value for name, value in env.state_dict().items()}
    arrays |= {f"policy.{name}": tensor.detach().numpy() for name, tensor in model.policy.state_dict().items()}
    for index, state in model.policy.optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer.{index}.{name}": tensor.numpy() for name, tensor in state.items()}
    if rewards is not None:
        arrays["rewards"] = rewards
    arrays |= {f"lstm.{name}": value for name, value in lstm_states(model).items()}
    arrays["last_observations"] = np.array(model._last_obs)
    arrays["episode_starts"] = np.array(model._last_episode_starts)
    arrays["rng.torch"] = th.get_rng_state().numpy()
    # stable-baselines3 draws from numpy's global generator.
    _, words, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    arrays["rng.numpy"] = np.asarray(words)
    counters = {
        "format": FORMAT,
        "steps": model.num_timesteps,
        "updates": model._n_updates,
        "remaining": model._current_progress_remaining,
        "numpy": [position, has_gauss, gauss],
        "python": random.getstate(),
    }
    whole = {name: np.ascontiguousarray(value).reshape(np.shape(value)) for name, value in arrays.items()}
    write_atomically(path, save(whole, metadata={"counters": json.dumps(counters)}))


def load_checkpoint(path: str | Path, model: Learner, env: MarketEnvs) -> np.ndarray | None:
    """Put `model` and `env`, made with the same arguments as those saved, where `save_checkpoint` found them.

    Returns:
        The rewards recorded so far, where they are.

    Raises:
        ValueError: not a checkpoint, or one of another run; one line that names the file.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            counters = json.loads(file.metadata()["counters"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if counters["format"] != FORMAT:
            raise ValueError(f"format {counters['format']}, this version reads {FORMAT}")
        _restore(counters, arrays, model, env)
        return arrays.get("rewards")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: not a checkpoint of this run ({type(error).__name__}: {reason})") from None


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
    """Let the block learn on one torch thread; afterwards thread count and global generators are what they were."""
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
