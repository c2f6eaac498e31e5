"""Supports: what the parts of a structure can draw, whether they overlap, and whether they are what their names say.

This is decided from the ranges themselves, not by sampling. Two parts overlap if an alternative of one and an
alternative of the other could draw the same rule. Ranges include their ends, so that parts that touch overlap as well.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any, Protocol

from ruleshift.envs.draws import SIGNALS, WEIGHTS, Choice, Piece
from ruleshift.envs.rule import Rule

Support = dict[str, tuple[Piece, ...]]
"""For each field, by its dotted name, the pieces in which its values can lie."""

NOVEL = ("matching.mechanism", "payment.pricing", "payment.charge")
"""The fields whose untrained values put a rule into another family."""


class Parted(Protocol):
    """What this module reads of a `Structure`, whose module imports this one."""

    @property
    def name(self) -> str: ...

    @property
    def base(self) -> Rule: ...

    @property
    def parts(self) -> dict[str, Any]: ...


def supports(structure: Parted, part: str) -> list[Support]:
    """Return what each alternative of a part can draw for every field; fields that it does not draw are the base's."""
    base: Support = {name: ((value, value),) for name, value in structure.base.flat().items() if WEIGHTS not in name}
    base[WEIGHTS] = Choice((structure.base.scoring.weights,)).pieces
    return [base | {name: draw.pieces for name, draw in draws.items()} for draws in structure.parts[part].alternatives]


def outside(structure: Parted, rule: Rule, part: str = "train") -> tuple[str, ...]:
    """Return the dotted names of the fields in which `rule` lies outside a part of `structure`; none if it is inside.

    The rule is compared with the alternative for which these fields are fewest.
    """
    own = rule.flat()
    return min((tuple(_outside(support, own)) for support in supports(structure, part)), key=len)


def _outside(support: Support, own: dict[str, Any]) -> Iterator[str]:
    for name, pieces in support.items():
        if name != WEIGHTS:
            if not any(low <= own[name] <= high for low, high in pieces):
                yield name
        else:
            yield from min((_signals_outside(piece, own) for piece in pieces), key=len)


def _signals_outside(piece: Piece, own: dict[str, Any]) -> list[str]:
    names = [f"{WEIGHTS}.{signal}" for signal in SIGNALS]
    bounds = zip(names, *piece, strict=True)
    return [name for name, low, high in bounds if not low - 1e-12 <= own[name] <= high + 1e-12]


def check_parts(structure: Parted) -> None:
    """Refuse parts that overlap, and test parts that are not what their names say.

    `interpolation` keeps every field between the ends of its trained values; `extrapolation` takes at least one field
    beyond them, but only trained mechanisms, pricings and charges; `composition` has only values that are trained, each
    by itself; `family` has a mechanism, a pricing or a charge that is not trained.

    Raises:
        ValueError: if a part is refused; names the structure, the part and the field.
    """
    known = {part: _alternatives(structure, part) for part in structure.parts}
    for some, others in combinations(known.values(), 2):
        for (called, one), (called_other, other) in product(some, others):
            if _meet(one, other):
                raise ValueError(
                    f"structure {structure.name}: {called} and {called_other} overlap: no field tells them apart, not "
                    f"{_nearest(one, other)} either"
                )
    train = supports(structure, "train")
    for part, check in _CHECKS.items():
        for called, support in known.get(part, []):
            problem = check(support, train)
            if problem:
                raise ValueError(f"structure {structure.name}: {called}: {problem}")


def _alternatives(structure: Parted, part: str) -> list[tuple[str, Support]]:
    """Return the supports of a part's alternatives, each with its name for errors."""
    found = supports(structure, part)
    if len(found) == 1:
        return [(part, found[0])]
    return [(f"{part} ({number})", support) for number, support in enumerate(found, 1)]


def _meet(one: Support, other: Support) -> bool:
    return all(_touch(name, one[name], other[name]) for name in one)


def _touch(name: str, some: Iterable[Piece], others: Iterable[Piece]) -> bool:
    """Return whether some value of the field lies in pieces of both."""
    if name != WEIGHTS:
        return any(max(a[0], b[0]) <= min(a[1], b[1]) for a in some for b in others)
    return any(_share(a, b) for a in some for b in others)


def _share(a: Piece, b: Piece) -> bool:
    """Return whether two pieces of the simplex have a point in common."""
    lows, highs = list(map(max, a[0], b[0])), list(map(min, a[1], b[1]))
    return all(low <= high for low, high in zip(lows, highs, strict=True)) and sum(lows) <= 1 <= sum(highs) + 1e-12


def _nearest(one: Support, other: Support) -> str:
    """Return the fields that differ and yet overlap, any of which could have kept the two apart."""
    return " or ".join(name for name in one if one[name] != other[name]) or "any"


def _scalars(support: Support) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    """Yield the fields one by one, with each signal's weight as a field of its own."""
    for name, pieces in support.items():
        if name != WEIGHTS:
            yield name, pieces
            continue
        for index, signal in enumerate(SIGNALS):
            yield f"{name}.{signal}", tuple((low[index], high[index]) for low, high in pieces)


def _trained(train: list[Support]) -> Support:
    """Return what any alternative of the training part can draw, field by field."""
    merged: Support = {}
    for support in train:
        for name, pieces in _scalars(support):
            merged[name] = merged.get(name, ()) + pieces
    return merged


def _interpolates(support: Support, train: list[Support]) -> str | None:
    trained = _trained(train)
    for name, pieces in _scalars(support):
        if not _within(pieces, _hull(trained[name])):
            return f"{name} is not between the ends of what is trained"
    return None


def _extrapolates(support: Support, train: list[Support]) -> str | None:
    trained, beyond = _trained(train), False
    for name, pieces in _scalars(support):
        new = not _touch(name, pieces, _hull(trained[name]))
        if new and name in NOVEL:
            return f"{name} is none that is trained, which is for the part family"
        beyond = beyond or new
    return None if beyond else "no field lies outside its trained range"


def _composes(support: Support, train: list[Support]) -> str | None:
    trained = _trained(train)
    for name, pieces in _scalars(support):
        if not _within(pieces, trained[name]):
            return f"{name} takes values that are not trained"
    return None


def _within(pieces: tuple[Piece, ...], bounds: tuple[Piece, ...]) -> bool:
    return all(any(bottom <= low and high <= top for bottom, top in bounds) for low, high in pieces)


def _hull(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return the interval from the lowest to the highest number; words and lists are returned as they are."""
    if isinstance(pieces[0][0], str | tuple):
        return pieces
    lows, highs = zip(*pieces, strict=True)
    return ((min(lows), max(highs)),)


def _is_novel(support: Support, train: list[Support]) -> str | None:
    trained = _trained(train)
    if any(not _touch(name, support[name], trained[name]) for name in NOVEL):
        return None
    return f"none of {', '.join(NOVEL)} is one that was never trained"


_CHECKS = {
    "interpolation": _interpolates,
    "extrapolation": _extrapolates,
    "composition": _composes,
    "family": _is_novel,
}
