"""The context in which a cell is computed: the design, the folder, and the policies that exist already."""

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
from ruleshift.eval.jobs.task import OnProgress

if TYPE_CHECKING:
    from ruleshift.train.arms import ArmVariant
    from ruleshift.train.groups import MarketGroup

TRAINING, CONSTANT = "training", "constant"
"""Names of the protocols whose results other cells read: the trained policies, and the best constant conduct."""
CONSTANT_CELL = Cell(CONSTANT, "constant").name
"""Name of the cell that searches for the best constant conduct."""
BEST_REPLY_SCALE = 4
"""Factor by which a best reply learns in more markets than an arm, since it learns in only one seat of each."""


def training_cell(arm: "ArmVariant", home: str, seed: int, budget: float = 1.0) -> str:
    """Name of the cell that trains an arm; it is the same for all homes if the arm has one policy for all of them."""
    return Cell(TRAINING, arm.name, home if arm.has_policy_per_home else "", seed=seed, budget=budget).name


def native_cell(rule: str, seed: int) -> str:
    """Name of the cell that trains a native of a rule."""
    return Cell(TRAINING, "native", rule, seed=seed).name


def best_reply_cell(rule: str, seed: int) -> str:
    """Name of the cell that trains a best reply under a rule."""
    return Cell(TRAINING, "best_reply", rule, seed=seed).name


def read_conduct(folder: Folder) -> dict[str, float]:
    """Read the ask, effort and promotion of the best constant conduct that a study has found.

    Raises:
        ValueError: they are absent, or not what was computed.
    """
    result = folder.read(CONSTANT_CELL).get("result")
    conduct = result.get("conduct") if isinstance(result, dict) else None
    if not isinstance(conduct, dict) or set(conduct) != {"ask", "effort", "promotion"}:
        raise ValueError(f"{folder.root}: {CONSTANT_CELL}: result.conduct must have ask, effort and promotion")
    return conduct


@dataclass
class Context:
    """Everything that the computation of a cell may read."""

    design: Design
    """Design of the study."""
    folder: Folder
    """Folder in which the study keeps its results and policies."""
    on_progress: OnProgress = field(default=lambda share: None)
    """Called with the share of the cell that is done, 0 .. 1, from time to time."""

    @cached_property
    def deployment(self) -> Deployment:
        """The markets in which policies are scored."""
        return Deployment(self.design, self.native)

    def policy(self, cell: Cell) -> Policy:
        """The trained policy that a cell is about: that of its arm, home, seed and budget."""
        return self._load(self.policy_folder(cell))

    def policy_folder(self, cell: Cell) -> Path:
        """Folder of the trained policy that a cell is about."""
        assert cell.seed is not None, f"{cell} has no training seed"
        return self._trained(training_cell(self.design.arms[cell.arm], cell.home, cell.seed, cell.budget))

    def native(self, panel: int, rule: str) -> Policy:
        """The native of a rule in a panel."""
        return self._load(self.native_folder(panel, rule))

    def native_folder(self, panel: int, rule: str) -> Path:
        """Folder of the native of a rule in a panel: one that comes with the suite, or the study's own."""
        seed = self.design.preset.panel_seeds[panel]
        return shipped("native", self.design, rule).get(seed) or self._trained(native_cell(rule, seed))

    def best_reply(self, rule: str) -> Policy:
        """The best reply to the panels under a rule: one that comes with the suite, or the study's own."""
        seed = self.design.preset.best_reply_seed
        held = shipped("best_reply", self.design, rule).get(seed)
        return self._load(held or self._trained(best_reply_cell(rule, seed)))

    def constant(self) -> Policy:
        """The best constant conduct that the study has found."""
        conduct = read_conduct(self.folder)
        return Constant(conduct["ask"], conduct["effort"], conduct["promotion"])

    def best_reply_groups(self, rule: str) -> "list[MarketGroup]":
        """The markets in which a best reply learns: in the focal seat, among every panel, in the training economies."""
        from ruleshift.train.arms import FIRST_ECONOMY, NUISANCE

        preset = self.design.preset
        economies = [self.design.shortened(each) for each in economy_set(NUISANCE, FIRST_ECONOMY, nuisance=True)]
        markets = max(BEST_REPLY_SCALE * preset.learning_markets // (len(economies) * len(preset.panel_seeds)), 1)
        pairs = [(economy, panel) for economy in economies for panel in range(len(preset.panel_seeds))]
        numbered = [(economy, panel, number * markets) for number, (economy, panel) in enumerate(pairs)]
        return self.deployment.learning(rule, numbered, markets)

    def _trained(self, cell: str) -> Path:
        """Folder of the policies that a cell trained, checked at the first use."""
        if cell not in self._checked:
            self._checked[cell] = self.folder.trained(cell)
        return self._checked[cell]

    @cached_property
    def _checked(self) -> dict[str, Path]:
        return {}

    @cached_property
    def _loaded(self) -> dict[Path, Policy]:
        return {}

    def _load(self, path: Path) -> Policy:
        """Load each policy once, so that seats which share a policy share a call."""
        if path not in self._loaded:
            self._loaded[path] = load_policy(path)
        return self._loaded[path]
