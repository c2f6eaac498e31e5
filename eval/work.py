"""The work of a study: its cells in order, and how any process computes one."""

import math
from typing import Any

from ruleshift.eval.cells import Cell, Folder, Work
from ruleshift.eval.design import Design
from ruleshift.eval.desk import Desk, Progress
from ruleshift.eval.protocols import PROTOCOLS


def plan(design: Design) -> list[Cell]:
    """All cells of a study, those that others need first."""
    return [cell for protocol in PROTOCOLS.values() for cell in protocol.cells(design)]


def begin(setting: dict[str, Any]) -> Work:
    """The work of a study, from its design as plain data."""
    design = Design.from_plain(setting)
    return lambda cell, folder, progress: work(cell, design, folder, progress)


def work(cell: Cell, design: Design, folder: Folder, progress: Progress = lambda share: None) -> None:
    """Compute a cell and store it, whole.

    Args:
        progress: told the share done, 0 .. 1, now and then.
    """
    result = PROTOCOLS[cell["kind"]].compute(cell, Desk(design, folder, progress))
    if result is not None:
        folder.write(cell["name"], {"cell": cell, "result": result})


def weight(cell: Cell, design: Design) -> float:
    """Rough cost of a cell in seconds, for estimates of the time left."""
    preset = design.preset
    steps = {"native": preset.native_steps, "best_reply": preset.best_reply_steps}
    learned = steps.get(cell["arm"], preset.steps * cell["budget"])
    episode = 0.01 * sum(each.rounds for each in design.economies) / 100  # all economies, one panel
    panels, targets, held_out = len(preset.panel_seeds), len(design.targets), len(design.held_out)
    return {
        "training": 1.0 + learned / 40_000,
        "adaptation": 1.0 + learned * preset.adaptation / 20_000,
        "constant": 107 * len(design.homes) * episode,
        "reference": (targets + len(design.homes)) * panels * episode,
        "frozen": (targets + held_out) * panels * episode,
        "curve": (preset.curve_points + 1) * panels * episode,
        "shift": (2 + 2 * held_out) * episode,
        "rivalry": 4 * targets * episode,
        "distance": 1.0 * math.sqrt(targets),
    }[cell["kind"]]


def describe(cell: Cell) -> str:
    """A cell in words: `training fixed+memory, home platforms_train_00, seed 0`."""
    words = [f"{cell['kind']} {cell['arm']}"]
    words += [f"{what} {cell[what]}" for what in ("home", "target") if cell[what]]
    words += [] if cell["seed"] is None else [f"seed {cell['seed']}"]
    words += [] if cell["budget"] == 1.0 else [f"{cell['budget']:g} times the budget"]
    return ", ".join(words)
