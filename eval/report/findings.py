"""All that a report is made from, read once: the record of a study, its numbers, and the verdicts on them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ruleshift.eval.claims import Judgement, Returns, judge_all
from ruleshift.eval.claims.wording import in_order
from ruleshift.eval.experiment.context import CONSTANT_CELL
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.power import Power, power_table
from ruleshift.eval.experiment.record import Record, read_record
from ruleshift.eval.experiment.results import Numbers, Run, read_entries, returns_of
from ruleshift.eval.jobs.folder import Folder


@dataclass(frozen=True)
class Findings:
    """A finished study in hand."""

    record: Record
    """What the folder says about itself."""
    numbers: Numbers
    """Every measure that was taken."""
    judgement: Judgement
    """The verdicts on all claims, with what they were judged on."""

    @property
    def returns(self) -> Returns:
        """What arms and references earned, at the budget."""
        return self.judgement.returns

    @property
    def design(self) -> Design:
        """What was run."""
        return self.record.design

    @cached_property
    def short(self) -> dict[str, str]:
        """By target, its short name."""
        return short_names(self.design)

    @property
    def arms(self) -> list[str]:
        """All arms, those of the primary contrast first."""
        return in_order(self.design.preset.arms)

    @property
    def learned(self) -> list[str]:
        """Those that were trained before the shift."""
        return [arm for arm in self.arms if arm in self.returns.frozen]

    @cached_property
    def power(self) -> list[Power]:
        """What a study of this size can find; simulated, for no outcome of the study enters it."""
        return power_table(self.returns.sizes)

    def runs(self, protocol: str, arm: str | None = None) -> list[Run]:
        """All runs of a protocol at the budget, of one arm or of all."""
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


def read_findings(root: Path) -> Findings:
    """Read a finished study and judge every claim.

    Raises:
        ValueError: no study there, or one that is not finished.
    """
    return findings_of(read_record(root), Folder(root))


def findings_of(record: Record, folder: Folder) -> Findings:
    """Judge every claim on the cells of a folder."""
    numbers = Numbers(record.design, read_entries(folder, record.design))
    constant = folder.read(CONSTANT_CELL)["result"]["conduct"]
    return Findings(record, numbers, judge_all(returns_of(numbers), constant))


def short_names(design: Design) -> dict[str, str]:
    """By target, a name that fits into a figure: `family 03` for `platforms_family_03`; never two alike."""
    prefix = f"{design.structure.name}_"
    names = [rule.name for rule in design.targets]
    short = [name.removeprefix(prefix).replace("_", " ") for name in names]
    return {name: brief if short.count(brief) == 1 else name for name, brief in zip(names, short, strict=True)}
