"""A linear reading of what a policy carries: ridge regression with a penalty that is chosen by leaving out each row."""

from dataclasses import dataclass

import numpy as np

PENALTIES = np.logspace(-5, 3, 17)
"""Penalties that are tried, in units of the number of rows; the last leaves next to nothing but the mean."""
NOMINAL = 0.8
"""Nominal coverage of the intervals of a reading, 0 .. 1."""


@dataclass(frozen=True)
class Reading:
    """A linear map from W numbers that a policy carries to F targets in [0, 1], with intervals around what it reads.

    `fit_reading` makes it.
    """

    centre: np.ndarray
    """(W,) means of what was carried."""
    weights: np.ndarray
    """(W, F) weights of the deviations from these."""
    mean: np.ndarray
    """(F,) means of the targets: what is read where nothing is known."""
    variance: np.ndarray
    """(F,) variances of the targets."""
    low: np.ndarray
    """(F,) lower ends of the central `NOMINAL` share of the errors of rows that were left out."""
    high: np.ndarray
    """(F,) upper ends of the same."""

    def read(self, carried: np.ndarray) -> np.ndarray:
        """What is read from rows (n, W): (n, F), in [0, 1] as all targets are."""
        return np.clip(self.mean + (carried - self.centre) @ self.weights, 0.0, 1.0)


def fit_reading(carried: np.ndarray, targets: np.ndarray) -> Reading:
    """Fit a ridge regression (Hoerl & Kennard 1970), with the penalty of each target that predicts left-out rows best.

    The error of a row that is left out follows from the fit to all rows (Allen 1974, "The relationship between variable
    selection and data augmentation and a method for prediction", Technometrics 16).

    Args:
        carried: (n, W) what a policy carries; n is at least 3, and each row is under a rule of its own.
        targets: (n, F), in [0, 1].
    """
    rows = len(carried)
    carried, targets = carried.astype(np.float64), targets.astype(np.float64)
    centre, mean = carried.mean(axis=0), targets.mean(axis=0)
    left, sizes, right = np.linalg.svd(carried - centre, full_matrices=False)
    along = left.T @ (targets - mean)
    kept = sizes**2 / (sizes**2 + rows * PENALTIES[:, None])  # (penalties, directions)
    fitted = mean + np.einsum("nd,pd,df->pnf", left, kept, along)
    leverage = 1 / rows + np.einsum("nd,pd->pn", left**2, kept)
    errors = (targets - fitted) / np.maximum(1 - leverage, 1e-9)[:, :, None]
    best = (errors**2).sum(axis=1).argmin(axis=0)
    shrunk = kept[best] / np.where(sizes > 0, sizes, 1.0)  # (F, directions)
    chosen = errors[best, :, np.arange(targets.shape[1])]  # (F, n)
    left_out = targets - np.clip(targets - chosen.T, 0.0, 1.0)
    low, high = np.quantile(left_out, [(1 - NOMINAL) / 2, (1 + NOMINAL) / 2], axis=0)
    return Reading(centre, right.T @ (shrunk.T * along), mean, targets.var(axis=0), low, high)
