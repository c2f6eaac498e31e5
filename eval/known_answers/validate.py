"""Validation: ask the market for every known answer, and leave a report of all of them side by side."""

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ruleshift
from ruleshift.envs.files import claim_folder, write_atomically
from ruleshift.eval.extensions import load_extensions
from ruleshift.eval.jobs.folder import Folder, foreign, owned
from ruleshift.eval.jobs.pool import compute
from ruleshift.eval.jobs.task import Job, Report, Task, Work
from ruleshift.eval.known_answers import ANSWERS, Answer, Measurement, Row
from ruleshift.eval.known_answers.report import write_validation
from ruleshift.eval.known_answers.result import Result

COLUMNS = ("id", "quantity", "sense", "expected", "measured", "standard_error", "tolerance", "verdict")
RECORD, TRAINED = "validation.json", "trained"


@dataclass(frozen=True)
class Validation:
    """What a validation found, and where it is written."""

    results: tuple[Result, ...]
    report: Path
    table: Path

    @property
    def failed(self) -> tuple[str, ...]:
        """Ids of the answers that the market does not give."""
        return tuple(result.answer.id for result in self.results if not result.holds)


def validate(
    out: str | os.PathLike[str] = "results/validation",
    *,
    only: Sequence[str] = (),
    extensions: Sequence[str] = (),
    workers: int | None = None,
    quiet: bool = False,
) -> Validation:
    """Measure known answers, and leave `validation.html` and `validation.csv` in the folder `out`.

    Started again on the same folder, it goes on with what is missing: each answer is whole or absent.

    Args:
        out: folder of this validation alone.
        only: ids of answers; all of them where empty.
        extensions: modules of your own that register further answers when they are imported.
        workers: processes, one core each; at most two by default, 0 for none beside this one.
        quiet: show no progress.

    Raises:
        ValueError: an unknown id, or a folder that holds something else or in which one is running.
        CellError: an answer could not be measured.
    """
    load_extensions(extensions)
    asked, root = _asked(only), Path(out)
    workers = min(2, os.cpu_count() or 1) if workers is None else workers
    with owned(root):
        code = code_hash()
        record = {"version": ruleshift.__version__, "code": code}
        claim_folder(root, RECORD, record, what="validation", foreign=foreign)
        folder = Folder(root)
        folder.clean()
        tasks = [Task(each.id, each.title, each.needs, each.seconds) for each in asked]
        tasks.sort(key=lambda task: (len(task.needs), -task.seconds))
        compute(tasks, Job(f"{__name__}:begin", list(extensions)), folder, workers=workers, quiet=quiet)
        results = tuple(_result(folder, answer) for answer in asked)
        table = root / "validation.csv"
        write_atomically(table, _table(results))
        return Validation(results, write_validation(root, results, code), table)


def begin(extensions: list[str]) -> Work:
    """The work of a validation: measure the known answer that has the name of a task."""
    load_extensions(extensions)

    def work(task: str, folder: Folder, report: Report) -> None:
        run = Measurement(folder=folder.root / TRAINED, progress=lambda share: report(min(share, 0.99)))
        rows = ANSWERS[task].measure(run)
        folder.write(task, {"rows": [asdict(row) for row in rows]})

    return work


def _asked(only: Sequence[str]) -> list[Answer]:
    for each in only:
        if each not in ANSWERS:
            raise ValueError(f"no known answer is called {each!r}; there are {', '.join(ANSWERS)}")
    return [answer for answer in ANSWERS.values() if not only or answer.id in only]


def _result(folder: Folder, answer: Answer) -> Result:
    rows: list[Mapping[str, Any]] = folder.read(answer.id)["rows"]
    return Result(answer, tuple(Row(**row) for row in rows))


def _table(results: Sequence[Result]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(line for result in results for line in _lines(result))
    return text.getvalue()


def _lines(result: Result) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(result.rows, 1):
        margin = result.answer.tolerance.margin(row)
        key = (f"{result.answer.id}/{number}", row.name, row.sense)
        yield (*key, *map(repr, (row.expected, row.measured, row.error, margin)), result.verdict(row))


def code_hash() -> str:
    """Sixteen hexadecimal digits of all code, rules and structures of the package."""
    digest, package = hashlib.sha256(), Path(ruleshift.__file__).parent
    for layer in ("envs", "agents", "train", "eval"):
        root = (package / layer).resolve()
        for path in sorted(each for each in root.rglob("*") if each.suffix in (".py", ".toml")):
            digest.update(f"{layer}/{path.relative_to(root).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
