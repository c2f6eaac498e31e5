"""Cells, the units in which a study is computed, and the rows of results that they give."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Cell:
    """A unit of a study: what one protocol does with one arm, from one home rule, at one target, with one seed."""

    protocol: str
    """Name of the protocol that computes the cell."""
    arm: str
    """Name of the arm, or of the reference, whose policy is trained or scored."""
    home: str = ""
    """Name of the rule that the policy was trained on; empty if there is no such rule."""
    target: str = ""
    """Name of the rule that the policy is scored under; empty if there are several."""
    seed: int | None = None
    """Training seed; None for policies that were never trained."""
    budget: float = 1.0
    """Multiple of the training budget."""
    needs: tuple[str, ...] = field(default=(), compare=False)
    """Names of the cells that must be computed before this one."""

    @cached_property
    def name(self) -> str:
        """Name of the cell's files. Rules may have any letters in their names, so unsafe ones become code points."""
        parts = [self.protocol, self.arm, self.home, self.target, "" if self.seed is None else str(self.seed)]
        name = "-".join("".join(_spelled(letter) for letter in part) for part in parts if part)
        return name if self.budget == 1.0 else f"{name}-x{self.budget:g}"

    def __str__(self) -> str:
        """The cell as progress shows it: `training fixed+memory, home platforms_train_00, seed 0`."""
        parts = [f"{self.protocol} {self.arm}"]
        parts += [f"{what} {rule}" for what, rule in (("home", self.home), ("target", self.target)) if rule]
        parts += [] if self.seed is None else [f"seed {self.seed}"]
        parts += [] if self.budget == 1.0 else [f"{self.budget:g} times the budget"]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a cell's results: the measures at one target, in one group of markets or over all of them."""

    target: str
    """Name of the rule in force."""
    protocol: str
    """Name of the measurement; a cell may make several, such as `frozen` and `gate`."""
    values: Mapping[str, float]
    """Value of each measure, by its name."""
    panel: int | None = None
    """Number of the panel; None if the values are over all panels."""
    economy: int | None = None
    """Number of the economy in the frozen set; None if the values are over all economies."""
    steps: int | None = None
    """On a learning curve, the agent-steps of training after which the policy was saved."""
    profile: tuple[float, ...] = ()
    """What is drawn along the episode, such as the mean focal profit per round, in mean job values, in each stretch of
    it, or what is known of the rule in certain rounds; empty if nothing was recorded."""

    def plain(self) -> dict[str, Any]:
        """The entry as JSON holds it; `Entry(**plain)` gives it back."""
        given = {name: getattr(self, name) for name in ("panel", "economy", "steps")}
        plain = {"target": self.target, "protocol": self.protocol, "values": dict(self.values)}
        plain |= {name: value for name, value in given.items() if value is not None}
        return plain | ({"profile": list(self.profile)} if self.profile else {})

    @classmethod
    def from_plain(cls, plain: Any, where: str) -> "Entry":
        """Read an entry from what `plain` gave.

        Raises:
            ValueError: it is not what `plain` gives; the message begins with `where` and names the key.
        """
        if not isinstance(plain, dict):
            raise ValueError(f"{where} must be a table")
        for key in plain.keys() | {"target", "protocol", "values"}:
            if key not in _ENTRY or key not in plain or not _ENTRY[key](plain[key]):
                raise ValueError(f"{where}.{str(key)[:80]} is {'malformed' if key in plain else 'missing'}")
        return cls(**{**plain, "profile": tuple(plain.get("profile", ()))})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


_ENTRY: dict[str, Callable[[Any], bool]] = {
    "target": _is_text,
    "protocol": _is_text,
    "values": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "panel": _is_count,
    "economy": _is_count,
    "steps": _is_count,
    "profile": lambda value: isinstance(value, list) and all(map(_is_number, value)),
}
"""What the value of each key of an entry must be."""


def _spelled(letter: str) -> str:
    plain = letter.isascii() and (letter.isalnum() or letter in "_+")
    return letter if plain else f".{ord(letter):x}."
