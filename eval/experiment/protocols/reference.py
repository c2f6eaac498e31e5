"""References: what the best reply, the natives, scripted organizations and the best constant conduct earn, frozen."""

from collections.abc import Callable, Iterator

from ruleshift.agents import Policy
from ruleshift.eval.experiment.context import CONSTANT_CELL, Desk, make_cell
from ruleshift.eval.experiment.deployment import Entry
from ruleshift.eval.experiment.design import Design, Group
from ruleshift.eval.experiment.protocols.training import missing_best_replies, missing_natives
from ruleshift.eval.jobs.folder import Cell
from ruleshift.eval.panels import scripted_panel

SCRIPTED = ("posted_price", "follower", "steady")
"""The conducts of `scripted_panel`, in its order; their mean return is the floor."""


def cells(design: Design) -> Iterator[Cell]:
    """One a reference; the natives of each panel are one."""
    targets = [rule.name for rule in design.scored]
    natives = missing_natives(design, targets)
    yield make_cell("reference", "best_reply", needs=[*natives, *missing_best_replies(design, targets)])
    for arm in ("native", *SCRIPTED):
        yield make_cell("reference", arm, needs=natives)
    yield make_cell("reference", "constant", needs=[*natives, CONSTANT_CELL])


def compute(cell: Cell, desk: Desk) -> list[Entry]:
    """Returns under every target; under what arms train on, with the seed of the gate as well."""
    design, arm = desk.design, cell["arm"]
    asked = [(rule.name, "frozen", design.preset.evaluation_seed) for rule in design.targets]
    asked += [(rule.name, "gate", design.preset.gate_seed) for rule in (*design.homes, design.central)]
    entries: list[Entry] = []
    for done, (target, protocol, seed) in enumerate(asked):
        desk.progress(done / len(asked))
        policy = _policy(arm, target, desk)
        entries += desk.deployment.frozen(policy, target, protocol, seed=seed)
    return entries


def _policy(arm: str, target: str, desk: Desk) -> Policy | Callable[[Group], Policy]:
    if arm == "best_reply":
        return desk.best_reply(target)
    if arm == "native":
        return lambda group: desk.native(group.panel, target)
    if arm == "constant":
        return desk.constant()
    return lambda group: scripted_panel(desk.design.economies[group.economy]).scripted[SCRIPTED.index(arm)]
