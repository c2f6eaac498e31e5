"""Validation: every known answer is measured in the market, and a report compares all of them."""

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ruleshift
from ruleshift.agents import warm_up
from ruleshift.envs.fields import check_keys
from ruleshift.envs.files import write_atomically
from ruleshift.eval.extensions import load_extensions
from ruleshift.eval.jobs.cluster import check_ray
from ruleshift.eval.jobs.folder import Folder, claimed, digest_of
from ruleshift.eval.jobs.pool import compute, worker_count
from ruleshift.eval.jobs.task import Job, OnProgress, Task, Work
from ruleshift.eval.known_answers import ANSWERS, Answer, Measurement, Row
from ruleshift.eval.known_answers.report import write_validation
from ruleshift.eval.known_answers.result import Result

COLUMNS = ("id", "quantity", "sense", "expected", "measured", "standard_error", "tolerance", "verdict")
"""Columns of `validation.csv`."""
RECORD, TRAINED = "validation.json", "trained"
"""Names of the record's file and of the folder of trained policies in the folder of a validation."""


@dataclass(frozen=True)
class Validation:
    """Results of a validation, and where they are written."""

    results: tuple[Result, ...]
    """Result of each known answer."""
    report: Path
    """Path of `validation.html`."""
    table: Path
    """Path of `validation.csv`."""

    @property
    def failed(self) -> tuple[str, ...]:
        """Ids of the known answers that the market does not give."""
        return tuple(result.answer.id for result in self.results if not result.holds)


def validate(
    out: str | os.PathLike[str] = "results/validation",
    *,
    only: Sequence[str] = (),
    extensions: Sequence[str] = (),
    recompute: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    quiet: bool = False,
) -> Validation:
    """Measure known answers, and write `validation.html` and `validation.csv` into the folder `out`.

    Started again on the same folder, it measures only the answers that are missing.

    Args:
        out: folder of the validation, which holds nothing else.
        only: ids of known answers; all of them if empty.
        extensions: modules of your own that register further known answers when they are imported.
        recompute: measure anew the answers in the folder that are not what was measured, in place of refusing them.
        workers: number of processes, one core each; by default at most two, -1 for all cores that this process may use,
            and 0 to measure in this process.
        ray: address of a Ray cluster to compute on, such as `auto`, in place of local processes.
        quiet: show no progress.

    Raises:
        ValueError: an id or a module is unknown, the folder holds something else, a validation is running in it, or a
            result in it is not what was measured.
        CellError: a known answer could not be measured.
    """
    processes = worker_count(workers, 2)
    check_ray(ray)
    load_extensions(extensions)
    asked, root, code = _asked(only), Path(out), code_hash()
    record = {"version": ruleshift.__version__, "code": code}
    with claimed(root, RECORD, record, what="validation"):
        folder = Folder(root, digest_of(record))
        folder.clean()
        tasks = [Task(each.id, each.title, each.needs, each.seconds) for each in asked]
        tasks.sort(key=lambda task: (len(task.needs), -task.seconds))
        warm_up()  # here, where it is seen, and not in each worker
        job = Job(f"{__name__}:begin", list(extensions))
        compute(tasks, job, folder, workers=processes, quiet=quiet, recompute=recompute, ray=ray)
        results = tuple(_result(folder, answer) for answer in asked)
        table = root / "validation.csv"
        write_atomically(table, _table(results))
        return Validation(results, write_validation(root, results, code), table)


def begin(extensions: list[str]) -> Work:
    """Return the work of a validation, which measures the known answer whose id is the name of the task."""
    load_extensions(extensions)

    def work(task: str, folder: Folder, on_progress: OnProgress) -> None:
        run = Measurement(folder=folder.root / TRAINED, progress=lambda share: on_progress(min(share, 0.99)))
        rows = ANSWERS[task].measure(run)
        folder.write(task, {"rows": [asdict(row) for row in rows]}, ANSWERS[task].needs)

    return work


def _asked(only: Sequence[str]) -> list[Answer]:
    for each in only:
        if each not in ANSWERS:
            raise ValueError(f"no known answer is called {each!r}; there are {', '.join(ANSWERS)}")
    return [answer for answer in ANSWERS.values() if not only or answer.id in only]


def _result(folder: Folder, answer: Answer) -> Result:
    rows, where = folder.read(answer.id).get("rows"), f"{folder.root}: {answer.id}: rows"
    if not isinstance(rows, list):
        raise ValueError(f"{where} must be a list")
    return Result(answer, tuple(_row(row, f"{where}.{number}") for number, row in enumerate(rows)))


def _row(held: Any, where: str) -> Row:
    row = check_keys(Row, held, where)
    for key, value in row.items():
        right = isinstance(value, str) if key in ("name", "sense") else type(value) in (int, float)
        if not right:
            raise ValueError(f"{where}.{key} is malformed")
    return Row(**row)


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
    """Hash of all code, rules and structures of the package, sixteen hexadecimal digits."""
    digest, package = hashlib.sha256(), Path(ruleshift.__file__).parent
    for layer in ("envs", "agents", "train", "eval"):
        root = (package / layer).resolve()
        for path in sorted(each for each in root.rglob("*") if each.suffix in (".py", ".toml")):
            digest.update(f"{layer}/{path.relative_to(root).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
