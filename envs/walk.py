"""Walks over nested dataclasses and over the nested tables of files."""

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass, replace
from typing import Any

from ruleshift.envs.fields import brief, check_keys


def leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Yield the dotted name, declaration and value of every field that is not itself a dataclass, in order."""
    for each in fields(value):
        inner = getattr(value, each.name)
        if is_dataclass(inner):
            yield from leaves(inner, f"{prefix}{each.name}.")
        else:
            yield prefix + each.name, each, inner


def tables(value: Any) -> dict[str, dict[str, Any]]:
    """Return the fields of a dataclass by the dotted names of their tables in a TOML file, '' for the top level."""
    found: dict[str, dict[str, Any]] = {"": {}}
    for name, _, leaf in leaves(value):
        *path, key = name.split(".")
        for depth in range(1, len(path) + 1):
            found.setdefault(".".join(path[:depth]), {})
        found[".".join(path)][key] = leaf
    return found


def flat_keys(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as a single one with dotted keys.

    >>> flat_keys({"payment": {"reserve": 0.8}, "name": "mine"})
    {'payment.reserve': 0.8, 'name': 'mine'}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flat_keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def built(kind: type, content: Any, where: str) -> Any:
    """Build a dataclass, including the dataclasses inside it, from nested tables.

    Raises:
        ValueError: if a key is missing or unknown, or a value is out of range; begins with `where`.
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
    """Return the dataclass with fields changed by their dotted names, all fields of one table at once.

    Raises:
        ValueError: if a field is unknown or a value is out of range; names the field.
    """
    known = [each.name for each in fields(value)]
    inner: dict[str, dict[str, Any]] = {}
    values: dict[str, Any] = {}
    for path, new in changes.items():
        name, _, rest = path.partition(".")
        if name not in known:
            raise ValueError(f"{where}: unknown field {brief(name)}; there are {', '.join(known)}")
        if rest and not is_dataclass(getattr(value, name)):
            raise ValueError(f"{where}.{name} has no field {brief(rest.partition('.')[0])}")
        if rest:
            inner.setdefault(name, {})[rest] = new
        else:
            values[name] = new
    for name, nested in inner.items():
        values.setdefault(name, replaced(getattr(value, name), nested, f"{where}.{name}"))
    return replace(value, **values)
