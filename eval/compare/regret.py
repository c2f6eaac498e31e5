"""Regret: how far apart two rules are in the conduct that they call for.

A full best reply would be a learned policy. The one used here takes a second to find and is the same for everyone: the
best of a fixed grid of constant conducts in one focal seat among the scripted rival population. Its return is a lower
bound on that of a full best reply, and it reflects payment, feedback and rivals, which `rule_distance` does not.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from ruleshift.agents import Background, Seats, rival_population
from ruleshift.agents.scripted import unit_costs
from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.act import to_action
from ruleshift.envs.mechanisms import find_mechanism, load_mechanisms

AXES: dict[str, tuple[Any, ...]] = {
    "ask": (0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95),
    "effort": (0.0, 0.25, 0.5, 0.75, 1.0),
    "promotion": (0.0, 0.25, 0.5, 0.75, 1.0),
    "attention": ("even", "focused"),
}
"""The grid of conducts: the levels of each part. Focused attention goes to the kind that is now cheapest to serve."""
MARKETS, SEED = 16, 20_240_702
"""Number of markets in which each conduct is played, and their seed."""
_CACHED = 256


@dataclass(frozen=True)
class ConductReturns:
    """Returns of every conduct of the grid in the focal seat under one rule."""

    profit: np.ndarray
    """(8, 5, 5, 2) focal profit per round, in mean job values, by the levels of `AXES`."""

    @property
    def best(self) -> tuple[int, ...]:
        """Index in the grid of the conduct that earns the most, and of the first one if there are several."""
        return tuple(int(index) for index in np.unravel_index(self.profit.argmax(), self.profit.shape))

    def loses(self, other: "ConductReturns") -> float:
        """Profit per round, in mean job values, that the best conduct of another rule loses under this one; >= 0."""
        return float(self.profit[self.best] - self.profit[other.best])

    def kept(self, axis: int) -> np.ndarray:
        """Share of the best profit that the best conduct with each level of one part keeps, (levels,), at most 1.

        All shares are 0 if no conduct earns anything.

        Args:
            axis: index of the part in `AXES`.
        """
        along = self.profit.max(axis=tuple(other for other in range(len(AXES)) if other != axis))
        return along / along.max() if along.max() > 0 else np.zeros(len(along))


def regret(a: Rule | str, b: Rule | str, *, mechanisms: tuple[str, ...] = ()) -> float:
    """Profit per round, in mean job values, that the best reply to `a` loses under `b` against the best reply to `b`.

    It is 0 or more, 0 if both rules call for the same conduct, and not symmetric. Both replies are chosen and scored in
    the same markets with the same noise, so that any difference is due to conduct. Luck in the choice makes it slightly
    too large: by .007 on average over the named rules, and by .08 where popularity makes fortunes.

    Args:
        a, b: a Rule, its name or the path of its file.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.

    Raises:
        ValueError: there is no such rule or mechanism.
    """
    return conduct_returns(load_rule(b), mechanisms).loses(conduct_returns(load_rule(a), mechanisms))


def conduct_returns(rule: Rule, mechanisms: tuple[str, ...] = ()) -> ConductReturns:
    """Play every conduct of the grid for one episode in the same 16 markets of the default economy."""
    load_mechanisms(mechanisms)
    return _played(replace(rule, name="unnamed", rationale=""), mechanisms)


@lru_cache(maxsize=_CACHED)
def _played(rule: Rule, mechanisms: tuple[str, ...]) -> ConductReturns:
    economy, shape = Economy(), [len(levels) for levels in AXES.values()]
    grid = [conduct for conduct in product(*AXES.values()) if _reads_focus(rule) or conduct[-1] == "even"]
    market, observations = _copies(rule, economy, len(grid), mechanisms)
    ask, effort, promotion, attention = (np.repeat(column, MARKETS) for column in zip(*grid, strict=True))
    focused = (attention == "focused")[:, None]
    actions = np.empty((market.markets, economy.organizations, market.action_size), np.float32)
    background = Background(Seats.shared(economy.organizations, rival_population(economy), learning=1), market.markets)
    earned = np.zeros(market.markets)
    for round_ in range(economy.rounds):
        cheapest = unit_costs(observations[:, 0], economy).argmin(axis=1)
        focus = np.where(focused, 2.0 * (cheapest[:, None] == np.arange(economy.kinds)) - 1.0, 0.0)
        actions[:, 0] = to_action(ask=ask, effort=effort, promotion=promotion, focus=focus, kinds=economy.kinds)
        background.act(observations, actions, market.key, round=round_, episode=0)
        observations, rewards, _ = market.step(actions)
        earned += rewards[:, 0]
    profit = earned.reshape(-1, MARKETS).mean(axis=1) / economy.rounds
    return ConductReturns(np.broadcast_to(profit.reshape([*shape[:-1], -1]), shape))


def _reads_focus(rule: Rule) -> bool:
    """Whether attention matters under a rule; if not, focused conduct earns the same as even conduct."""
    return rule.scoring.weights.focus > 0 or find_mechanism(rule.matching.mechanism).reads_preferences


def _copies(rule: Rule, economy: Economy, count: int, mechanisms: tuple[str, ...]) -> tuple[Market, np.ndarray]:
    """Return `count` copies of the same 16 markets with the same noise, just reset, and their observations."""
    few = Market(rule, markets=MARKETS, economy=economy, mechanisms=mechanisms)
    observations = np.tile(few.reset(seed=SEED), (count, 1, 1))
    many = Market(rule, markets=count * MARKETS, economy=economy, mechanisms=mechanisms)
    many.reset(seed=SEED)
    for wide, array in zip(many.arrays, few.arrays, strict=True):
        if array.shape != wide.shape:  # it belongs to markets, not to the economy
            wide[:] = np.tile(array, (count, *[1] * (array.ndim - 1)))
    return many, observations
