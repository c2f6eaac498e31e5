"""What is being computed, how much of it is done, and an estimate of the time left."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.task import Task


class Progress:
    """A bar where the output is a terminal, a line for each finished task where it is not.

    Args:
        tasks: all tasks.
        folder: tasks whose results are there already count as done.
        quiet: show nothing.
    """

    def __init__(self, tasks: Sequence[Task], folder: Folder, *, quiet: bool) -> None:
        self._seconds = {task.name: task.seconds for task in tasks}
        self._shares = {task.name: float(folder.has(task.name)) for task in tasks}
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

    def report(self, task: Task, share: float) -> None:
        """Take note that a share of a task is done, 1 when it is whole."""
        self._shares[task.name] = share
        if self._quiet:
            return
        finished = sum(each == 1 for each in self._shares.values())
        count, left = f"{finished}/{len(self._shares)}", self._left()
        self._bar.update(
            self._task,
            completed=self._done(),
            description=task.description,
            count=count,
            left=left,
            refresh=share == 1,
        )
        if share == 1 and not self._console.is_terminal:
            self._console.print(f"[{count}] {task.description}; {left}", markup=False)

    def _done(self) -> float:
        return sum(self._seconds[name] * share for name, share in self._shares.items())

    def _total(self) -> float:
        return sum(self._seconds.values())

    def _left(self) -> str:
        new = self._done() - self._before
        if new <= 0:
            return ""
        seconds = (time.monotonic() - self._start) * (self._total() - self._done()) / new
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
