"""What is installed: one version number, and packages that are found even where a checkout has no symbolic links."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

import ruleshift

ROOT = Path(__file__).parents[1]
LAYERS = ("envs", "agents", "train", "eval")


def test_version__is_that_of_the_newest_changes() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == ruleshift.__version__


def _pinned(name: str) -> dict[str, Version]:
    """Return the versions in a file of constraints, by package."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in pins}


def test_constraints__hold_each_dependency_at_its_lowest_and_as_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest, tested = _pinned("constraints-lowest.txt"), _pinned("constraints.txt")
    for needed in itertools.chain(project["dependencies"], *project["optional-dependencies"].values()):
        package, _, bound = needed.partition(">=")
        assert lowest[package] == Version(bound) or package == "torch", needed
        assert tested[package] >= Version(bound), needed


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose symbolic links are text files, as git leaves them on Windows; its packages are empty."""
    package = tmp_path / "src" / "ruleshift"
    package.mkdir(parents=True)
    shutil.copy(ruleshift.__file__, package)
    (tmp_path / "pyproject.toml").touch()
    for layer in LAYERS:
        (package / layer).write_text(f"../../{layer}")
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "__init__.py").touch()
    return tmp_path


def _run(checkout: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own that finds the checkout's `ruleshift` first."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)


def test_import__finds_the_packages_without_symbolic_links(checkout: Path) -> None:
    names = ", ".join(f"ruleshift.{layer}" for layer in LAYERS)
    done = _run(checkout, f"import {names}; print({names}, sep='\\n')")
    assert done.returncode == 0, done.stderr
    assert all(f"{checkout / layer}" in line for layer, line in zip(LAYERS, done.stdout.splitlines(), strict=True))


def test_import__says_in_one_line_that_the_packages_are_missing(checkout: Path) -> None:
    shutil.rmtree(checkout / "envs")
    lines = _run(checkout, "import ruleshift").stderr.splitlines()
    assert re.fullmatch(r"ImportError: ruleshift: .* has no package envs.* run `pip install \.` .*", lines[-1])
