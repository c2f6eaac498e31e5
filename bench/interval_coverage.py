"""How often intervals contain the truth, on simulated studies with known effects, crossed or in blocks.

Rows are kinds of studies: which factors make the results differ, and whether their effects are normal or skewed
(exponential). Columns are methods to make an interval; the first is the one that the suite uses. A method should
contain the truth in at least 93 % of studies. The median half-width stands in brackets.
"""

import argparse
from collections import defaultdict

import numpy as np
from scipy.stats import norm, t

from ruleshift.eval.experiment.power import COMPONENTS, SCALES, Components, simulate_contrast
from ruleshift.eval.statistics import (
    FACTORS,
    Ratio,
    Sizes,
    Statistic,
    balanced_blocks,
    bootstrap,
    equal,
    interval,
    intervals,
    leave_out,
    resample,
)

DESIGNS: dict[str, tuple[Sizes, int]] = {
    "quick": ((3, 6, 2, 2, 8), 6), "standard": ((5, 8, 2, 2, 16), 8), "blocks": ((8, 8, 4, 2, 8), 4),
}  # fmt: skip
"""Numbers of homes, targets, seeds, panels and economies, and how many of the targets each home meets."""
PAIRS = [(a, b) for index, a in enumerate(FACTORS) for b in FACTORS[index + 1 :]]
STUDIES: dict[str, Components] = {
    "as in a first study": COMPONENTS,
    "rules differ most": {
        ("target",): 0.2, ("home",): 0.05, ("home", "target"): 0.2, ("seed",): 0.05, ("home", "seed"): 0.05,
        ("target", "seed"): 0.1, ("panel",): 0.02, ("target", "panel"): 0.05, ("economy",): 0.05,
        ("target", "economy"): 0.1, FACTORS: 0.2,
    },
    "seeds matter most": {
        ("seed",): 0.15, ("home", "seed"): 0.1, ("target", "seed"): 0.1, ("target",): 0.05, FACTORS: 0.2,
    },
    "each factor alike": {**{(name,): 0.1 for name in FACTORS}, FACTORS: 0.1},
    "each pair alike": {**dict.fromkeys(PAIRS, 0.1), FACTORS: 0.1},
    "seeds and panels only": {("seed",): 0.1, ("panel",): 0.1, FACTORS: 0.2},
    "noise only": {FACTORS: 0.5},
}  # fmt: skip
EVEN: Components = {("target",): 0.3, ("economy",): 0.2, ("target", "economy"): 0.1, ("panel",): 0.05}
"""Components of the scale in all studies but the first."""
DRAWS = 500
Limits = tuple[float, float]


def ways(statistic: Statistic, sizes: Sizes, ours_only: bool) -> dict[str, Limits]:
    """Return the limits that each method gives."""
    used = interval(statistic, sizes)
    if ours_only:
        return {"ours": (used.low, used.high)}
    draws = bootstrap(statistic, sizes, DRAWS)
    estimate, error = float(statistic(equal(sizes))[0]), float(draws.std(ddof=1))
    before = intervals(statistic, sizes, count=DRAWS)[0]
    margin, seeds = norm.ppf(0.975) * error, seeds_only(statistic, sizes)
    return {
        "ours": (used.low, used.high),
        "bootstrap t": (before.low, before.high),
        "normal": (estimate - margin, estimate + margin),
        "percentile": limits(draws, 0.025, 0.975),
        "BCa": accelerated(statistic, sizes, draws, estimate),
        "jackknife": jackknifed(estimate, sizes, before.variances),
        "seeds only": seeds,
    }


def limits(draws: np.ndarray, low: float, high: float) -> Limits:
    """Return two quantiles of the draws."""
    found = np.quantile(draws, [low, high])
    return float(found[0]), float(found[1])


def accelerated(statistic: Statistic, sizes: Sizes, draws: np.ndarray, estimate: float) -> Limits:
    """Bias-corrected and accelerated percentiles (Efron 1987), with acceleration from the levels of all factors."""
    left_out = [statistic(leave_out(sizes, axis)) for axis, size in enumerate(sizes) if size > 1]
    influence = np.concatenate([(len(each) - 1) / len(each) * (each.mean() - each) for each in left_out])
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    bias = norm.ppf(np.clip((draws < estimate).mean(), 1 / DRAWS, 1 - 1 / DRAWS))
    ends = bias + norm.ppf([0.025, 0.975])
    low, high = norm.cdf(bias + ends / (1 - acceleration * ends))
    return limits(draws, low, high)


def jackknifed(estimate: float, sizes: Sizes, variances: dict[str, float]) -> Limits:
    """The same as the suite's intervals, but with an error from the jackknife contributions of the factors alone."""
    total = sum(variances.values())
    levels = dict(zip(FACTORS, sizes, strict=True))
    freedom = total**2 / sum(each**2 / (levels[name] - 1) for name, each in variances.items())
    margin = t.ppf(0.975, freedom) * total**0.5
    return estimate - margin, estimate + margin


def seeds_only(statistic: Statistic, sizes: Sizes) -> Limits:
    """The usual practice: percentiles with only the training seeds resampled, n of n."""
    rng = np.random.default_rng(0)
    rows = resample(sizes, DRAWS, rng, ())
    seeds = sizes[2]
    rows[2] = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=DRAWS) / seeds
    return limits(statistic(rows), 0.025, 0.975)


def measure(design: str, components: Components, skewed: bool, repetitions: int, ours_only: bool) -> dict[str, Limits]:
    """By method, the share of simulated studies whose interval contains the truth, and the median half-width."""
    (sizes, block), seed = DESIGNS[design], 0
    meet = balanced_blocks(sizes[0], sizes[1], block)
    rng, scales = np.random.default_rng(seed), SCALES if components is COMPONENTS else EVEN
    held, widths = defaultdict(list), defaultdict(list)
    for _ in range(repetitions):
        contrast = simulate_contrast(sizes, rng, components, scales=scales, meet=meet, skewed=skewed)
        for name, (low, high) in ways(Ratio(*contrast), sizes, ours_only).items():
            held[name].append(low <= 0 <= high)
            widths[name].append((high - low) / 2)
    return {name: (float(np.mean(held[name])), float(np.median(widths[name]))) for name in held}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    parser.add_argument(
        "--ours-only", action="store_true", help="leave out the other methods, which take most of the time"
    )
    parser.add_argument("--repetitions", type=int, default=1_000, help="simulated studies per row")
    given = parser.parse_args()
    error = 100 * (0.95 * 0.05 / given.repetitions) ** 0.5
    print(f"share of intervals that contain the truth, % (Monte Carlo error {error:.1f} at 95 %), median half-width")
    for design in given.designs:
        sizes, block = DESIGNS[design]
        print(f"\n{design}: homes, targets, seeds, panels, economies = {sizes}, {block} targets per home")
        for name, components in STUDIES.items():
            for skewed in (False, True):
                found = measure(design, components, skewed, given.repetitions, given.ours_only)
                cells = "  ".join(f"{way} {100 * share:5.1f} ({width:.3f})" for way, (share, width) in found.items())
                print(f"  {name:<24}{'skewed' if skewed else 'normal':<8}{cells}", flush=True)


if __name__ == "__main__":
    main()
