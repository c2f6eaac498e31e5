"""Secondary views, which decide nothing: head to head, half of the seats each; and self-play, every seat one arm.

Head to head shows who beats whom, not who adapted: a conduct that never reacts is put beside as a caution. Returns
under self-play reward those who compete least.
"""

from collections.abc import Iterator

from ruleshift.agents import Policy
from ruleshift.envs import Rule
from ruleshift.eval.experiment.context import CONSTANT_CELL, Desk, make_cell, trained
from ruleshift.eval.experiment.deployment import Entry, entry
from ruleshift.eval.experiment.design import PRIMARY, Design, Group
from ruleshift.eval.jobs.folder import Cell
from ruleshift.eval.play import Place


def cells(design: Design) -> Iterator[Cell]:
    """One a home and seed, where both arms of the primary contrast are asked for."""
    if set(PRIMARY) <= set(design.preset.arms):
        for home in design.homes:
            for seed in design.preset.seeds:
                needs = [CONSTANT_CELL, *(trained(arm, home.name, seed) for arm in PRIMARY)]
                yield make_cell("rivalry", PRIMARY[0], home=home.name, seed=seed, needs=needs)


def compute(cell: Cell, desk: Desk) -> list[Entry]:
    """By target and economy: what generalist and constant conduct earn more than the specialist whom they share the
    market with, and what each arm earns among its own."""
    design, home, seed = desk.design, cell["home"], cell["seed"]
    generalist, specialist = (desk.policy(arm, home, seed) for arm in PRIMARY)
    constant = desk.constant()
    groups = [group for group in design.groups if group.panel == 0]
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        desk.progress(done / len(design.targets))
        contests = {
            "generalist": _earned(desk, groups, target, generalist, specialist),
            "constant": _earned(desk, groups, target, constant, specialist),
            "generalist_own": _earned(desk, groups, target, generalist, generalist),
            "specialist_own": _earned(desk, groups, target, specialist, specialist),
        }
        for index, group in enumerate(groups):
            found = {name: earned[index] for name, earned in contests.items()}
            lead = {f"{name}_lead": found[name][0] - found[name][1] for name in ("generalist", "constant")}
            own = {name: found[f"{name}_own"][0] for name in ("generalist", "specialist")}
            entries.append(entry(target.name, "head_to_head", group, lead))
            entries.append(entry(target.name, "self_play", group, own))
    return entries


def _earned(desk: Desk, groups: list[Group], target: Rule, one: Policy, other: Policy) -> list[tuple[float, float]]:
    """By group, mean profit a round of the even seats, held by one, and of the odd seats, held by the other."""
    places = []
    for group in groups:
        economy = desk.design.economies[group.economy]
        seats = tuple(one if seat % 2 == 0 else other for seat in range(economy.organizations))
        places.append(Place(target, seats, economy, desk.design.preset.markets, group.first_market))
    earned = [played.seats for played in desk.deployment.run(places)]
    return [(float(each[0::2].mean()), float(each[1::2].mean())) for each in earned]
