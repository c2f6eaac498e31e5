"""The page docs/api.md, written from docstrings: `python docs/build/api_page.py > docs/api.md`."""

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

PACKAGES = ("envs", "agents", "train", "eval")
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
_INTRODUCTION = """# The public names

Everything that `ruleshift.envs`, `ruleshift.agents`, `ruleshift.train` and `ruleshift.eval` export, with the first
sentence of its docstring; `help(NAME)` in Python has arguments, shapes, units, ranges and errors. What is not listed
here may change. This page is written from the docstrings: `python docs/build/api_page.py > docs/api.md`.

Importing `ruleshift` registers the Gymnasium id `ruleshift/Market-v0`, and gives `ruleshift.__version__`.
"""


def api_page() -> str:
    """All public names in Markdown, by package; classes with their public methods and properties."""
    return "\n".join([_INTRODUCTION, *(_section(name) for name in PACKAGES)])


def _section(name: str) -> str:
    package = importlib.import_module(f"ruleshift.{name}")
    lines = [f"## ruleshift.{name}", "", _first(package.__doc__), ""]
    for each in sorted(package.__all__, key=str.lower):
        lines += _lines(each, getattr(package, each))
    return "\n".join(lines) + "\n"


def _lines(name: str, held: Any) -> Iterator[str]:
    if isinstance(held, ModuleType):
        yield f"- **`{name}`**: {_first(held.__doc__)}"
        for key, value in vars(held).items():
            if inspect.isfunction(value) and value.__module__ == held.__name__ and not key.startswith("_"):
                yield f"  - `{key}{_parameters(value)}`: {_first(value.__doc__)}"
    elif inspect.isclass(held):
        yield f"- **`{name}{_made_with(held)}`**: {_first(held.__doc__)}"
        yield from _members(held)
    elif callable(held):
        yield f"- **`{name}{_parameters(held)}`**: {_first(held.__doc__)}"
    else:
        yield f"- **`{name}`** holds {', '.join(f'`{word}`' for word in held)}."


def _members(held: type) -> Iterator[str]:
    """Methods and properties that the class itself defines and explains."""
    for key, value in vars(held).items():
        if key.startswith("_"):
            continue
        plain = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if inspect.isfunction(plain) and plain.__doc__:
            yield f"  - `.{key}{_parameters(plain)}`: {_first(plain.__doc__)}"
        elif isinstance(value, (property, cached_property)) and value.__doc__:
            yield f"  - `.{key}`: {_first(value.__doc__)}"


def _made_with(held: type) -> str:
    if is_dataclass(held):
        return f"({', '.join(each.name for each in fields(held) if each.init)})"
    own = vars(held).get("__init__")
    return "" if own is None else _parameters(own)


def _parameters(function: Any) -> str:
    """Names of the arguments, those by keyword alone after a star."""
    given = [each for key, each in inspect.signature(function).parameters.items() if key not in ("self", "cls")]
    names = [_STARS.get(each.kind, "") + each.name for each in given]
    by_keyword = [each.kind is each.KEYWORD_ONLY for each in given]
    if any(by_keyword) and not any(each.kind is each.VAR_POSITIONAL for each in given):
        names.insert(by_keyword.index(True), "*")
    return f"({', '.join(names)})"


def _first(docstring: str | None) -> str:
    """The first sentence, on one line."""
    if not docstring:
        raise ValueError("api_page: a public name has no docstring")
    paragraph = " ".join(inspect.cleandoc(docstring).split("\n\n")[0].split())
    return re.split(r"(?<=[^. ]\.) (?=[A-Z`])", paragraph)[0].rstrip(".:") + "."


if __name__ == "__main__":
    print(api_page(), end="")
