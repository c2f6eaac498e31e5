"""How far apart two rules are in what they call for: what a best reply to one loses under the other.

A best reply in full would be a learned policy. The one here is feasible in a second and the same for everyone: the best
of a fixed grid of constant conducts in one focal seat among the scripted rival population. It is a lower bound on what
a best reply earns, and sees what payment, feedback and rivals do, which `rule_distance` does not.
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
"""The grid of conducts: levels of each part. Focused: on the kind that is the cheapest to serve just now."""
MARKETS, SEED = 16, 20_240_702
_CACHED = 256


@dataclass(frozen=True)
class ConductReturns:
    """What every conduct of the grid earns in the focal seat under one rule."""

    profit: np.ndarray
    """By ask, effort, promotion and attention, as `AXES`: focal profit per round, in mean job values."""

    @property
    def best(self) -> tuple[int, ...]:
        """Place in the grid of the conduct that earns the most; of several, the first."""
        return tuple(int(index) for index in np.unravel_index(self.profit.argmax(), self.profit.shape))

    def loses(self, other: "ConductReturns") -> float:
        """What the best conduct under the other rule loses under this one, 0 or more."""
        return float(self.profit[self.best] - self.profit[other.best])

    def kept(self, axis: int) -> np.ndarray:
        """By level of one part of a conduct, what the best conduct that has it keeps of the best profit, at most 1.

        All 0 where no conduct earns anything.
        """
        along = self.profit.max(axis=tuple(other for other in range(len(AXES)) if other != axis))
        return along / along.max() if along.max() > 0 else np.zeros(len(along))


def regret(a: Rule | str, b: Rule | str, *, mechanisms: tuple[str, ...] = ()) -> float:
    """Profit per round, in mean job values, that the best reply to `a` loses under `b` against the best reply to `b`.

    0 or more, 0 where the two call for the same conduct; not symmetric. Both replies are picked and scored in the same
    markets with the same noise, so that a difference is the conduct's. The pick's luck makes it a little large: by .007
    on average over the named rules, by .08 where popularity makes fortunes.

    Args:
        a, b: a Rule, its name or the path of its file.
        mechanisms: mechanisms of one's own that the rules name, as `module:function`.

    Raises:
        ValueError: no such rule or mechanism.
    """
    return conduct_returns(load_rule(b), mechanisms).loses(conduct_returns(load_rule(a), mechanisms))


def conduct_returns(rule: Rule, mechanisms: tuple[str, ...] = ()) -> ConductReturns:
    """Every conduct of the grid, played for one episode in the same 16 markets of the default economy."""
    load_mechanisms(mechanisms)
    return _played(replace(rule, name="", rationale=""), mechanisms)


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
    """Whether attention counts; where it does not, focused conduct earns what even conduct does."""
    return rule.scoring.weights.focus > 0 or find_mechanism(rule.matching.mechanism).reads_preferences


def _copies(rule: Rule, economy: Economy, count: int, mechanisms: tuple[str, ...]) -> tuple[Market, np.ndarray]:
    """`count` copies of the same 16 markets with the same noise, just opened, and their observations."""
    few = Market(rule, markets=MARKETS, economy=economy, mechanisms=mechanisms)
    observations = np.tile(few.reset(seed=SEED), (count, 1, 1))
    many = Market(rule, markets=count * MARKETS, economy=economy, mechanisms=mechanisms)
    snapshot, wide = few.snapshot(), many.snapshot()
    for name, array in snapshot.items():
        if array.shape != wide[name].shape:  # what belongs to a market, not to the economy or the clock
            snapshot[name] = np.tile(array, (count, *[1] * (array.ndim - 1)))
    many.restore(snapshot)
    return many, observations
