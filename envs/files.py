"""TOML files of rules, structures and scenarios: found by name or path; one clear line where they are none."""

import json
import tomllib
from pathlib import Path
from typing import Any


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
