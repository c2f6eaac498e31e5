"""The folder of long work: results of tasks that are whole or absent, sealed, with one owner at a time.

Every result carries a seal: a digest of its content, of the task and the work that it belongs to, and of the results
that it was computed from. It is checked whenever the result is read.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ruleshift.envs.files import (
    PARTIAL,
    check_claim,
    claim_folder,
    publish,
    read_bytes,
    read_json,
    remove_partial,
    write_atomically,
)
from ruleshift.envs.notices import say_once

LOCK, WORKERS = ".lock", ".workers"
"""Names of the files that the owner and its workers lock."""
Files = dict[str, bytes]
"""Contents of files by their paths in a folder."""
SEAL = "seal.json"
"""Name of the file in the folder of trained policies that holds their seal."""
_SHOWN = 5
_LONGEST_NAME = 120
_MOST_WEIGHTS = 2**32


class Folder:
    """A folder of results: numbers in `cells/`, policies in `policies/`, and unfinished training in `partial/`.

    Args:
        root: path of the folder.
        owner: what all results depend on, such as the digest of a study's record; results of another are refused.
    """

    def __init__(self, root: str | os.PathLike[str], owner: str = "") -> None:
        self.root, self.owner = Path(root), owner

    def has(self, task: str) -> bool:
        """Whether the result of a task exists, which is then whole."""
        return self._result(task).exists() or self.policies(task).exists()

    def policies(self, task: str) -> Path:
        """Folder of the policies that a task trained."""
        return self.root / "policies" / file_name(task)

    def trained(self, task: str) -> Path:
        """Folder of the policies that a task trained, checked.

        Raises:
            ValueError: they are absent, or not what was trained.
        """
        problem = self._problem(task) if self.policies(task).exists() else f"{self.policies(task)}: is missing"
        if problem:
            raise ValueError(f"{problem}; {_ADVICE}")
        return self.policies(task)

    def partial(self, task: str) -> Path:
        """Folder in which a task trains until it is finished; it survives a kill, so that training can continue."""
        return self.root / "partial" / file_name(task)

    def write(self, task: str, result: dict[str, Any], inputs: Sequence[str] = ()) -> None:
        """Store the result of a task, which was computed from the results of the tasks `inputs`."""
        sealed = {**result, "seal": self._seal(task, result, inputs)}
        write_atomically(self._result(task), json.dumps(sealed, indent=1, allow_nan=False) + "\n")

    def publish(self, task: str, inputs: Sequence[str] = ()) -> None:
        """Move the policies that a task trained from its partial folder to their place, sealed."""
        folder = self.partial(task)
        remove_partial(folder)
        content = {"files": _digests(folder)}
        write_atomically(folder / SEAL, json.dumps({**content, "seal": self._seal(task, content, inputs)}) + "\n")
        publish(folder, self.policies(task))

    def read(self, task: str) -> dict[str, Any]:
        """Return the result of a task.

        Raises:
            ValueError: the result is absent, or not what was computed.
        """
        path = self._result(task)
        if not path.exists():
            raise ValueError(f"{self.root}: the study is not finished, {task} is missing; run it again")
        held = _read_sealed(path)
        problem = self._mismatch(task, held)
        if problem:
            raise ValueError(f"{path}: {problem}; {_ADVICE}")
        return {name: value for name, value in held.items() if name != "seal"}

    def files(self, task: str) -> Files:
        """The files of a task's result, as `receive` takes them in another folder."""
        own = self.policies(task)
        paths = [path for path in sorted(own.rglob("*")) if path.is_file()] if own.exists() else [self._result(task)]
        return {path.relative_to(self.root).as_posix(): read_bytes(path, _MOST_WEIGHTS) for path in paths}

    def receive(self, task: str, files: Files) -> None:
        """Store the result of a task that was computed in another folder, which is then either whole or absent.

        Raises:
            ValueError: a file is not one of the task's result.
        """
        policies, partial = self.policies(task), self.partial(task)
        shutil.rmtree(partial, ignore_errors=True)  # of a training that was begun here
        for name, content in files.items():
            path = self.root / name
            trained = path.is_relative_to(policies) and ".." not in path.parts
            if not trained and path != self._result(task):
                raise ValueError(f"{self.root}: {name!r} is no file of the result of {task}")
            write_atomically(partial / path.relative_to(policies) if trained else path, content)
        if partial.exists():
            publish(partial, policies)

    def settle(self, tasks: Iterable[str], *, recompute: bool) -> None:
        """Check the stored results of all tasks, and remove those that do not match if they are to be computed anew.

        Raises:
            ValueError: some do not match, and are not to be computed anew; names them and says why.
        """
        found = {task: problem for task in tasks if (problem := self._problem(task))}
        if found and not recompute:
            more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise ValueError(f"{'; '.join(list(found.values())[:_SHOWN])}{more}; {_ADVICE}")
        for task in found:
            self._result(task).unlink(missing_ok=True)
            shutil.rmtree(self.policies(task), ignore_errors=True)

    def clean(self) -> None:
        """Remove the partial files and folders that interrupted processes left behind."""
        remove_partial(self.root)

    def _result(self, task: str) -> Path:
        return self.root / "cells" / f"{file_name(task)}.json"

    def _seal(self, task: str, content: Mapping[str, Any], inputs: Sequence[str]) -> dict[str, Any]:
        seal = {"task": task, "owner": self.owner, "inputs": {each: self._digest(each) for each in inputs}}
        return {**seal, "digest": digest_of([seal, content])}

    def _digest(self, task: str) -> str:
        """The digest in the seal of a result; '' if there is none that can be read."""
        try:
            return str(_read_sealed(self._sealed(task))["seal"]["digest"])
        except (OSError, ValueError):
            return ""

    def _sealed(self, task: str) -> Path:
        """File that holds the seal of a task's result."""
        return self.policies(task) / SEAL if self.policies(task).exists() else self._result(task)

    def _problem(self, task: str) -> str:
        """Say what is wrong with the stored result of a task, and where; '' if it is what was computed, or absent."""
        if not self.has(task):
            return ""
        path = self._sealed(task)
        try:
            held = _read_sealed(path)
        except FileNotFoundError:
            return f"{path.parent}: {path.name} is missing"
        except (OSError, ValueError) as error:
            return str(error)
        problem = self._mismatch(task, held)
        if problem:
            return f"{path}: {problem}"
        changed = self._changed_file(task, held)
        return f"{self.policies(task)}: {changed}" if changed else ""

    def _mismatch(self, task: str, held: dict[str, Any]) -> str:
        """Say in what a result differs from its seal; '' if in nothing."""
        seal = held["seal"]
        named = {name: value for name, value in seal.items() if name != "digest"}
        if seal["digest"] != digest_of([named, {name: value for name, value in held.items() if name != "seal"}]):
            return "its content is not what was written"
        if seal["task"] != task:
            return f"it is the result of {seal['task']}"
        if seal["owner"] != self.owner:
            return "it was computed for another study, or for another design of it"
        others = (each for each, digest in seal["inputs"].items() if self._digest(each) not in ("", digest))
        other = next(others, None)
        return "" if other is None else f"it was computed from another {other} than the one that is here"

    def _changed_file(self, task: str, held: dict[str, Any]) -> str:
        """Say which of the files of a task's policies is not what was trained; '' if none."""
        if "files" not in held:
            return ""
        found, wanted = _digests(self.policies(task)), held["files"]
        name = next((each for each in {**wanted, **found} if found.get(each) != wanted.get(each)), None)
        if name is None:
            return ""
        return f"{name} {'is missing' if name not in found else 'is not what was trained'}"


