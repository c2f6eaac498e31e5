"""Files: TOML files found by name or path, files written whole or not at all, and folders that belong to one owner.

A user's mistake, such as a file that is not TOML or a folder that holds something else, is reported in one clear line.
What is read may come from anybody, so that its size and depth are limited, and folders may hold no links.
"""

import json
import os
import re
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from ruleshift.envs.fields import brief

PARTIAL = ".partial-"
"""How the names of files and folders that are not yet complete begin."""
MOST_TOML, MOST_JSON = 2**17, 2**28
"""Bytes of the largest TOML and JSON files that are read."""
MOST_PARTS, DEEPEST = 16, 32
"""Parts of the longest dotted key, and depth of the deepest table or list, in a TOML file."""


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


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the content of a file of at most `most` bytes.

    Raises:
        ValueError: if it is larger, or no regular file; names it.
        OSError: if it cannot be read.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path}: not a regular file")
        content = file.read(min(status.st_size, most) + 1)  # as many bytes are set aside at once
    if len(content) > most:
        raise ValueError(f"{path}: larger than {most:,} bytes, the most that is read")
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting, as a pipe without a writer would make it wait for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_file(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: if it is not TOML, too large or nested too deeply; names the file.
        OSError: if it cannot be read.
    """
    content = read_bytes(path, MOST_TOML)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise ValueError(f"{path.name}: not a TOML file: it is in UTF-16 or not a text; save it as UTF-8")
    try:
        return parse(content.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name}: not a TOML file: it is not in UTF-8 ({error.reason}, byte {error.start})"
        ) from None


def parse(text: str, source: str) -> dict[str, Any]:
    """Return the tables of a TOML text; errors name its `source`.

    Raises:
        ValueError: if it is not TOML, or nested too deeply.
    """
    _check_depth(text, source)
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a number of too many digits is one, too
        raise ValueError(f"{source}: not a TOML file: {error}") from None


_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\w-]+|[ \t]+|.', re.DOTALL
)


def _check_depth(text: str, source: str) -> None:
    """Refuse a TOML text whose keys or lists are so deep that reading them would take all memory."""
    depth, parts = 0, 1
    for token in map(re.Match.group, _TOKEN.finditer(text)):
        if token in "\"'":
            return  # a text that does not end, which the parser reports
        depth += (token in "[{") - (token in "]}")
        parts = parts + 1 if token == "." else parts if _may_be_in_key(token) else 1
        if depth > DEEPEST:
            raise ValueError(f"{source}: not a TOML file that is read: lists and tables are more than {DEEPEST} deep")
        if parts > MOST_PARTS:
            raise ValueError(f"{source}: not a TOML file that is read: a key has more than {MOST_PARTS} dotted parts")


def _may_be_in_key(token: str) -> bool:
    return token[0] in "\"' \t-_" or token[0].isalnum()


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the value in a JSON file.

    Raises:
        ValueError: if it is not JSON, too large or nested too deeply; names the file.
        OSError: if it cannot be read.
    """
    return parse_json(read_bytes(path, MOST_JSON), os.fspath(path))


def parse_json(content: str | bytes, source: str) -> Any:
    """Return the value of a JSON text; errors name its `source`.

    Raises:
        ValueError: if it is not JSON, which has no NaN and no infinities, or nested too deeply.
    """
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError(f"{source}: not JSON that is read: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{source}: not JSON ({error})") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def as_toml(value: Any) -> str:
    """Return a text, a number, or a tuple, list or table of them, as it is written in a TOML file."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML, unlike JSON, bars a bare DEL
    return repr(value)


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file (text as UTF-8) so that it is either complete or unchanged, even if the process is killed.

    Missing folders are made.

    Raises:
        OSError: if the file cannot be written; names it.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write in the block; at the end it is synced and replaces the file at `path`.

    The temporary file is in the same folder and has the same suffix. If the block fails, it is removed, and the file at
    `path` stays as it was. An OSError names `path`, as that of a full disk would name nothing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    with _named(path):
        try:
            yield temporary
            _sync(temporary)
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(path.parent)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name a path in an OSError of the block that names none."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is None:
            raise OSError(f"{path}: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_partial(folder: Path) -> None:
    """Remove the incomplete files and folders that killed processes left anywhere in a folder."""
    for path in list(folder.rglob(f"{PARTIAL}*")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # it may have been in an incomplete folder


def publish(folder: Path, destination: Path) -> None:
    """Move a finished folder to its destination in one step, after syncing everything in it to the disk.

    Raises:
        OSError: if it cannot be moved; names the folder.
    """
    remove_partial(folder)
    with _named(destination):
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


def refuse_links(folder: Path) -> None:
    """Refuse a folder in which anything is neither a file nor a folder, such as a link to a file elsewhere.

    Raises:
        ValueError: if there is such a thing; names it.
    """
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            mode = os.lstat(os.path.join(root, name)).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise ValueError(f"{os.path.join(root, name)}: is {kind}, which {folder} must not hold; remove it")


def check_claim(
    folder: Path, record_name: str, record: Mapping[str, Any], *, what: str, foreign: Callable[[str], bool]
) -> bool:
    """Return whether a folder belongs to an owner already; refuse one that has another, and change nothing.

    The arguments and errors are those of `claim_folder`.
    """
    path = folder / record_name
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ValueError(f"{folder}: is not a folder")
    refuse_links(folder)
    if path.exists():
        difference = _difference(read_json(path), json.loads(json.dumps(record)))
        if difference:
            raise ValueError(f"{folder}: holds another {what} ({difference}); choose another folder")
        return True
    for name in sorted(each.name for each in folder.iterdir()):
        if foreign(name):
            raise ValueError(
                f"{folder}: is not empty and holds no {what} (there is {name}, but no {record_name}); "
                "choose another folder"
            )
    return False


def claim_folder(
    folder: Path, record_name: str, record: Mapping[str, Any], *, what: str, foreign: Callable[[str], bool]
) -> None:
    """Record in a folder who owns it, or refuse a folder that has another owner or holds links.

    Args:
        folder: the folder to claim; it is made if it is missing.
        record_name: name of the JSON file that records the owner.
        record: content of that file, which JSON can hold; the owner is the same if the record is the same.
        what: what the folder is for, such as `study`, for errors.
        foreign: whether a file of a given name shows that a folder without a record is in use by something else.

    Raises:
        ValueError: if the folder holds something else; names the first key of the record that differs.
    """
    if not check_claim(folder, record_name, record, what=what, foreign=foreign):
        write_atomically(folder / record_name, json.dumps(record, indent=2) + "\n")


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
        return f"{key or 'it'} is {brief(found)}, not {brief(wanted)}"
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
