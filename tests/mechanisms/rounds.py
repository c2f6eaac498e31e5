"""One round of a few markets under a mechanism that reads costs, and what each pair was worth, in plain numpy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies
from markets import by_worth

from ruleshift.envs import Economy, Market, Rule
from ruleshift.envs.layout import outcome_view, state_view


@dataclass(frozen=True)
class Round:
    """What happened in one market with J jobs and N organizations."""

    worth: np.ndarray
    """(J, N) worth of each pair, value * (parameter 0 + quality - cost); -inf if the organization did not offer."""
    costs: np.ndarray
    """(J, N) value * cost, where the cost is the true one or the ask."""
    values: np.ndarray
    """(J,) value of each job."""
    kinds: np.ndarray
    """(J,) kind of each job."""
    winners: np.ndarray
    """(J,) organization that served each job, -1 if none did."""
    payments: np.ndarray
    """(J,) payment for each job."""
    capacity: int
    """Jobs that each organization can serve."""

    @property
    def total(self) -> float:
        """Total worth of the matched pairs."""
        served = np.flatnonzero(self.winners >= 0)
        return float(self.worth[served, self.winners[served]].sum())


def play(rule: Rule, economy: Economy, markets: int, seed: int, grid: float = 0.0) -> list[Round]:
    """Play one round of these markets with random actions, which are multiples of `grid` if it is above 0."""
    market = Market(rule, economy=economy, markets=markets)
    market.reset(seed=seed)
    before = market.state.copy()
    shape = (markets, economy.organizations, market.action_size)
    actions = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    market.step(actions if grid == 0.0 else np.round(actions / grid).astype(np.float32) * np.float32(grid))
    gain, asks = rule.matching.parameters
    return [_round(market, before[b], b, float(gain), bool(asks), rule.payment.reserve) for b in range(markets)]


def _round(market: Market, before: np.ndarray, b: int, gain: float, asks: bool, reserve: float) -> Round:
    economy = market.economy
    state, outcome = state_view(before, market.kinds), outcome_view(market.outcomes[b], market.kinds)
    share = economy.quality_capability
    quality = share * state.capability + (1 - share) * outcome.effort
    cost = economy.base_cost * (1 - state.capability) * state.relief
    cost = cost + economy.effort_cost * outcome.effort + state.shock
    cost = np.broadcast_to(outcome.ask, cost.shape) if asks else cost
    kinds, values = market.served_kinds[b], market.served_values[b]
    worth = values[:, None] * (gain + quality - cost)[kinds]
    worth[:, outcome.ask > reserve] = -np.inf
    return Round(
        worth, values[:, None] * cost[kinds], values, kinds, market.winners[b], market.payments[b], economy.capacity
    )


@strategies.composite
def rounds(
    draw: Any, mechanism: str, *, organizations: int = 6, jobs: int = 8, pricing: str = "as_asked", ties: bool = False
) -> list[Round]:
    """Hypothesis strategy: a round of markets up to this size, with any gain, reserve and kind of cost.

    With `ties`, as many worths as possible are exactly equal.
    """
    economy = Economy(
        organizations=draw(strategies.integers(1, organizations)),
        jobs=draw(strategies.integers(1, jobs)),
        kinds=draw(strategies.integers(1, 4)),
        capacity=draw(strategies.integers(1, 3)),
        rounds=1,
        shock_sd=0.0 if ties else draw(strategies.sampled_from([0.0, 0.2])),
        value_spread=0.0 if ties else 0.5,
        initial_capability=(0.5, 0.5) if ties else (0.1, 0.5),
    )
    gain, reserve = draw(strategies.floats(-0.5, 1)), draw(strategies.floats(0.3, 1))
    rule = by_worth(mechanism, gain=gain, asks=draw(strategies.booleans()), pricing=pricing, reserve=reserve)
    return play(rule, economy, 8, draw(strategies.integers(0, 1000)), 0.5 if ties else 0.0)
