"""What a check of an environment comes to: findings, and what was not checked and why."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

_SHOWN = 3  # of findings of one kind; the rest are counted
_LONGEST = 80


@dataclass(frozen=True)
class Finding:
    """One way in which an environment breaks a promise."""

    kind: str
    """Name of the check that found it, one of `CHECKS`."""
    where: str
    """Episode, round and agent, as far as they are known."""
    what: str
    """What is wrong, and what would be right."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}" if self.where else f"{self.kind}: {self.what}"


@dataclass(frozen=True)
class Unchecked:
    """A check that could not be made, or only in part."""

    kind: str
    """Name of the check."""
    why: str
    """Why it could not be made."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.why}"


@dataclass(frozen=True)
class Report:
    """All that a check of an environment found."""

    findings: tuple[Finding, ...]
    """What is broken, in the order of the checks."""
    unchecked: tuple[Unchecked, ...]
    """What was not checked, and why."""
    checked: tuple[str, ...]
    """Names of the checks that were made."""

    def __str__(self) -> str:
        """Return all of it as text: up to three findings of a kind with the number of the others, then the rest."""
        return "\n".join([*self.faults(), *self._left_out(), self._summary()])

    def faults(self) -> list[str]:
        """Return the findings as lines of text, up to three of a kind, with the number of the others."""
        by_kind: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            by_kind[finding.kind].append(finding)
        lines = []
        for kind, found in by_kind.items():
            lines += [str(finding) for finding in found[:_SHOWN]]
            if len(found) > _SHOWN:
                lines.append(f"{kind}: and {len(found) - _SHOWN} more")
        return lines

    def _left_out(self) -> list[str]:
        return ["not checked:", *(f"  {each}" for each in self.unchecked)] if self.unchecked else []

    def _summary(self) -> str:
        kinds = len({finding.kind for finding in self.findings})
        found = f"{len(self.findings)} findings of {kinds} kinds" if self.findings else "nothing found"
        return f"{found} in {len(self.checked)} checks"


class MarketError(AssertionError):
    """Raised if an environment breaks a promise; lists all that was found.

    Attributes:
        report: the `Report`.
    """

    def __init__(self, report: Report) -> None:
        super().__init__("\n".join(report.faults()))
        self.report = report


class NotChecked(Exception):
    """Raised within a check that cannot be made; says why."""


class EnvironmentFailed(Exception):
    """Raised by the checker if the environment raises where it should not; says where and what.

    It holds text alone: the traceback would keep the environment alive.
    """

    def __init__(self, where: str, error: BaseException) -> None:
        self.where, self.what = where, f"raised {describe(error)}"
        super().__init__(f"{where}: {self.what}")


def describe(error: BaseException) -> str:
    """Return the type and the first line of an error, in one line."""
    lines = [line for line in text(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {shorten(lines[0])}" if lines else type(error).__name__


def shorten(value: Any) -> str:
    """Return a value as a text of at most 80 characters in one line."""
    line = " ".join((value if isinstance(value, str) else _repr(value)).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def text(value: Any) -> str:
    """Return `str(value)`, or the name of the type if that fails."""
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
