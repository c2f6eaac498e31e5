"""What works without torch and stable-baselines3, for which some versions of Python have no small builds."""

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ruleshift.agents import Card, LearnedPolicy, save_policy

pytestmark = pytest.mark.usefixtures("compiled")

ROOT = Path(__file__).parents[1]

WITHOUT = """
import importlib.metadata as metadata
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "stable_baselines3", "sb3_contrib", "tensorboard"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def distribution(name, find=metadata.distribution):
    if name in ("torch", "stable-baselines3", "sb3-contrib", "tensorboard"):
        raise metadata.PackageNotFoundError(name)
    return find(name)

sys.meta_path.insert(0, Absent())
metadata.distribution = distribution
"""
PLAY = """
import gymnasium
from ruleshift.cli import main
from ruleshift.envs import market_v0
from ruleshift.envs.checker import check_market
from ruleshift.eval import evaluate, run_scenario

env = gymnasium.make("ruleshift:ruleshift/Market-v0", rounds=3)
env.reset(seed=1)
env.step(env.action_space.sample())
env = gymnasium.make_vec("ruleshift/Market-v0", num_envs=2, rounds=3)
env.reset(seed=1)
env.step(env.action_space.sample())
check_market(lambda: market_v0.parallel_env(rounds=3))
evaluate(POLICY, "price_board", shift_to="promoted_listing", at=1, markets=1)
run_scenario("ride_hailing", policy=POLICY, markets=1)
assert main(["play", "--policy", POLICY, "--rounds", "1", "--pause", "0"]) == 0
assert main(["validate", "--only", "luce_choice", "--out", OUT, "--workers", "1"]) == 0
"""


def test_readme_and_makefile__name_all_dependencies_but_those_of_training() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [needed.split(">=")[0] for needed in project["dependencies"]]
    needed = " ".join(name for name in names if name not in ("torch", "stable-baselines3", "tensorboard"))
    assert f"pip install {needed}\npip install --no-deps .\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"WITHOUT_TORCH := {needed}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)


def _policy(folder: Path) -> Path:
    card = Card(kinds=3)
    weights = {name: np.zeros(shape, np.float32) for name, shape in card.shapes().items()}
    return Path(save_policy(LearnedPolicy(weights, card), folder))


def test_environments_agents_and_evaluation__need_no_torch(tmp_path: Path) -> None:
    values = f"POLICY, OUT = {str(_policy(tmp_path / 'policy'))!r}, {str(tmp_path / 'out')!r}\n"
    done = _run(WITHOUT + values + PLAY)
    assert done.returncode == 0, done.stderr


def test_training__says_in_one_line_what_it_needs(tmp_path: Path) -> None:
    done = _run(
        f"{WITHOUT}\nfrom ruleshift.cli import main\nmain(['train', 'price_board', '--out', {str(tmp_path)!r}])"
    )
    assert done.stderr.startswith("ruleshift: ruleshift.train needs torch and stable-baselines3 (No module named ")
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(find_spec("torch") is None, reason="it trains")
def test_training__goes_on_without_tensorboard(tmp_path: Path) -> None:
    absent = "import importlib.util as util; find = util.find_spec\n"
    absent += "util.find_spec = lambda name, *more: None if name == 'tensorboard' else find(name, *more)\n"
    words = ["train", "price_board", "--steps", "1", "--out", str(tmp_path / "run")]
    done = _run(f"{absent}\nfrom ruleshift.cli import main\nmain({words!r})")
    assert "run: trains without logs, since tensorboard is not installed" in done.stderr
    assert (tmp_path / "run" / "policy.safetensors").is_file()
