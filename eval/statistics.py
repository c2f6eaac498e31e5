"""Statistics: intervals over crossed factors, and the aggregates of Agarwal et al. (2021) with the same intervals.

Home rule, target rule, seed, panel and economy are crossed: every level of one meets every level of the others. So a
level is resampled whole, with all that it met, and all arms share the draw. A statistic is a function of the weights
of the levels; the counts of a bootstrap, the equal weights of the estimate and those of a jackknife go through the same
function. An array has five axes in the order of `FACTORS`, of length 1 where a factor does not enter; H, G, S, P and E
stand for their lengths.

An interval is estimate +- t * error, and t has the degrees of freedom of Satterthwaite (1946). So two seeds that matter
make a wide interval, and two that hardly matter do not.

For a ratio of sums, the squared error is the sum of the variance components of the linearised ratio, one for each
factor and each interaction, each counted once. It follows without bias from the mean squares of the crossed design
(Searle, Casella and McCulloch 1992, "Variance Components", chapter 4), and is at least what any one factor explains.

Homes and targets may meet in part, in balanced blocks: each home meets as many targets, and each target as many homes.
What was not measured is NaN in an array, and means are over what was. The components then follow from the sums of
squares of homes, of targets and of pairs, whose expectations are known (Henderson 1953, method 1).

For any other statistic, the error is the standard deviation of a bootstrap of the levels, and each factor contributes
the variance that a jackknife over its levels finds. Resampling crossed factors counts interactions more than once,
which errs on the wide side; no bootstrap gets all of them right (McCullagh 2000, "Resampling and exchangeable arrays",
Bernoulli 6; Owen & Eckles 2012, "Bootstrapping data arrays of arbitrary order", Annals of Applied Statistics 6).
`bench/interval_coverage.py` measures how often these intervals, and those that were rejected, contain the truth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import combinations
from math import lcm, prod
from typing import Any

import numpy as np
from scipy import stats

FACTORS = ("home", "target", "seed", "panel", "economy")
"""The crossed factors, in the order of the axes H, G, S, P, E."""
RULES = ("home", "target")
"""The factors whose levels are rules. With them fixed, an interval speaks of the rules of the study and no others."""
LEVEL = 0.95
"""Coverage of an interval unless another one is asked for, 0 .. 1."""
_CHUNK = 256

Sizes = tuple[int, int, int, int, int]
"""Number of levels of each factor."""
Weights = Sequence[np.ndarray]
"""One array (B, levels) per factor; each of its B rows of weights sums to 1."""
Statistic = Callable[[Weights], np.ndarray]
"""A function from B rows of weights to values (B, ...)."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval."""

    estimate: float
    """The estimate, in the unit of the statistic, like both limits and the error."""
    low: float
    """Lower limit."""
    high: float
    """Upper limit."""
    error: float
    """Standard error of the estimate."""
    freedom: float
    """Degrees of freedom of the standard error."""
    variances: dict[str, float] = field(default_factory=dict)
    """Contribution to the squared error of each factor that varies, by name; with its interactions, where it was
    bootstrapped."""
    fixed: tuple[str, ...] = ()
    """Factors that have one level only; the interval says nothing about other levels of these."""

    def __str__(self) -> str:
        only = f", for this {' and '.join(self.fixed)} only" if self.fixed else ""
        return f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f}{only})"


def mean(array: np.ndarray, weights: Weights) -> np.ndarray:
    """Weighted means (B,) of an array (H, G, S, P, E), any axis of which may be 1, under B rows of weights.

    They are over what was measured: NaN marks what was not.
    """
    left = partial_mean(array, weights, FACTORS)
    return left.reshape(len(left))


def partial_mean(array: np.ndarray, weights: Weights, over: Sequence[str]) -> np.ndarray:
    """Weighted means over the named factors, under B rows of weights: (B, H, G, S, P, E), with 1 where averaged.

    They are over what was measured, and NaN where nothing was.
    """
    missing = np.isnan(array)
    if not missing.any():
        return _weighted_sum(array, weights, over)
    return over_measured(
        _weighted_sum(np.where(missing, 0.0, array), weights, over), _weighted_sum(~missing, weights, over)
    )


