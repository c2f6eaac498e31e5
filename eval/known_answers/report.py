"""Writing of `validation.html` from the results of a validation."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ruleshift
from ruleshift.envs.files import write_atomically
from ruleshift.eval.known_answers import Row, Tolerance
from ruleshift.eval.known_answers.result import Result
from ruleshift.eval.report.render import render

_LIBRARIES = ("numpy", "scipy", "numba", "torch", "stable-baselines3")


def write_validation(root: Path, results: Sequence[Result], code: str) -> Path:
    """Write `validation.html` into a folder, and return its path.

    Args:
        root: the folder.
        results: result of each known answer.
        code: hash of the code that measured them.
    """
    rows = [row for result in results for row in result.rows]
    failed = [result for result in results if not result.holds]
    content = {
        "results": results,
        "failed": failed,
        "rows": len(rows),
        "chance": sum(row.error > 0 for row in rows),
        "outside": sum(not result.answer.tolerance.holds(row) for result in results for row in result.rows),
        "position": _position,
        "number": _number,
        "version": ruleshift.__version__,
        "code": code,
        "libraries": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
    }
    path = root / "validation.html"
    write_atomically(path, render(Path(__file__).with_name("validation.html.jinja"), content))
    return path


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _position(row: Row, tolerance: Tolerance) -> float | None:
    """Place of a measurement, in per cent of a bar whose middle half the tolerance allows; None without a tolerance."""
    margin = tolerance.margin(row)
    if margin == 0:
        return None
    return min(max(50 + 25 * (row.measured - row.expected) / margin, 1.0), 99.0)


def _number(value: Any) -> str:
    """Write a number with five significant digits and true minus signs."""
    text = f"{value:.5g}"
    return text.replace("e-0", "e-").replace("-", "−") if value else "0"
