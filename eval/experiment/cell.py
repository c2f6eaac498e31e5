"""Cells: the units that a study computes, one by one, and the rows of results that they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Cell:
    """What one protocol does with one arm, from one home rule, at one target, with one seed."""

    protocol: str
    """Name of the protocol that computes it."""
    arm: str
    """Name of the arm, or of the reference, whose policy it trains or scores."""
    home: str = ""
    """Name of the rule that the policy was trained on; empty where it has none."""
    target: str = ""
    """Name of the rule that the policy is scored under; empty where there are several."""
    seed: int | None = None
    """Training seed; None for policies that were never trained."""
    budget: float = 1.0
    """Multiple of the training budget."""
    needs: tuple[str, ...] = field(default=(), compare=False)
    """Names of the cells that come first."""

    @cached_property
    def name(self) -> str:
        """What its files are called. Rules may be named by any letters, so those are spelled by their code points."""
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
    """One row of what a cell gives: the measures at one target, in one group of markets or over all of them."""

    target: str
    """Name of the rule in force."""
    protocol: str
    """Which measurement it is; a cell may make several, such as `frozen` and `gate`."""
    values: Mapping[str, float]
    """By measure."""
    panel: int | None = None
    """Number of the panel; None where the values are over all panels."""
    economy: int | None = None
    """Number of the economy in the frozen set; None where the values are over all economies."""
    steps: int | None = None
    """Agent-steps of training after which the policy was kept, on a learning curve."""
    profile: tuple[float, ...] = ()
    """Mean focal profit by stretch of the episode; empty where the protocol keeps none."""

    def plain(self) -> dict[str, Any]:
        """The entry as JSON holds it; `Entry(**plain)` gives it back."""
        given = {name: getattr(self, name) for name in ("panel", "economy", "steps")}
        plain = {"target": self.target, "protocol": self.protocol, "values": dict(self.values)}
        plain |= {name: value for name, value in given.items() if value is not None}
        return plain | ({"profile": list(self.profile)} if self.profile else {})


def _spelled(letter: str) -> str:
    plain = letter.isascii() and (letter.isalnum() or letter in "_+")
    return letter if plain else f".{ord(letter):x}."
