"""The meta-game: what the policy of each trained arm earns in markets of which that of another holds half of the seats.

Under the home rule the specialist is at home; the held-out rules are new to all. A market whose halves are the same arm
is one of its own kind.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations_with_replacement

from ruleshift.envs import Rule
from ruleshift.eval.claims.selection import METAGAME
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import PRIMARY, Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.rivals import met
from ruleshift.eval.play import MarketSetup


def cells(design: Design) -> Iterator[Cell]:
    """One cell per home rule and seed, if the study has both arms of the primary contrast."""
    if set(PRIMARY) <= set(design.preset.arms):
        for home in design.homes:
            for seed in design.preset.seeds:
                needs = dict.fromkeys(training_cell(design.arms[arm], home.name, seed) for arm in players(design))
                yield Cell(METAGAME, PRIMARY[0], home.name, seed=seed, needs=tuple(needs))


def players(design: Design) -> list[str]:
    """Names of the arms that play: those that are trained, and to which the rule is not disclosed."""
    return [arm.name for arm in design.arms.values() if arm.is_trained and not arm.aware]


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per rule and economy: by pair of arms, `ONE against OTHER`, what the one earns per round.

    The entries of the home rule have the protocol `metagame_home`.
    """
    design = context.design
    entries: list[Entry] = []
    rules = [design.rule(name) for name in (cell.home, *met(design, cell.home))]
    for done, rule in enumerate(rules):
        context.on_progress(done / len(rules))
        entries += _entries(cell, context, rule)
    return entries


def _entries(cell: Cell, context: Context, rule: Rule) -> list[Entry]:
    design = context.design
    policies = {arm: context.policy(replace(cell, arm=arm)) for arm in players(design)}
    pairs = list(combinations_with_replacement(policies, 2))
    groups = [group for group in design.groups if group.panel == 0]
    setups = []
    for group in groups:
        economy = design.economies[group.economy]
        for pair in pairs:
            seats = tuple(policies[pair[seat % 2]] for seat in range(economy.organizations))
            setups.append(MarketSetup(rule, seats, economy, design.preset.markets, group.first_market))
    played = iter(context.deployment.run(setups))
    protocol = METAGAME if rule.name != cell.home else f"{METAGAME}_home"
    entries = []
    for group in groups:
        values: dict[str, float] = {}
        for one, other in pairs:
            earned = next(played).seats
            halves = float(earned[0::2].mean()), float(earned[1::2].mean())
            if one == other:
                values[f"{one} against {one}"] = sum(halves) / 2
            else:
                values[f"{one} against {other}"], values[f"{other} against {one}"] = halves
        entries.append(Entry(rule.name, protocol, values, group.panel, group.economy))
    return entries


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for all pairs under the home rule and every target that it meets."""
    pairs = len(list(combinations_with_replacement(players(design), 2)))
    return (1 + len(met(design, cell.home))) * pairs * episode_seconds(design, panels=1)


PROTOCOL = Protocol(METAGAME, cells, compute, seconds)
