"""The mechanisms, and the only list of them.

This package has one file per matching mechanism, with a compiled function and its `MECHANISM`, and files for what
several mechanisms share. What a round does before and after the match belongs to `envs`.
"""

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from types import FunctionType
from typing import Any

from ruleshift.envs.mechanisms import (
    deferred_acceptance,
    first_come,
    greedy,
    immediate_acceptance,
    position_auction,
    proportional_quota,
    random_serial_dictatorship,
    serial,
    top_trading_cycles,
    welfare_maximizing,
)
from ruleshift.envs.mechanisms.base import Match, Mechanism, Parameter, Problem

__all__ = [
    "MECHANISMS",
    "Match",
    "Mechanism",
    "Parameter",
    "Problem",
    "find_mechanism",
    "load_mechanisms",
    "register_mechanism",
]

MECHANISMS: dict[str, Mechanism] = {
    each.name: each
    for each in (
        serial.MECHANISM,
        proportional_quota.MECHANISM,
        first_come.MECHANISM,
        deferred_acceptance.MECHANISM,
        immediate_acceptance.MECHANISM,
        top_trading_cycles.MECHANISM,
        random_serial_dictatorship.MECHANISM,
        welfare_maximizing.MECHANISM,
        greedy.MECHANISM,
        position_auction.MECHANISM,
    )
}


def register_mechanism(
    name: str, *, source: str = "", cost: str = "", **properties: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that makes a module-level function a mechanism which rules can name.

    The function has the signature `(problem, match, floats, integers)` and is compiled at its first use.

    Args:
        name: the name that rules use.
        source: author and year of the mechanism.
        cost: its worst-case cost.
        properties: further fields of `Mechanism`.

    Raises:
        ValueError: if another function has the name, or if a property is wrong.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        known = MECHANISMS.get(name)
        if known is not None and _origin(known.function) != _origin(function):
            raise ValueError(f"mechanism {name!r} is already registered, by {_origin(known.function)}")
        MECHANISMS[name] = Mechanism(name, function, source, cost, **properties)
        return function

    return register


def load_mechanisms(specs: tuple[str, ...]) -> None:
    """Import mechanisms given as `module:function`.

    A function that its module does not register by decorator becomes a mechanism under its own name.

    Raises:
        ValueError: if there is no such module or function, or if it cannot be a mechanism; names it.
    """
    for spec in specs:
        function = _function_at(spec)
        if all(_origin(each.function) != _origin(function) for each in MECHANISMS.values()):
            register_mechanism(function.__name__)(function)


def _function_at(spec: str) -> Callable[..., None]:
    module, _, name = spec.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"mechanisms: {spec!r} cannot be imported ({error}); write module:function") from None
    if not isinstance(found, FunctionType) or found.__code__.co_argcount != 4:
        raise ValueError(
            f"mechanisms: {spec!r} is no function of (problem, match, floats, integers), as a mechanism is"
        )
    return found


def find_mechanism(name: str) -> Mechanism:
    """Return the mechanism of that name: built in, registered, or of the entry-point group `ruleshift.mechanisms`.

    Raises:
        ValueError: if there is none; names those that are known.
    """
    if name not in MECHANISMS:
        for point in entry_points(group="ruleshift.mechanisms", name=name):
            register_mechanism(name)(point.load())
    if name not in MECHANISMS:
        raise ValueError(f"matching.mechanism is {name!r}; it must be one of {', '.join(MECHANISMS)}, or registered")
    return MECHANISMS[name]


def _origin(function: Any) -> str:
    return f"{function.__module__}:{function.__qualname__}"
