"""Learning curves: the policies kept in training, frozen, on the home rule in the focal seat; never training return."""

from collections.abc import Iterator
from dataclasses import replace

from ruleshift.agents import load_policy
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_natives

ARMS = ("fixed", "fixed+nuisance", "randomized")
"""The arms whose learning is compared, whatever their memory."""


def cells(design: Design) -> Iterator[Cell]:
    """One an arm, home and seed; the generalist has curves on every home."""
    for home in design.homes:
        natives = missing_natives(design, [home.name])
        for seed in design.preset.seeds:
            for arm in design.arms.values():
                if arm.arm.name in ARMS:
                    needs = (*natives, training_cell(arm, home.name, seed))
                    yield Cell("curve", arm.name, home.name, seed=seed, needs=needs)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """One entry a group and policy kept on the way; `steps` is when it was due, the same for every arm."""
    from ruleshift.train import learning_curve

    preset, home, aware = context.design.preset, cell.home, context.design.arms[cell.arm].aware
    kept = learning_curve(context.policy_folder(cell))
    entries: list[Entry] = []
    for done, (_, path) in enumerate(kept):
        context.report(done / len(kept))
        for each in context.deployment.frozen(load_policy(path), home, "curve", aware=aware):
            due = preset.steps * done // preset.curve_points
            entries.append(replace(each, steps=due, values={"return": each.values["return"]}))
    return entries


def seconds(cell: Cell, design: Design) -> float:
    """Of every policy that was kept, the untrained one among them."""
    return (design.preset.curve_points + 1) * episode_seconds(design, len(design.preset.panel_seeds))


PROTOCOL = Protocol("curve", cells, compute, seconds)
