"""Fields of dataclasses that files can set: their ranges, declared beside their defaults, and the keys of their tables.

Every mistake is reported in one clear line.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from itertools import pairwise
from numbers import Integral, Real
from typing import Any


def brief(value: Any) -> str:
    """Return a value as errors quote it: its `repr` in one line of at most 80 characters.

    >>> brief("x" * 1000) == "'" + "x" * 76 + "..."
    True
    """
    try:
        text = repr(value)
    except Exception:  # a whole number of thousands of digits, endless nesting, or a mistake of its class
        return f"{type(value).__name__}(...)"
    text = text if text.isprintable() else " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, of Python or of numpy; truth values are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number by its type, of Python or of numpy; truth values are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _as_float(value: Any) -> float:
    """Return a value as a float; NaN if it is no number, or if no float can hold it."""
    try:
        return float(value) if is_number(value) else math.nan
    except (OverflowError, ValueError):
        return math.nan


@dataclass(frozen=True)
class Number:
    """A field that is a float from `low` to `high`, both included."""

    low: float
    high: float

    def problem(self, value: Any) -> str | None:
        if self.low <= _as_float(value) <= self.high:
            return None
        return f"must be {'' if is_number(value) else 'a number '}from {self.low:g} to {self.high:g}{_too_large(value)}"

    def canonical(self, value: Any) -> Any:
        return float(value) + 0.0  # -0.0 and 0.0 are one value


@dataclass(frozen=True)
class NumberOrInf(Number):
    """A field that is a float from `low` to `high`, both included, or infinity."""

    def problem(self, value: Any) -> str | None:
        problem = None if _as_float(value) == math.inf else super().problem(value)
        return f"{problem}, or inf" if problem else None


def _too_large(value: Any) -> str:
    """Say of a number that only its size keeps out of an unbounded range."""
    return ", no larger than a float can hold" if is_whole(value) and math.isnan(_as_float(value)) else ""


@dataclass(frozen=True)
class Count:
    """A field that is a whole number from `low` to `high`, both included."""

    low: int
    high: int

    def problem(self, value: Any) -> str | None:
        if not is_whole(value) or not self.low <= value <= self.high:
            return f"must be a whole number from {self.low} to {self.high}"
        return None

    def canonical(self, value: Any) -> Any:
        return int(value)


@dataclass(frozen=True)
class Flag:
    """A field that is True or False."""

    def problem(self, value: Any) -> str | None:
        return None if type(value).__name__ in ("bool", "bool_") else "must be True or False"

    def canonical(self, value: Any) -> Any:
        return bool(value)


@dataclass(frozen=True, init=False)
class OneOf:
    """A field that is one of a few words."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    def problem(self, value: Any) -> str | None:
        known = isinstance(value, str) and value in self.words
        return None if known else f"must be one of {', '.join(self.words)}"

    def canonical(self, value: Any) -> Any:
        return str(value)


@dataclass(frozen=True)
class Range:
    """A field that is a pair of floats from `low` to `high`, the lower one first."""

    low: float
    high: float

    def problem(self, value: Any) -> str | None:
        number = Number(self.low, self.high)
        pair = isinstance(value, list | tuple) and len(value) == 2
        if not pair or number.problem(value[0]) or number.problem(value[1]) or value[0] > value[1]:
            return f"must be two numbers, the lower first, from {self.low:g} to {self.high:g}"
        return None

    def canonical(self, value: Any) -> Any:
        return (float(value[0]), float(value[1]))


@dataclass(frozen=True)
class Numbers:
    """A field that is a list of at most `most` finite floats from `low` to `high`."""

    most: int
    low: float = -1e300
    high: float = 1e300

    def problem(self, value: Any) -> str | None:
        number = Number(self.low, self.high)
        listed = isinstance(value, list | tuple) and len(value) <= self.most
        if not listed or any(number.problem(each) for each in value):
            span = "" if self.high == 1e300 else f" from {self.low:g} to {self.high:g}"
            return f"must be a list of at most {self.most} finite numbers{span}"
        return None

    def canonical(self, value: Any) -> Any:
        return tuple(float(each) for each in value)


@dataclass(frozen=True)
class Tiers:
    """A field that is a list of at most `most` pairs of a threshold (above 0, rising) and a share (0 .. 1)."""

    most: int

    def problem(self, value: Any) -> str | None:
        threshold, share = Number(1e-9, 1e9), Number(0, 1)
        listed = isinstance(value, list | tuple) and len(value) <= self.most
        pairs = listed and all(isinstance(each, list | tuple) and len(each) == 2 for each in value)
        if (
            not pairs
            or any(threshold.problem(each[0]) or share.problem(each[1]) for each in value)
            or any(low[0] >= high[0] for low, high in pairwise(value))
        ):
            return f"must be a list of at most {self.most} pairs [from, share], rising, each share from 0 to 1"
        return None

    def canonical(self, value: Any) -> Any:
        return tuple((float(start), float(share) + 0.0) for start, share in value)


@dataclass(frozen=True)
class Text:
    """A field that is a text, which may be empty."""

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, str) else "must be text"

    def canonical(self, value: Any) -> Any:
        return str(value)


@dataclass(frozen=True)
class Word:
    """A field that is a text that is not empty."""

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, str) and value else "must be a word"

    def canonical(self, value: Any) -> Any:
        return str(value)


