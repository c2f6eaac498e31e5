"""Secondary views, which decide nothing: head to head, half of the seats each; and self-play, every seat one arm.

Head to head shows who beats whom, not who adapted: a conduct that never reacts is put beside as a caution. Returns
under self-play reward those who compete least.
"""

from collections.abc import Iterator

from ruleshift.agents import Policy
from ruleshift.eval.cells import Cell
from ruleshift.eval.deployment import Entry, entry
from ruleshift.eval.design import PRIMARY, Design, Group
from ruleshift.eval.desk import CONSTANT_CELL, Desk, make_cell, trained
from ruleshift.eval.play import play


def cells(design: Design) -> Iterator[Cell]:
    """One a home and seed, where both arms of the primary contrast are asked for."""
    if set(PRIMARY) <= set(design.preset.arms):
        for home in design.homes:
            for seed in design.preset.seeds:
                needs = [CONSTANT_CELL, *(trained(arm, home.name, seed) for arm in PRIMARY)]
                yield make_cell("rivalry", "randomized+memory", home=home.name, seed=seed, needs=needs)


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
        for group in groups:
            head = {
                "generalist_lead": _lead(desk, group, target.name, generalist, specialist),
                "constant_lead": _lead(desk, group, target.name, constant, specialist),
            }
            among_own = {
                "generalist": _earned(desk, group, target.name, generalist, generalist)[0],
                "specialist": _earned(desk, group, target.name, specialist, specialist)[0],
            }
            entries.append(entry(target.name, "head_to_head", group, head))
            entries.append(entry(target.name, "self_play", group, among_own))
    return entries


def _lead(desk: Desk, group: Group, target: str, one: Policy, other: Policy) -> float:
    ours, theirs = _earned(desk, group, target, one, other)
    return ours - theirs


def _earned(desk: Desk, group: Group, target: str, one: Policy, other: Policy) -> tuple[float, float]:
    """Mean profit a round of the even seats, held by one, and of the odd seats, held by the other."""
    design, economy = desk.design, desk.design.economies[group.economy]
    played = play(
        tuple(one if seat % 2 == 0 else other for seat in range(economy.organizations)),
        design.rule(target),
        markets=design.preset.markets,
        first_market=group.first_market,
        seed=design.preset.evaluation_seed,
        economy=economy,
        mechanisms=design.preset.mechanisms,
    )
    return float(played.seats[0::2].mean()), float(played.seats[1::2].mean())
