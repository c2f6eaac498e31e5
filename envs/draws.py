"""Draws: how one field of a rule is drawn, and which values it can take.

A draw is a law and its argument, as structures write them. Its possible values are a list of pieces, each with a lowest
and a highest value; for a word the two are the same. The weights are a single field: a piece of it is the part of the
simplex between two corners, each with one number per signal.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

from ruleshift.envs.fields import Number, brief, checked
from ruleshift.envs.numerics import exp, log
from ruleshift.envs.rule import PARTS, Rule, Weights

WEIGHTS = "scoring.weights"
SIGNALS = tuple(each.name for each in fields(Weights))
LAWS = ("choice", "uniform", "log_uniform", "dirichlet")
_LEAST = 1e-300  # of whose logarithm the last bit is still right
_ANY_WEIGHTS = Weights(price=1.0)

Piece = tuple[Any, Any]
"""Lowest and highest value of a field; for the weights, each is a tuple with one number per signal of `SIGNALS`."""


@dataclass(frozen=True)
class Choice:
    """One of a few values, each equally likely."""

    values: tuple[Any, ...]
    takes = 1

    def value(self, numbers: list[float]) -> Any:
        """Return the value drawn by these uniform numbers in (0, 1), of which there are `takes`."""
        return self.values[int(numbers[0] * len(self.values))]

    @property
    def given(self) -> dict[str, Any]:
        """The draw as a structure gives it; `read_draw` is the inverse."""
        return {"choice": [asdict(each) if isinstance(each, Weights) else each for each in self.values]}

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The pieces in which its values lie, see `Piece`."""
        plain = (tuple(vars(each).values()) if isinstance(each, Weights) else each for each in self.values)
        return tuple((each, each) for each in plain)


@dataclass(frozen=True)
class Uniform:
    """Uniform over the union of some intervals, on a logarithmic scale if `logarithmic`."""

    intervals: tuple[tuple[float, float], ...]
    logarithmic: bool
    takes = 1

    @cached_property
    def _scaled(self) -> tuple[tuple[float, float], ...]:
        """Start and length of each interval, on the scale on which the value is drawn."""
        scale = (lambda value: float(log(value))) if self.logarithmic else float
        return tuple((scale(low), scale(high) - scale(low)) for low, high in self.intervals)

    def value(self, numbers: list[float]) -> float:
        """Return the value drawn by these uniform numbers in (0, 1), of which there are `takes`."""
        left, index = numbers[0] * _added(length for _, length in self._scaled), 0
        while left > self._scaled[index][1] and index < len(self.intervals) - 1:
            left -= self._scaled[index][1]
            index += 1
        drawn, (low, high) = self._scaled[index][0] + left, self.intervals[index]
        return min(max(float(exp(drawn)) if self.logarithmic else drawn, low), high)

    @property
    def given(self) -> dict[str, Any]:
        """The draw as a structure gives it; `read_draw` is the inverse."""
        return {"log_uniform" if self.logarithmic else "uniform": self.intervals}

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The pieces in which its values lie, see `Piece`."""
        return self.intervals


@dataclass(frozen=True)
class Dirichlet:
    """Weights drawn uniformly from the simplex over some signals, each at least `least`; all others are 0."""

    signals: tuple[str, ...]
    least: float

    @property
    def takes(self) -> int:
        """Number of uniform numbers that a draw uses: one per signal."""
        return len(self.signals)

    def value(self, numbers: list[float]) -> Weights:
        """Return the weights drawn by these uniform numbers in (0, 1), of which there are `takes`."""
        shares = [-float(log(number)) for number in numbers]
        scale = (1 - self.least * len(shares)) / _added(shares)
        weights = dict.fromkeys(SIGNALS, 0.0)
        weights.update((name, self.least + scale * share) for name, share in zip(self.signals, shares, strict=True))
        return unchecked(_ANY_WEIGHTS, weights)

    @property
    def given(self) -> dict[str, Any]:
        """The draw as a structure gives it; `read_draw` is the inverse."""
        return {"dirichlet": self.signals, "least": self.least}

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The single piece in which the weights lie, see `Piece`."""
        most = 1 - self.least * (len(self.signals) - 1)
        low = tuple(self.least if name in self.signals else 0.0 for name in SIGNALS)
        return ((low, tuple(most if name in self.signals else 0.0 for name in SIGNALS)),)


Draw = Choice | Uniform | Dirichlet


