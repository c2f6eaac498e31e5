"""Every command and snippet of every page runs, in a user's own folder, with the installed wheel.

A page is followed from top to bottom in one empty folder, as a reader would follow it: commands run as they are written
and Python as a script of its own. What would take minutes runs in a shorter form, or is interrupted once it has begun;
the tables below say which and why. What is in no table runs as it is written.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from reader import OUTPUT
from studies import Planted, make_study

from ruleshift.eval import load_preset

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))

ANIMATION, LEARNING, ANSWERS, PLACEHOLDER = (
    "a market is watched without pauses", "training takes minutes", "all answers take minutes", "a name to fill in",
)  # fmt: skip
SHORTER = {
    "ruleshift play price_board --shift-to promoted_listing": ("{} --pause 0", ANIMATION),
    "ruleshift play price_board --shift-to promoted_listing --save shift.gif": ("{} --rounds 4", ANIMATION),
    "ruleshift play sharper_board.toml": ("{} --pause 0", ANIMATION),
    "ruleshift play mine.toml": ("{} --pause 0", ANIMATION),
    "ruleshift play freelance_commission": ("{} --pause 0", ANIMATION),
    "ruleshift play bestseller_board.toml": ("{} --pause 0", ANIMATION),
    "ruleshift play price_board --shift-to bestseller_board.toml": ("{} --pause 0", ANIMATION),
    "ruleshift play price_board --policy runs/mine": ("{} --pause 0", ANIMATION),
    "ruleshift train price_board --out runs/specialist --steps 1_000_000": ("{} --steps 6_400", LEARNING),
    "ruleshift train platforms --arm randomized+memory --out runs/generalist --steps 1_000_000": (
        "{} --steps 6_400", LEARNING
    ),
    "ruleshift train freelance_commission --out runs/freelancer --steps 1_000_000": ("{} --steps 6_400", LEARNING),
    "ruleshift validate --only first_price q_learners": ("ruleshift validate --only luce_choice wright", ANSWERS),
    "ruleshift rules show NAME": ("ruleshift rules show price_board", PLACEHOLDER),
    "ruleshift scenarios show NAME > mine.toml": ("ruleshift scenarios show ride_hailing > mine.toml", PLACEHOLDER),
}  # fmt: skip
"""What runs in place of a command, `{}` being the command itself, and why."""

INTERRUPTED = {
    "ruleshift study --preset quick --out results/quick": "results/quick/log/*",
    "ruleshift study --preset mine.toml --out results/mine": "results/mine/log/*",
    "ruleshift claims run": "results/claims/log/*",
    "ruleshift validate --out results/validation": "results/validation/log/*",
}
"""Commands of many minutes, which are interrupted once there is a file of this pattern."""

MENTIONED = {
    "ruleshift rules compare A B": "the README compares two rules by name",
    "ruleshift rules compare": "the README compares two rules by name",
    "ruleshift study": "the README runs it with its options",
    "ruleshift validate": "the README runs it with its options",
    "ruleshift validate --extensions": "the command below the answer of one's own has the name of a module",
    "ruleshift study --preset mine.toml --extensions my_arms": "test_outside_lists runs such a file with such a module",
    "ruleshift study --preset full --out results/full --ray HOST:6379": "test_cluster runs a study on three nodes",
    ".venv/bin/ruleshift": "where `make` puts the command",
}
"""Commands that a sentence is about, and where they run with their arguments."""

OUTSIDE = ("git ", "pip freeze", "pip install .", ".venv/bin/pre-commit ")
"""How commands begin that are none of ours and would leave the test's folder or need the network."""

SAVED: dict[str, dict[str, tuple[str, ...]]] = {
    "rules.md": {"toml": ("mine.toml",), "python": ("my_mechanisms.py",)},
    "structures.md": {"toml": ("boards.toml", "family.toml", "schedule.toml")},
    "tutorial.md": {"toml": ("mine.toml",)},
    "validation.md": {"python": ("my_answers.py",)},
}
"""Blocks that a reader saves, by page and language: the names of the files, in order."""

BESIDE = {
    "best.toml": "ruleshift play best.toml --pause 0 --mechanisms my_mechanisms:best_first",
    "boards.toml": "ruleshift play boards.toml --pause 0",
    "family.toml": "ruleshift play family.toml --pause 0",
}
"""What is tried in addition with a file that was saved, or made from one."""

