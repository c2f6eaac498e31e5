"""What a known answer is: a setting, a formula with its source, and what the market gives."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Row:
    """A number that theory gives, with its measurement."""

    name: str
    """Description of what is measured."""
    expected: float
    """What theory gives, in the unit of the row."""
    measured: float
    """What the market gives, in the same unit."""
    error: float = 0.0
    """Standard error of the measurement; 0 if no chance enters."""
    sense: str = "="
    """What the measurement must be: `=` equal to the expected number, `<=` not above it, `>=` not below it."""


@dataclass(frozen=True)
class Tolerance:
    """How far a measurement may lie from the expected number, on the side or sides that the row's sense forbids."""

    errors: float = 3.0
    """Allowance in standard errors."""
    absolute: float = 0.0
    """Further allowance in the unit of the row, for published numbers' rounding or the distance from an asymptote."""

    def margin(self, row: Row) -> float:
        """Return the whole allowance in the unit of the row."""
        return self.errors * row.error + self.absolute

    def holds(self, row: Row) -> bool:
        """Whether a row lies within the tolerance."""
        off = row.measured - row.expected
        margin = self.margin(row)
        return bool((off <= margin or row.sense == ">=") and (off >= -margin or row.sense == "<="))

    def __str__(self) -> str:
        parts = [f"{self.errors:g} standard errors"] if self.errors else []
        return " + ".join(parts + ([f"{self.absolute:g}"] if self.absolute else [])) or "none"


EXACT = Tolerance(absolute=1e-6)
"""Three standard errors, and the rounding of actions, which are float32."""


@dataclass(frozen=True)
class Measurement:
    """How an answer is to be measured, in full or with fewer draws."""

    share: float = 1.0
    """Share of the draws of a full measurement, 0 .. 1; tests take few."""
    folder: Path | None = None
    """Folder, shared by all answers, in which long work saves what it can continue from; None to save nothing."""
    progress: Callable[[float], None] = field(default=lambda share: None)
    """Function that is called with the share of the measurement that is done, 0 .. 1, from time to time."""

    def draws(self, full: int) -> int:
        """Return the number of draws if a full measurement takes `full`: an even number, at least 8."""
        return max(round(self.share * full / 2) * 2, 8)


@dataclass(frozen=True)
class Answer:
    """A known answer, and how it is measured in the market."""

    id: str
    """Name for the command line and for files."""
    title: str
    """Title in the report."""
    formula: str
    """What theory claims."""
    setting: str
    """The market in which theory claims it."""
    source: str
    """Author and year."""
    tolerance: Tolerance
    """How far each measurement may lie from theory."""
    measure: Callable[[Measurement], Iterable[Row]]
    """Function that measures all rows."""
    seconds: float
    """Estimated seconds that a full measurement takes one core."""
    remark: str = ""
    """What the market cannot express, or where the measurement falls short of the claim."""
    needs: tuple[str, ...] = ()
    """Ids of the answers whose work this one reuses; they are measured first if they are measured at all."""


def mean_row(name: str, expected: float, samples: np.ndarray, sense: str = "=") -> Row:
    """Make a row from independent samples: their mean and its standard error.

    Args:
        name, expected, sense: as in `Row`.
        samples: at least two independent samples of the quantity, in an array of any shape.
    """
    samples = np.asarray(samples, np.float64).ravel()
    return Row(name, float(expected), float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(samples.size)), sense)
