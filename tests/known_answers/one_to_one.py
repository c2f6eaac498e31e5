"""Markets of n organizations that can each serve one job, and one job of each of n kinds: settings, reports, ranks.

Jobs rank organizations at random (amplification 0), organizations rank kinds by the focus that they report.
"""

import numpy as np
from settings import bare

from ruleshift.envs import Market, load_rule


def one_to_one(
    mechanism: str, organizations: int, markets: int, proposer: str = "organizations", jobs: int = 0
) -> Market:
    """Markets of this many organizations and, where they differ, jobs; every market plays one round."""
    jobs = jobs or organizations
    economy = bare(organizations=organizations, jobs=jobs, kinds=jobs, demand="even")
    rule = load_rule("clearing_house").replace(
        **{
            "matching.mechanism": mechanism,
            "matching.proposer": proposer,
            "scoring.amplification": 0.0,
            "payment.reserve": 1.0,
        }
    )
    return Market(rule, markets=markets, economy=economy)


def draw_preferences(market: Market, seed: int) -> np.ndarray:
    """Kinds in random order, the best first, (B, N, K)."""
    shape = (market.markets, market.organizations, market.kinds)
    return np.random.default_rng(seed).random(shape).argsort(axis=-1)


def to_actions(preferences: np.ndarray) -> np.ndarray:
    """Actions that report these preferences (B, N, K)."""
    focus = np.empty_like(preferences, np.float32)
    np.put_along_axis(focus, preferences, np.linspace(1, -1, preferences.shape[-1], dtype=np.float32), axis=-1)
    rest = np.zeros((*preferences.shape[:-1], 3), np.float32)
    return np.ascontiguousarray(np.concatenate([rest, focus], axis=-1))


def matches(market: Market) -> np.ndarray:
    """Kind of the job of each organization, (B, N); -1 where it has none."""
    kinds = np.full((market.markets, market.organizations), -1)
    b, j = np.nonzero(market.winners >= 0)
    kinds[b, market.winners[b, j]] = market.served_kinds[b, j]
    return kinds


def ranks(order: np.ndarray) -> np.ndarray:
    """Place of each in an order, 0 the best, along the last axis."""
    return order.argsort(axis=-1)


def mean_rank(preferences: np.ndarray, matches: np.ndarray) -> np.ndarray:
    """Mean over the organizations that are matched of the rank of their kind, 1 the best, in each market (B,)."""
    found = np.take_along_axis(ranks(preferences), np.maximum(matches, 0)[:, :, None], axis=2)[:, :, 0] + 1.0
    return np.nanmean(np.where(matches >= 0, found, np.nan), axis=1)
