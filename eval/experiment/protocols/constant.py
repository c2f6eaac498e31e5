"""The best constant conduct: an ask, an effort and a promotion that never change, optimized on the home rules.

The search takes a full grid, then the neighbours of the best point at half the distance. The markets have a seed of
their own, so that the conduct is not judged later by the noise on which it was chosen.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from ruleshift.agents import Constant
from ruleshift.eval.experiment.cell import Cell
from ruleshift.eval.experiment.context import CONSTANT, Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_natives

GRID = {"ask": (0.4, 0.55, 0.7, 0.85, 1.0), "effort": (0.0, 0.3, 0.6, 0.9), "promotion": (0.0, 0.3, 0.6, 0.9)}
"""Levels of the first search; the second one halves their distance."""
_HALVES = {"ask": 0.075, "effort": 0.15, "promotion": 0.15}


def cells(design: Design) -> Iterator[Cell]:
    """One cell, the search."""
    yield Cell(CONSTANT, CONSTANT, needs=missing_natives(design, [rule.name for rule in design.homes]))


def compute(cell: Cell, context: Context) -> dict[str, object]:
    """Return the best conduct, and its mean return on the home rules."""
    grid = [dict(zip(GRID, levels, strict=True)) for levels in product(*GRID.values())]
    found = _best(grid, context, 0.0, 0.8)
    near = [
        {name: min(max(found[name] + step * _HALVES[name], 0.0), 1.0) for name, step in zip(GRID, steps, strict=True)}
        for steps in product((-1, 0, 1), repeat=len(GRID))
    ]
    conduct = _best(near, context, 0.8, 0.2)
    return {"conduct": conduct, "return": _return(conduct, context)}


def _best(conducts: list[dict[str, float]], context: Context, begun: float, share: float) -> dict[str, float]:
    earned = []
    for done, conduct in enumerate(conducts):
        context.on_progress(begun + share * done / len(conducts))
        earned.append(_return(conduct, context))
    return conducts[earned.index(max(earned))]


def _return(conduct: dict[str, float], context: Context) -> float:
    """Mean return over the home rules and economies, in the first panel."""
    design, policy = context.design, Constant(conduct["ask"], conduct["effort"], conduct["promotion"])
    groups = [group for group in design.groups if group.panel == 0]
    focal = dict.fromkeys((home.name for home in design.homes), policy)
    runs = [
        context.deployment.play(groups, lambda group: focal, home.name, seed=design.preset.constant_seed)
        for home in design.homes
    ]
    return float(np.mean([played.focal.mean() for run in runs for played in run]))


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes to play the grid and the neighbours on every home rule."""
    conducts = prod(map(len, GRID.values())) + 3 ** len(GRID)
    return conducts * len(design.homes) * episode_seconds(design, panels=1)


PROTOCOL = Protocol(CONSTANT, cells, compute, seconds, has_entries=False)
