"""The shift in mid-episode: how far returns of frozen policies fall below the unshifted twin, and how they recover.

Four runs share the same noise: in `shift` the change comes unannounced, in `announced` with notice, in `placebo` it is
announced but the rule stays, and in `twin` nothing is announced or changed. Natives change with the rule.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from ruleshift.agents import Policy
from ruleshift.envs import MEASURES, Economy, Shift
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import CONSTANT_CELL, Context, training_cell
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_best_replies, missing_natives
from ruleshift.eval.play import Played

SHOWN = ("served", "surplus", "profit", "revenue", "price", "quality", "concentration")
"""Market measures that are recorded in the runs of the best reply."""
NOTICE = 10
"""Rounds of notice, or fewer if the shift comes earlier."""
BINS = 50
"""Number of stretches of an episode in a profile, half of them before the shift."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per arm, home rule and seed; and per home rule, one for the best replies and one for the constant."""
    targets = [rule.name for rule in design.targets]
    natives = missing_natives(design, targets)
    for home in design.homes:
        for seed in design.preset.seeds:
            for arm in design.arms.values():
                if arm.is_trained:
                    needs = (*natives, training_cell(arm, home.name, seed))
                    yield Cell("shift", arm.name, home.name, seed=seed, needs=needs)
        replies = (*natives, *missing_best_replies(design, targets))
        yield Cell("shift", "best_reply", home.name, needs=replies)
        yield Cell("shift", "constant", home.name, needs=(*natives, CONSTANT_CELL))


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per run and group of the first panel, and one per run with the profile averaged over groups."""
    design, home = context.design, cell.home
    groups = [group for group in design.groups if group.panel == 0]
    entries: list[Entry] = []
    runs = [(home, "twin"), (home, "placebo")]
    runs += [(target.name, protocol) for target in design.held_out for protocol in ("shift", "announced")]
    focal = _focal(cell, context)
    aware = cell.arm in design.arms and design.arms[cell.arm].aware  # references are no arms
    for done, (target, protocol) in enumerate(runs):
        context.on_progress(done / len(runs))
        shift = partial(_shift, design, target, protocol)
        run = context.deployment.play(groups, lambda group: focal, home, shift, aware=aware)
        profiles = []
        for group, played in zip(groups, run, strict=True):
            at = _middle(design.economies[group.economy])
            entries.append(Entry(target, protocol, _values(played, at, cell.arm), group.panel, group.economy))
            profiles.append(_profile(played, at))
        mean = tuple(np.mean(profiles, axis=0).tolist())
        entries.append(Entry(target, f"{protocol}_profile", {}, profile=mean))
    return entries


def _middle(economy: Economy) -> int:
    return economy.rounds // 2


def _shift(design: Design, target: str, protocol: str, economy: Economy) -> Shift | None:
    if protocol == "twin":
        return None
    at = _middle(economy)
    notice = None if protocol == "shift" else min(NOTICE, at)
    return Shift(at=at, to=design.rule(target), notice=notice, placebo=protocol == "placebo")


def _values(played: Played, at: int, arm: str) -> dict[str, float]:
    """Focal profit per round before and after the shift, and for the best reply the market measures after it."""
    values = {"before": float(played.focal[:, :at].mean()), "after": float(played.focal[:, at:].mean())}
    if arm == "best_reply":
        after = played.measures[at:].mean(axis=0)
        values |= {f"market_{name}": float(after[MEASURES.index(name)]) for name in SHOWN}
    return values


def _profile(played: Played, at: int) -> list[float]:
    """Mean focal profit per round in each of `BINS` stretches, half of them before the shift."""
    by_round = played.focal.mean(axis=0)
    halves = [(by_round[:at], BINS // 2), (by_round[at:], BINS - BINS // 2)]
    return [float(part.mean()) if len(part) else float("nan") for half, n in halves for part in np.array_split(half, n)]


def _focal(cell: Cell, context: Context) -> dict[str, Policy]:
    """The focal policy by rule; only best replies differ between rules."""
    names = [rule.name for rule in context.design.targets]
    if cell.arm == "best_reply":
        return {name: context.best_reply(name) for name in names}
    if cell.arm == "constant":
        return dict.fromkeys(names, context.constant())
    return dict.fromkeys(names, context.policy(cell))


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for the twin, the placebo, and each held-out target with and without notice."""
    return (2 + 2 * len(design.held_out)) * episode_seconds(design, panels=1)


PROTOCOL = Protocol("shift", cells, compute, seconds)
