"""Frozen: the policy as it was trained, under every target, and the competence gate, in markets of its own.

Targets inside the generalists' training support fill the rest of the transfer matrix; they enter no verdict.
"""

from collections.abc import Iterator
from typing import Any

from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import PRIMARY, Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_natives
from ruleshift.eval.play import MeanActions


def cells(design: Design) -> Iterator[Cell]:
    """One cell per arm, home, seed and budget."""
    natives = missing_natives(design, [rule.name for rule in design.scored])
    for seed in design.preset.seeds:
        for arm, budget in design.budgets:
            if arm.is_trained:
                for home in design.homes_of(arm):
                    needs = (*natives, training_cell(arm, home, seed, budget))
                    yield Cell("frozen", arm.name, home, seed=seed, budget=budget, needs=needs)


def has_mean_actions(cell: Cell) -> bool:
    """Whether a cell is also played with mean actions."""
    return cell.arm in PRIMARY and cell.budget == 1.0


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return the entries under every target, those with mean actions for the primary arms, and those of the gate."""
    design, arm = context.design, context.design.arms[cell.arm]
    policy = context.policy(cell)
    asked: list[tuple[str, str, dict[str, Any]]] = [(rule.name, "frozen", {}) for rule in design.targets]
    if has_mean_actions(cell):
        asked += [(rule.name, "mean_actions", {}) for rule in design.held_out]
    asked += [(home, "gate", {"seed": design.preset.gate_seed}) for home in design.gates_of(arm, cell.home)]
    entries: list[Entry] = []
    for done, (target, protocol, options) in enumerate(asked):
        context.on_progress(done / len(asked))
        focal = MeanActions(policy) if protocol == "mean_actions" else policy
        entries += context.deployment.frozen(focal, target, protocol, aware=arm.aware, **options)
    return entries


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for all targets, for the held-out ones with mean actions, and for the gate."""
    again = len(design.held_out) if has_mean_actions(cell) else 0
    episodes = len(design.targets) + again + len(design.gates_of(design.arms[cell.arm], cell.home))
    return episodes * episode_seconds(design, len(design.preset.panel_seeds))


PROTOCOL = Protocol("frozen", cells, compute, seconds)
