"""What the settings share: the bare market of the theorems, rounds played in it, and what deviations would gain."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ruleshift.agents import Policy
from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.act import to_action
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import Row, mean_row

UNIFORM_SD = 1 / 12**0.5
"""Standard deviation of a uniform number on [0, 1]."""


def bare(**changes: Any) -> Economy:
    """Return an economy of one round with one job of one kind and no costs, noise or outside option.

    Args:
        changes: fields of the economy that are to differ.
    """
    economy = Economy(
        jobs=1, kinds=1, capacity=1, rounds=1, base_cost=0.0, effort_cost=0.0, promotion_price=0.0, outside_share=0.0,
        value_spread=0.0, quality_noise=0.0, shock_sd=0.0,
    )  # fmt: skip
    return replace(economy, **changes)


def plain_rule(weights: Weights, amplification: float, **changes: Any) -> Rule:
    """Return a rule with these weights and amplification, no commission or promotion floor, and reserve 1.

    Args:
        weights: weights of the signals.
        amplification: amplification of the score, 0 .. inf.
        changes: further fields by their dotted names.
    """
    plain = {
        "scoring.weights": weights,
        "scoring.amplification": amplification,
        "scoring.promotion_floor": 0.0,
        "payment.commission": 0.0,
    }
    return load_rule("price_board").replace(**plain).replace(**{"payment.reserve": 1.0, **changes})


class Opened:
    """Markets that were reset once, and whose first round can be played again and again with the same noise.

    Args:
        market: the B markets.
        seed: seed of the markets.
    """

    def __init__(self, market: Market, seed: int) -> None:
        self.market = market
        self.seen = market.reset(seed=seed)
        self._start = market.snapshot()

    @property
    def shocks(self) -> np.ndarray:
        """Private cost shocks (B, N, K), as organizations observe them, in shares of the job's value."""
        return self.seen[:, :, self.market.layout["shock"]].astype(np.float64)

    def post(self, values: np.ndarray) -> None:
        """Give the jobs of the first round these values (B, J) instead of those drawn."""
        self._start["job_values"] = values

    def play(self, actions: np.ndarray) -> np.ndarray:
        """Play the first round with actions (B, N, A), and return profits (B, N) in mean job values."""
        self.market.restore(self._start)
        return self.market.step(actions)[1].astype(np.float64)

    def act(self, policies: Sequence[Policy]) -> np.ndarray:
        """Return actions (B, N, A) of N policies, one per seat, given what they observe in the first round."""
        return np.stack([policy.act(self.seen[:, seat])[0] for seat, policy in enumerate(policies)], axis=1)


def conduct(*, ask: np.ndarray | float = 0.5, promotion: np.ndarray | float = 0.0, kinds: int = 1) -> np.ndarray:
    """Return actions (B, N, 3 + K) with asks and promotions of shape (B, N), no effort and even focus."""
    ask, promotion = np.broadcast_arrays(ask, promotion)
    flat = to_action(ask=ask.ravel(), effort=0.0, promotion=promotion.ravel(), kinds=kinds)
    return flat.reshape(*ask.shape, 3 + kinds)


def best_deviation(
    name: str, types: np.ndarray, profit: Callable[[float], np.ndarray], steps: np.ndarray, groups: int = 10
) -> Row:
    """Measure what the best deviation on a grid gains, which is nothing if conduct is an equilibrium.

    A deviation is a step of the grid for each tenth of the types. The step that gains most on one half of the markets
    is scored on the other half, and the other way round, so that luck in the choice does not count as gain.

    Args:
        name: name of the row.
        types: (B,) what the deviating organization knows.
        profit: function from a step to the profits (B,) of that organization; at step 0 it does not deviate.
        steps: the grid of steps.
        groups: number of groups of types, ten by default.
    """
    gains = np.stack([profit(step) for step in steps]) - profit(0.0)
    group = np.argsort(np.argsort(types)) * groups // len(types)
    half = np.arange(len(types)) % 2
    scored = np.empty(len(types))
    for each in range(groups):
        for side in (0, 1):
            picked, other = (group == each) & (half == side), (group == each) & (half != side)
            scored[other] = gains[np.argmax(gains[:, picked].mean(axis=1)), other]
    return mean_row(name, 0.0, scored, "<=")


def peak(grid: np.ndarray, values: np.ndarray, width: int = 20) -> float:
    """Find where a smooth curve on a fine grid is largest: the vertex of a parabola fitted around its best point.

    The fit to `width` points on either side smooths the rounding of profits, which are float32.
    """
    best = int(np.argmax(values))
    near = slice(max(best - width, 0), best + width + 1)
    curve = np.polynomial.Polynomial.fit(grid[near], values[near], 2)
    return float(curve.deriv().roots()[0].real)
