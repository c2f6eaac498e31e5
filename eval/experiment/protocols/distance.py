"""Distance of each target from each home rule, for the curve of loss against distance."""

from collections.abc import Iterator

from ruleshift.eval.compare.distance import rule_distance
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol


def cells(design: Design) -> Iterator[Cell]:
    """One cell per home rule."""
    for home in design.homes:
        yield Cell("distance", "rules", home.name)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per target: its distance from the home rule, 0 .. 1."""
    design, home = context.design, context.design.rule(cell.home)
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        context.on_progress(done / len(design.targets))
        apart = rule_distance(home, target, mechanisms=design.preset.mechanisms)
        entries.append(Entry(target.name, "distance", {"distance": apart}))
    return entries


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for the share of one home rule; a process plays each rule once for all homes."""
    return 1.6 * len(design.targets) / len(design.homes)


PROTOCOL = Protocol("distance", cells, compute, seconds)
