"""Power: how often a study of given sizes reaches each verdict, by the true effect, stated before it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ruleshift.eval.claims.claim import VERDICTS, decide
from ruleshift.eval.claims.wording import points
from ruleshift.eval.statistics import FACTORS, Interval, Ratio, Sizes, interval, variance_components

Components = Mapping[tuple[str, ...], float]
"""Standard deviations of the effects of each factor, and of each interaction of several."""

COMPONENTS: Components = {
    ("home",): 0.22,
    ("target",): 0.12,
    ("home", "target"): 0.49,
    ("home", "economy"): 0.12,
    ("target", "economy"): 0.13,
    ("home", "target", "seed"): 0.12,
    ("home", "target", "economy"): 0.21,
    ("target", "seed", "economy"): 0.06,
    ("target", "panel", "economy"): 0.06,
    ("home", "target", "seed", "economy"): 0.09,
}
"""Components of [Y_generalist - Y_specialist] / mean of [best reply - floor], as `measure_components` finds them in a
first study with four home rules, six targets, two seeds and eight economies.

They are rough, and those below .05 are left out. Pairs of a home and a target differ by far the most; seeds and panels
hardly differ.
"""
SCALES: Components = {
    ("target",): 0.41, ("target", "economy"): 0.25, ("panel", "economy"): 0.10, ("target", "panel", "economy"): 0.16,
}  # fmt: skip
"""Components of [best reply - floor] / its mean, from the same study."""

_MOST_CELLS = 20_000_000
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
    meet: np.ndarray | None = None,
    skewed: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate the numerator (H, G, S, P, E) and denominator (1, G, 1, P, E) of the primary contrast at effect 0.

    Where a home and a target do not meet by `meet`, (H, G) bool, the numerator is NaN.
    """
    scale = 1 + simulate(sizes, scales, rng, axes=("target", "panel", "economy"), skewed=skewed)
    gained = simulate(sizes, components, rng, skewed=skewed)
    if meet is not None:
        gained = np.where(meet[:, :, None, None, None], gained, np.nan)
    return gained, np.maximum(scale, 0.05)


def measure_components(numerator: np.ndarray, denominator: np.ndarray) -> dict[tuple[str, ...], float]:
    """Estimate components such as `COMPONENTS` from a pilot study.

    They are those of the numerator minus the ratio of means times the denominator, in units of the mean denominator.
    See `variance_components`.

    Args:
        numerator: array (H, G, S, P, E).
        denominator: array of the same shape or of length 1 along any axis, in the same unit.
    """
    return {
        chosen: found**0.5 for chosen, found in variance_components(Ratio(numerator, denominator).linearised()).items()
    }


def power_table(
    sizes: Sizes,
    effects: Sequence[float] = EFFECTS,
    components: Components = COMPONENTS,
    *,
    fixed: Sequence[str] = (),
    meet: np.ndarray | None = None,
    repetitions: int = 0,
    seed: int = 0,
) -> list[Power]:
    """Simulate the power of a study, which takes seconds; arms are assumed to be competent.

    One set of simulated studies serves all effects, since a true effect moves the estimate and both limits equally.

    Args:
        sizes: number of homes, targets, seeds, panels and economies.
        effects: true effects, on the scale from floor (0) to best reply (1).
        components: standard deviations of the effects of factors and interactions.
        fixed: factors whose levels are taken as they are, such as `statistics.RULES`.
        meet: which homes and targets meet, (H, G) bool; all if None.
        repetitions: number of simulated studies; with 0, 200, or fewer of a large study, so that it takes seconds.
        seed: seed of the simulation.

    Returns:
        The power at each effect, in the same order.
    """
    rng, repetitions = np.random.default_rng(seed), repetitions or min(200, max(_MOST_CELLS // prod(sizes), 20))
    found = [
        interval(Ratio(*simulate_contrast(sizes, rng, components, meet=meet)), sizes, fixed=fixed)
        for _ in range(repetitions)
    ]
    half_width = float(np.median([each.high - each.low for each in found])) / 2
    return [Power(sizes, effect, _shares(found, effect), half_width) for effect in effects]


def _shares(found: Sequence[Interval], effect: float) -> dict[str, float]:
    verdicts = [decide(_moved(each, effect)) for each in found]
    return {verdict: verdicts.count(verdict) / len(verdicts) for verdict in VERDICTS}


def _moved(found: Interval, effect: float) -> Interval:
    return Interval(found.estimate + effect, found.low + effect, found.high + effect, found.error, found.freedom)