def unchecked(instance: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of a frozen dataclass with some fields set to values that are known to be canonical and valid."""
    copy = object.__new__(type(instance))
    copy.__dict__.update(vars(instance), **changes)
    return copy


def read_draw(field: str, given: Any, where: str) -> Draw:
    """Return the draw that a structure gives for a field of a rule, by its dotted name.

    Raises:
        ValueError: if there is no such field or law, or if a value could be out of the field's range; the message
            begins with `where`.
    """
    kind = _kind(field, where)
    if not isinstance(given, dict):
        return Choice((_checked(field, kind, given, where),))
    if len(given.keys() - {"least"}) != 1 or not given.keys() <= {*LAWS, "least"}:
        raise ValueError(f"{where} is {brief(given)}; it must be a value, or one of {', '.join(LAWS)}")
    law = next(key for key in given if key != "least")
    if law == "dirichlet" or "least" in given:
        return _dirichlet(field, given, where)
    if law == "choice":
        if not isinstance(given["choice"], list) or not given["choice"]:
            raise ValueError(f"{where}: choice is {brief(given['choice'])}; it must be a list that is not empty")
        return Choice(tuple(_checked(field, kind, each, f"{where}: choice") for each in given["choice"]))
    if not isinstance(kind, Number):
        raise ValueError(f"{where}: {law} draws numbers with decimals; for this field use choice")
    return Uniform(_intervals(law, given[law], kind, where), law == "log_uniform")


def _added(numbers: Iterable[float]) -> float:
    """Return the sum in the order given; `sum` of Python 3.12 and later rounds otherwise than that of 3.11."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _kind(field: str, where: str) -> Any:
    """Return the range of a field of a rule."""
    if not isinstance(field, str):
        raise ValueError(f"{where}: {brief(field)} is no field of a rule; it must be a dotted name")
    head, _, name = field.partition(".")
    part = getattr(Rule(), head) if head in PARTS and name else None
    known = {each.name: each.metadata["kind"] for each in fields(part)} if part is not None else {}
    if name not in known:
        hint = f"; draw {WEIGHTS} as a whole, they sum to 1" if name.startswith("weights.") else ""
        raise ValueError(f"{where}: a rule has no field {brief(field)} to draw{hint}")
    return known[name]


def _checked(field: str, kind: Any, value: Any, where: str) -> Any:
    if field == WEIGHTS:
        if not isinstance(value, dict) or not value.keys() <= set(SIGNALS):
            raise ValueError(f"{where} is {brief(value)}; it must be a table of weights: {', '.join(SIGNALS)}")
        try:
            return Weights(**value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    return checked(value, kind, f"{where}: {field.rpartition('.')[2]}")


def _intervals(law: str, given: Any, kind: Number, where: str) -> tuple[tuple[float, float], ...]:
    """Read one interval `[low, high]`, or a list of rising ones."""
    listed = given if isinstance(given, list) and given and all(isinstance(each, list) for each in given) else [given]
    for each in listed:
        pair = isinstance(each, list) and len(each) == 2 and not any(kind.problem(end) for end in each)
        if not pair or not each[0] <= each[1] < math.inf or (law == "log_uniform" and each[0] < _LEAST):
            least = max(kind.low, _LEAST) if law == "log_uniform" else kind.low
            allowed = f"from {least:g} to {kind.high:g}"
            raise ValueError(f"{where}: {law} is {brief(each)}; it must be [low, high], finite and {allowed}")
    if any(first[1] >= second[0] for first, second in pairwise(listed)):
        raise ValueError(f"{where}: {law} is {brief(given)}; its intervals must rise and not touch")
    return tuple((float(low), float(high)) for low, high in listed)


def _dirichlet(field: str, given: dict[str, Any], where: str) -> Dirichlet:
    signals, least = given.get("dirichlet"), given.get("least", 0.0)
    if field != WEIGHTS or not isinstance(signals, list) or not signals or any(each not in SIGNALS for each in signals):
        raise ValueError(
            f"{where} is {brief(given)}; dirichlet must list signals that share the weight, for {WEIGHTS}: "
            f"{', '.join(SIGNALS)}"
        )
    if len(set(signals)) < len(signals) or Number(0, 1 / len(signals)).problem(least):
        raise ValueError(
            f"{where}: {brief(given)}; signals must differ, and least be from 0 to {1 / len(signals):g}, an even share"
        )
    return Dirichlet(tuple(signals), float(least))
