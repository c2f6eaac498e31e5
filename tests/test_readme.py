"""The README keeps its promises: its Python runs, its commands and files exist."""

import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readme__python_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    if "changed" in names:
        assert np.all(names["changed"][:50] == 0)
        assert np.any(names["changed"][50:] != 0)
    if isinstance(names.get("env"), gymnasium.Env):
        names["env"].close()


def test_readme__has_all_blocks():
    assert len(BLOCKS) == 5


def test_readme__commands_parse(capsys):
    from ruleshift.cli import parse

    lines = [line.split("#")[0].split() for line in README.splitlines() if line.startswith("ruleshift ")]
    assert len(lines) > 7
    for words in lines:
        parse(words[1:])


def test_readme__links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_readme__names_every_rule():
    from ruleshift.envs import list_rules

    for name in list_rules():
        assert f"| `{name}` |" in README
