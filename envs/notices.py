"""Notices: single lines on standard error about what the user did not ask for but should know."""

import sys
from contextlib import suppress

_SAID: set[str] = set()


def say_once(topic: str, line: str) -> None:
    """Write a line to standard error, unless this process has already written one on the same topic."""
    if topic not in _SAID:
        _SAID.add(topic)
        with suppress(AttributeError, OSError, ValueError):  # there may be no standard error
            sys.stderr.write(f"ruleshift: {line}\n")
            sys.stderr.flush()