@dataclass(frozen=True)
class Name:
    """A field that names something: one line that is printed in tables and may become part of a file's name."""

    most: int = 200
    """The largest number of bytes in UTF-8; file systems allow 255."""

    def problem(self, value: Any) -> str | None:
        readable = isinstance(value, str) and value.isprintable() and value.strip() and not {"/", "\\"} & {*value}
        if not readable or len(value.encode()) > self.most:
            return f"must be a name: one line of at most {self.most} bytes, without slashes and control characters"
        return None

    def canonical(self, value: Any) -> Any:
        return str(value)


@dataclass(frozen=True)
class Words:
    """A field that is a list of at least `least` different words."""

    least: int

    def problem(self, value: Any) -> str | None:
        listed = isinstance(value, list | tuple) and all(Word().problem(each) is None for each in value)
        if not listed or len(value) < self.least or len(set(value)) < len(value):
            return f"must be a list of at least {self.least} different words"
        return None

    def canonical(self, value: Any) -> Any:
        return tuple(str(each) for each in value)


@dataclass(frozen=True)
class Counts:
    """A field that is a list of at least one whole number from `low` to `high`, all of them different."""

    low: int
    high: int

    def problem(self, value: Any) -> str | None:
        count = Count(self.low, self.high)
        listed = isinstance(value, list | tuple) and bool(value) and not any(count.problem(each) for each in value)
        if not listed or len(set(value)) < len(value):
            return f"must be a list of different whole numbers from {self.low} to {self.high}"
        return None

    def canonical(self, value: Any) -> Any:
        return tuple(int(each) for each in value)


@dataclass(frozen=True)
class Sizes:
    """A field that is a list of at most `most` whole numbers from `low` to `high`."""

    low: int
    high: int
    most: int

    def problem(self, value: Any) -> str | None:
        count = Count(self.low, self.high)
        if isinstance(value, list | tuple) and len(value) <= self.most and not any(map(count.problem, value)):
            return None
        return f"must be a list of at most {self.most} whole numbers from {self.low} to {self.high}"

    def canonical(self, value: Any) -> Any:
        return tuple(int(each) for each in value)


@dataclass(frozen=True)
class Of:
    """A field that is an instance of a class."""

    kind: type

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, self.kind) else f"must be of type {self.kind.__name__}"

    def canonical(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Maybe:
    """A field that is None or what another kind says."""

    kind: "Kind"

    def problem(self, value: Any) -> str | None:
        problem = None if value is None else self.kind.problem(value)
        return f"{problem}, or None" if problem else None

    def canonical(self, value: Any) -> Any:
        return None if value is None else self.kind.canonical(value)


Kind = (
    Number | Count | Flag | OneOf | Range | Numbers | Tiers | Text | Word | Name | Words | Counts | Sizes | Of | Maybe
)
"""The range of a field. `problem(value)` says what a value must be instead, or None if it is in range, and
`canonical(value)` converts a value in range to the one type in which the field is stored."""


SEED = Count(0, 2**64 - 1)
"""The range of the seeds of markets."""


def option(default: Any, kind: Kind) -> Any:
    """Return a dataclass field with its default and its range, which `check_fields` reads."""
    return field(default=default, metadata={"kind": kind})


def checked(value: Any, kind: Kind, name: str) -> Any:
    """Return a value in canonical form.

    Raises:
        ValueError: if it is out of range; says its name, the value and what would be right.

    >>> checked(3.0, Number(0, 10), "seconds")
    3.0
    """
    problem = kind.problem(value)
    if problem:
        raise ValueError(f"{name} is {brief(value)}; it {problem}")
    return kind.canonical(value)


def listed(given: Any, name: str, *kinds: type) -> tuple[Any, ...]:
    """Return several values of some types as a tuple; one of them alone becomes a tuple of one.

    Raises:
        TypeError: if it is neither; names it.
    """
    if isinstance(given, kinds):
        return (given,)
    words = " or ".join(each.__name__ for each in kinds)
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {brief(given)}; it must be a list of values of type {words}")
    several = tuple(given)
    for each in several:
        if not isinstance(each, kinds):
            raise TypeError(f"{name} holds {brief(each)}; each must be of type {words}")
    return several


def check_fields(instance: Any, where: str) -> None:
    """Check every field declared with its range, and store its value in canonical form.

    Raises:
        ValueError: if a value is out of range; names `where`, the field, its value and what would be right.
    """
    for each in fields(instance):
        if "kind" in each.metadata:
            value = checked(getattr(instance, each.name), each.metadata["kind"], f"{where}: {each.name}")
            object.__setattr__(instance, each.name, value)


def check_keys(kind: type, content: Any, where: str) -> dict[str, Any]:
    """Return a table of a file after checking that its keys are fields of the dataclass `kind`.

    Only fields with a default may be missing.

    Raises:
        ValueError: if it is no table, or if a key is unknown or missing; names `where` and the key.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{where} is {brief(content)}; it must be a table")
    required = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind)}
    for key in content:
        if key not in required:
            raise ValueError(f"{where}: unknown key {brief(key)}; there are {', '.join(required)}")
    for key in required:
        if required[key] and key not in content:
            raise ValueError(f"{where}: the key {key!r} is missing")
    return content
