"""Power: how often a study of given sizes reaches each verdict, by the true effect, stated before it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np

from ruleshift.eval.claims.claim import VERDICTS, decide
from ruleshift.eval.claims.wording import points
from ruleshift.eval.statistics import FACTORS, Interval, Sizes, interval, ratio

Components = Mapping[tuple[str, ...], float]
"""Standard deviations of the effects of each factor, and of each interaction of several."""

COMPONENTS: Components = {
    ("home",): 0.20,
    ("home", "target"): 0.52,
    ("home", "economy"): 0.13,
    ("target", "seed"): 0.07,
    ("home", "target", "seed"): 0.08,
    ("home", "target", "economy"): 0.27,
    ("target", "seed", "economy"): 0.06,
    ("home", "target", "seed", "economy"): 0.08,
    FACTORS: 0.02,
}
"""Components of [Y_generalist - Y_specialist] / mean of [best reply - floor], as `measure_components` finds them in a
first run of `quick`.

That run had three home rules and four targets, so they are rough, and those below .05 are left out. Pairs of a home and
a target differ by far the most; seeds and panels hardly differ.
"""
SCALES: Components = {("target",): 0.63, ("economy",): 0.12, ("target", "economy"): 0.33}
"""Components of [best reply - floor] / its mean, from the same run."""

EFFECTS = (0.0, 0.05, 0.1, 0.2)
"""True effects for which the power is stated, on the scale from floor (0) to best reply (1)."""


@dataclass(frozen=True)
class Power:
    """How often each verdict comes out if the true effect is `effect`."""

    sizes: Sizes
    """Number of homes, targets, seeds, panels and economies."""
    effect: float
    """True effect, on the scale from floor (0) to best reply (1)."""
    shares: Mapping[str, float]
    """Share of the simulated studies that come to each verdict; they sum to 1."""
    half_width: float
    """Median half-width of the 95% interval, on the same scale."""

    def __str__(self) -> str:
        shares = ", ".join(f"{word} {100 * share:.0f}%" for word, share in self.shares.items())
        return f"true effect of {points(self.effect)}: {shares} (interval: ±{points(self.half_width)})"


def simulate(
    sizes: Sizes,
    components: Components,
    rng: np.random.Generator,
    *,
    axes: Sequence[str] = FACTORS,
    skewed: bool = False,
) -> np.ndarray:
    """Simulate an array with mean 0 and these components along the named axes, and of length 1 along the others.

    Args:
        sizes: number of levels of each factor.
        components: standard deviations; those of factors that are not among the axes are left out.
        rng: source of the draws.
        axes: names of the factors along which the array varies.
        skewed: draw exponential effects instead of normal ones.
    """
    result = np.zeros([size if name in axes else 1 for name, size in zip(FACTORS, sizes, strict=True)])
    for factors, spread in components.items():
        if set(factors) <= set(axes):
            shape = [size if name in factors else 1 for name, size in zip(FACTORS, sizes, strict=True)]
            result = result + spread * (rng.exponential(size=shape) - 1 if skewed else rng.standard_normal(shape))
    return result


def simulate_contrast(
    sizes: Sizes,
    rng: np.random.Generator,
    components: Components = COMPONENTS,
    *,
    scales: Components = SCALES,
    skewed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate the numerator (H, G, S, P, E) and denominator (1, G, 1, P, E) of the primary contrast at effect 0."""
    scale = 1 + simulate(sizes, scales, rng, axes=("target", "panel", "economy"), skewed=skewed)
    return simulate(sizes, components, rng, skewed=skewed), np.maximum(scale, 0.05)


def measure_components(numerator: np.ndarray, denominator: np.ndarray) -> dict[tuple[str, ...], float]:
    """Estimate components such as `COMPONENTS` from a pilot study.

    They are those of the numerator minus the ratio of means times the denominator, in units of the mean denominator.
    They follow from the mean squares of an analysis of variance and their expectations (Searle, Casella & McCulloch
    1992, "Variance Components"), and are 0 if the estimate is negative. Factors of one level have none.

    Args:
        numerator: array (H, G, S, P, E).
        denominator: array of the same shape or of length 1 along any axis, in the same unit.
    """
    rest = (numerator - numerator.mean() / denominator.mean() * denominator) / denominator.mean()
    varied = [axis for axis, size in enumerate(numerator.shape) if size > 1]
    subsets = [chosen for count in range(1, len(varied) + 1) for chosen in combinations(varied, count)]
    squares = {chosen: _mean_square(rest, chosen) for chosen in subsets}
    found = {}
    for chosen in subsets:
        above = [other for other in subsets if set(chosen) <= set(other)]
        variance = sum((-1) ** (len(other) - len(chosen)) * squares[other] for other in above)
        repeats = prod(size for axis, size in enumerate(rest.shape) if axis not in chosen)
        found[tuple(FACTORS[axis] for axis in chosen)] = max(variance / repeats, 0.0) ** 0.5
    return found


def _mean_square(array: np.ndarray, chosen: tuple[int, ...]) -> float:
    """Mean square of the interaction of these axes, or of the main effect if there is only one."""
    others = tuple(axis for axis in range(array.ndim) if axis not in chosen)
    effect = array.mean(axis=others, keepdims=True)
    for axis in chosen:
        effect = effect - effect.mean(axis=axis, keepdims=True)
    freedom = prod(array.shape[axis] - 1 for axis in chosen)
    return float((effect**2).sum()) * array.size / effect.size / freedom


def power_table(
    sizes: Sizes,
    effects: Sequence[float] = EFFECTS,
    components: Components = COMPONENTS,
    *,
    repetitions: int = 200,
    seed: int = 0,
) -> list[Power]:
    """Simulate the power of a study, which takes seconds; arms are assumed to be competent.

    One set of simulated studies serves all effects, since a true effect moves the estimate and both limits equally.

    Args:
        sizes: number of homes, targets, seeds, panels and economies.
        effects: true effects, on the scale from floor (0) to best reply (1).
        components: standard deviations of the effects of factors and interactions.
        repetitions: number of simulated studies.
        seed: seed of the simulation.

    Returns:
        The power at each effect, in the same order.
    """
    rng = np.random.default_rng(seed)
    found = [interval(ratio(*simulate_contrast(sizes, rng, components)), sizes, count=400) for _ in range(repetitions)]
    half_width = float(np.median([each.high - each.low for each in found])) / 2
    return [Power(sizes, effect, _shares(found, effect), half_width) for effect in effects]


def _shares(found: Sequence[Interval], effect: float) -> dict[str, float]:
    verdicts = [decide(_moved(each, effect)) for each in found]
    return {verdict: verdicts.count(verdict) / len(verdicts) for verdict in VERDICTS}


def _moved(found: Interval, effect: float) -> Interval:
    return Interval(found.estimate + effect, found.low + effect, found.high + effect, found.error, found.freedom)
