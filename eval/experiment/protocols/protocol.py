"""What a protocol is: which cells it has, how a cell is computed, and how long it takes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design


@dataclass(frozen=True)
class Protocol:
    """A way to measure arms."""

    name: str
    """Name by which cells refer to the protocol."""
    cells: Callable[[Design], Iterable[Cell]]
    """Function that gives all cells of the protocol in a study."""
    compute: Callable[[Cell, Context], list[Entry] | dict[str, Any] | None]
    """Function that computes a cell and returns its entries, or plain values, or None if it stores its own result."""
    seconds: Callable[[Cell, Design], float]
    """Function that estimates the seconds that one core takes for a cell, as measured at the sizes of the presets."""
    has_entries: bool = True
    """Whether the cells give entries, which become rows of `results.csv`."""


def episode_seconds(design: Design, panels: int) -> float:
    """Estimate the seconds that one core takes to play one episode in every economy among this number of panels."""
    groups = len(design.economies) * panels
    rounds = sum(each.rounds for each in design.economies) / len(design.economies)
    return (0.06 + 2.1e-3 * groups + 0.43e-3 * groups * design.preset.markets) * rounds / 120
