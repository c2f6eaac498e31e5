"""The folder of a study: cells that are whole or absent, one owner at a time."""

import importlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruleshift.envs.files import PARTIAL, write_atomically

Cell = dict[str, Any]
"""A unit of work, a plain dictionary, so that any process can compute it: `name` is what its files are called, `needs`
names the cells that come first; the rest is the work's own."""

LOCK, WORKERS = ".lock", ".workers"


class Folder:
    """Where a study keeps what it has: `cells/` of results, `policies/` of trained cells, `partial/` in the making."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def has(self, cell: str) -> bool:
        """Whether the cell is there, whole."""
        return self._result(cell).exists() or self.policies(cell).exists()

    def policies(self, cell: str) -> Path:
        """The folder of the policies that a training cell made."""
        return self.root / "policies" / cell

    def partial(self, cell: str) -> Path:
        """Where a training cell works until it is whole; what is there survives a kill, so that training goes on."""
        return self.root / "partial" / cell

    def write(self, cell: str, result: dict[str, Any]) -> None:
        """Store the result of a cell."""
        write_atomically(self._result(cell), json.dumps(result, indent=1, allow_nan=False) + "\n")

    def read(self, cell: str) -> dict[str, Any]:
        """The result of a cell.

        Raises:
            ValueError: it is absent, or not what a study writes.
        """
        path = self._result(cell)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{self.root}: the study is not finished, {cell} is missing; run it again") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not a cell of a study ({error}); delete it and run the study again") from None

    def clean(self) -> None:
        """Remove what interrupted writers left behind."""
        for path in [*self.root.glob(f"{PARTIAL}*"), *self.root.glob(f"cells/{PARTIAL}*")]:
            path.unlink()

    def _result(self, cell: str) -> Path:
        return self.root / "cells" / f"{cell}.json"


def foreign(name: str) -> bool:
    """Whether a file of that name shows that a folder without a record is in use for something else."""
    return name not in (LOCK, WORKERS) and not name.startswith(PARTIAL)


Work = Callable[[Cell, Folder, Callable[[float], None]], None]
"""Computes a cell and stores it, whole; tells the share done, 0 .. 1, now and then."""


@dataclass(frozen=True)
class Job:
    """What any process can begin to work on: `begin`, as module:function, makes the `Work` from the setting."""

    begin: str
    setting: Any
    """Plain, as JSON holds it."""

    def work(self) -> Work:
        """Begin in this process."""
        module, _, name = self.begin.partition(":")
        work: Work = getattr(importlib.import_module(module), name)(self.setting)
        return work


@contextmanager
def owned(root: Path) -> Iterator[None]:
    """Hold the folder of a study for this process; the lock goes with the process, however it ends.

    Raises:
        ValueError: another study is running there.
    """
    import fcntl

    root.mkdir(parents=True, exist_ok=True)
    with open(root / LOCK, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{root}: another study is running in this folder; choose another") from None
        with open(root / WORKERS, "a+") as workers:
            fcntl.flock(workers, fcntl.LOCK_EX)  # workers of a killed study end within moments
        yield


@contextmanager
def working(root: Path) -> Iterator[None]:
    """Say, as a worker, that this process may still write to the folder."""
    import fcntl

    with open(root / WORKERS, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
