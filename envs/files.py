"""Files: TOML files found by name or path, files written whole or not at all, and folders that belong to one owner.

A user's mistake, such as a file that is not TOML or a folder that holds something else, is reported in one clear line.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PARTIAL = ".partial-"
"""How the names of files that are not yet complete begin."""


def names_in(folder: Path) -> tuple[str, ...]:
    """Return the names of the TOML files in a folder of the suite, in alphabetical order."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def find_file(what: str, name: str | Path, folder: Path) -> Path:
    """Return the path of the file of that name in a folder of the suite, or the given path itself.

    Args:
        what: what the file holds, such as `rule`, for errors.
        name: a name, or the path of a .toml file.
        folder: the folder of the suite.

    Raises:
        ValueError: if no file has that name.
        FileNotFoundError: if no file has that path.
    """
    names = names_in(folder)
    if name in names:
        return folder / f"{name}.toml"
    path = Path(name)
    if path.suffix != ".toml":
        raise ValueError(f"no {what} is named {str(name)!r}; there are {', '.join(names)}, or the path of a .toml")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such {what} file")
    return path


def read_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        ValueError: if it is not TOML; names the file.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: not a TOML file: {error}") from None


def parse(text: str, source: str) -> dict[str, Any]:
    """Return the tables of a TOML text; errors name its `source`.

    Raises:
        ValueError: if it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source}: not a TOML file: {error}") from None


def as_toml(value: Any) -> str:
    """Return a text, a number or a tuple of them as it is written in a TOML file."""
    if isinstance(value, tuple):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML, unlike JSON, bars a bare DEL
    return repr(value)


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file (text as UTF-8) so that it is either complete or unchanged, even if the process is killed.

    Missing folders are made.

    Raises:
        OSError: if the file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write in the block; at the end it is synced and replaces the file at `path`.

    The temporary file is in the same folder and has the same suffix. If the block fails, it is removed, and the file at
    `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def publish(folder: Path, destination: Path) -> None:
    """Move a finished folder to its destination in one step, after syncing everything in it to the disk."""
    for leftover in folder.rglob(f"{PARTIAL}*"):
        leftover.unlink()
    for each in [*folder.rglob("*"), folder]:
        _sync(each)
    destination.parent.mkdir(parents=True, exist_ok=True)
    os.rename(folder, destination)
    _sync(destination.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def claim_folder(
    folder: Path, record_name: str, record: Mapping[str, Any], *, what: str, foreign: Callable[[str], bool]
) -> None:
    """Record in a folder who owns it, or refuse a folder that has another owner.

    Args:
        folder: the folder to claim; it is made if it is missing.
        record_name: name of the JSON file that records the owner.
        record: content of that file, which JSON can hold; the owner is the same if the record is the same.
        what: what the folder is for, such as `study`, for errors.
        foreign: whether a file of a given name shows that a folder without a record is in use by something else.

    Raises:
        ValueError: if the folder holds something else; names the first key of the record that differs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / record_name, json.dumps(record, indent=2) + "\n"
    if path.exists():
        difference = _difference(_read_record(path), json.loads(text))
        if difference:
            raise ValueError(f"{folder}: holds another {what} ({difference}); choose another folder")
        return
    for name in sorted(each.name for each in folder.iterdir()):
        if foreign(name):
            raise ValueError(
                f"{folder}: is not empty and holds no {what} (there is {name}, but no {record_name}); "
                "choose another folder"
            )
    write_atomically(path, text)


def _read_record(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _difference(found: Any, wanted: Any, key: str = "") -> str:
    """Describe the first key at which two JSON values differ, with both values; '' if they are equal."""
    if found == wanted:
        return ""
    ours, theirs = _parts(wanted), _parts(found)
    if ours is None or theirs is None:
        return f"{key or 'it'} is {_brief(found)}, not {_brief(wanted)}"
    names = dict.fromkeys([*ours, *theirs])
    inside = (
        _difference(theirs.get(name, _ABSENT), ours.get(name, _ABSENT), f"{key}.{name}".lstrip(".")) for name in names
    )
    return next(filter(None, inside), f"{key or 'it'} differs")


def _parts(value: Any) -> dict[Any, Any] | None:
    """Return the parts of a table, a list or a text of several lines, by key or number; None for anything else."""
    if isinstance(value, str) and "\n" in value:
        value = value.splitlines()
    if isinstance(value, list):
        value = dict(enumerate(value))
    return value if isinstance(value, dict) else None


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
