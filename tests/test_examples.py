"""The programs for other people's trainers, which run by hand: each is complete, pinned and listed."""

import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*/run.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.parent.name)
def test_example__compiles_and_has_pins(program: Path) -> None:
    compile(program.read_text(encoding="utf-8"), str(program), "exec")
    pins = (program.parent / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in pins if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", line)] == []


def test_examples__are_those_of_the_list() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"`make -C examples (\w+)`", text)
    assert sorted(listed) == [program.parent.name for program in PROGRAMS]
