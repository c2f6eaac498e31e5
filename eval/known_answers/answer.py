"""What a known answer is: a setting, a formula with its source, and what the market gives, side by side."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Row:
    """One number that theory gives, and what was measured."""

    name: str
    """What is measured, in words."""
    expected: float
    measured: float
    error: float = 0.0
    """Standard error of the measurement; 0 where no chance enters."""
    sense: str = "="
    """`=`: equal to what is expected; `<=`: not above it; `>=`: not below it."""


@dataclass(frozen=True)
class Tolerance:
    """How far the measurement may lie from what is expected, on the side or sides that the row's sense names."""

    errors: float = 3.0
    """Standard errors."""
    absolute: float = 0.0
    """In addition, in the unit of the row: rounding of what was published, or the distance from an asymptote."""

    def margin(self, row: Row) -> float:
        """The tolerance in the unit of the row."""
        return self.errors * row.error + self.absolute

    def holds(self, row: Row) -> bool:
        """The verdict on a row."""
        off = row.measured - row.expected
        margin = self.margin(row)
        return bool((off <= margin or row.sense == ">=") and (off >= -margin or row.sense == "<="))

    def __str__(self) -> str:
        parts = [f"{self.errors:g} standard errors"] if self.errors else []
        return " + ".join(parts + ([f"{self.absolute:g}"] if self.absolute else [])) or "none"


EXACT = Tolerance(absolute=1e-6)
"""Standard errors where chance enters, and the rounding of actions, which are float32."""


@dataclass(frozen=True)
class Measurement:
    """How an answer is to be measured: in full, or quickly."""

    share: float = 1.0
    """Share of the draws of a full measurement; tests take few."""
    folder: Path | None = None
    """Where long work leaves what it can go on from, shared by all answers; None: nowhere."""
    progress: Callable[[float], None] = field(default=lambda share: None)
    """Told the share done, 0 .. 1, now and then."""

    def draws(self, full: int) -> int:
        """The number of draws, where a full measurement takes so many: an even number, at least 8."""
        return max(round(self.share * full / 2) * 2, 8)


@dataclass(frozen=True)
class Answer:
    """A known answer, and how the market is asked for it."""

    id: str
    """A name for the command line and for files."""
    title: str
    formula: str
    """What is claimed."""
    setting: str
    """The market in which it is claimed."""
    source: str
    """Author and year."""
    tolerance: Tolerance
    measure: Callable[[Measurement], Iterable[Row]]
    seconds: float
    """Rough time of a full measurement on one core."""
    remark: str = ""
    """What the market cannot express, or where the measurement stops short of the claim."""
    needs: tuple[str, ...] = ()
    """Answers whose work it goes on from, where they are asked for as well."""


def mean_row(name: str, expected: float, samples: np.ndarray, sense: str = "=") -> Row:
    """A row from independent samples of the quantity."""
    samples = np.asarray(samples, np.float64).ravel()
    return Row(name, float(expected), float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(samples.size)), sense)
