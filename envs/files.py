"""Files: TOML found by name or path, files written whole or not at all, and folders that belong to one owner.

A user's mistake, such as a file that is not TOML or a folder that holds something else, is told in one clear line.
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
"""How the names of files begin that are not yet whole."""


def names_in(folder: Path) -> tuple[str, ...]:
    """Names of the files that come with the suite, in alphabetical order."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def find_file(what: str, name: str | Path, folder: Path) -> Path:
    """The file of that name in a folder of the suite, or the path as it is given.

    Args:
        what: what the file holds, for errors, such as `rule`.

    Raises:
        ValueError: there is none of that name.
        FileNotFoundError: no such file.
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
    """The tables of a TOML file.

    Raises:
        ValueError: it is not TOML; names the file.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: not a TOML file: {error}") from None


def parse(text: str, place: str) -> dict[str, Any]:
    """The tables of a TOML text; `place` names it in errors.

    Raises:
        ValueError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{place}: not a TOML file: {error}") from None


def as_toml(value: Any) -> str:
    """A text, a number or a tuple of them as it stands in a TOML file."""
    if isinstance(value, tuple):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML, unlike JSON, bars a bare DEL
    return repr(value)


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file, text as UTF-8, that is either whole or as it was before, whenever the process is killed.

    Folders that are missing are made.

    Raises:
        OSError: it cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary neighbour of a file, to be written in the block: it is synced and takes the file's place at the end.

    Where the block fails, the neighbour is removed and the file stays as it was. The neighbour has the same suffix.
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
    """Move a finished folder to its destination in one step, with all that it holds on the disk."""
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
    """Write into a folder, made where it is missing, to whom it belongs, or refuse one that belongs to another.

    Args:
        folder: to be claimed.
        record_name: name of the JSON file that says to whom the folder belongs.
        record: what the file says, as JSON can hold it; who writes the same record is the same owner.
        what: what the folder is for, in errors, such as `study`.
        foreign: whether a file of that name shows that a folder without a record is not for the taking.

    Raises:
        ValueError: the folder holds something else; names the first key of the record that differs.
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
    """The first key in which two JSON values differ, with both of its values; nothing where they are equal."""
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
    """What a table, a list or a text of several lines consists of, by key or number; None of anything else."""
    if isinstance(value, str) and "\n" in value:
        value = value.splitlines()
    if isinstance(value, list):
        value = dict(enumerate(value))
    return value if isinstance(value, dict) else None


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
