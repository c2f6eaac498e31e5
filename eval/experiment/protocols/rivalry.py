"""Secondary views, which decide nothing: head to head, half of the seats each; and self-play, every seat one arm.

Head to head shows who beats whom, not who adapted: a conduct that never reacts is put beside as a caution. Returns
under self-play reward those who compete least.
"""

from collections.abc import Iterator
from dataclasses import replace

from ruleshift.agents import Policy
from ruleshift.envs import Rule
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import CONSTANT_CELL, Context, training_cell
from ruleshift.eval.experiment.design import PRIMARY, Design, EvaluationGroup
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.play import MarketSetup


def cells(design: Design) -> Iterator[Cell]:
    """One a home and seed, where both arms of the primary contrast are asked for."""
    if set(PRIMARY) <= set(design.preset.arms):
        for home in design.homes:
            for seed in design.preset.seeds:
                needs = (CONSTANT_CELL, *(training_cell(design.arms[arm], home.name, seed) for arm in PRIMARY))
                yield Cell("rivalry", PRIMARY[0], home.name, seed=seed, needs=needs)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """By target and economy: what generalist and constant conduct earn more than the specialist whom they share the
    market with, and what each arm earns among its own."""
    design = context.design
    generalist, specialist = (context.policy(replace(cell, arm=arm)) for arm in PRIMARY)
    constant = context.constant()
    groups = [group for group in design.groups if group.panel == 0]
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        context.report(done / len(design.targets))
        contests = {
            "generalist": _earned(context, groups, target, generalist, specialist),
            "constant": _earned(context, groups, target, constant, specialist),
            "generalist_own": _earned(context, groups, target, generalist, generalist),
            "specialist_own": _earned(context, groups, target, specialist, specialist),
        }
        for index, group in enumerate(groups):
            found = {name: earned[index] for name, earned in contests.items()}
            lead = {f"{name}_lead": found[name][0] - found[name][1] for name in ("generalist", "constant")}
            own = {name: found[f"{name}_own"][0] for name in ("generalist", "specialist")}
            entries.append(Entry(target.name, "head_to_head", lead, group.panel, group.economy))
            entries.append(Entry(target.name, "self_play", own, group.panel, group.economy))
    return entries


def _earned(
    context: Context, groups: list[EvaluationGroup], target: Rule, one: Policy, other: Policy
) -> list[tuple[float, float]]:
    """By group, mean profit per round of the even seats, held by one, and of the odd seats, held by the other."""
    setups = []
    for group in groups:
        economy = context.design.economies[group.economy]
        seats = tuple(one if seat % 2 == 0 else other for seat in range(economy.organizations))
        setups.append(MarketSetup(target, seats, economy, context.design.preset.markets, group.first_market))
    earned = [played.seats for played in context.deployment.run(setups)]
    return [(float(each[0::2].mean()), float(each[1::2].mean())) for each in earned]


def seconds(cell: Cell, design: Design) -> float:
    """Of four contests at every target, in the first panel."""
    return 4 * len(design.targets) * episode_seconds(design, panels=1)


PROTOCOL = Protocol("rivalry", cells, compute, seconds)
