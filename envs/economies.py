"""A frozen set of economies, over which results are averaged so that they do not depend on a single one.

The economies are points of Sobol's sequence (Sobol' 1967), unscrambled and without its first point. So the first 2^m of
them fill the ranges evenly for any m, and a larger set begins with the smaller one. The ranges were fixed before any
study was run. Reputation gain and persistence are not among them, because they belong to the rule.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from scipy.stats.qmc import Sobol

from ruleshift.envs.economy import Economy
from ruleshift.envs.numerics import exp, log

SIZES = ((10, 1), (12, 1), (8, 2), (8, 3))
"""Pairs of organizations and capacity at 8 jobs per round: total capacity is 1.25, 1.5, 2 or 3 times the jobs."""
ROUNDS = (50, 100, 200)
"""Lengths of an episode, in rounds."""


def _uniform(low: float, high: float) -> Callable[[float], float]:
    return lambda u: low + u * (high - low)


def _log_uniform(low: float, high: float) -> Callable[[float], float]:
    return lambda u: float(exp(log(low) + u * (log(high) - log(low))))


def _one_of(choices: tuple[Any, ...]) -> Callable[[float], Any]:
    return lambda u: choices[min(int(u * len(choices)), len(choices) - 1)]


RANGES: dict[str, Callable[[float], Any]] = {
    "sizes": _one_of(SIZES),
    "base_cost": _uniform(0.3, 0.7),
    "effort_cost": _uniform(0.1, 0.5),
    "promotion_price": _log_uniform(0.05, 0.5),
    "outside_share": _uniform(0.05, 0.3),
    "progress_ratio": _uniform(0.75, 0.95),
    "depreciation": _uniform(0.0, 0.05),
    "shock_sd": _uniform(0.0, 0.2),
    "rounds": _one_of(ROUNDS),
    "initial_reputation": _uniform(0.3, 0.7),
    "demand_drift": _uniform(0.0, 0.5),
}
"""How each field is computed from a number in [0, 1). The last two are used only for nuisance variation."""
_NUISANCE = ("initial_reputation", "demand_drift")


def economy_set(count: int, first: int = 0, *, nuisance: bool = False) -> tuple[Economy, ...]:
    """Return `count` economies of the frozen set, starting with number `first`.

    Args:
        count: number of economies, at least 1.
        first: number of the first economy, from 0. Studies score on those from 0 on, and arms train on those from
            1,024 on.
        nuisance: whether to draw initial reputation and the drift of demand as well.

    Raises:
        ValueError: if `count` is below 1 or `first` is below 0.
    """
    if count < 1 or first < 0:
        raise ValueError(f"economy_set: {count} economies from number {first} on; at least 1, from 0 on")
    return tuple(_economy(first + number, nuisance) for number in range(count))


@lru_cache(maxsize=4096)
def _economy(number: int, nuisance: bool) -> Economy:
    sequence = Sobol(len(RANGES), scramble=False)
    sequence.fast_forward(number + 1)
    point = sequence.random(1)[0].tolist()
    drawn = {name: of(u) for (name, of), u in zip(RANGES.items(), point, strict=True)}
    organizations, capacity = drawn.pop("sizes")
    for name in () if nuisance else _NUISANCE:
        del drawn[name]
    return Economy(organizations=organizations, capacity=capacity, jobs=8, **drawn)
