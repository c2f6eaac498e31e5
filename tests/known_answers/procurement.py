"""Procurement auctions: one job a round goes to one of several organizations, whose costs are random and seen first."""

import numpy as np
from markets import bare

from ruleshift.envs import Market, Rule, load_rule


def procurement(organizations: int, pricing: str, markets: int, commission: float = 0.0) -> Market:
    """One job a round for the lowest ask, cost uniform on [0, 1]; every market plays one round."""
    economy = bare(organizations=organizations, shock_mean=0.5, shock_sd=12**-0.5)
    return Market(lowest_ask(pricing, commission), markets=markets, economy=economy)


def lowest_ask(pricing: str, commission: float = 0.0) -> Rule:
    """The lowest ask wins; only price counts."""
    return load_rule("second_price_exchange").replace(**{"payment.pricing": pricing, "payment.commission": commission})


def costs(seen: np.ndarray, market: Market) -> np.ndarray:
    """Cost of the job to each organization, (B, N), as they observe it."""
    return seen[:, :, market.layout["shock"].start].astype(np.float64)