def over_measured(sums: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Sums over the weight of what was measured, NaN where that is 0: no home of a draw may meet a target of it."""
    with np.errstate(invalid="ignore"):
        return sums / measured


def _weighted_sum(array: np.ndarray, weights: Weights, over: Sequence[str]) -> np.ndarray:
    result = array[None]
    for axis in reversed(range(len(FACTORS))):
        if FACTORS[axis] in over and array.shape[axis] > 1:
            moved = np.moveaxis(result, axis + 1, -1)
            result = np.expand_dims(_contract(moved, weights[axis]), axis + 1)
    return np.broadcast_to(result, (len(weights[0]), *result.shape[1:]))


def _contract(moved: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted sum over the last axis. Not by BLAS: its threads would change the last bits and compete for cores."""
    if len(moved) > 1:
        return np.einsum("b...n,bn->b...", moved, weights)
    return np.einsum("...n,bn->b...", moved[0], weights)


@dataclass(frozen=True)
class Ratio:
    """Ratio (B,) of the weighted sums of two arrays (H, G, S, P, E); an axis of length 1 counts for every level.

    Where the numerator is NaN, nothing was measured, and the denominator does not count either.
    """

    numerator: np.ndarray
    denominator: np.ndarray

    def __call__(self, weights: Weights) -> np.ndarray:
        return mean(self.numerator, weights) / mean(self._measured_denominator(), weights)

    def partial(self, weights: Weights, over: Sequence[str]) -> np.ndarray:
        """The ratio of sums over the named factors: (B, H, G, S, P, E), with 1 where summed."""
        return partial_mean(self.numerator, weights, over) / partial_mean(self._measured_denominator(), weights, over)

    def linearised(self) -> np.ndarray:
        """How far each cell moves the ratio, (H, G, S, P, E) of mean 0: the ratio is linear in them to first order."""
        denominator = self._measured_denominator()
        unit = np.nanmean(denominator)
        return (self.numerator - np.nanmean(self.numerator) / unit * denominator) / unit

    def _measured_denominator(self) -> np.ndarray:
        missing = np.isnan(self.numerator)
        return np.where(missing, np.nan, self.denominator) if missing.any() else self.denominator


@dataclass(frozen=True)
class Combination:
    """Sum (B,) of ratios, each with a factor."""

    factors: tuple[float, ...]
    ratios: tuple[Ratio, ...]

    def __call__(self, weights: Weights) -> np.ndarray:
        return reduce(np.add, (factor * each(weights) for factor, each in zip(self.factors, self.ratios, strict=True)))

    def __sub__(self, other: "Combination") -> "Combination":
        return Combination((*self.factors, *(-each for each in other.factors)), (*self.ratios, *other.ratios))

    def linearised(self) -> np.ndarray:
        """How far each cell moves the sum, as in `Ratio.linearised`."""
        parts = (factor * each.linearised() for factor, each in zip(self.factors, self.ratios, strict=True))
        return reduce(np.add, parts)


@dataclass(frozen=True)
class Component:
    """The effects of a factor or interaction of a crossed array: how they vary, and how many there are."""

    variance: float
    """Unbiased estimate of the variance of the effects; it may be negative."""
    levels: int
    """Number of effects that the mean of the array averages."""
    freedom: int
    """Degrees of freedom of the effects' mean square."""

    @property
    def share(self) -> float:
        """What the effects contribute to the squared error of the mean."""
        return self.variance / self.levels


def variance_components(array: np.ndarray) -> dict[tuple[str, ...], float]:
    """Variance of the effects of each factor and interaction of an array (H, G, S, P, E), by factors.

    See `components`. It is 0 where the estimate is negative. Factors of one level have none.
    """
    return {chosen: max(found.variance, 0.0) for chosen, found in components(array).items()}


def components(array: np.ndarray) -> dict[tuple[str, ...], Component]:
    """The effects of each factor and interaction of an array (H, G, S, P, E) in which all factors are random.

    Their variances follow from sums of squares and the expectations of these (Searle, Casella and McCulloch 1992,
    "Variance Components", chapter 4). Homes and targets may meet in part, in balanced blocks; NaN marks other pairs.
    """
    levels = {name: size for name, size in zip(FACTORS, array.shape, strict=True) if size > 1}
    rest = [name for name in levels if name not in RULES]
    stacked: dict[tuple[str, ...], Component] = {}
    for chosen in _subsets(rest):
        freedom, repeats = prod(levels[name] - 1 for name in chosen), prod(levels[name] for name in chosen)
        for rules, each in _rule_components(_effects(array, chosen), freedom).items():
            if rules or chosen:
                stacked[*rules, *chosen] = Component(each.variance, each.levels * repeats, each.freedom * freedom)
    found = {}
    for key in sorted(stacked, key=lambda each: (len(each), [FACTORS.index(name) for name in each])):
        free = [name for name in rest if name not in key]
        # An effect that is averaged over the other factors holds a part of its interactions with them.
        variance = sum(
            (-1) ** len(more) * stacked[_ordered((*key, *more))].variance / prod(levels[name] for name in more)
            for more in _subsets(free)
        )
        found[key] = replace(stacked[key], variance=variance)
    return found


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [chosen for count in range(len(names) + 1) for chosen in combinations(names, count)]


def _ordered(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in FACTORS if name in names)


def _effects(array: np.ndarray, chosen: Sequence[str]) -> np.ndarray:
    """Effects of factors other than rules, for each pair of home and target: (H, G, n), NaN where none was measured."""
    others = tuple(axis for axis, name in enumerate(FACTORS) if name not in (*RULES, *chosen))
    effect = array.mean(axis=others, keepdims=True)
    for axis, name in enumerate(FACTORS):
        if name in chosen:
            effect = effect - effect.mean(axis=axis, keepdims=True)
    return effect.reshape(*array.shape[:2], -1)


def _rule_components(effects: np.ndarray, freedom: int) -> dict[tuple[str, ...], Component]:
    """The components of homes, of targets, of pairs and of what all of them share, for one effect of other factors.

    Args:
        effects: effects (H, G, n) of other factors within each pair, NaN where home and target do not meet.
        freedom: degrees of freedom of the n effects.
    """
    met = ~np.isnan(effects[:, :, 0])
    homes, targets = met.shape
    pairs = int(met.sum())
    per_home, per_target = pairs / homes, pairs / targets
    held = np.where(met[:, :, None], effects, 0.0)
    sums = [
        pairs * ((held.sum((0, 1)) / pairs) ** 2).sum(),
        per_home * ((held.sum(1) / per_home) ** 2).sum(),
        per_target * ((held.sum(0) / per_target) ** 2).sum(),
        (held**2).sum(),
    ]  # fmt: skip
    expected = [
        [pairs, per_home, per_target, 1],
        [pairs, pairs, homes, homes],
        [pairs, targets, pairs, targets],
        [pairs, pairs, pairs, pairs],
    ]  # fmt: skip
    names: list[tuple[str, ...]] = [(), ("home",), ("target",), RULES]
    counts = [(1, 1), (homes, homes - 1), (targets, targets - 1), (pairs, pairs - homes - targets + 1)]
    varied = [index for index, name in enumerate(names) if all(met.shape[RULES.index(each)] > 1 for each in name)]
    matrix, squares = np.array(expected, np.float64)[np.ix_(varied, varied)], np.array(sums, np.float64)[varied]
    variances = np.linalg.solve(matrix, squares / freedom)
    return {names[n]: Component(float(value), *counts[n]) for n, value in zip(varied, variances, strict=True)}


def balanced_blocks(homes: int, targets: int, block: int) -> np.ndarray:
    """Which homes meet which targets, (H, G) bool, if each home meets `block` targets.

    The first home meets the first of them, the second the next and so on, around and around; where a round would
    repeat the blocks of the one before, it begins one target later. So all targets are met by as many homes, if
    `homes * block` is a multiple of `targets`.

    >>> balanced_blocks(4, 4, 2).astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1]]
    """
    first = np.arange(homes) * block
    first += first // lcm(block, targets)
    return (np.arange(targets) - first[:, None]) % targets < block


def equal(sizes: Sizes) -> list[np.ndarray]:
    """The weights of the estimate: one row per factor, in which all levels weigh the same."""
    return [np.full((1, size), 1 / size) for size in sizes]


def leave_out(sizes: Sizes, factor: int) -> list[np.ndarray]:
    """The weights of a jackknife over one factor, given by its axis: one row per level, which leaves that level out."""
    size = sizes[factor]
    rows = [np.repeat(row, size, axis=0) for row in equal(sizes)]
    rows[factor] = (1 - np.eye(size)) / (size - 1)
    return rows


def resample(sizes: Sizes, count: int, rng: np.random.Generator, factors: Sequence[str] = FACTORS) -> list[np.ndarray]:
    """The weights of a bootstrap, in `count` rows: n - 1 of the n levels of each named factor, with replacement.

    Drawing n - 1 instead of n makes the variance of a mean unbiased, which matters with two or three levels (Rao & Wu
    1988, "Resampling inference with complex survey data", JASA 83). A factor of one level stays as it is.
    """
    rows = [np.repeat(row, count, axis=0) for row in equal(sizes)]
    for axis, size in enumerate(sizes):
        if FACTORS[axis] in factors and size > 1:
            rows[axis] = rng.multinomial(size - 1, np.full(size, 1 / size), size=count) / (size - 1)
    return rows


def bootstrap(statistic: Statistic, sizes: Sizes, count: int = 2_000, seed: int = 0) -> np.ndarray:
    """Values (count, ...) of a statistic with all factors resampled; memory stays bounded whatever the count.

    Draws in which no home meets a target are left out.
    """
    rng = np.random.default_rng(seed)
    chunks = [min(_CHUNK, count - start) for start in range(0, count, _CHUNK)]
    values = np.concatenate([statistic(resample(sizes, each, rng)) for each in chunks])
    return values[~np.isnan(_columns(values)).any(axis=1)]


def intervals(
    statistic: Statistic,
    sizes: Sizes,
    *,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    count: int = 2_000,
    seed: int = 0,
) -> list[Interval]:
    """Return the n values of a statistic, each with its interval over all factors that have more than one level.

    Args:
        statistic: function from B rows of weights to (B,) or (B, n).
        sizes: number of levels of each factor.
        level: nominal coverage, 0 .. 1.
        bounds: limits that the values cannot leave, such as 0 and 1 for a share.
        count: number of bootstrap draws.
        seed: seed of the draws.
    """
    varied = {axis: size - 1 for axis, size in enumerate(sizes) if size > 1}
    fixed = tuple(FACTORS[axis] for axis in range(len(FACTORS)) if axis not in varied)
    estimates = _columns(statistic(equal(sizes)))[0]
    shares = {axis: _jackknife(_columns(statistic(leave_out(sizes, axis)))) for axis in varied}
    squared = np.var(_columns(bootstrap(statistic, sizes, count, seed)), axis=0, ddof=1) if varied else 0 * estimates
    found = []
    for each, estimate in enumerate(estimates):
        parts = {axis: float(share[each]) for axis, share in shares.items()}
        error, freedom = float(squared[each]) ** 0.5, _freedom(float(squared[each]), parts, varied)
        margin = float(stats.t.ppf((1 + level) / 2, freedom)) * error if varied else np.inf
        low, high = np.clip([estimate - margin, estimate + margin], *bounds)
        named = {FACTORS[axis]: part for axis, part in parts.items()}
        found.append(Interval(float(estimate), float(low), float(high), error, freedom, named, fixed))
    return found


def interval(
    statistic: Statistic, sizes: Sizes, *, fixed: Sequence[str] = (), level: float = LEVEL, **settings: Any
) -> Interval:
    """The value of a statistic that has only one, with its interval.

    Args:
        statistic: function from B rows of weights to (B,); a `Ratio` or `Combination` is not bootstrapped.
        sizes: number of levels of each factor.
        fixed: factors, by name, whose levels are taken as they are: the interval is for these and no others. Only a
            `Ratio` or `Combination` can have some.
        level: nominal coverage, 0 .. 1.
        settings: as of `intervals`, for what is bootstrapped.
    """
    if isinstance(statistic, Ratio | Combination):
        return _ratio_interval(statistic, sizes, fixed, level)
    assert not fixed
    return intervals(statistic, sizes, level=level, **settings)[0]


def _ratio_interval(statistic: Ratio | Combination, sizes: Sizes, fixed: Sequence[str], level: float) -> Interval:
    estimate = float(statistic(equal(sizes))[0])
    over = tuple(axis for axis, name in enumerate(FACTORS) if name in fixed)
    array = np.broadcast_to(statistic.linearised(), sizes)
    if over:
        array = np.nanmean(array, axis=over, keepdims=True)
    levels = {name: size for name, size in zip(FACTORS, array.shape, strict=True) if size > 1}
    single = tuple(name for name in FACTORS if name not in levels)
    found = components(array)
    # What a factor explains alone, with all its interactions: its mean square over the number of cells.
    explained = {name: sum(each.share for chosen, each in found.items() if name in chosen) for name in levels}
    squared = max([sum(each.share for each in found.values()), *explained.values()], default=0.0)
    shares = {chosen: max(each.share, 0.0) for chosen, each in found.items()}
    # Two levels agree by chance too often: they count with all that their mean square holds beyond noise.
    noise = found[tuple(levels)].share if levels else 0.0
    pairs = {name: max(explained[name] - noise, 0.0) for name in levels if levels[name] == 2}
    spread = sum(share**2 / max(found[chosen].freedom, 1) for chosen, share in shares.items())
    spread += sum(share**2 - shares[name,] ** 2 for name, share in pairs.items())
    least, most = min((size - 1 for size in levels.values()), default=0), sum(size - 1 for size in levels.values())
    degrees = float(np.clip(squared**2 / spread, least, most)) if spread > 0 else float(least)
    margin = float(stats.t.ppf((1 + level) / 2, degrees)) * squared**0.5 if levels else np.inf
    own = {name: shares[name,] for name in levels}
    return Interval(estimate, estimate - margin, estimate + margin, squared**0.5, degrees, own, single)


def _columns(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _jackknife(values: np.ndarray) -> np.ndarray:
    """Jackknife variances (n,) from values (levels, n), in each row of which one level is left out."""
    return (len(values) - 1) * np.var(values, axis=0)


def _freedom(squared: float, parts: dict[int, float], varied: dict[int, int]) -> float:
    """Degrees of freedom (Satterthwaite 1946), at least those of the scarcest factor and at most those of all."""
    least, most = min(varied.values(), default=0), sum(varied.values())
    if max(parts.values(), default=0.0) == 0:
        return float(least)
    freedom = squared**2 / sum(part**2 / varied[axis] for axis, part in parts.items())
    return float(np.clip(freedom, least, most))


def scores(returns: np.ndarray, floor: np.ndarray, best_reply: np.ndarray) -> Statistic:
    """Scores (B, H, G, S) of each run (home, seed) on each task (home, target): 0 at the floor, 1 at the best reply.

    The score of a run is a ratio of sums over panels and economies, just as in rliable it is a mean over episodes.

    Args:
        returns, floor, best_reply: arrays (H, G, S, P, E), any axis of which may be 1.
    """

    def score(weights: Weights) -> np.ndarray:
        over = ("panel", "economy")
        found = partial_mean(returns - floor, weights, over) / partial_mean(best_reply - floor, weights, over)
        sizes = tuple(weights[axis].shape[1] for axis in range(3))
        return np.broadcast_to(found[..., 0, 0], (len(found), *sizes))

    return score


def interquartile_mean(of: Statistic) -> Statistic:
    """Mean of the middle half of the scores (B, H, G, S) of all runs on all tasks together (Agarwal et al. 2021)."""

    def statistic(weights: Weights) -> np.ndarray:
        values, joint = _runs(of(weights), weights)
        flat, mass = _columns(values), _columns(joint)
        order = np.argsort(flat, axis=1, kind="stable")
        flat, mass = np.take_along_axis(flat, order, 1), np.take_along_axis(mass, order, 1)
        ends = np.cumsum(mass, axis=1)
        middle = np.clip(ends, 0.25, 0.75) - np.clip(ends - mass, 0.25, 0.75)
        return (middle * flat).sum(axis=1) / middle.sum(axis=1)

    return statistic


def optimality_gap(of: Statistic) -> Statistic:
    """How far the scores (B, H, G, S) fall short of 1, of all runs on all tasks (Agarwal et al. 2021); above 1 is 1."""

    def statistic(weights: Weights) -> np.ndarray:
        values, joint = _runs(of(weights), weights)
        gap: np.ndarray = (joint * np.maximum(1 - values, 0.0)).sum(axis=(1, 2, 3))
        return gap

    return statistic


def worst_tenth(score: Ratio, share: float = 0.1) -> Statistic:
    """Mean score under the worst tenth of targets, by their scores over all else: the expected shortfall of rules.

    A target that is a larger part than that of the sample counts as a tenth of it.

    Args:
        score: the score, a ratio of sums.
        share: another share than a tenth, above 0 and up to 1.
    """

    def statistic(weights: Weights) -> np.ndarray:
        over = [name for name in FACTORS if name != "target"]
        values = np.broadcast_to(_columns(score.partial(weights, over)), weights[1].shape)
        measured = ~np.isnan(values)
        values, mass = np.where(measured, values, 0.0), np.where(measured, weights[1], 0.0)
        order = np.argsort(np.where(measured, values, np.inf), axis=1, kind="stable")
        values, mass = np.take_along_axis(values, order, 1), np.take_along_axis(mass, order, 1)
        ends = over_measured(np.cumsum(mass, axis=1), mass.sum(axis=1, keepdims=True))
        worst = np.diff(np.minimum(ends, share), axis=1, prepend=0.0)
        tail: np.ndarray = (worst * values).sum(axis=1) / share
        return tail

    return statistic


def probability_of_improvement(of: Statistic, over: Statistic) -> Statistic:
    """Probability that a run of one arm scores above a run of another, averaged over tasks (Agarwal et al. 2021).

    Ties count as half.
    """

    def statistic(weights: Weights) -> np.ndarray:
        ours, theirs = of(weights)[..., :, None], over(weights)[..., None, :]
        wins = np.stack([(ours > theirs) + 0.5 * (ours == theirs), ~np.isnan(ours + theirs)])
        home, target, seed = weights[:3]
        won, met = np.einsum("cbhgij,bh,bg,bi,bj->cb", wins, home, target, seed, seed, optimize=True)
        return over_measured(won, met)

    return statistic


def performance_profile(of: Statistic, thresholds: np.ndarray) -> Statistic:
    """Share of the scores above each threshold, (B, thresholds), 0 .. 1 (Agarwal et al. 2021)."""

    def statistic(weights: Weights) -> np.ndarray:
        values, joint = _runs(of(weights), weights)
        return np.stack([(joint * (values > each)).sum(axis=(1, 2, 3)) for each in thresholds], axis=1)

    return statistic


def _runs(values: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Scores (B, H, G, S) and their joint weights, which sum to 1 in each draw and are 0 where nothing was measured."""
    joint, missing = np.broadcast_to(np.einsum("bh,bg,bs->bhgs", *weights[:3]), values.shape), np.isnan(values)
    if not missing.any():
        return values, joint
    held = np.where(missing, 0.0, joint)
    return np.where(missing, 0.0, values), over_measured(held, held.sum(axis=(1, 2, 3), keepdims=True))
