"""The command that makes the reference policies, by the same cells as a study that lacks them."""

import os
from collections.abc import Sequence
from pathlib import Path

from ruleshift.agents import warm_up
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import job, tasks
from ruleshift.eval.experiment.preset import Preset, load_preset
from ruleshift.eval.experiment.protocols import training
from ruleshift.eval.experiment.record import claimed_study, study_folder
from ruleshift.eval.experiment.references import FOLDER, keep
from ruleshift.eval.jobs.cluster import check_ray
from ruleshift.eval.jobs.pool import compute, worker_count


def make_references(
    preset: str | os.PathLike[str] | Preset = "standard",
    out: str | os.PathLike[str] = "results/references",
    *,
    into: str | os.PathLike[str] = FOLDER,
    mechanisms: Sequence[str] = (),
    extensions: Sequence[str] = (),
    recompute: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    quiet: bool = False,
) -> list[str]:
    """Train the natives and best replies of a preset that do not come with the suite, and add them to those that do.

    A command that was killed continues when it is started again. Delete `into` first to make all of them anew.

    Args:
        preset: the preset, its name or the path of its file; its rules, seeds and budgets are used.
        out: folder to work in.
        into: folder of the policies and their index.
        mechanisms: mechanisms of your own that the preset's file may name.
        extensions: modules of your own that the preset's file may name.
        recompute: train anew what is in the folder but is not what was trained.
        workers: number of processes, one core each; by default, and for -1, one per core that this process may use,
            and 0 to compute in this process.
        ray: address of a Ray cluster to compute on, such as `auto`, in place of local processes.
        quiet: show no progress.

    Returns:
        Names of the references that were made.

    Raises:
        ValueError: the preset is wrong, or the folder holds something else.
        CellError: a training run failed.
    """
    processes = worker_count(workers)
    check_ray(ray)
    design, root = Design.of(load_preset(preset, mechanisms=mechanisms, extensions=extensions)), Path(out)
    cells = [cell for cell in training.cells(design) if cell.arm in ("native", "best_reply")]
    with claimed_study(root, design):
        folder = study_folder(root, design)
        folder.clean()
        warm_up()  # here, where it is seen, and not in each worker
        compute(tasks(cells, design), job(design), folder, workers=processes, quiet=quiet, recompute=recompute, ray=ray)
        for cell in cells:
            assert cell.seed is not None
            keep(cell.arm, design, cell.home, cell.seed, folder.trained(cell.name), into)
    return [cell.name for cell in cells]