CHECKS = {
    "changed": "assert not changed[:50].any() and changed[50:].any()",
    "score": "assert score > first  # the hill was climbed",
    "last": "assert last.shape == observations.shape",
    "plan": "from dataclasses import replace; assert policy.card == replace(plan.card, steps=1_280)",
    "capability": "assert capability.shape == (3,) and action[2] == -1",
    "native": (
        "import numpy as np\n"
        "seen = np.random.default_rng(0).uniform(-1, 1, (5, 64)).astype(np.float32)\n"
        "theirs, _ = learner.predict(seen, deterministic=True)\n"
        "assert np.allclose(native.act(seen)[0], theirs, atol=1e-5)  # it acts as the policy that it was made from"
    ),
}
"""What has to hold after a snippet, by a name that it binds."""


class Step(NamedTuple):
    """A block of a page by its language, or a command."""

    kind: str
    text: str


def steps(page: Path) -> Iterator[Step]:
    """Yield what a page tells its reader to run or to save, from top to bottom."""
    pattern = r"^```(\w*)\n(.*?)^```$|(?<!`)`([^`]+)`|<!-- (ruleshift .*?) -->"
    for language, block, code, hidden in re.findall(
        pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        if language:
            yield Step(language, block)
        for line in block.splitlines() if block and not language else [" ".join((code or hidden).split())]:
            command = line.split("  #")[0].split(" # ")[0].strip()
            if re.match(r"(ruleshift|make|python|pip|git) |make$|\.venv/bin/\w|\.ci/", command):
                yield Step("command", command)


class Reader:
    """A user with the installed wheel: runs snippets and commands in a folder."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        script = Path(__file__).with_name("reader.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)], env=environment, cwd=environment["HOME"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, folder: Path, expected: int = 0, **asked: Any) -> str:
        """Return what a run prints, which ends with the expected status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"folder": str(folder), **asked}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert answer["status"] == expected, f"{asked}\n{answer['output']}"
        said: str = answer["output"]
        return said

    def close(self) -> None:
        """End the process."""
        with self._process:  # closes its input, which ends it
            pass


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment variables of a user who has installed the wheel, and has no checkout."""
    home = tmp_path_factory.mktemp("home")
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [each for each in inherited if each and not (Path(each) / "ruleshift").exists()]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": os.pathsep.join(others)}
    environment.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    if not (ROOT / "src").exists():
        return environment  # the tests of the sdist, which run beside the installed wheel
    place = tmp_path_factory.mktemp("installed")
    at_once = [] if importlib.util.find_spec("hatchling") is None else ["--no-build-isolation"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", *at_once, "--wheel-dir", str(home), str(ROOT)], check=True, timeout=300)
    (wheel,) = home.glob("*.whl")
    options = ["--no-deps", "--no-index", "--no-compile", "--target", str(place)]
    subprocess.run([*pip, "install", *options, str(wheel)], check=True, timeout=300)
    return {**environment, "PYTHONPATH": os.pathsep.join([str(place), *others])}


@pytest.fixture(scope="module")
def reader(installed: dict[str, str]) -> Iterator[Reader]:
    """Give the one reader of all pages."""
    one = Reader(installed)
    yield one
    one.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page__runs_from_top_to_bottom(page: Path, tmp_path: Path, reader: Reader) -> None:
    said = ""
    saved = {language: iter(names) for language, names in SAVED.get(page.name, {}).items()}
    for kind, text in steps(page):
        if kind in saved:
            save(text, tmp_path / next(saved[kind]), reader)
        elif kind == "python":
            said += reader.run(tmp_path, python=text + checks(text))
        elif kind == "text":
            assert text in said
        else:
            assert kind == "command", f"{page.name}: say what is to be done with a block of {kind}"
            said += follow(text, tmp_path, reader)


def save(text: str, path: Path, reader: Reader) -> None:
    """Save a block as the page tells, and use it."""
    path.write_text(text, encoding="utf-8")
    folder, name = path.parent, path.name
    if name == "my_mechanisms.py":
        name = "best.toml"
        change = '{"name": "best", "matching.mechanism": "best_first"}'
        make = "from my_mechanisms import best_first; from ruleshift.envs import load_rule; from pathlib import Path\n"
        make += f'Path("best.toml").write_text(load_rule("price_board").replace(**{change}).to_toml())'
        reader.run(folder, python=make)
    if name == "family.toml":  # one more alternative of a part of `platforms`, which is then frozen no longer
        whole = (ROOT / "envs" / "structures" / "platforms.toml").read_text(encoding="utf-8")
        path.write_text(whole.split("\n[hashes]")[0] + "\n" + text, encoding="utf-8")
    if name == "schedule.toml":
        read = "import tomllib; from ruleshift.envs import read_schedule\n"
        read += (
            'assert read_schedule(tomllib.load(open("schedule.toml", "rb"))["schedule"], "schedule.toml")[0].at == 50'
        )
        reader.run(folder, python=read)
    if name in BESIDE:
        reader.run(folder, command=shlex.split(BESIDE[name])[1:])


def checks(snippet: str) -> str:
    """Return the code of what has to hold after a snippet."""
    bound = [name for name in CHECKS if re.search(rf"^ *(\w+, )*{name}(, \w+)* = ", snippet, re.MULTILINE)]
    return "".join(f"\n{CHECKS[name]}\n" for name in bound)


def follow(command: str, folder: Path, reader: Reader) -> str:
    """Do what the tables say about a command, or run it as it is written; returns what it prints."""
    if command in MENTIONED or command.startswith(OUTSIDE):
        return ""
    if not command.startswith("ruleshift "):
        check_command_of_the_checkout(command)
        return ""
    if command in INTERRUPTED:
        words = [*shlex.split(command)[1:], "--workers", "1"]
        said = reader.run(folder, expected=130, command=words, until=INTERRUPTED[command])
        assert "ruleshift: interrupted" in said
        return said
    if command.startswith("ruleshift report "):
        plant(folder, command.split()[-1])
    if command in SHORTER:
        command = SHORTER[command][0].format(command)
    line, _, target = command.partition(" > ")
    said = reader.run(folder, command=shlex.split(line)[1:])
    if target:
        (folder / target).write_text(said, encoding="utf-8")
    return said


def plant(folder: Path, results: str) -> None:
    """Put a finished study of planted results in the place of the one that was interrupted."""
    preset = folder / "mine.toml"
    shutil.rmtree(folder / results, ignore_errors=True)
    planted = Planted(away={"randomized+memory": 0.8, "fixed+nuisance+memory": 0.6}, spread=0.1)
    make_study(folder / results, planted, load_preset(preset if preset.exists() else "testing"))


def check_command_of_the_checkout(command: str) -> None:
    """Check that what a command of a checkout names is there; running it is the work of `make` and of the workflow."""
    words = shlex.split(command.split(" > ")[0])
    if words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    elif words[:2] == ["pip", "install"]:
        extras = re.findall(r"ruleshift\[(\w+)\]", command)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert set(extras) <= set(project["optional-dependencies"])
        assert "-c" not in words or (ROOT / words[words.index("-c") + 1]).is_file()
    else:
        program = words[1] if words[0].endswith("python") else words[0]
        assert (ROOT / program).exists() or not (ROOT / Path(program).parts[0]).exists(), command


def test_tables__have_no_entry_that_no_page_needs() -> None:
    told = [step for page in PAGES for step in steps(page)]
    commands = {step.text for step in told if step.kind == "command"}
    assert {*SHORTER, *INTERRUPTED, *MENTIONED} <= commands
    snippets = "\n".join(step.text for step in told if step.kind == "python")
    assert [name for name in CHECKS if not checks(snippets).count(CHECKS[name])] == []
    kinds = {page.name: [step.kind for step in steps(page)] for page in PAGES}
    for page, languages in SAVED.items():
        assert {language: kinds[page].count(language) for language in languages} == {
            language: len(names) for language, names in languages.items()
        }


def test_script__finds_a_mechanism_beside_the_rule(installed: dict[str, str], tmp_path: Path) -> None:
    """The command that pip installs, in a process of its own: unlike `python -m`, it does not search the folder."""
    place = Path(installed["PYTHONPATH"].split(os.pathsep)[0])
    script = place / "bin" / "ruleshift"
    command = [sys.executable, str(script)] if script.exists() else [str(shutil.which("ruleshift"))]
    (tmp_path / "beside.py").write_text("def nobody(problem, match, floats, integers):\n    pass\n")
    words = ["rules", "show", "price_board"]
    shown = subprocess.run([*command, *words], env=installed, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    (tmp_path / "mine.toml").write_text(shown.stdout.replace('"serial"', '"nobody"'))
    words = ["play", "mine.toml", "--rounds", "1", "--pause", "0", "--mechanisms", "beside:nobody"]
    done = subprocess.run([*command, *words], env=installed, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "round 1 of 1" in done.stdout


def test_reader__has_the_wheel_and_not_the_checkout(reader: Reader, tmp_path: Path) -> None:
    where = reader.run(tmp_path, python="import ruleshift.envs; print(ruleshift.envs.__file__)")
    assert not Path(where.strip()).is_relative_to(ROOT)
    assert (tmp_path / OUTPUT).is_file()
