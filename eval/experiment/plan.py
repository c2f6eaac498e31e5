"""The plan of a study: its cells in order, as tasks that any process can compute."""

from typing import Any

from ruleshift.eval.experiment.cell import Cell
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols import PROTOCOLS
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.task import Job, Report, Task, Work


def plan(design: Design) -> list[Cell]:
    """All cells of a study, those that others need first."""
    return [cell for protocol in PROTOCOLS.values() for cell in protocol.cells(design)]


def tasks(cells: list[Cell], design: Design) -> list[Task]:
    """Cells as tasks, in the same order."""
    return [Task(cell.name, str(cell), cell.needs, PROTOCOLS[cell.protocol].seconds(cell, design)) for cell in cells]


def job(design: Design) -> Job:
    """How any process computes the cells of a study."""
    return Job(f"{__name__}:begin", design.plain())


def begin(setting: dict[str, Any]) -> Work:
    """The work of a study, from its design as plain data."""
    design = Design.from_plain(setting)
    cells = {cell.name: cell for cell in plan(design)}
    return lambda task, folder, report: compute_cell(cells[task], design, folder, report)


def compute_cell(cell: Cell, design: Design, folder: Folder, report: Report = lambda share: None) -> None:
    """Compute a cell and store what it gives, whole.

    Args:
        report: told the share done, 0 .. 1, now and then.
    """
    protocol = PROTOCOLS[cell.protocol]
    found = protocol.compute(cell, Context(design, folder, report))
    if isinstance(found, list):
        folder.write(cell.name, {"result": [entry.plain() for entry in found]})
    elif found is not None:
        folder.write(cell.name, {"result": found})
