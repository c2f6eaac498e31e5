"""Fields of dataclasses that files can set: their ranges, declared beside their defaults, and the keys of their tables.

Every mistake is reported in one clear line.
"""

import math
from dataclasses import MISSING, dataclass, field, fields
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Number:
    """A field that is a float from `low` to `high`, both included."""

    low: float
    high: float

    def problem(self, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            return f"must be a number from {self.low:g} to {self.high:g}"
        return None if self.low <= value <= self.high else f"must be from {self.low:g} to {self.high:g}"

    def canonical(self, value: Any) -> Any:
        return float(value) + 0.0  # -0.0 and 0.0 are one value


@dataclass(frozen=True)
class Count:
    """A field that is a whole number from `low` to `high`, both included."""

    low: int
    high: int

    def problem(self, value: Any) -> str | None:
        if isinstance(value, bool) or not hasattr(value, "__index__") or not self.low <= value <= self.high:
            return f"must be a whole number from {self.low} to {self.high}"
        return None

    def canonical(self, value: Any) -> Any:
        return int(value)


@dataclass(frozen=True, init=False)
class OneOf:
    """A field that is one of a few words."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)

    def problem(self, value: Any) -> str | None:
        return None if value in self.words else f"must be one of {', '.join(self.words)}"

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
    """A field that is a list of at most `most` finite floats."""

    most: int

    def problem(self, value: Any) -> str | None:
        listed = isinstance(value, list | tuple) and len(value) <= self.most
        if not listed or any(Number(-1e300, 1e300).problem(each) for each in value):
            return f"must be a list of at most {self.most} finite numbers"
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
class Word:
    """A field that is a text that is not empty."""

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, str) and value else "must be a word"

    def canonical(self, value: Any) -> Any:
        return value


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
        return tuple(value)


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


Kind = Number | Count | OneOf | Range | Numbers | Tiers | Word | Words | Counts
"""The range of a field. `problem(value)` says what a value must be instead, or None if it is in range, and
`canonical(value)` converts a value in range to the one type in which the field is stored."""


def option(default: Any, kind: Kind) -> Any:
    """Return a dataclass field with its default and its range, which `check_fields` reads."""
    return field(default=default, metadata={"kind": kind})


def check_fields(instance: Any, where: str) -> None:
    """Check every field declared with `option`, and store its value in canonical form.

    Raises:
        ValueError: if a value is out of range; names `where`, the field, its value and what would be right.
    """
    for each in fields(instance):
        kind = each.metadata.get("kind")
        if kind is None:
            continue
        value = getattr(instance, each.name)
        problem = kind.problem(value)
        if problem:
            raise ValueError(f"{where}: {each.name} is {value!r}; it {problem}")
        object.__setattr__(instance, each.name, kind.canonical(value))


def check_keys(kind: type, content: Any, where: str) -> dict[str, Any]:
    """Return a table of a file after checking that its keys are fields of the dataclass `kind`.

    Only fields with a default may be missing.

    Raises:
        ValueError: if it is no table, or if a key is unknown or missing; names `where` and the key.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{where} is {content!r}; it must be a table")
    needed = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind)}
    for key in content:
        if key not in needed:
            raise ValueError(f"{where}: unknown key {key!r}; there are {', '.join(needed)}")
    for key in needed:
        if needed[key] and key not in content:
            raise ValueError(f"{where}: the key {key!r} is missing")
    return content
