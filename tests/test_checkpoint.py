"""A checkpoint is what was saved, or it is refused in one line: nothing that it holds reaches the learner unchecked."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from ruleshift.envs import Economy
from ruleshift.train import PPOSettings, TrainingPlan, train
from ruleshift.train.checkpoint import _digest
from ruleshift.train.networks import load_warm_start

PLAN = TrainingPlan(
    "price_board", economy=Economy(organizations=4, jobs=4, rounds=5), steps=240, snapshots=1,
    settings=PPOSettings(markets=2, rollout_size=40, batch_size=20, n_epochs=1),
)  # fmt: skip
NAME = "checkpoint.safetensors"


class _Stop(Exception):
    pass


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was interrupted after three of its six rollouts."""
    folder = tmp_path_factory.mktemp("run")

    def stop(learner: Any) -> None:
        if learner.num_timesteps == 120:
            raise _Stop

    with pytest.raises(_Stop):
        train(PLAN, folder, checkpoint_rollouts=1, on_rollout=stop, tensorboard=False, quiet=True)
    return folder


def _resume(folder: Path, blob: bytes, tmp_path: Path) -> None:
    """Go on with a run whose checkpoint has this content."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    (copy / NAME).write_bytes(blob)
    train(PLAN, copy, tensorboard=False, quiet=True)


def test_checkpoint__no_changed_byte_goes_unnoticed(interrupted: Path, tmp_path: Path) -> None:
    blob, random = (interrupted / NAME).read_bytes(), np.random.default_rng(0)
    refusal = rf"^[^\n]*{NAME}: not a checkpoint of this run \([^\n]*; remove it to begin anew$"
    for position in [*range(0, 400, 40), *random.integers(len(blob), size=30).tolist()]:
        changed = bytearray(blob)
        changed[position] ^= 1 << int(random.integers(8))
        with pytest.raises(ValueError, match=refusal):
            _resume(interrupted, bytes(changed), tmp_path)
    with pytest.raises(ValueError, match="not a checkpoint of this run"):
        _resume(interrupted, blob[: len(blob) // 2], tmp_path)


def _set(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, np.ndarray]], None]:
    """Change a counter, or all numbers of an array."""

    def change(counters: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        if name in counters:
            counters[name] = value
        elif value is None:
            del arrays[name]
        else:
            arrays[name] = value if isinstance(value, np.ndarray) else np.full_like(arrays[name], value)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("steps", 1_000_000_000), "steps is 1000000000; a run of 240 has rollouts of 40"),
        (_set("steps", 121), "steps is 121"),
        (_set("steps", "120"), "steps is 120"),
        (_set("updates", -1), "updates is -1"),
        (_set("remaining", 7.0), "out of its range"),
        (_set("numpy", [10**6, 0, 0.0]), "position is 1000000; it must be a whole number from 0 to 624"),
        (_set("numpy", [3]), "unpack"),
        (_set("python", [3, [1, 2], None]), "vector"),
        (_set("policy.log_std", np.nan), "policy.log_std holds NaN"),
        (_set("policy.log_std", np.zeros(7, np.float32)), "policy.log_std is"),
        (_set("optimizer.0.exp_avg", None), "optimizer.0.exp_avg is missing"),
        (_set("rng.torch", np.zeros(3, np.uint8)), "rng.torch is"),
        (_set("rng.torch", 255), "state"),
        (_set("last_observations", np.inf), "last_observations holds"),
        (_set("env.market.job_kinds", 3), "job_kinds holds a number that is not from 0 to 2"),
        (_set("env.market.clock", None), "clock is missing"),
        (_set("env.market.economy", 0.5), "economy is that of another economy"),
        (_set("env.market.keys", np.zeros((2, 2), np.uint64)), "keys are not those"),
    ],
)
def test_checkpoint__one_that_was_made_up_is_refused(
    interrupted: Path, tmp_path: Path, change: Callable[..., None], message: str
) -> None:
    """Even one whose digest is right: all that reaches a kernel or a generator is checked for itself."""
    with safe_open(str(interrupted / NAME), framework="numpy") as file:
        counters = json.loads(file.metadata()["counters"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(counters, arrays)
    text = json.dumps(counters)
    with pytest.raises(ValueError, match=message):
        _resume(interrupted, save(arrays, metadata={"counters": text, "sha256": _digest(text, arrays)}), tmp_path)


def test_critic__a_changed_weight_is_noticed(tmp_path: Path) -> None:
    train(PLAN, tmp_path, tensorboard=False, quiet=True)
    path = tmp_path / "critic.safetensors"
    blob = bytearray(path.read_bytes())
    blob[-2] ^= 0x40
    path.write_bytes(bytes(blob))
    with pytest.raises(ValueError, match=r"critic\.safetensors: sha256: not that of its weights"):
        load_warm_start(tmp_path)
