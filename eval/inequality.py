"""Inequality of outcomes: the Gini index and the share of the top tenth, also where some make losses.

Gini's index is half of the mean absolute difference of all pairs, over the mean. Among n organizations it is at most
(n - 1) / n; divided by that, it can be compared between markets of different size (Deltas 2003). With absolute amounts
in the denominator it stays between 0 and 1 where some amounts are negative (Raffinetti, Siletti & Vernizzi 2015). The
test of tails is in `tails`.
"""

import numpy as np


def gini(amounts: np.ndarray) -> np.ndarray:
    """Gini index (...) of amounts (..., N), normalized: 0 if all are equal, 1 if one organization has everything.

    It is the sum over pairs i < j of |x_i - x_j|, over (N - 1) times the sum of |x_i|. It is 0 where all amounts are 0.

    Args:
        amounts: at least two along the last axis, of either sign.

    >>> gini(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 5.0]])).tolist()
    [0.0, 1.0]
    """
    ranked = np.sort(np.asarray(amounts, np.float64), axis=-1)
    count = ranked.shape[-1]
    differences = np.maximum(ranked @ (2.0 * np.arange(1, count + 1) - count - 1), 0.0)  # rounding of equal amounts
    whole = np.abs(ranked).sum(axis=-1)
    return np.divide(differences, (count - 1) * whole, out=np.zeros_like(whole), where=whole > 0)


def top_share(amounts: np.ndarray, part: float = 0.1) -> np.ndarray:
    """Share (...) of all gains that the top part of the organizations has, from `part` if gains are equal to 1.

    Losses count as no gain. Of the organization at the edge of the part, only what lies inside counts, so that the
    share is 1 less the height of the Lorenz curve at 1 - part. It is `part` where nobody gains.

    Args:
        amounts: (..., N), of either sign.
        part: the top part of the organizations, 0 .. 1.
    """
    gains = -np.sort(-np.maximum(np.asarray(amounts, np.float64), 0.0), axis=-1)
    count = gains.shape[-1]
    inside = np.clip(part * count - np.arange(count), 0.0, 1.0)
    whole = gains.sum(axis=-1)
    return np.divide(gains @ inside, whole, out=np.full_like(whole, part), where=whole > 0)
