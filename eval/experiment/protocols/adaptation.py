"""Adaptation, the primary protocol: after the shift an arm keeps learning, and its return over that phase is scored.

The learner is the one that trained the arm, in the focal seat, among the same panels as all other arms, in every
economy at once. A specialist that was forbidden to learn would be a straw man. The arm `scratch` begins to learn here.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ruleshift.envs.files import PARTIAL
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol
from ruleshift.eval.experiment.protocols.training import missing_natives, settings

if TYPE_CHECKING:
    from ruleshift.train import TrainingPlan

ADAPTATION = "adaptation"
TENTHS = 10
"""Number of equal parts of the phase for which returns are kept."""
FIRST_MARKET = 1_000_000
"""Number of the first market, so high that no noise of training is repeated."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per arm, home, held-out target that meets it, seed and budget."""
    for target in design.held_out:
        natives = missing_natives(design, [target.name])
        for seed in design.preset.seeds:
            for arm, budget in design.budgets:
                for home in design.homes_of(arm):
                    if not design.adapts(arm, home, target.name):
                        continue
                    own = (training_cell(arm, home, seed, budget),) if arm.is_trained else ()
                    yield Cell(ADAPTATION, arm.name, home, target.name, seed, budget, needs=(*natives, *own))


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per group: the mean return over the phase, and over each tenth of it."""
    from ruleshift.train import load_rewards, train

    design, preset = context.design, context.design.preset
    plan = phase(cell, context, snapshots=0, record=True)
    steps = plan.steps
    with tempfile.TemporaryDirectory(dir=context.folder.root, prefix=PARTIAL) as folder:
        train(
            plan,
            folder,
            on_rollout=lambda learner: context.on_progress(min(learner.num_timesteps / steps, 1.0)),
            tensorboard=False,
            quiet=True,
        )
        earned = load_rewards(folder)
    return [
        Entry(cell.target, ADAPTATION, values, group.panel, group.economy)
        for group, values in zip(design.groups, _values(earned, steps, preset.adaptation_markets), strict=True)
    ]


def phase(cell: Cell, context: Context, **options: Any) -> "TrainingPlan":
    """The phase in which the arm of a cell keeps learning at its target, as a plan with these further options.

    The auxiliary task of training, to predict the features of the rule, has no part in it: they would be labels that
    come from a held-out rule.
    """
    from ruleshift.train import TrainingPlan

    design, preset = context.design, context.design.preset
    arm = design.arms[cell.arm]
    assert cell.seed is not None
    groups = [
        (design.economies[each.economy], each.panel, FIRST_MARKET + number * preset.adaptation_markets)
        for number, each in enumerate(design.groups)
    ]
    return TrainingPlan(
        steps=phase_steps(cell, design),
        seed=cell.seed,
        arm=cell.arm,
        groups=context.deployment.learning(cell.target, groups, preset.adaptation_markets, aware=arm.aware),
        start=context.policy_folder(cell) if arm.is_trained else None,
        mechanisms=preset.mechanisms,
        settings=replace(settings(design), aux_coef=0.0),
        **options,
    )


def phase_steps(cell: Cell, design: Design) -> int:
    """Agent-steps of the phase."""
    return max(round(design.preset.steps * cell.budget * design.preset.adaptation), 1)


def _values(earned: np.ndarray, steps: int, markets: int) -> Iterator[dict[str, float]]:
    """Yield the mean returns of each group over the phase and over its tenths, from rewards (rounds, rows)."""
    rounds = -(-steps // earned.shape[1])  # what the last rollout adds beyond the phase does not count
    by_group = earned[:rounds].reshape(rounds, -1, markets).mean(axis=2, dtype=np.float64)
    for returns in by_group.T:
        parts = np.array_split(returns, min(TENTHS, rounds))
        tenths = {f"return_{number}": float(part.mean()) for number, part in enumerate(parts, 1)}
        yield {"return": float(returns.mean()), **tenths}


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes to learn, in every group at once; a round of all groups gives one step per market."""
    steps, groups = design.preset.steps * cell.budget * design.preset.adaptation, len(design.groups)
    return 0.1 + (28e-6 + (9e-4 + 7e-5 * groups) / (groups * design.preset.adaptation_markets)) * steps


PROTOCOL = Protocol(ADAPTATION, cells, compute, seconds)
