"""A study: train the arms, score them before and after the shift, leave a report."""

import os
from pathlib import Path

from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import job, plan, tasks
from ruleshift.eval.experiment.power import power_table
from ruleshift.eval.experiment.preset import Preset, load_preset
from ruleshift.eval.experiment.record import claim
from ruleshift.eval.experiment.results import write_results
from ruleshift.eval.jobs.folder import Folder, owned
from ruleshift.eval.jobs.pool import compute
from ruleshift.eval.report import write_report


def study(
    preset: str | os.PathLike[str] | Preset = "quick",
    out: str | os.PathLike[str] = "results/quick",
    *,
    workers: int | None = None,
    quiet: bool = False,
) -> Path:
    """Run a study in the folder `out`, or go on with the one that is there, and return the path of its report.

    A study that was killed ends with the same results as one never interrupted.

    Args:
        preset: a preset, its name (`quick`, `standard`, `full`) or the path of a study's file.
        out: folder of this study alone.
        workers: processes, one core each; as many as there are cores by default, 0 for none beside this one.
        quiet: show no progress.

    Raises:
        ValueError: a study file that is wrong, a folder that holds another study or in which one is running.
        CellError: a part of the study failed.
    """
    asked = load_preset(preset)
    design, root = Design.of(asked), Path(out)
    _check_learners(design)
    workers = os.cpu_count() or 1 if workers is None else workers
    with owned(root):
        claim(root, design)
        folder = Folder(root)
        folder.clean()
        if not quiet:
            print(_stated_power(asked))
        compute(tasks(plan(design), design), job(design), folder, workers=workers, quiet=quiet)
        write_results(folder, design)
        return write_report(root)


def _check_learners(design: Design) -> None:
    """Refuse arms that could not learn here before anything is trained."""
    from ruleshift.train.recurrent import check_installed

    for arm in design.arms.values():
        if arm.memory.units:
            check_installed(arm.name)


def _stated_power(preset: Preset) -> str:
    """What a study of this size can find, said before it runs."""
    sizes = (
        len(preset.homes), len(preset.held_out), len(preset.seeds), len(preset.panel_seeds), preset.economies,
    )  # fmt: skip
    lines = [f"  {each}" for each in power_table(sizes)]
    return "\n".join(["power of this size, by simulation, before it runs (docs/study.md says from what):", *lines])
