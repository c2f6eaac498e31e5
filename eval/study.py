"""Studies: arms are trained, scored before and after the shift, and compared in a report."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruleshift.agents import warm_up
from ruleshift.eval.claims import Verdict, asked
from ruleshift.eval.claims.claim import THESE_RULES
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import job, plan, tasks
from ruleshift.eval.experiment.power import power_table
from ruleshift.eval.experiment.preset import Preset, load_preset
from ruleshift.eval.experiment.record import claimed_study, study_folder
from ruleshift.eval.experiment.results import write_results
from ruleshift.eval.extensions import load_extensions
from ruleshift.eval.jobs.cluster import check_ray
from ruleshift.eval.jobs.pool import compute, worker_count
from ruleshift.eval.report import write_report
from ruleshift.eval.report.findings import read_findings
from ruleshift.eval.statistics import RULES


def study(
    preset: str | os.PathLike[str] | Preset = "quick",
    out: str | os.PathLike[str] = "results/quick",
    *,
    mechanisms: Sequence[str] = (),
    extensions: Sequence[str] = (),
    recompute: bool = False,
    workers: int | None = None,
    ray: str | None = None,
    quiet: bool = False,
) -> Path:
    """Run a study in the folder `out`, or continue the one that is there, and return the path of its report.

    A study that was killed and started again ends with the same results as one that was never interrupted.

    Args:
        preset: a preset, its name (`quick`, `standard`, `full`) or the path of a study file.
        out: folder of the study, which holds nothing else.
        mechanisms: mechanisms of your own that the study file may name; without being named here none is imported.
        extensions: modules of your own that the study file may name; the same holds for them.
        recompute: compute anew the results in the folder that are not what was computed, in place of refusing them.
        workers: number of processes, one core each; by default, and for -1, one per core that this process may use,
            and 0 to compute in this process.
        ray: address of a Ray cluster to compute on, such as `auto`, in place of local processes.
        quiet: show no progress.

    Raises:
        ValueError: the study file is wrong or names code that the arguments do not name, the folder holds another
            study, a study is running in it, or a result in it is not what was computed.
        CellError: a part of the study failed.
    """
    processes = worker_count(workers)
    check_ray(ray)
    design, root = Design.of(load_preset(preset, mechanisms=mechanisms, extensions=extensions)), Path(out)
    _check_learners(design)
    with claimed_study(root, design):
        folder = study_folder(root, design)
        folder.clean()
        if not quiet:
            print(_stated_power(design))
        warm_up()  # here, where it is seen, and not in each worker
        compute(
            tasks(plan(design), design),
            job(design),
            folder,
            workers=processes,
            quiet=quiet,
            recompute=recompute,
            ray=ray,
        )
        write_results(folder, design)
        return write_report(root, mechanisms=design.preset.mechanisms, extensions=design.preset.extensions)


@dataclass(frozen=True)
class JudgedClaims:
    """The verdicts of a finished study on the claims that it asks; printed, one line each."""

    verdicts: dict[str, Verdict]
    """Verdict by id of the claim."""
    report: Path
    """The study's report; the pages of the claims are in the folder `claims` beside it."""

    def __str__(self) -> str:
        width = max(map(len, self.verdicts))
        lines = [f"{name:<{width}}  {each.outcome}: {_measured(each)}" for name, each in self.verdicts.items()]
        return "\n".join([*lines, f"pages: {self.report.parent / 'claims'}", f"report: {self.report}"])


def _measured(verdict: Verdict) -> str:
    """The measure of a verdict in both scopes, or the reason why there is none."""
    if verdict.measure is None:
        return verdict.reason
    here = verdict.intervals.get(THESE_RULES)
    return f"{verdict.measure}" + (f"; {THESE_RULES} {here}" if here else "")


def run_claims(
    preset: str | os.PathLike[str] | Preset = "claims_quick",
    out: str | os.PathLike[str] = "results/claims",
    *,
    only: Sequence[str] = (),
    mechanisms: Sequence[str] = (),
    extensions: Sequence[str] = (),
    **options: Any,
) -> JudgedClaims:
    """Run a study that asks claims, or continue the one that is in the folder `out`, and return the verdicts.

    Args:
        preset: a preset, its name or the path of a study file.
        out: folder of the study, which holds nothing else.
        only: ids of the claims to ask; by default those that the preset names.
        mechanisms, extensions, options: as of `study`.

    Raises:
        ValueError: there is no such claim, or as of `study`.
        CellError: a part of the study failed.
    """
    own = load_preset(preset, mechanisms=mechanisms, extensions=extensions)
    if only:
        load_extensions(extensions)
        own = replace(own, claims=tuple(asked(only)))
    report = study(own, out, mechanisms=mechanisms, extensions=extensions, **options)
    found = read_findings(Path(out), mechanisms=mechanisms, extensions=extensions)
    return JudgedClaims({name: found.judgement.verdicts[name] for name in asked(own.claims)}, report)


def _check_learners(design: Design) -> None:
    """Refuse arms that cannot learn with the installed packages, before anything is trained."""
    from ruleshift.train.recurrent import check_installed

    for arm in design.arms.values():
        if arm.memory.units:
            check_installed(arm.name)


def _stated_power(design: Design) -> str:
    """The power of a study of this size, as text that is printed before it runs."""
    lines = ["what a study of this size can find, by simulation (docs/study.md explains how):"]
    for scope, fixed in (("rules like these", ()), ("these rules", RULES)):
        found = power_table(design.sizes, fixed=fixed, meet=design.meet)
        lines += [f" under {scope}:", *(f"  {each}" for each in found)]
    return "\n".join(lines)
