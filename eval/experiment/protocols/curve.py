"""Learning curves: the policies kept in training, frozen, on the home rule in the focal seat; never training return."""

from collections.abc import Iterator

from ruleshift.agents import load_policy
from ruleshift.eval.experiment.context import Desk, make_cell, trained
from ruleshift.eval.experiment.deployment import Entry
from ruleshift.eval.experiment.design import Design, arm_of
from ruleshift.eval.experiment.protocols.training import missing_natives
from ruleshift.eval.jobs.folder import Cell

ARMS = ("fixed", "fixed+nuisance", "randomized")
"""The arms whose learning is compared, whatever their memory."""


def cells(design: Design) -> Iterator[Cell]:
    """One an arm, home and seed; the generalist has curves on every home."""
    for home in design.homes:
        natives = missing_natives(design, [home.name])
        for seed in design.preset.seeds:
            for arm in design.preset.arms:
                if arm_of(arm).name in ARMS:
                    needs = [*natives, trained(arm, home.name, seed)]
                    yield make_cell("curve", arm, home=home.name, seed=seed, needs=needs)


def compute(cell: Cell, desk: Desk) -> list[Entry]:
    """One entry a group and policy kept on the way; `steps` is when it was due, the same for every arm."""
    from ruleshift.train import learning_curve

    preset, home = desk.design.preset, cell["home"]
    kept = learning_curve(desk.path(trained(cell["arm"], home, cell["seed"])))
    entries: list[Entry] = []
    for done, (_, path) in enumerate(kept):
        desk.progress(done / len(kept))
        for each in desk.deployment.frozen(load_policy(path), home, "curve", aware=arm_of(cell["arm"]).aware):
            due = preset.steps * done // preset.curve_points
            entries.append({**each, "steps": due, "values": {"return": each["values"]["return"]}})
    return entries
