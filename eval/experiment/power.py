"""What a study of given sizes can find, stated before it runs: how often each verdict comes out, by the true effect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod

import numpy as np

from ruleshift.eval.claims.claim import VERDICTS, decide
from ruleshift.eval.statistics import FACTORS, Interval, Sizes, interval, ratio

Components = Mapping[tuple[str, ...], float]
"""Standard deviations of what is peculiar to each level of a factor, or to each meeting of levels of several."""

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
"""Of [Y_generalist - Y_specialist] / mean of [best reply - floor], by `measure_components` of a first run of `quick`.

Three home rules and four targets, so they are rough; what came out below .05 is left out. Pairs of a home and a target
differ most by far, seeds and panels hardly.
"""
SCALES: Components = {("target",): 0.63, ("economy",): 0.12, ("target", "economy"): 0.33}
"""Of [best reply - floor] / its mean, likewise."""

EFFECTS = (0.0, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Power:
    """How often each verdict comes out where the true effect is `effect`."""

    sizes: Sizes
    effect: float
    shares: Mapping[str, float]
    """By verdict, 0 .. 1; together 1."""
    half_width: float
    """Median half width of the 95% interval."""

    def __str__(self) -> str:
        shares = ", ".join(f"{word} {100 * share:.0f} %" for word, share in self.shares.items())
        return f"true effect {self.effect:g}: {shares} (interval +- {self.half_width:.2f})"


def simulate(
    sizes: Sizes,
    components: Components,
    rng: np.random.Generator,
    *,
    axes: Sequence[str] = FACTORS,
    skewed: bool = False,
) -> np.ndarray:
    """An array with mean 0 and these components over the axes named, of length 1 along the others.

    Args:
        components: those of factors that are not among the axes are left out.
        skewed: exponential effects in place of normal ones.
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
    """Numerator (H, G, S, P, E) and denominator (1, G, 1, P, E) of the primary contrast where the true effect is 0."""
    scale = 1 + simulate(sizes, scales, rng, axes=("target", "panel", "economy"), skewed=skewed)
    return simulate(sizes, components, rng, skewed=skewed), np.maximum(scale, 0.05)


def measure_components(numerator: np.ndarray, denominator: np.ndarray) -> dict[tuple[str, ...], float]:
    """What a pilot says about `COMPONENTS`: those of the numerator less the ratio times the denominator.

    From the mean squares of an analysis of variance, by their expectations (Searle, Casella & McCulloch 1992, "Variance
    Components"); 0 where the estimate is negative. Factors of one level have none.

    Args:
        numerator: (H, G, S, P, E).
        denominator: the same or 1 along each axis; both in the same unit.
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
    """Mean square of the interaction of these axes (of one axis: of its main effect)."""
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
    """The power of a study with so many homes, targets, seeds, panels and economies, by simulation: seconds.

    One set of simulated studies serves all effects: a true effect moves estimate and limits by as much. Arms are taken
    to be competent.
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
