"""How the parts hang together: imports flow one way, what is public is explained, rules are all there and distinct."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
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
FILES = sorted(path for layer in MAY_IMPORT for path in (ROOT / layer).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _files_imported(path: Path) -> Iterator[Path]:
    """The files of ours that a file imports, at any depth of it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ruleshift."):
            package = ROOT.joinpath(*str(node.module).split(".")[1:])
            for target in {package / f"{alias.name}.py" for alias in node.names} | {package.with_suffix(".py")}:
                if target.is_file():
                    yield target


def _public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports__flow_one_way(path):
    allowed = MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    for module in _imported(ast.parse(path.read_text())):
        assert not module.startswith("."), f"{_name(path)} imports {module}: imports are absolute"
        if module.startswith("ruleshift."):
            assert module.split(".")[1] in allowed, f"{_name(path)} imports {module}"


@pytest.mark.parametrize("layer", ["envs", "agents", "train"])
def test_imports__within_a_layer_go_round_in_no_circle(layer):
    """Imports inside functions and for type checkers count, too: the files of a layer can be read in one order."""
    files = [path for path in FILES if path.relative_to(ROOT).parts[0] == layer]
    TopologicalSorter({path: set(_files_imported(path)) for path in files}).prepare()


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_docstrings__every_public_function_and_class_is_explained(path):
    tree = ast.parse(path.read_text())
    if path.name != "__init__.py" or tree.body:
        assert ast.get_docstring(tree), f"{_name(path)} does not say what it is for"
    missing = [node.name for node in _public(tree.body) if not ast.get_docstring(node)]
    assert not missing, f"{_name(path)}: no docstring on {', '.join(missing)}"


def test_rules__every_file_is_a_rule_of_its_own():
    hashes = {load_rule(name).hash: name for name in list_rules()}
    assert len(hashes) == len(list_rules()) >= 6


@pytest.mark.parametrize("name", list_rules())
def test_rules__each_is_named_as_its_file_and_says_what_it_stylizes(name):
    rule = load_rule(name)
    assert rule.name == name
    assert len(rule.rationale) > 40


def test_structures__every_file_is_a_structure_of_its_own():
    names = list_structures()
    assert names
    assert len({load_structure(name).hash for name in names}) == len(names)
