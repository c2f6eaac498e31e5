"""Makes `validation.html` from the results of a validation."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ruleshift
from ruleshift.envs.files import write_atomically
from ruleshift.eval.known_answers import Row, Tolerance
from ruleshift.eval.known_answers.result import Result
from ruleshift.eval.report.render import render

_LIBRARIES = ("numpy", "scipy", "numba", "torch", "stable-baselines3")


def write_validation(root: Path, results: Sequence[Result], code: str) -> Path:
    """Write `validation.html` of results measured with this code into the folder, and return its path."""
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
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
    }
    path = root / "validation.html"
    write_atomically(path, render(Path(__file__).with_name("validation.html.jinja"), content))
    return path


def _position(row: Row, tolerance: Tolerance) -> float | None:
    """Where the measurement lies, in per cent of a bar whose middle half is what the tolerance allows."""
    margin = tolerance.margin(row)
    if margin == 0:
        return None
    return min(max(50 + 25 * (row.measured - row.expected) / margin, 1.0), 99.0)


def _number(value: Any) -> str:
    """Five digits that count."""
    text = f"{value:.5g}"
    return text.replace("e-0", "e-").replace("-", "−") if value else "0"
