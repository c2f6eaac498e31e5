"""What the theorems share: the bare market of a procurement auction, and setting asks."""

from dataclasses import replace
from typing import Any

import numpy as np

from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.act import to_action

ROOT_12 = 12**0.5


def bare(**changes: Any) -> Economy:
    """One job of one kind a round, one round, no costs, no noise, no outside option; then these changes."""
    economy = Economy(
        jobs=1, kinds=1, capacity=1, rounds=1, base_cost=0.0, effort_cost=0.0, promotion_price=0.0, outside_share=0.0,
        value_spread=0.0, quality_noise=0.0, shock_sd=0.0,
    )  # fmt: skip
    return replace(economy, **changes)


def procurement(organizations: int, pricing: str, markets: int, commission: float = 0.0) -> Market:
    """One job a round for the lowest ask, cost uniform on [0, 1] and seen first; every market plays one round."""
    economy = bare(organizations=organizations, shock_mean=0.5, shock_sd=1 / ROOT_12)
    return Market(lowest_ask(pricing, commission), markets=markets, economy=economy)


def lowest_ask(pricing: str, commission: float = 0.0) -> Rule:
    """The lowest ask wins; only price counts."""
    return load_rule("second_price_exchange").replace(**{"payment.pricing": pricing, "payment.commission": commission})


def costs(seen: np.ndarray, market: Market) -> np.ndarray:
    """Cost of the job to each organization, (B, N), as they observe it."""
    return seen[:, :, market.layout["shock"].start].astype(np.float64)


def asking(asks: np.ndarray) -> np.ndarray:
    """Actions (B, N, 4) of organizations that ask this (B, N), with no effort and no promotion, for one kind."""
    flat = to_action(ask=asks.ravel(), effort=0.0, promotion=0.0, kinds=1)
    return flat.reshape(*asks.shape, 4)


def close(samples: np.ndarray, expected: float) -> bool:
    """Whether the mean of independent samples lies within three standard errors of what is expected."""
    return bool(abs(samples.mean() - expected) <= 3 * samples.std(ddof=1) / np.sqrt(samples.size))
