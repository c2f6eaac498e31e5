"""Walks over nested dataclasses, and over the nested tables of files: nothing else knows how they are nested."""

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass, replace
from typing import Any

from ruleshift.envs.fields import check_keys


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Dotted name, declaration and value of every field of a dataclass that is not a dataclass itself, in order."""
    for each in fields(value):
        inner = getattr(value, each.name)
        if is_dataclass(inner):
            yield from leaves(inner, f"{prefix}{each.name}.")
        else:
            yield prefix + each.name, each, inner


def tables(value: Any) -> dict[str, dict[str, Any]]:
    """The fields of a dataclass as a TOML file groups them: by dotted name of their table, '' at the top."""
    found: dict[str, dict[str, Any]] = {"": {}}
    for name, _, leaf in leaves(value):
        *path, key = name.split(".")
        for depth in range(1, len(path) + 1):
            found.setdefault(".".join(path[:depth]), {})
        found[".".join(path)][key] = leaf
    return found


def flat_keys(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted key.

    >>> flat_keys({"payment": {"reserve": 0.8}, "name": "mine"})
    {'payment.reserve': 0.8, 'name': 'mine'}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flat_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def built(kind: type, content: Any, where: str) -> Any:
    """The dataclass that nested tables describe, those inside it included.

    Raises:
        ValueError: a key that is missing or unknown, or a value out of range; begins with `where`.
    """
    nested = {each.name: each.type for each in fields(kind) if isinstance(each.type, type) and is_dataclass(each.type)}
    values = {
        key: built(nested[key], value, f"{where}: {key}") if key in nested else value
        for key, value in check_keys(kind, content, where).items()
    }
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{where.split(': ')[0]}: {error}") from None


def replaced(value: Any, changes: dict[str, Any], where: str) -> Any:
    """The dataclass with fields changed by their dotted names, all of one table at once.

    Raises:
        ValueError: a field that is unknown, named with `where`, or a value out of range.
    """
    known = [each.name for each in fields(value)]
    inner: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}
    for path, new in changes.items():
        name, _, rest = path.partition(".")
        if name not in known:
            raise ValueError(f"{where}: unknown field {name!r}; there are {', '.join(known)}")
        if rest and not is_dataclass(getattr(value, name)):
            raise ValueError(f"{where}.{name} has no field {rest.partition('.')[0]!r}")
        if rest:
            inner.setdefault(name, {})[rest] = new
        else:
            values[name] = new
    for name, nested in inner.items():
        values.setdefault(name, replaced(getattr(value, name), nested, f"{where}.{name}"))
    return replace(value, **values)
