"""References: what the best replies, natives, scripted organizations and the best constant conduct earn, frozen."""

from collections.abc import Callable, Iterator

from ruleshift.agents import Policy
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import CONSTANT_CELL, Context
from ruleshift.eval.experiment.design import Design, EvaluationGroup
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_best_replies, missing_natives
from ruleshift.eval.panels import scripted_panel

SCRIPTED = ("posted_price", "follower", "steady")
"""The conducts of `scripted_panel`, in its order; their mean return is the floor."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per reference; the natives of all panels together are one reference."""
    targets = [rule.name for rule in design.scored]
    natives = missing_natives(design, targets)
    yield Cell("reference", "best_reply", needs=(*natives, *missing_best_replies(design, targets)))
    for arm in ("native", *SCRIPTED):
        yield Cell("reference", arm, needs=natives)
    yield Cell("reference", "constant", needs=(*natives, CONSTANT_CELL))


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return the entries under every target, and those of the gate under the home rules and the central rule."""
    design, arm = context.design, cell.arm
    asked = [(rule.name, "frozen", design.preset.evaluation_seed) for rule in design.targets]
    asked += [(rule.name, "gate", design.preset.gate_seed) for rule in (*design.homes, design.central)]
    entries: list[Entry] = []
    for done, (target, protocol, seed) in enumerate(asked):
        context.on_progress(done / len(asked))
        policy = _policy(arm, target, context)
        entries += context.deployment.frozen(policy, target, protocol, seed=seed)
    return entries


def _policy(arm: str, target: str, context: Context) -> Policy | Callable[[EvaluationGroup], Policy]:
    if arm == "best_reply":
        return context.best_reply(target)
    if arm == "native":
        return lambda group: context.native(group.panel, target)
    if arm == "constant":
        return context.constant()
    return lambda group: scripted_panel(context.design.economies[group.economy]).scripted[SCRIPTED.index(arm)]


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for all targets, and for the gate on the home rules and the central rule."""
    return (len(design.targets) + len(design.homes) + 1) * episode_seconds(design, len(design.preset.panel_seeds))


PROTOCOL = Protocol("reference", cells, compute, seconds)
