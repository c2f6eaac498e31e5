"""Learning curves: the policies saved during training play frozen in the focal seat, on the home rule.

Returns seen during training are never used.
"""

from collections.abc import Iterator
from dataclasses import replace

from ruleshift.agents import load_policy
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_natives

ARMS = ("fixed", "fixed+nuisance", "randomized")
"""Arms whose learning is compared, whatever their memory."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per arm, home and seed; generalists have a curve on every home rule."""
    for home in design.homes:
        natives = missing_natives(design, [home.name])
        for seed in design.preset.seeds:
            for arm in design.arms.values():
                if arm.arm.name in ARMS:
                    needs = (*natives, training_cell(arm, home.name, seed))
                    yield Cell("curve", arm.name, home.name, seed=seed, needs=needs)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per group and saved policy; `steps` is when the policy was due, the same for every arm."""
    from ruleshift.train import learning_curve

    preset, home, aware = context.design.preset, cell.home, context.design.arms[cell.arm].aware
    kept = learning_curve(context.policy_folder(cell))
    entries: list[Entry] = []
    for done, (_, path) in enumerate(kept):
        context.on_progress(done / len(kept))
        for each in context.deployment.frozen(load_policy(path), home, "curve", aware=aware):
            due = preset.steps * done // preset.curve_points
            entries.append(replace(each, steps=due, values={"return": each.values["return"]}))
    return entries


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes to play every saved policy, including the untrained one."""
    return (design.preset.curve_points + 1) * episode_seconds(design, len(design.preset.panel_seeds))


PROTOCOL = Protocol("curve", cells, compute, seconds)
