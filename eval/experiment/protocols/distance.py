"""How far each target lies from each home, for the curve of loss against distance."""

from collections.abc import Iterator

from ruleshift.eval.compare.distance import rule_distance
from ruleshift.eval.experiment.context import Desk, make_cell
from ruleshift.eval.experiment.deployment import Entry
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.jobs.folder import Cell


def cells(design: Design) -> Iterator[Cell]:
    """One a home."""
    for home in design.homes:
        yield make_cell("distance", "rules", home=home.name)


def compute(cell: Cell, desk: Desk) -> list[Entry]:
    """The distance from the home to every target, 0 .. 1."""
    design, home = desk.design, desk.design.rule(cell["home"])
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        desk.progress(done / len(design.targets))
        apart = rule_distance(home, target, mechanisms=design.preset.mechanisms)
        entries.append({"target": target.name, "protocol": "distance", "values": {"distance": apart}})
    return entries
