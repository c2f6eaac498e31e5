"""What the computation of a cell has at hand: the design, the folder, and the policies that are there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ruleshift.agents import Constant, Policy, load_policy
from ruleshift.envs.economies import economy_set
from ruleshift.eval.experiment.deployment import Deployment
from ruleshift.eval.experiment.design import Design, by_home
from ruleshift.eval.experiment.references import shipped
from ruleshift.eval.jobs.folder import Cell, Folder

if TYPE_CHECKING:
    from ruleshift.train.groups import MarketGroup

Progress = Callable[[float], None]
CONSTANT_CELL = "constant-constant"
"""Name of the cell that searches the best constant conduct."""
BEST_REPLY_SCALE = 4
"""A best reply learns in so many times the markets of an arm, for one seat of each alone is its own."""


def make_cell(
    kind: str,
    arm: str,
    *,
    home: str = "",
    target: str = "",
    seed: int | None = None,
    budget: float = 1.0,
    needs: list[str] | None = None,
) -> Cell:
    """A cell by what it is; see `ruleshift.eval.experiment.protocols`."""
    name = _name(kind, arm, home, target, seed, budget)
    return {
        "kind": kind, "name": name, "arm": arm, "home": home, "target": target, "seed": seed, "budget": budget,
        "needs": needs or [],
    }  # fmt: skip


def trained(arm: str, home: str, seed: int, budget: float = 1.0) -> str:
    """Name of the cell that trains an arm; the same for all homes where the arm has one policy for all."""
    return _name("training", arm, home if by_home(arm) else "", "", seed, budget)


def native_cell(rule: str, seed: int) -> str:
    """Name of the cell that trains a native."""
    return _name("training", "native", rule, "", seed, 1.0)


def best_reply_cell(rule: str, seed: int) -> str:
    """Name of the cell that trains a best reply."""
    return _name("training", "best_reply", rule, "", seed, 1.0)


@dataclass
class Desk:
    """Look-ups of one cell."""

    design: Design
    folder: Folder
    progress: Progress = field(default=lambda share: None)

    @cached_property
    def deployment(self) -> Deployment:
        """Where policies are scored."""
        return Deployment(self.design, self.native)

    def path(self, cell: str) -> Path:
        """The folder of the policy that a training cell made."""
        return self.folder.policies(cell)

    def policy(self, arm: str, home: str, seed: int, budget: float = 1.0) -> Policy:
        """The trained policy of an arm."""
        return self._load(self.path(trained(arm, home, seed, budget)))

    def native(self, panel: int, rule: str) -> Policy:
        """The native of a rule in a panel."""
        return self._load(self.native_path(panel, rule))

    def native_path(self, panel: int, rule: str) -> Path:
        """Where it lies: among those that come with the suite, or in the study's own folder."""
        seed = self.design.preset.panel_seeds[panel]
        return shipped("native", self.design, rule).get(seed) or self.path(native_cell(rule, seed))

    def best_reply(self, rule: str) -> Policy:
        """The best reply to the panels under a rule: one that comes with the suite, or the study's own."""
        seed = self.design.preset.best_reply_seed
        return self._load(shipped("best_reply", self.design, rule).get(seed) or self.path(best_reply_cell(rule, seed)))

    def constant(self) -> Policy:
        """The best constant conduct that the study has found."""
        return Constant(**self.folder.read(CONSTANT_CELL)["result"]["conduct"])

    def best_reply_groups(self, rule: str) -> "list[MarketGroup]":
        """Where a best reply learns: the focal seat, in the economies that arms train on, against every panel."""
        from ruleshift.train.arms import FIRST_ECONOMY, NUISANCE

        preset = self.design.preset
        economies = [self.design.shortened(each) for each in economy_set(NUISANCE, FIRST_ECONOMY, nuisance=True)]
        markets = max(BEST_REPLY_SCALE * preset.learning_markets // (len(economies) * len(preset.panel_seeds)), 1)
        places = [(economy, panel) for economy in economies for panel in range(len(preset.panel_seeds))]
        numbered = [(economy, panel, number * markets) for number, (economy, panel) in enumerate(places)]
        return self.deployment.learning(rule, numbered, markets)

    @cached_property
    def _loaded(self) -> dict[Path, Policy]:
        return {}

    def _load(self, path: Path) -> Policy:
        """One object a policy, so that seats which share it share a call."""
        if path not in self._loaded:
            self._loaded[path] = load_policy(path)
        return self._loaded[path]


def _name(kind: str, arm: str, home: str, target: str, seed: int | None, budget: float) -> str:
    """A file name; rules named by users may hold any letters, so those are spelled by their code points."""
    words = [kind, arm, home, target, "" if seed is None else str(seed)]
    name = "-".join("".join(_spelled(letter) for letter in word) for word in words if word)
    return name if budget == 1.0 else f"{name}-x{budget:g}"


def _spelled(letter: str) -> str:
    plain = letter.isascii() and (letter.isalnum() or letter in "_+")
    return letter if plain else f".{ord(letter):x}."
