"""Returns with known effects, as a study would find them, but without a market; 0 is the floor and 1 the best reply."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ruleshift.eval.claims import Returns
from ruleshift.eval.statistics import FACTORS, Sizes

GENERALIST, SPECIALIST = "randomized+memory", "fixed+nuisance+memory"
QUICK: Sizes = (3, 4, 2, 2, 8)

AWAY = {GENERALIST: 0.8, SPECIALIST: 0.5, "central+memory": 0.6, "randomized": 0.6}
"""Scores of arms at held-out rules, where 0 is the floor and 1 the best reply."""
HOME = {GENERALIST: 0.85, SPECIALIST: 0.95, "central+memory": 0.7, "randomized": 0.8}
"""Scores of arms on the home rules."""
CONSTANT = 0.4


def noise(rng: np.random.Generator, sizes: Sizes, spread: float) -> np.ndarray:
    """Draw noise (H, G, S, P, E): random effects of each factor, of each pair of factors and of each cell."""
    axes = range(len(FACTORS))
    subsets = [(i,) for i in axes] + [(i, j) for i in axes for j in axes if i < j] + [tuple(axes)]
    shapes = [tuple(sizes[k] if k in subset else 1 for k in axes) for subset in subsets]
    return spread * sum((rng.standard_normal(shape) for shape in shapes), np.zeros(sizes))


def make_returns(
    sizes: Sizes = QUICK,
    away: dict[str, float] | None = None,
    home: dict[str, float] | None = None,
    *,
    constant: float = CONSTANT,
    moves: float = 0.3,
    spread: float = 0.01,
    seed: int = 0,
) -> Returns:
    """Make the returns of a study in which arms get these scores, plus noise.

    Args:
        moves: how much the generalist's conduct differs between rules.
        spread: standard deviation of every kind of noise.
    """
    rng = np.random.default_rng(seed)
    homes, targets, seeds, panels, economies = sizes
    away, home = AWAY | (away or {}), HOME | (home or {})

    def at_targets(mean: float) -> np.ndarray:
        return mean + noise(rng, sizes, spread)

    def at_homes(mean: float) -> np.ndarray:
        return mean + noise(rng, (homes, 1, seeds, panels, economies), spread)[:, 0]

    floor, home_floor = np.zeros((targets, panels, economies)), np.zeros((homes, panels, economies))
    steps = np.linspace(0.2, 1.0, 5) * 1e6
    growth = {name: 1 - np.exp(-steps / (2e5 if name == SPECIALIST else 5e5)) for name in home}
    conduct = 0.5 + moves * np.linspace(-1, 1, targets)[:, None, None, None] + spread * rng.standard_normal(sizes)
    return Returns(
        adapted={name: at_targets(mean) for name, mean in away.items()},
        frozen={name: at_targets(mean - 0.05) for name, mean in away.items()},
        home={name: at_homes(mean) for name, mean in home.items()},
        gate={name: at_homes(mean) for name, mean in home.items()},
        best_reply=floor + 1,
        floor=floor,
        constant=floor + constant,
        home_best_reply=home_floor + 1,
        home_floor=home_floor,
        home_constant=home_floor + constant,
        gate_best_reply=home_floor + 1,
        gate_floor=home_floor,
        curves={name: np.stack([at_homes(home[name] * rise) for rise in growth[name]]) for name in home},
        curve_steps=steps,
        conduct={GENERALIST: np.stack([conduct, 0 * conduct, 0 * conduct])},
    )


BY_ARM = ("adapted", "frozen", "home", "gate", "curves")
OF_REFERENCES = ("best_reply", "floor", "constant", "home_best_reply", "home_floor", "home_constant")
OF_GATE = ("gate_best_reply", "gate_floor")


def changed(returns: Returns, change: Callable[[np.ndarray], np.ndarray]) -> Returns:
    """Apply a function to every return of a study, of arms and of references."""
    fields: dict[str, Any] = {name: change(getattr(returns, name)) for name in (*OF_REFERENCES, *OF_GATE)}
    for name in BY_ARM:
        fields[name] = {arm: change(array) for arm, array in getattr(returns, name).items()}
    return replace(returns, **fields)
