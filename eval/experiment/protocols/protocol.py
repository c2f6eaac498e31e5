"""What a protocol is: which cells it has, how one of them is computed, and what that costs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design


@dataclass(frozen=True)
class Protocol:
    """A way to measure arms, in one file."""

    name: str
    """What cells name it by."""
    cells: Callable[[Design], Iterable[Cell]]
    """All of its cells in a study."""
    compute: Callable[[Cell, Context], list[Entry] | dict[str, Any] | None]
    """What one cell gives: entries; or plain values; or None where it leaves its result in the folder by itself."""
    seconds: Callable[[Cell, Design], float]
    """Roughly the time that a cell takes one core, as measured at the sizes of the presets."""
    has_entries: bool = True
    """Whether its cells give entries, which become rows of `results.csv`."""


def episode_seconds(design: Design, panels: int) -> float:
    """Seconds that one core takes for one episode in every economy, among so many panels."""
    groups = len(design.economies) * panels
    rounds = sum(each.rounds for each in design.economies) / len(design.economies)
    return (0.06 + 2.1e-3 * groups + 0.43e-3 * groups * design.preset.markets) * rounds / 120
