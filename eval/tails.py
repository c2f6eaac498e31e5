"""A test of the tail of a size distribution: whether a power law is rejected, never whether it is one.

The method is that of Clauset, Shalizi & Newman (2009, "Power-law distributions in empirical data", SIAM Review 51) for
whole numbers. The exponent is fitted by maximum likelihood above the start of the tail that brings the fitted law
nearest to the data (Kolmogorov-Smirnov); the goodness of fit comes from a semiparametric bootstrap; and likelihood
ratios compare a lognormal and an exponential with the same tail (Vuong 1989).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, zeta
from scipy.stats import norm

LEVEL = 0.1
"""Probability below which the law is rejected, as Clauset et al. advise; a larger one is no evidence for the law."""
LEAST_TAIL = 50
"""Least number of sizes in a tail, since nothing would ever be rejected in a short one."""
LEAST_SHARE = 0.1
"""Least share of all sizes in a tail, for the same reason."""
MOST_STARTS = 40
"""Largest number of starts of the tail that are tried."""
_EXPONENTS = np.linspace(1.05, 8.0, 696)
_TABLE = 5_000


@dataclass(frozen=True)
class Tail:
    """Result of the test on the tail of a sample."""

    start: int
    """Size at which the tail starts."""
    size: int
    """Number of sizes in the tail."""
    exponent: float
    """Exponent alpha of the power law p(k) ~ k**-alpha."""
    distance: float
    """Kolmogorov-Smirnov distance of the tail from the fitted law, 0 .. 1."""
    fit: float
    """Probability of a distance at least as large if the law held, 0 .. 1, by bootstrap."""
    against_lognormal: tuple[float, float]
    """Log likelihood of the power law minus that of the lognormal, in standard errors, and its two-sided p value."""
    against_exponential: tuple[float, float]
    """The same for the exponential."""

    @property
    def rejected(self) -> bool:
        """Whether the power law is rejected, because it fits badly or because an alternative fits better."""
        ratios = (self.against_lognormal, self.against_exponential)
        return self.fit < LEVEL or any(ratio < 0 and p < LEVEL for ratio, p in ratios)

    def __str__(self) -> str:
        return f"a power law is {'rejected' if self.rejected else 'not rejected'}"


def judge_tail(sizes: np.ndarray, *, bootstraps: int = 100, seed: int = 0) -> Tail:
    """Test the tail of a sample of whole numbers.

    Args:
        sizes: (n,) whole numbers; those below 1 are left out.
        bootstraps: number of bootstrap samples by which the goodness of fit is judged.
        seed: seed of these samples.

    Raises:
        ValueError: there are fewer than `LEAST_TAIL` sizes, or all of them are equal.
    """
    sizes = np.sort(np.asarray(sizes))
    sizes = sizes[sizes >= 1].astype(np.int64)
    if len(sizes) < LEAST_TAIL or sizes[0] == sizes[-1]:
        raise ValueError(f"{len(sizes)} sizes of 1 or more; a test needs {LEAST_TAIL} that are not all equal")
    start, exponent, distance = _fit(sizes)
    tail, body = sizes[sizes >= start], sizes[sizes < start]
    rng = np.random.default_rng(seed)
    larger = 0
    for _ in range(bootstraps):
        count = rng.binomial(len(sizes), len(tail) / len(sizes))
        drawn = _draw(rng, exponent, start, count)
        below = rng.choice(body, len(sizes) - count) if len(body) else body
        larger += _fit(np.sort(np.concatenate([drawn, below])))[2] >= distance
    law = -exponent * np.log(tail) - np.log(zeta(exponent, start))
    return Tail(
        start, len(tail), exponent, distance, larger / bootstraps,
        _ratio(law, _lognormal(tail, start)), _ratio(law, _exponential(tail, start)),
    )  # fmt: skip


def _fit(sizes: np.ndarray) -> tuple[int, float, float]:
    """Start, exponent and distance of the tail that a power law fits best; `sizes` must be sorted."""
    values, first = np.unique(sizes, return_index=True)
    least = max(LEAST_TAIL, LEAST_SHARE * len(sizes))
    starts = np.flatnonzero((len(sizes) - first >= least) & (values < values[-1]))
    if len(starts) > MOST_STARTS:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_STARTS).astype(int)]
    if not len(starts):
        starts = np.zeros(1, np.int64)
    logs = np.log(sizes)
    best = (0, 0.0, np.inf)
    for index in starts:
        start, count = int(values[index]), len(sizes) - first[index]
        exponent = _exponent(start, float(logs[first[index] :].mean()))
        above = zeta(exponent, values[index:] + 1.0) / zeta(exponent, start)
        seen = (len(sizes) - np.append(first[index + 1 :], len(sizes))) / count
        distance = float(np.abs(above - seen).max())
        if distance < best[2]:
            best = (start, exponent, distance)
    return best


def _exponent(start: int, mean_log: float) -> float:
    """Exponent of largest likelihood: the best one of a grid, refined by a parabola."""
    loss = _log_zeta(start) + _EXPONENTS * mean_log
    at = int(np.clip(np.argmin(loss), 1, len(loss) - 2))
    left, here, right = loss[at - 1 : at + 2]
    step = 0.5 * (left - right) / (left - 2 * here + right)
    return float(_EXPONENTS[at] + np.clip(step, -1, 1) * (_EXPONENTS[1] - _EXPONENTS[0]))


@lru_cache(maxsize=4096)
def _log_zeta(start: int) -> np.ndarray:
    return np.log(zeta(_EXPONENTS, start))


def _draw(rng: np.random.Generator, exponent: float, start: int, count: int) -> np.ndarray:
    """Draw whole numbers from the power law, by table, and beyond the table from the continuous law."""
    above = zeta(exponent, start + np.arange(_TABLE + 1.0)) / zeta(exponent, start)
    chance = rng.random(count)
    drawn = start + np.searchsorted(-above, -chance, side="left") - 1
    far = chance < above[-1]
    drawn[far] = (start + _TABLE - 0.5) * (chance[far] / above[-1]) ** (-1 / (exponent - 1)) + 0.5
    return drawn


def _exponential(tail: np.ndarray, start: int) -> np.ndarray:
    """Log likelihood of each size in the tail under the geometric law that fits best."""
    rate = np.log1p(1 / (tail.mean() - start))
    return np.log(-np.expm1(-rate)) - rate * (tail - start)


def _lognormal(tail: np.ndarray, start: int) -> np.ndarray:
    """Log likelihood of each size in the tail under the rounded lognormal law, from `start` on, that fits best."""
    values, counts = np.unique(tail, return_counts=True)

    def each(parameters: np.ndarray) -> np.ndarray:
        mean, spread = parameters[0], np.exp(parameters[1])
        edges = [log_ndtr((mean - np.log(x)) / spread) for x in (values - 0.5, values + 0.5, start - 0.5)]
        return edges[0] + np.log(-np.expm1(np.minimum(edges[1] - edges[0], -1e-300))) - edges[2]

    logs = np.log(tail)
    guess = np.array([logs.mean(), np.log(max(logs.std(), 0.1))])
    found = minimize(lambda x: -counts @ each(x), guess, method="Nelder-Mead", options={"maxiter": 2_000}).x
    return each(found)[np.searchsorted(values, tail)]


def _ratio(law: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Vuong's normalized log likelihood ratio and its two-sided p value."""
    difference = law - other
    spread = difference.std() * len(difference) ** 0.5
    ratio = float(difference.sum() / spread) if spread > 0 else 0.0
    return ratio, float(2 * norm.sf(abs(ratio)))
