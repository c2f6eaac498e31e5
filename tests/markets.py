"""What tests of outcomes share: a bare market, rules by worth, actions by what they mean, means within their errors."""

from typing import Any

import numpy as np

from ruleshift.envs import Rule, load_rule
from ruleshift.envs.act import to_action
from ruleshift.eval.known_answers.setting import bare

__all__ = ["act", "bare", "by_worth", "close"]


def by_worth(
    mechanism: str, *, gain: float = 0.2, asks: bool = False, pricing: str = "as_asked", reserve: float = 1.0
) -> Rule:
    """A rule with a mechanism whose parameters are the gain of being served and whether costs are the asks; no
    commission."""
    return load_rule("sealed_tender").replace(
        **{
            "matching.mechanism": mechanism, "matching.parameters": (gain, float(asks)), "payment.pricing": pricing,
            "payment.reserve": reserve,
        }
    )  # fmt: skip


def act(asks: Any, effort: Any = 0.0, promotion: Any = 0.0, *, kinds: int = 1) -> np.ndarray:
    """Actions (B, N, 3 + K) of organizations that ask this (B, N), with even focus."""
    asks, effort, promotion = np.broadcast_arrays(asks, effort, promotion)
    flat = to_action(ask=asks.ravel(), effort=effort.ravel(), promotion=promotion.ravel(), kinds=kinds)
    return flat.reshape(*asks.shape, 3 + kinds)


def close(samples: np.ndarray, expected: float, errors: float = 3) -> bool:
    """Whether the mean of independent samples, or of each column of them, is within standard errors of this."""
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return bool(np.all(np.abs(samples.mean(axis=0) - expected) <= errors * error))
