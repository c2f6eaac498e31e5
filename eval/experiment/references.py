"""Reference policies: the natives and best replies that come with the suite, so that nobody's entry moves the scale.

Each is found by what it was made from: the content of the rule, the seeds, the budget, and the version of the recipe.
`ruleshift references` makes them, by the same cells as a study would; one that is not shipped is trained by the study.
"""

import hashlib
import json
import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruleshift.agents import load_policy
from ruleshift.envs.files import write_atomically
from ruleshift.eval.experiment.design import Design

RECIPE = 1
"""Version of how references are trained: a change of the recipe, or of the market, is a new version."""
FOLDER = Path(__file__).parents[1] / "reference_policies"
INDEX = "index.json"


def key_of(kind: str, design: Design, rule: str, seed: int) -> str:
    """Sixteen hexadecimal digits of all that a reference is made from."""
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
    """The references of that kind that come with the suite for a rule: folders by training seed."""
    preset = design.preset
    seeds = preset.panel_seeds if kind == "native" else (preset.best_reply_seed,)
    keys = {seed: key_of(kind, design, rule, seed) for seed in seeds}
    return {seed: FOLDER / key for seed, key in keys.items() if key in index()}


@lru_cache(maxsize=1)
def index() -> dict[str, dict[str, Any]]:
    """What comes with the suite, by key: kind, rule, seed, and the hash of the weights.

    Raises:
        ValueError: the index or a policy is damaged; named.
    """
    path = FOLDER / INDEX
    if not path.exists():
        return {}
    held: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for key, each in held.items():
        found = load_policy(FOLDER / key).describe()["weights"]
        if found != each["weights"]:
            raise ValueError(f"{FOLDER / key}: holds weights {found[:16]}, but {path.name} says {each['weights'][:16]}")
    return held


def keep(kind: str, design: Design, rule: str, seed: int, policy: Path, out: str | os.PathLike[str]) -> None:
    """Put a trained reference into a folder such as `FOLDER`, and into its index."""
    key, root = key_of(kind, design, rule, seed), Path(out)
    root.mkdir(parents=True, exist_ok=True)
    (root / key).mkdir(exist_ok=True)
    critic = ("critic.safetensors",) if kind == "native" else ()  # a best reply begins where a native is
    for name in ("policy.safetensors", "policy.json", *critic):
        shutil.copyfile(policy / name, root / key / name)
    path = root / INDEX
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    held[key] = {"kind": kind, "rule": rule, "seed": seed, "weights": load_policy(root / key).describe()["weights"]}
    write_atomically(path, json.dumps(dict(sorted(held.items())), indent=1) + "\n")
