"""What is being computed, how much of it is done, and an estimate of the time left."""

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ruleshift.eval.jobs.folder import Cell, Folder


class Progress:
    """A bar where the output is a terminal, a line for each finished cell where it is not.

    Args:
        cells: all cells.
        weights: rough cost of each.
        folder: cells that are there already count as done.
        describe: a cell in words.
        quiet: show nothing.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        weights: Sequence[float],
        folder: Folder,
        describe: Callable[[Cell], str],
        *,
        quiet: bool,
    ) -> None:
        self._describe = describe
        self._weights = {cell["name"]: weight for cell, weight in zip(cells, weights, strict=True)}
        self._shares = {cell["name"]: float(folder.has(cell["name"])) for cell in cells}
        self._before = self._done()
        self._quiet = quiet
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._start = time.monotonic()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=self._total(), count="", left="")

    def __enter__(self) -> "Progress":
        self._bar.start()
        found = sum(share == 1 for share in self._shares.values())
        if found and not self._quiet:
            self._console.print(f"going on: {found} of {len(self._shares)} parts are there")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def report(self, cell: Cell, share: float) -> None:
        """Take note that a share of a cell is done, 1 when it is whole."""
        self._shares[cell["name"]] = share
        if self._quiet:
            return
        finished = sum(each == 1 for each in self._shares.values())
        count, left = f"{finished}/{len(self._shares)}", self._left()
        self._bar.update(
            self._task,
            completed=self._done(),
            description=self._describe(cell),
            count=count,
            left=left,
            refresh=share == 1,
        )
        if share == 1 and not self._console.is_terminal:
            self._console.print(f"[{count}] {self._describe(cell)}; {left}", markup=False)

    def _done(self) -> float:
        return sum(self._weights[name] * share for name, share in self._shares.items())

    def _total(self) -> float:
        return sum(self._weights.values())

    def _left(self) -> str:
        new = self._done() - self._before
        if new <= 0:
            return ""
        seconds = (time.monotonic() - self._start) * (self._total() - self._done()) / new
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
