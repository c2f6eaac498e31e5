"""How far each target lies from each home, for the curve of loss against distance."""

from collections.abc import Iterator

from ruleshift.eval.compare.distance import rule_distance
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol


def cells(design: Design) -> Iterator[Cell]:
    """One a home."""
    for home in design.homes:
        yield Cell("distance", "rules", home.name)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """The distance from the home to every target, 0 .. 1."""
    design, home = context.design, context.design.rule(cell.home)
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        context.report(done / len(design.targets))
        apart = rule_distance(home, target, mechanisms=design.preset.mechanisms)
        entries.append(Entry(target.name, "distance", {"distance": apart}))
    return entries


def seconds(cell: Cell, design: Design) -> float:
    """Of the share of a home, for a process works out a rule once for all homes."""
    return 1.6 * len(design.targets) / len(design.homes)


PROTOCOL = Protocol("distance", cells, compute, seconds)
