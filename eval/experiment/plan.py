"""The work of a study: its cells in order, and how any process computes one."""

from typing import Any

from ruleshift.eval.experiment.context import Desk, Progress
from ruleshift.eval.experiment.design import Design, gate_names
from ruleshift.eval.experiment.protocols import PROTOCOLS
from ruleshift.eval.experiment.protocols.frozen import has_mean_actions
from ruleshift.eval.jobs.folder import Cell, Folder, Job, Work


def plan(design: Design) -> list[Cell]:
    """All cells of a study, those that others need first."""
    return [cell for protocol in PROTOCOLS.values() for cell in protocol.cells(design)]


def job(design: Design) -> Job:
    """How any process computes the cells of a study."""
    return Job(f"{__name__}:begin", design.plain())


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
    """Seconds that a cell takes one core, as measured at the sizes of the presets; for estimates of the time left."""
    preset = design.preset
    steps = {"native": preset.native_steps, "best_reply": preset.best_reply_steps}
    learned = steps.get(cell["arm"], preset.steps * cell["budget"])
    if cell["kind"] == "training":
        return 0.5 + 20e-6 * learned
    if cell["kind"] == "adaptation":
        return 0.1 + (24e-6 + 75e-9 * len(design.groups)) * learned * preset.adaptation
    if cell["kind"] == "distance":
        return 1.6 * len(design.targets) / len(design.homes)  # a process works out a rule once for all homes
    episodes, panels = _episodes(cell, design)
    return episodes * _episode(design, panels)


def _episodes(cell: Cell, design: Design) -> tuple[int, int]:
    """Episodes that a cell of frozen policies plays, each in every economy, and the panels that it plays them among."""
    preset, targets, held_out = design.preset, len(design.targets), len(design.held_out)
    panels = len(preset.panel_seeds)
    if cell["kind"] == "frozen":
        gates = len(gate_names(design, cell["arm"], cell["home"]))
        return targets + held_out * has_mean_actions(cell) + gates, panels
    return {
        "constant": (107 * len(design.homes), 1),
        "reference": (targets + len(design.homes) + 1, panels),
        "curve": (preset.curve_points + 1, panels),
        "shift": (2 + 2 * held_out, 1),
        "rivalry": (4 * targets, 1),
    }[cell["kind"]]


def _episode(design: Design, panels: int) -> float:
    """Seconds of one episode in every economy among so many panels."""
    groups = len(design.economies) * panels
    rounds = sum(each.rounds for each in design.economies) / len(design.economies)
    return (0.06 + 2.1e-3 * groups + 0.43e-3 * groups * design.preset.markets) * rounds / 120


def describe(cell: Cell) -> str:
    """A cell in words: `training fixed+memory, home platforms_train_00, seed 0`."""
    words = [f"{cell['kind']} {cell['arm']}"]
    words += [f"{what} {cell[what]}" for what in ("home", "target") if cell[what]]
    words += [] if cell["seed"] is None else [f"seed {cell['seed']}"]
    words += [] if cell["budget"] == 1.0 else [f"{cell['budget']:g} times the budget"]
    return ", ".join(words)
