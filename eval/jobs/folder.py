"""The folder of long work: results of tasks that are whole or absent, one owner at a time."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruleshift.envs.files import PARTIAL, write_atomically

LOCK, WORKERS = ".lock", ".workers"


class Folder:
    """Where results are kept: numbers in `cells/`, policies in `policies/`, those in training in `partial/`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def has(self, task: str) -> bool:
        """Whether the result of the task is there, whole."""
        return self._result(task).exists() or self.policies(task).exists()

    def policies(self, task: str) -> Path:
        """The folder of the policies that a task trained."""
        return self.root / "policies" / task

    def partial(self, task: str) -> Path:
        """Where a task trains until it is whole; what is there survives a kill, so that training goes on."""
        return self.root / "partial" / task

    def write(self, task: str, result: dict[str, Any]) -> None:
        """Store the result of a task."""
        write_atomically(self._result(task), json.dumps(result, indent=1, allow_nan=False) + "\n")

    def read(self, task: str) -> dict[str, Any]:
        """The result of a task.

        Raises:
            ValueError: it is absent, or not what a study writes.
        """
        path = self._result(task)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{self.root}: the study is not finished, {task} is missing; run it again") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not a cell of a study ({error}); delete it and run the study again") from None

    def clean(self) -> None:
        """Remove what interrupted writers left behind."""
        for path in [*self.root.glob(f"{PARTIAL}*"), *self.root.glob(f"cells/{PARTIAL}*")]:
            path.unlink()

    def _result(self, task: str) -> Path:
        return self.root / "cells" / f"{task}.json"


def foreign(name: str) -> bool:
    """Whether a file of that name shows that a folder without a record is in use for something else."""
    return name not in (LOCK, WORKERS) and not name.startswith(PARTIAL)


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
