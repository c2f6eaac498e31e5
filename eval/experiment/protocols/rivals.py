"""Rivals: what a change of the rule does to returns, apart from what rivals do who change with it.

A factorial of frozen policies: the rule, that of home or of the target, by the natives among the rivals. *Same* ones
are natives of the home rule, *novel* ones natives of another training rule, which suit neither rule, and *settled* ones
natives of the target, who have found a new equilibrium there. All parts share the same noise.
"""

from collections.abc import Callable, Iterator

from ruleshift.agents import Policy
from ruleshift.eval.claims.rivals import RIVALS
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.deployment import Deployment
from ruleshift.eval.experiment.design import Design, EvaluationGroup
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.reference import SCRIPTED
from ruleshift.eval.experiment.protocols.training import missing_natives
from ruleshift.eval.panels import scripted_panel

AT_HOME = 2
"""Parts of the factorial that do not depend on the target: the home rule with the same and with novel rivals."""
AT_TARGET = 4
"""Parts of the factorial that have to be played for each target."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per home rule and scripted organization, and one per home rule, arm and seed."""
    for home in design.homes:
        names = dict.fromkeys((home.name, novel(design, home.name), *met(design, home.name)))
        natives = missing_natives(design, list(names))
        for arm in SCRIPTED:
            yield Cell(RIVALS, arm, home.name, needs=natives)
        for seed in design.preset.seeds:
            for variant in design.arms.values():
                if variant.is_trained:
                    needs = (*natives, training_cell(variant, home.name, seed))
                    yield Cell(RIVALS, variant.name, home.name, seed=seed, needs=needs)


def met(design: Design, home: str) -> list[str]:
    """Names of the held-out rules that a home rule meets, for all arms alike."""
    row = [rule.name for rule in design.homes].index(home)
    return [rule.name for rule, meets in zip(design.held_out, design.meet[row], strict=True) if meets]


def novel(design: Design, home: str) -> str:
    """Name of the rule whose natives are the novel rivals: the next home rule, or the central one if there is none."""
    names = [rule.name for rule in design.homes]
    return names[(names.index(home) + 1) % len(names)] if len(names) > 1 else design.central.name


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per target and group: the return in each part of the factorial, named as `RULE_RIVALS`."""
    design, home = context.design, cell.home
    targets = met(design, home)
    aware = cell.arm in design.arms and design.arms[cell.arm].aware
    focal = _focal(cell, context)

    def returns(rule: str, rivals: str) -> list[float]:
        """The return of each group under a rule, where the natives are those of another."""
        deployment = Deployment(design, lambda panel, _: context.native(panel, rivals))
        return [each.values["return"] for each in deployment.frozen(focal, rule, RIVALS, aware=aware)]

    others = novel(design, home)
    at_home = {"home_same": returns(home, home), "home_novel": returns(home, others)}
    entries: list[Entry] = []
    for done, target in enumerate(targets):
        context.on_progress(done / len(targets))
        parts = {
            **at_home,
            "home_settled": returns(home, target),
            "target_same": returns(target, home),
            "target_novel": returns(target, others),
            "target_settled": returns(target, target),
        }
        for group, values in zip(design.groups, zip(*parts.values(), strict=True), strict=True):
            entries.append(Entry(target, RIVALS, dict(zip(parts, values, strict=True)), group.panel, group.economy))
    return entries


def _focal(cell: Cell, context: Context) -> Policy | Callable[[EvaluationGroup], Policy]:
    if cell.arm in SCRIPTED:
        economies, number = context.design.economies, SCRIPTED.index(cell.arm)
        return lambda group: scripted_panel(economies[group.economy]).scripted[number]
    return context.policy(cell)


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for the home rule, and for every target that it meets."""
    episodes = AT_HOME + AT_TARGET * len(met(design, cell.home))
    return episodes * episode_seconds(design, len(design.preset.panel_seeds))


PROTOCOL = Protocol(RIVALS, cells, compute, seconds)
