"""Forgetting: what a policy earns at a target, and still earns at home, as it learns there.

The phase is that of `adaptation`, learned once more at a few targets, and its policies then play frozen.
"""

import tempfile
from collections.abc import Iterator

import numpy as np

from ruleshift.agents import load_policy
from ruleshift.envs.files import PARTIAL
from ruleshift.eval.claims.recovery import FORGETTING
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols import adaptation
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.switching import ARMS
from ruleshift.eval.experiment.protocols.training import missing_natives

TARGETS = 2
"""Targets at which each policy keeps learning, the first of those that it meets."""
FEW = 0.1
"""Share of the phase after which a policy has learned from few steps."""
STAGES = ("before", "few", "after")
"""When a policy is scored."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per arm, home of a policy, seed, and each of a few targets."""
    for arm in [arm for arm in design.arms.values() if arm.name in ARMS]:
        for home in design.homes_of(arm):
            targets = [rule.name for rule in design.held_out if design.adapts(arm, home, rule.name)]
            natives = missing_natives(design, [*_homes(design, home), *targets[:TARGETS]])
            for target in targets[:TARGETS]:
                for seed in design.preset.seeds:
                    needs = (*natives, training_cell(arm, home, seed))
                    yield Cell(FORGETTING, arm.name, home, target, seed, needs=needs)


def _homes(design: Design, home: str) -> list[str]:
    return [home] if home else [rule.name for rule in design.homes]


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per group: `target_STAGE` and `home_STAGE`, a mean over home rules if there are several."""
    from ruleshift.train import learning_curve, train

    design, aware = context.design, context.design.arms[cell.arm].aware
    steps = adaptation.phase_steps(cell, design)
    plan = adaptation.phase(cell, context, snapshots=[0, max(round(FEW * steps), 1), steps])
    with tempfile.TemporaryDirectory(dir=context.folder.root, prefix=PARTIAL) as folder:
        train(
            plan,
            folder,
            on_rollout=lambda learner: context.on_progress(min(learner.num_timesteps / steps, 1.0)),
            tensorboard=False,
            quiet=True,
        )
        kept = [load_policy(path) for _, path in learning_curve(folder)]
    policies = dict(zip(STAGES, (kept[0], kept[len(kept) // 2], kept[-1]), strict=True))
    values: list[dict[str, float]] = [{} for _ in design.groups]
    for where, rules in (("target", [cell.target]), ("home", _homes(design, cell.home))):
        for stage, policy in policies.items():
            played = [context.deployment.frozen(policy, rule, FORGETTING, aware=aware) for rule in rules]
            returns = np.mean([[entry.values["return"] for entry in each] for each in played], axis=0)
            for held, value in zip(values, returns.tolist(), strict=True):
                held[f"{where}_{stage}"] = value
    return [
        Entry(cell.target, FORGETTING, held, group.panel, group.economy)
        for held, group in zip(values, design.groups, strict=True)
    ]


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes to learn, and to play at the target and at home after each stage."""
    episodes = len(STAGES) * (1 + len(_homes(design, cell.home)))
    return adaptation.seconds(cell, design) + episodes * episode_seconds(design, len(design.preset.panel_seeds))


PROTOCOL = Protocol(FORGETTING, cells, compute, seconds)
