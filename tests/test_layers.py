"""How the parts hang together: imports flow one way, what is public is explained, rules are all there and distinct."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from ruleshift.envs import list_rules, list_structures, load_rule, load_structure

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "envs": {"envs"},
    "agents": {"envs", "agents"},
    "train": {"envs", "agents", "train"},
    "eval": {"envs", "agents", "train", "eval"},
}
ROOMS = (
    "statistics", "inequality", "tails", "metagame", "extensions", "play", "panels", "compare", "jobs", "claims",
    "experiment", "report", "known_answers", "evaluate", "scenario", "study",
)  # fmt: skip
"""Modules and packages of `eval`, from the bottom up: none imports one that comes later."""


def _module(path: Path) -> str:
    """The name by which a file is imported."""
    return ".".join(("ruleshift", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


FILES = {_module(path): path for layer in MAY_IMPORT for path in sorted((ROOT / layer).rglob("*.py"))}
PACKAGES = [name for name, path in FILES.items() if path.name == "__init__.py"]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _imports(name: str) -> frozenset[str]:
    """Names of the modules, ours and others, that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            full = {f"{source}.{alias.name}" for alias in node.names}
            found |= {each if each in FILES else source for each in full}
    return frozenset(found)


@pytest.mark.parametrize("name", FILES)
def test_imports__flow_one_way(name: str) -> None:
    allowed = MAY_IMPORT[name.split(".")[1]]
    for module in _imports(name):
        assert not module.startswith("."), f"{name} imports {module}: imports are absolute"
        if module.startswith("ruleshift."):
            assert module.split(".")[1] in allowed, f"{name} imports {module}"


def test_imports__of_eval_never_run_up_between_its_rooms() -> None:
    room = {name: name.split(".")[2] for name in FILES if name.startswith("ruleshift.eval.")}
    assert set(room.values()) == set(ROOMS)
    height = {"ruleshift.eval": len(ROOMS), **{name: ROOMS.index(room[name]) for name in room}}
    upwards = [
        f"{name} imports {module}"
        for name in height
        for module in sorted(_imports(name) & set(height))
        if height[module] > height[name]
    ]
    assert not upwards


def test_imports__never_run_in_a_circle() -> None:
    modules = set(FILES) - set(PACKAGES)
    circle: list[str] = []
    try:
        TopologicalSorter({name: _imports(name) & modules for name in modules}).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
    assert not circle, " imports ".join(circle)


@pytest.mark.parametrize("name", PACKAGES)
def test_docstrings__every_package_says_what_belongs_there(name: str) -> None:
    said = ast.get_docstring(ast.parse(FILES[name].read_text(encoding="utf-8"))) or ""
    assert len(said.splitlines()) > 1, f"{name}: a line or two on what belongs there, and what does not"


def _public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", FILES.values(), ids=_name)
def test_docstrings__every_public_function_and_class_is_explained(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{_name(path)} does not say what it is for"
    missing = [node.name for node in _public(tree.body) if not ast.get_docstring(node)]
    assert not missing, f"{_name(path)}: no docstring on {', '.join(missing)}"


def test_rules__every_file_is_a_rule_of_its_own() -> None:
    hashes = {load_rule(name).hash: name for name in list_rules()}
    assert len(hashes) == len(list_rules()) >= 6


@pytest.mark.parametrize("name", list_rules())
def test_rules__each_is_named_as_its_file_and_says_what_it_stylizes(name: str) -> None:
    rule = load_rule(name)
    assert rule.name == name
    assert len(rule.rationale) > 40


def test_structures__every_file_is_a_structure_of_its_own() -> None:
    names = list_structures()
    assert names
    assert len({load_structure(name).hash for name in names}) == len(names)
