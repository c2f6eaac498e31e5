"""Findings, all that a report is made from: the record of a study, its numbers, and the verdicts on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ruleshift.eval.claims import Judgement, Returns, judge_all
from ruleshift.eval.claims.wording import in_order
from ruleshift.eval.experiment.context import read_conduct
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.power import Power, power_table
from ruleshift.eval.experiment.record import Record, read_study
from ruleshift.eval.experiment.results import ResultTable, Run, read_entries, returns_of
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.statistics import RULES


@dataclass(frozen=True)
class Findings:
    """A finished study that has been read and judged."""

    record: Record
    """Record of the study."""
    numbers: ResultTable
    """All numbers of the study."""
    judgement: Judgement
    """The verdicts on all claims, with the numbers on which they were judged."""

    @property
    def returns(self) -> Returns:
        """What arms and references earned, for arms at the training budget itself and none of its multiples."""
        return self.judgement.returns

    @property
    def design(self) -> Design:
        """Design of the study."""
        return self.record.design

    @cached_property
    def short(self) -> dict[str, str]:
        """Short name of each target, by its name."""
        return short_names(self.design)

    @property
    def arms(self) -> list[str]:
        """Names of all arms, those of the primary contrast first."""
        return in_order(self.design.preset.arms)

    @property
    def learned(self) -> list[str]:
        """Names of the arms that were trained before the shift."""
        return [arm for arm in self.arms if arm in self.returns.frozen]

    @cached_property
    def power(self) -> list[Power]:
        """Power of a study of this size, by simulation; no result of the study enters it."""
        return power_table(self.design.sizes, meet=self.design.meet)

    @cached_property
    def power_under_these_rules(self) -> list[Power]:
        """The same for the rules of the study taken as they are."""
        return power_table(self.design.sizes, fixed=RULES, meet=self.design.meet)

    def runs(self, protocol: str, arm: str | None = None) -> list[Run]:
        """Return all runs of a protocol at the training budget, of one arm or of all."""
        if arm is not None:
            return self._by_arm.get((protocol, arm), [])
        return [each for (name, _), held in self._by_arm.items() if name == protocol for each in held]

    @cached_property
    def _by_arm(self) -> dict[tuple[str, str], list[Run]]:
        held: dict[tuple[str, str], list[Run]] = {}
        for each in self.numbers.runs():
            if each.budget == 1.0:
                held.setdefault((each.protocol, each.arm), []).append(each)
        return held


def read_findings(root: Path, *, mechanisms: Sequence[str] = (), extensions: Sequence[str] = ()) -> Findings:
    """Read the finished study in a folder, and judge every claim. No code runs that the arguments do not name.

    Raises:
        ValueError: there is no study in the folder, it is not finished, or a result is not what was computed.
    """
    record, folder = read_study(root, mechanisms=mechanisms, extensions=extensions)
    folder.settle([cell.name for cell in plan(record.design)], recompute=False)
    return findings_of(record, folder)


def findings_of(record: Record, folder: Folder) -> Findings:
    """Judge every claim on the cells in a folder.

    Raises:
        ValueError: a cell is missing.
    """
    numbers = ResultTable(record.design, read_entries(folder, record.design))
    constant = read_conduct(folder)
    return Findings(record, numbers, judge_all(returns_of(numbers), constant))


def short_names(design: Design) -> dict[str, str]:
    """Short and distinct names of the targets, by name, such as `family 03` for `platforms_family_03`."""
    prefix = f"{design.structure.name}_"
    names = [rule.name for rule in design.targets]
    short = [name.removeprefix(prefix).replace("_", " ") for name in names]
    return {name: brief if short.count(brief) == 1 else name for name, brief in zip(names, short, strict=True)}
