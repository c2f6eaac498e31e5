"""The folder of long work: results of tasks that are whole or absent, with one owner at a time."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruleshift.envs.files import PARTIAL, write_atomically

LOCK, WORKERS = ".lock", ".workers"
"""Names of the files that the owner and its workers lock."""


class Folder:
    """A folder of results: numbers in `cells/`, policies in `policies/`, and unfinished training in `partial/`.

    Args:
        root: path of the folder.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def has(self, task: str) -> bool:
        """Whether the result of a task exists, which is then whole."""
        return self._result(task).exists() or self.policies(task).exists()

    def policies(self, task: str) -> Path:
        """Folder of the policies that a task trained."""
        return self.root / "policies" / task

    def partial(self, task: str) -> Path:
        """Folder in which a task trains until it is finished; it survives a kill, so that training can continue."""
        return self.root / "partial" / task

    def write(self, task: str, result: dict[str, Any]) -> None:
        """Store the result of a task."""
        write_atomically(self._result(task), json.dumps(result, indent=1, allow_nan=False) + "\n")

    def read(self, task: str) -> dict[str, Any]:
        """Return the result of a task.

        Raises:
            ValueError: the result is absent, or its file is damaged.
        """
        path = self._result(task)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{self.root}: the study is not finished, {task} is missing; run it again") from None
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: not a cell of a study ({error}); delete it and run the study again") from None

    def clean(self) -> None:
        """Remove the partial files that interrupted processes left behind."""
        for path in [*self.root.glob(f"{PARTIAL}*"), *self.root.glob(f"cells/{PARTIAL}*")]:
            path.unlink()

    def _result(self, task: str) -> Path:
        return self.root / "cells" / f"{task}.json"


def foreign(name: str) -> bool:
    """Whether a file of this name shows that a folder without a record holds something else."""
    return name not in (LOCK, WORKERS) and not name.startswith(PARTIAL)


@contextmanager
def owned(root: Path) -> Iterator[None]:
    """Lock the folder for this process until the block ends, or the process does, in whatever way.

    Raises:
        ValueError: another process holds the folder.
    """
    import fcntl

    root.mkdir(parents=True, exist_ok=True)
    with open(root / LOCK, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{root}: another study is running in this folder; choose another") from None
        with open(root / WORKERS, "a+") as workers:
            fcntl.flock(workers, fcntl.LOCK_EX)  # waits for the workers of a killed owner, which end within moments
        yield


@contextmanager
def working(root: Path) -> Iterator[None]:
    """Mark this process as a worker that may still write to the folder, until the block ends."""
    import fcntl

    with open(root / WORKERS, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
