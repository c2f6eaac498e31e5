"""Where compiled kernels are kept, and how processes share them. Like `compile`, it relies on the internals of numba.

A kernel's machine code is a file in the user's cache folder. Its name is a digest of all that the code depends on: the
sources of the kernel's module and of every module of ours that this one imports, the types of its arguments, the
versions that compile it, and the processor. Where the sources are installed does not matter, and nothing is ever stale.

An entry is a pickle, so entries are read only from a folder that nobody else can write to. Without such a folder
everything works, and each process compiles for itself.
"""

import hashlib
import os
import pickle
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from ruleshift.envs.notices import say_once

_PATIENCE = 600.0
"""Seconds that a process waits in all for others to compile; after that it compiles for itself."""
_UNUSED = 60 * 86400
"""Seconds after which an entry that no process has read is removed."""
_IMPORTS = re.compile(r"^\s*from (ruleshift[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)


def _place() -> str:
    """Return the path of the user's cache folder, whether or not it can be used, or '' if the user has no home."""
    try:
        return os.path.abspath(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ruleshift")
    except RuntimeError:
        return ""


CACHE_DIRECTORY = _place()
"""Folder of the entries, or '' for none; read whenever a kernel is compiled."""


def sources_digest() -> str:
    """Return sixteen hexadecimal digits that identify the sources of `envs/` and the versions that compile them."""
    digest = hashlib.sha256()
    for part in (numba.__version__, llvmlite.__version__, platform.python_version()):
        digest.update(part.encode())
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def keep_compiled(dispatcher: Any) -> None:
    """Let a kernel of ours look for its machine code in the cache before it is compiled, and keep it there."""
    context, compile_anew = dispatcher.targetctx, dispatcher._compiler.compile

    def find_or_compile(arguments: Any, return_type: Any) -> CompileResult:
        entry = _entry(dispatcher.py_func, (arguments, return_type), context)
        found = _load(entry, context)
        if found is None:
            with _turn(entry):
                found = _load(entry, context)  # another process may have compiled it in the meantime
                if found is None:
                    if entry is not None:
                        say_once("compiling", "compiling the market's kernels, once; this takes about a minute")
                    found = compile_anew(arguments, return_type)
                    _save(entry, found)
        return found

    dispatcher._compiler.compile = find_or_compile


def _entry(function: Callable[..., Any], signature: tuple[Any, Any], context: Any) -> Path | None:
    """Return the path of the file of a kernel's machine code for a signature, or None if it cannot be kept."""
    reason = _refusal()
    if reason:
        _do_without(reason)
        return None
    versions = numba.__version__, llvmlite.__version__, platform.python_version()
    types = (_text(kind) for kind in (*signature[0], signature[1]))
    parts = (*versions, *context.codegen().magic_tuple(), *types, _digest(function.__module__))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return Path(CACHE_DIRECTORY, f"{function.__module__}.{function.__qualname__}-{digest}")


def _refusal() -> str:
    """Return why entries may not be kept in the cache folder, or '' if they may."""
    if not CACHE_DIRECTORY:
        return "the user has no home directory"
    try:
        os.makedirs(CACHE_DIRECTORY, mode=0o700, exist_ok=True)
        facts = os.stat(CACHE_DIRECTORY)
    except OSError as error:
        return error.strerror or str(error)
    foreign = hasattr(os, "getuid") and (facts.st_uid not in (os.getuid(), 0) or facts.st_mode & 0o022)
    return "others can write there" if foreign else ""


def _text(kind: Any) -> str:
    """Describe a numba type fully: its name, and the names of the fields of each named tuple in it."""
    inner = ", ".join(map(_text, getattr(kind, "types", ())))
    return f"{kind} {getattr(kind, 'fields', '')} {inner}"


@cache
def _digest(module: str) -> str:
    """Return a digest of the sources of a module of ours and of all of ours that it imports, directly or indirectly."""
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name != __name__:  # this module decides where code is kept, and not what it is
            found[name], imported = _source(name)
            waiting.extend(imported)
    return " ".join(f"{name} {hashlib.sha256(found[name]).hexdigest()}" for name in sorted(found))


@cache
def _source(module: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the source of a loaded module, and which modules of ours it imports."""
    loader, path = sys.modules[module].__loader__, sys.modules[module].__file__
    source: bytes = loader.get_data(path)  # type: ignore[union-attr]
    imported: list[str] = []
    for package, names in _IMPORTS.findall(source.decode()):
        submodules = {f"{package}.{name}" for name in re.findall(r"\w+", names)}
        imported.extend(submodules & sys.modules.keys() or [package])
    return source, tuple(imported)


def _load(entry: Path | None, context: Any) -> CompileResult | None:
    """Return what an entry holds, ready to be called, or None if there is no whole entry."""
    if entry is None:
        return None
    try:
        content = entry.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    if hashlib.sha256(code).digest() != digest:
        return None
    with suppress(OSError):  # a folder that can only be read
        os.utime(entry)
    context.refresh()
    found = CompileResult._rebuild(context, *pickle.loads(code))
    context.insert_user_function(found.entry_point, found.fndesc, [found.library])
    return found


def _save(entry: Path | None, compiled: CompileResult) -> None:
    """Keep machine code. If that fails, the work goes on without."""
    if entry is None:
        return
    code = dumps(compiled._reduce())
    try:
        handle, temporary = tempfile.mkstemp(dir=entry.parent)
        try:
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, entry)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        _do_without(error.strerror or str(error))


def _do_without(reason: str) -> None:
    where = f"in {CACHE_DIRECTORY} ({reason})" if CACHE_DIRECTORY else f"({reason})"
    say_once(
        "without",
        f"compiled kernels cannot be kept {where}, so each process compiles them, for about a minute; set "
        "XDG_CACHE_HOME to a folder of yours",
    )


_compiling = False


@contextmanager
def _turn(entry: Path | None) -> Iterator[None]:
    """Let one process at a time compile. Numba lets one thread at a time of this process do so."""
    global _compiling
    if _compiling:  # a kernel that another calls
        yield
        return
    _compiling = True
    try:
        with nullcontext() if entry is None else _lock(entry):
            yield
    finally:
        _compiling = False


def _lock(entry: Path) -> AbstractContextManager[Any]:
    """Lock an entry and return what unlocks it at the end of a block, as the death of this process does."""
    try:
        import fcntl

        file = open(entry.with_name(f".{entry.name}.lock"), "ab")  # noqa: SIM115 - closed by the caller's block
    except (ImportError, OSError):  # Windows, or a folder that cannot be written
        return nullcontext()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_unused(entry.parent)
            return file
        except BlockingIOError:
            say_once("waiting", "waiting for another process that compiles the market's kernels")
        except OSError:  # a file system without locks
            return file
        if time.monotonic() > _deadline():
            return file
        time.sleep(0.1)


@cache
def _deadline() -> float:
    return time.monotonic() + _PATIENCE


def _remove_unused(folder: Path) -> None:
    with suppress(OSError):  # another process may remove them too
        for path in folder.iterdir():
            if path.is_file() and time.time() - path.stat().st_mtime > _UNUSED:
                path.unlink()
