"""What a command writes: standard streams that do not stop the work, and errors in one line."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

TRACEBACK = "RULESHIFT_TRACEBACK"
"""Variable of the environment that asks for tracebacks in place of one line."""


def open_streams() -> None:
    """Open the standard streams that the caller closed; write files as UTF-8, and show on terminals what they can."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115 - for as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=None if sys.stdout.isatty() else "utf-8", errors="replace")


@contextmanager
def unfailing_output() -> Iterator[None]:
    """Go on in the block when standard output cannot be written, since its reader has left or a disk is full."""
    with redirect_stdout(_Unfailing(sys.stdout)):  # type: ignore[type-var]
        yield


class _Unfailing:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        self._try("flush")

    def _try(self, method: str, *arguments: str) -> None:
        try:
            getattr(self._stream, method)(*arguments)
        except OSError as error:
            discard(self._stream)
            if not isinstance(error, BrokenPipeError):
                print(f"ruleshift: standard output is lost: {one_line(error)}", file=sys.stderr)


def discard(stream: Any) -> None:
    """Let everything that is still written to a stream go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def one_line(error: Exception) -> str:
    """Return what an error says in one line."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror.lower()}"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else f"{type(error).__name__} (for the details set {TRACEBACK}=1)"
