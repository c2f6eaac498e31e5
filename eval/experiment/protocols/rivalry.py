"""Secondary views, which enter no verdict: head to head, with half of the seats each, and self-play, with all seats.

Head to head shows who beats whom, not who adapted; as a caution, a conduct that never reacts plays the same contest.
Returns under self-play reward those who compete least.
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
    """One cell per home rule and seed, if the study has both arms of the primary contrast."""
    if set(PRIMARY) <= set(design.preset.arms):
        for home in design.homes:
            for seed in design.preset.seeds:
                needs = (CONSTANT_CELL, *(training_cell(design.arms[arm], home.name, seed) for arm in PRIMARY))
                yield Cell("rivalry", PRIMARY[0], home.name, seed=seed, needs=needs)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return two entries per target and economy, head to head and self-play, in mean job values per round.

    Head to head: the lead of the generalist, and of the constant conduct, over the specialist in the same market.
    Self-play: what each arm earns if it holds every seat.
    """
    design = context.design
    generalist, specialist = (context.policy(replace(cell, arm=arm)) for arm in PRIMARY)
    constant = context.constant()
    groups = [group for group in design.groups if group.panel == 0]
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        context.on_progress(done / len(design.targets))
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
    """Mean profit per round in each group, of the even seats, held by `one`, and of the odd seats, held by `other`."""
    setups = []
    for group in groups:
        economy = context.design.economies[group.economy]
        seats = tuple(one if seat % 2 == 0 else other for seat in range(economy.organizations))
        setups.append(MarketSetup(target, seats, economy, context.design.preset.markets, group.first_market))
    earned = [played.seats for played in context.deployment.run(setups)]
    return [(float(each[0::2].mean()), float(each[1::2].mean())) for each in earned]


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for four contests at every target."""
    return 4 * len(design.targets) * episode_seconds(design, panels=1)


PROTOCOL = Protocol("rivalry", cells, compute, seconds)
