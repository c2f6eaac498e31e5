"""What tests of outcomes share: a bare market, rules that match by worth, readable actions, and tests of means."""

from typing import Any

import numpy as np

from ruleshift.envs import Rule, load_rule
from ruleshift.envs.act import to_action
from ruleshift.eval.known_answers.setting import bare

__all__ = ["act", "bare", "by_worth", "close"]


def by_worth(
    mechanism: str, *, gain: float = 0.2, asks: bool = False, pricing: str = "as_asked", reserve: float = 1.0
) -> Rule:
    """Return a rule without commission for a mechanism that matches by worth.

    Args:
        mechanism: its name.
        gain: parameter 0, the gain of a job from being served, in job values.
        asks: parameter 1, whether costs are the asks instead of the true costs.
    """
    return load_rule("sealed_tender").replace(
        **{
            "matching.mechanism": mechanism, "matching.parameters": (gain, float(asks)), "payment.pricing": pricing,
            "payment.reserve": reserve,
        }
    )  # fmt: skip


def act(asks: Any, effort: Any = 0.0, promotion: Any = 0.0, *, kinds: int = 1) -> np.ndarray:
    """Return actions (B, N, 3 + K) of organizations with these asks (B, N) and even focus."""
    asks, effort, promotion = np.broadcast_arrays(asks, effort, promotion)
    flat = to_action(ask=asks.ravel(), effort=effort.ravel(), promotion=promotion.ravel(), kinds=kinds)
    return flat.reshape(*asks.shape, 3 + kinds)


def close(samples: np.ndarray, expected: float, errors: float = 3) -> bool:
    """Whether the mean of independent samples, or of each column, is within `errors` standard errors of a number."""
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return bool(np.all(np.abs(samples.mean(axis=0) - expected) <= errors * error))
