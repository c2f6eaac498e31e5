"""The plan of a study: its cells in order, and as tasks that any process can compute."""

from typing import Any

from ruleshift.eval.claims import CLAIMS, asked
from ruleshift.eval.experiment.cell import Cell
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols import PROTOCOLS
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.task import Job, OnProgress, Task, Work


def plan(design: Design) -> list[Cell]:
    """All cells of a study, in an order in which each comes after those that it needs.

    A protocol of certain claims is left out unless the study asks one of them.
    """
    claims = asked(design.preset.claims)
    idle = {each for claim in CLAIMS.values() for each in claim.protocols}
    idle -= {each for claim in claims.values() for each in claim.protocols}
    return [cell for name, protocol in PROTOCOLS.items() if name not in idle for cell in protocol.cells(design)]


def tasks(cells: list[Cell], design: Design) -> list[Task]:
    """Return the cells as tasks, in the same order."""
    return [Task(cell.name, str(cell), cell.needs, PROTOCOLS[cell.protocol].seconds(cell, design)) for cell in cells]


def job(design: Design) -> Job:
    """The job by which any process computes the cells of a study."""
    return Job(f"{__name__}:begin", design.plain())


def begin(setting: dict[str, Any]) -> Work:
    """Return the work of a study, given its design as plain values."""
    own = setting["preset"]
    design = Design.from_plain(setting, "the study", mechanisms=own["mechanisms"], extensions=own["extensions"])
    cells = {cell.name: cell for cell in plan(design)}
    return lambda task, folder, on_progress: compute_cell(cells[task], design, folder, on_progress)


def compute_cell(cell: Cell, design: Design, folder: Folder, on_progress: OnProgress = lambda share: None) -> None:
    """Compute a cell and store its result, which is then either whole or absent.

    Args:
        cell: the cell.
        design: design of the study.
        folder: folder of the study.
        on_progress: called with the share that is done, 0 .. 1, from time to time.
    """
    protocol = PROTOCOLS[cell.protocol]
    found = protocol.compute(cell, Context(design, folder, on_progress))
    if found is not None:
        plain = [entry.plain() for entry in found] if isinstance(found, list) else found
        folder.write(cell.name, {"result": plain}, cell.needs)
