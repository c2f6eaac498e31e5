"""The cache of compiled kernels: shared by all installs and processes, never stale, and never needed."""

import ast
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ruleshift
from ruleshift.envs import cache, notices, numerics
from ruleshift.envs.compile import jit

ROOT = Path(__file__).parents[1]
DRAWS, OUT = np.arange(8.0).reshape(4, 2), np.empty(5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in a process that has said nothing yet."""
    monkeypatch.setattr(cache, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr(notices, "_SAID", set())
    return tmp_path / "cache"


def _kernel() -> Callable[..., Any]:
    """A small kernel as a new process has it: not compiled."""
    return jit(numerics.spread.py_func)


def _call(kernel: Callable[..., Any]) -> bool:
    """Whether a kernel does what it should: copy as many numbers as there is room for, row after row."""
    OUT[:] = np.nan
    kernel(DRAWS, OUT)
    return OUT.tolist() == [0, 1, 2, 3, 4]


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("ruleshift.*"))


def test_cache__is_announced_once_filled_once_and_then_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _call(_kernel())
    assert capfd.readouterr().err.startswith("ruleshift: compiling the market's kernels, once; ")
    (entry,) = _entries(folder)
    before = (folder / entry).read_bytes()
    notices._SAID.clear()
    assert _call(_kernel())
    assert capfd.readouterr().err == ""
    assert _entries(folder) == [entry]
    assert (folder / entry).read_bytes() == before


@pytest.mark.parametrize("spoil", [lambda content: content[:100], lambda content: content[:-1] + b"?", lambda _: b""])
def test_cache__compiles_again_what_is_spoiled(
    folder: Path, spoil: Callable[[bytes], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    """Once, and what is kept then is whole: the next process compiles nothing. Its bytes may be others."""
    _call(_kernel())
    (name,) = _entries(folder)
    spoiled = spoil((folder / name).read_bytes())
    (folder / name).write_bytes(spoiled)
    assert _call(_kernel())
    mended = (folder / name).read_bytes()
    assert mended != spoiled
    notices._SAID.clear()
    capfd.readouterr()
    assert _call(_kernel())
    assert capfd.readouterr().err == ""
    assert (folder / name).read_bytes() == mended


def test_cache__may_disappear_at_any_time(folder: Path) -> None:
    assert _call(_kernel())
    shutil.rmtree(folder)
    assert _call(_kernel())
    assert len(_entries(folder)) == 1


def _imported_by(module: str) -> set[str]:
    """The loaded modules of ours that a module imports, read from its syntax tree."""
    tree = ast.parse(Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ruleshift"):
            submodules = {f"{node.module}.{each.name}" for each in node.names} & sys.modules.keys()
            found |= submodules or {str(node.module)}
        assert not (isinstance(node, ast.Import) and any(each.name.startswith("ruleshift") for each in node.names))
    return found


def test_digest__covers_what_a_kernels_module_imports_and_nothing_else() -> None:
    for module in ("ruleshift.envs.round", "ruleshift.envs.mechanisms.serial", "ruleshift.agents.noise"):
        __import__(module)
        reached: set[str] = set()
        waiting = [module]
        while waiting:
            name = waiting.pop()
            imported = _imported_by(name) - {cache.__name__}
            waiting += imported - reached
            reached |= {name, *imported}
        assert set(cache._digest(module).split()[::2]) == reached
    assert {"ruleshift.envs.pay", "ruleshift.envs.buffers"} <= set(cache._digest("ruleshift.envs.round").split())
    for unrelated in ("checker", "views", "market_v0", "market", "files"):
        assert f"ruleshift.envs.{unrelated}" not in cache._digest("ruleshift.envs.round")


CODE = """
import numpy as np
from ruleshift.envs.numerics import spread
spread(np.ones((4, 1)), out := np.empty(4))
print(out.sum())
"""


def _run(place: Path, home: Path, code: str = CODE, **environment: str) -> subprocess.Popen[str]:
    """Start a process that imports the package from a place, with its own cache folder."""
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(place), "XDG_CACHE_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**known, **environment}, stdout=-1, stderr=-1, text=True, cwd=place
    )


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """Two installs of the environments in different places."""
    for name in ("one", "two"):
        shutil.copytree(ROOT / "envs", tmp_path / name / "ruleshift" / "envs", ignore=lambda *_: ["__pycache__"])
        shutil.copy(ruleshift.__file__, tmp_path / name / "ruleshift")
    return [tmp_path / "one", tmp_path / "two"]


def test_processes__from_two_installs_compile_once_between_them(copies: list[Path], tmp_path: Path) -> None:
    done = [process.communicate(timeout=120) for process in [_run(place, tmp_path) for place in (*copies, *copies)]]
    assert [out for out, _ in done] == ["4.0\n"] * 4
    assert sum("compiling the market's kernels" in errors for _, errors in done) == 1
    entries = _entries(tmp_path / "ruleshift")
    (copies[1] / "ruleshift" / "envs" / "checker.py").write_text("# another checker\n")
    assert _run(copies[1], tmp_path).communicate(timeout=120) == ("4.0\n", "")
    assert _entries(tmp_path / "ruleshift") == entries
    with open(copies[1] / "ruleshift" / "envs" / "numerics.py", "a") as file:
        file.write("# another version\n")
    assert "compiling" in _run(copies[1], tmp_path).communicate(timeout=120)[1]


def _locks(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(".*.lock")]


def _locked_by(folder: Path) -> Path:
    """Return the file that a process locks while it compiles the kernel, whose entry is removed again."""
    _call(_kernel())
    (entry,), (lock,) = _entries(folder), _locks(folder)
    (folder / entry).unlink()
    return folder / lock


def test_lock__passes_on_when_its_holder_dies(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lock = _locked_by(folder)
    hold = f"import fcntl, time; file = open({str(lock)!r}, 'a'); fcntl.flock(file, 2); print(1, flush=True); "
    holder = subprocess.Popen([sys.executable, "-c", f"{hold} time.sleep(60)"], stdout=-1, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    killer = subprocess.Popen(["bash", "-c", f"sleep .5; kill -9 {holder.pid}"])
    start = time.monotonic()
    assert _call(_kernel())
    assert time.monotonic() - start > 0.4
    assert "waiting for another process" in capfd.readouterr().err
    for process in (holder, killer):
        process.wait()
    holder.stdout.close()


def test_lock__is_waited_for_with_a_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = time.monotonic() + 0.2
    monkeypatch.setattr(cache, "_deadline", lambda: limit)
    with open(_locked_by(folder), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert _call(_kernel())


def _full(*arguments: Any) -> None:
    raise OSError(28, "No space left on device")


def _spoil(how: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a cache folder unusable in one way."""
    if how == "no home":
        monkeypatch.setattr(cache, "CACHE_DIRECTORY", "")
    elif how == "a file":
        folder.write_text("")
    elif how == "others can write":
        folder.mkdir()
        folder.chmod(0o777)
    elif how == "somebody else's":
        folder.mkdir(mode=0o700)
        owner = max(folder.stat().st_uid, 1)
        os.chown(folder, owner, -1)
        monkeypatch.setattr(cache.os, "getuid", lambda: owner + 1)
    elif how == "a full disk":
        monkeypatch.setattr(cache.os, "replace", _full)


@pytest.mark.parametrize("how", ["no home", "a file", "others can write", "somebody else's", "a full disk"])
def test_without_a_cache__everything_works_and_says_so_once(
    how: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _spoil(how, folder, monkeypatch)
    for _ in range(2):
        assert _call(_kernel())
    said = capfd.readouterr().err.splitlines()
    assert sum("compiled kernels cannot be kept" in line and "XDG_CACHE_HOME" in line for line in said) == 1
    assert len(said) == 1 + (how == "a full disk"), "that is only known when there is something to keep"
    assert not folder.is_dir() or _entries(folder) == []
    assert not folder.is_dir() or set(os.listdir(folder)) <= set(_locks(folder)), "no half-written file is left behind"


def test_without_locks_and_users__everything_works_as_under_windows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.delattr(os, "getuid")
    assert _call(_kernel())
    assert len(_entries(folder)) == 1
    assert capfd.readouterr().err.count("\n") == 1


def test_folder_that_can_only_be_read__is_used(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _call(_kernel())
    folder.chmod(0o500)
    notices._SAID.clear()
    capfd.readouterr()
    assert _call(_kernel())
    assert capfd.readouterr().err == ""
    folder.chmod(0o700)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("import os; os.environ['NUMBA_DISABLE_JIT'] = '1'", "unset that variable"),
        ("import sys; sys.byteorder = 'big'", "needs a little-endian processor"),
        ("import sys; sys.maxsize = 2**31 - 1", "a Python of 64 bits"),
    ],
)
def test_platform_that_cannot_run_kernels__is_refused_in_one_line(change: str, said: str) -> None:
    code = f"import numba.core.types; {change}; numba.config.reload_config(); import ruleshift.envs.compile"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("ImportError: ruleshift needs ")
    assert said in line
