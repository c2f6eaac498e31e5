"""What the computation of a cell can look up: the design, the folder, and the policies that are there."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ruleshift.agents import Constant, Policy, load_policy
from ruleshift.envs.economies import economy_set
from ruleshift.eval.experiment.cell import Cell
from ruleshift.eval.experiment.deployment import Deployment
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.references import shipped
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.task import Report

if TYPE_CHECKING:
    from ruleshift.train.arms import ArmVariant
    from ruleshift.train.groups import MarketGroup

TRAINING, CONSTANT = "training", "constant"
"""Names of the protocols whose results other cells read: policies, and the best constant conduct."""
CONSTANT_CELL = Cell(CONSTANT, "constant").name
"""Name of the cell that searches the best constant conduct."""
BEST_REPLY_SCALE = 4
"""A best reply learns in so many times the markets of an arm, for it learns in one seat of each."""


def training_cell(arm: "ArmVariant", home: str, seed: int, budget: float = 1.0) -> str:
    """Name of the cell that trains an arm; the same for all homes where the arm has one policy for all."""
    return Cell(TRAINING, arm.name, home if arm.has_policy_per_home else "", seed=seed, budget=budget).name


def native_cell(rule: str, seed: int) -> str:
    """Name of the cell that trains a native of a rule."""
    return Cell(TRAINING, "native", rule, seed=seed).name


def best_reply_cell(rule: str, seed: int) -> str:
    """Name of the cell that trains a best reply under a rule."""
    return Cell(TRAINING, "best_reply", rule, seed=seed).name


@dataclass
class Context:
    """What one cell is computed from."""

    design: Design
    folder: Folder
    report: Report = field(default=lambda share: None)
    """Told the share done, 0 .. 1, now and then."""

    @cached_property
    def deployment(self) -> Deployment:
        """Where policies are scored."""
        return Deployment(self.design, self.native)

    def policy(self, cell: Cell) -> Policy:
        """The policy that was trained for a cell: that of its arm, home, seed and budget."""
        return self._load(self.policy_folder(cell))

    def policy_folder(self, cell: Cell) -> Path:
        """The folder of that policy."""
        assert cell.seed is not None, f"{cell} has no training seed"
        return self.folder.policies(training_cell(self.design.arms[cell.arm], cell.home, cell.seed, cell.budget))

    def native(self, panel: int, rule: str) -> Policy:
        """The native of a rule in a panel."""
        return self._load(self.native_folder(panel, rule))

    def native_folder(self, panel: int, rule: str) -> Path:
        """The folder of that policy: among those that come with the suite, or the study's own."""
        seed = self.design.preset.panel_seeds[panel]
        return shipped("native", self.design, rule).get(seed) or self.folder.policies(native_cell(rule, seed))

    def best_reply(self, rule: str) -> Policy:
        """The best reply to the panels under a rule: one that comes with the suite, or the study's own."""
        seed = self.design.preset.best_reply_seed
        own = self.folder.policies(best_reply_cell(rule, seed))
        return self._load(shipped("best_reply", self.design, rule).get(seed) or own)

    def constant(self) -> Policy:
        """The best constant conduct that the study has found."""
        return Constant(**self.folder.read(CONSTANT_CELL)["result"]["conduct"])

    def best_reply_groups(self, rule: str) -> "list[MarketGroup]":
        """Where a best reply learns: the focal seat, in the economies that arms train on, against every panel."""
        from ruleshift.train.arms import FIRST_ECONOMY, NUISANCE

        preset = self.design.preset
        economies = [self.design.shortened(each) for each in economy_set(NUISANCE, FIRST_ECONOMY, nuisance=True)]
        markets = max(BEST_REPLY_SCALE * preset.learning_markets // (len(economies) * len(preset.panel_seeds)), 1)
        pairs = [(economy, panel) for economy in economies for panel in range(len(preset.panel_seeds))]
        numbered = [(economy, panel, number * markets) for number, (economy, panel) in enumerate(pairs)]
        return self.deployment.learning(rule, numbered, markets)

    @cached_property
    def _loaded(self) -> dict[Path, Policy]:
        return {}

    def _load(self, path: Path) -> Policy:
        """One object a policy, so that seats which share it share a call."""
        if path not in self._loaded:
            self._loaded[path] = load_policy(path)
        return self._loaded[path]