_ADVICE = "the study with --recompute computes anew what does not match"


def file_name(task: str) -> str:
    """Name of a task's files: its own if it is short, and otherwise its beginning and a digest, as names are limited.

    >>> file_name("frozen-fixed-price_board-1")
    'frozen-fixed-price_board-1'
    >>> len(file_name("x" * 1000))
    120
    """
    if len(task.encode()) <= _LONGEST_NAME:
        return task
    digest = hashlib.sha256(task.encode()).hexdigest()[:16]
    return f"{task.encode()[: _LONGEST_NAME - 17].decode(errors='ignore')}-{digest}"


def digest_of(value: Any) -> str:
    """SHA-256 of a value that JSON holds, hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _read_sealed(path: Path) -> dict[str, Any]:
    """Return what a file with a seal holds.

    Raises:
        ValueError: it is damaged; names the file and the key.
        FileNotFoundError: there is no such file.
    """
    held = read_json(path)
    if not isinstance(held, dict):
        raise ValueError(f"{path}: not a result, which is a table")
    seal = held.get("seal")
    for key, kind in {"task": str, "owner": str, "inputs": dict, "digest": str}.items():
        if not isinstance(seal, dict) or not isinstance(seal.get(key), kind):
            raise ValueError(f"{path}: seal.{key} is missing or malformed")
    return held


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder but the seal, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SEAL)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(read_bytes(path, _MOST_WEIGHTS)).hexdigest()
        for path in files
    }


@contextmanager
def claimed(root: Path, record_name: str, record: Mapping[str, Any], *, what: str) -> Iterator[None]:
    """Own a folder until the block ends, for the work that the record describes; a refused folder is left as it was.

    Args:
        root: path of the folder.
        record_name: name of the JSON file that records whose the folder is.
        record: content of that file.
        what: what the folder is for, such as `study`, for errors.

    Raises:
        ValueError: the folder holds something else, or another process works in it.
    """
    check_claim(root, record_name, record, what=what, foreign=_foreign)
    with owned(root, what):
        claim_folder(root, record_name, record, what=what, foreign=_foreign)
        yield


def _foreign(name: str) -> bool:
    """Whether a file of this name shows that a folder without a record holds something else."""
    return name not in (LOCK, WORKERS) and not name.startswith(PARTIAL)


@contextmanager
def owned(root: Path, what: str) -> Iterator[None]:
    """Lock the folder for this process until the block ends, or the process does, in whatever way.

    Where locks do not exist, which a line on standard error says, the folder is not protected.

    Raises:
        ValueError: another process holds the folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    with open(root / LOCK, "a+") as file:
        if not _lock(file, wait=False):
            raise ValueError(f"{root}: another {what} is running in this folder; choose another")
        with open(root / WORKERS, "a+") as workers:
            _lock(workers, wait=True)  # for the workers of a killed owner, which end within moments
        yield


@contextmanager
def working(root: Path) -> Iterator[None]:
    """Mark this process as a worker that may still write to the folder, until the block ends."""
    with open(root / WORKERS, "a+") as file:
        _lock(file, wait=True, shared=True)
        yield


def _lock(file: IO[str], *, wait: bool, shared: bool = False) -> bool:
    """Lock a file until it is closed; return whether nobody else holds it."""
    try:
        import fcntl

        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        say_once("locks", f"{Path(file.name).parent}: cannot be locked ({error}); start nothing else in this folder")
    return True
