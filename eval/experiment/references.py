"""Reference policies: the natives and best replies that come with the suite and make every study use the same scale.

Each is found by what it was made from: the content of the rule, the seeds, the budget, and the version of the recipe.
`ruleshift references` makes them with the same cells as a study, which trains those that are not shipped itself.
"""

import hashlib
import json
import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruleshift.agents import load_policy
from ruleshift.envs.files import read_json, write_atomically
from ruleshift.eval.experiment.design import Design

RECIPE = 3
"""Version of how references are trained; a change of the recipe, or of the market, calls for a new one."""
FOLDER = Path(__file__).parents[1] / "reference_policies"
"""Folder of the references that come with the suite."""
INDEX = "index.json"
"""Name of the index in that folder."""


def key_of(kind: str, design: Design, rule: str, seed: int) -> str:
    """Hash of all that a reference is made from, sixteen hexadecimal digits.

    Args:
        kind: `native` or `best_reply`.
        design: design of the study.
        rule: name of the rule.
        seed: training seed.
    """
    preset = design.preset
    made_from: dict[str, Any] = {
        "recipe": RECIPE,
        "kind": kind,
        "rule": design.rule(rule).hash,
        "seed": seed,
        "steps": preset.native_steps,
        "learner": [preset.learning_markets, preset.rollout_size, preset.batch_size, preset.n_epochs],
        "rounds": preset.rounds,
    }
    if kind == "best_reply":
        made_from |= {"panels": list(preset.panel_seeds), "best_reply_steps": preset.best_reply_steps}
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def shipped(kind: str, design: Design, rule: str) -> dict[int, Path]:
    """Folders of the references of a kind that come with the suite for a rule, by training seed."""
    preset = design.preset
    seeds = preset.panel_seeds if kind == "native" else (preset.best_reply_seed,)
    keys = {seed: key_of(kind, design, rule, seed) for seed in seeds}
    return {seed: FOLDER / key for seed, key in keys.items() if key in index()}


@lru_cache(maxsize=1)
def index() -> dict[str, dict[str, Any]]:
    """The index of the references that come with the suite: by key, the kind, rule, seed and hash of the weights.

    Raises:
        ValueError: the index or a policy is damaged; the message names it.
    """
    path = FOLDER / INDEX
    if not path.exists():
        return {}
    held = _read_index(path)
    for key, each in held.items():
        found = load_policy(FOLDER / key).describe()["weights"]
        if found != each["weights"]:
            raise ValueError(f"{FOLDER / key}: holds weights {found[:16]}, but {path.name} says {each['weights'][:16]}")
    return held


def _read_index(path: Path) -> dict[str, dict[str, Any]]:
    held = read_json(path)
    for key, each in held.items() if isinstance(held, dict) else [("", None)]:
        if not isinstance(each, dict) or not isinstance(each.get("weights"), str):
            raise ValueError(f"{path}: {key or 'it'} is malformed; each key must be a table with weights")
    return held


def keep(kind: str, design: Design, rule: str, seed: int, policy: Path, out: str | os.PathLike[str]) -> None:
    """Copy a trained reference into a folder such as `FOLDER`, and add it to the index there.

    Args:
        kind: `native` or `best_reply`.
        design: design of the study that trained it.
        rule: name of the rule.
        seed: training seed.
        policy: folder of the trained policy.
        out: folder to copy it into.
    """
    key, root = key_of(kind, design, rule, seed), Path(out)
    root.mkdir(parents=True, exist_ok=True)
    (root / key).mkdir(exist_ok=True)
    critic = ("critic.safetensors",) if kind == "native" else ()  # a best reply starts from a native, critic included
    for name in ("policy.safetensors", "policy.json", *critic):
        shutil.copyfile(policy / name, root / key / name)
    path = root / INDEX
    held = _read_index(path) if path.exists() else {}
    held[key] = {"kind": kind, "rule": rule, "seed": seed, "weights": load_policy(root / key).describe()["weights"]}
    write_atomically(path, json.dumps(dict(sorted(held.items())), indent=1) + "\n")
