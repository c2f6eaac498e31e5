"""What tests of theorems share: the settings are those of `ruleshift.eval.known_answers`."""

import numpy as np

from ruleshift.eval.known_answers.setting import bare

__all__ = ["bare", "close"]


def close(samples: np.ndarray, expected: float) -> bool:
    """Whether the mean of independent samples lies within three standard errors of what is expected."""
    return bool(abs(samples.mean() - expected) <= 3 * samples.std(ddof=1) / np.sqrt(samples.size))
