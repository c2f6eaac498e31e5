"""Intervals cover the truth as often as they claim, whichever factors matter; aggregates are those of Agarwal et al."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, trim_mean

from ruleshift.eval.experiment.power import (
    EFFECTS,
    Components,
    measure_components,
    power_table,
    simulate,
    simulate_contrast,
)
from ruleshift.eval.statistics import (
    FACTORS,
    RULES,
    Ratio,
    Statistic,
    bootstrap,
    components,
    equal,
    interquartile_mean,
    interval,
    intervals,
    mean,
    partial_mean,
    performance_profile,
    probability_of_improvement,
    resample,
    scores,
)

SMALL = (3, 4, 2, 2, 4)
ONE = np.ones((1, 1, 1, 1, 1))
sizes = st.tuples(*(st.integers(1, 4) for _ in FACTORS))


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def value(statistic: Statistic, shape: tuple[int, int, int, int, int]) -> float:
    return float(statistic(equal(shape))[0])


def test_bootstrap__is_that_of_repeated_levels() -> None:
    array = numbers(SMALL)
    rows = resample(SMALL, 5, np.random.default_rng(1))
    found = mean(array, rows)
    for draw in range(5):
        counts = [
            np.rint(weights[draw] * max(size - 1, 1)).astype(int) for weights, size in zip(rows, SMALL, strict=True)
        ]
        levels = np.ix_(*(np.repeat(np.arange(len(each)), each) for each in counts))
        assert found[draw] == pytest.approx(array[levels].mean())


def test_bootstrap__all_arms_share_the_draw() -> None:
    array = numbers(SMALL)
    apart = Ratio(array + 5.0 - array, ONE)
    assert np.ptp(bootstrap(apart, SMALL, 50)) < 1e-12


def test_bootstrap__holds_few_draws_at_a_time_however_many_there_are() -> None:
    held: list[int] = []
    of = Ratio(numbers(SMALL), ONE)

    def watched(weights: Any) -> Any:
        held.append(len(weights[0]))
        return of(weights)

    found = bootstrap(watched, SMALL, 1_000)
    assert max(held) <= 256
    assert len(found) == sum(held) == 1_000
    assert len(np.unique(found.round(9))) > 500


@given(sizes, st.integers(0, 2**32 - 1))
def test_partial_mean__weighs_as_a_plain_loop_does(shape: tuple[int, int, int, int, int], seed: int) -> None:
    array = numbers(shape, seed)
    weights = resample(shape, 3, np.random.default_rng(seed))
    expected = np.einsum("hgspe,bp,be->bhgs", array, weights[3], weights[4])
    assert np.allclose(partial_mean(array, weights, ("panel", "economy"))[..., 0, 0], expected)


def test_interval__of_one_varying_factor_is_students() -> None:
    shape = (1, 1, 6, 1, 1)
    values = numbers(shape)
    found = interval(Ratio(values, ONE), shape, count=20_000)
    expected = t.interval(0.95, 5, values.mean(), values.std(ddof=1) / 6**0.5)
    assert (found.low, found.high) == pytest.approx(expected, rel=0.05, abs=0.03)
    assert found.freedom == pytest.approx(5, rel=0.05)
    assert found.variances == pytest.approx({"seed": values.var(ddof=1) / 6})


def test_interval__with_two_seeds_that_differ_has_one_degree_of_freedom() -> None:
    shape = (3, 4, 2, 2, 8)
    by_seed = simulate(shape, {("seed",): 1.0}, np.random.default_rng(0))
    found = interval(Ratio(by_seed, ONE), shape)
    assert found.freedom == pytest.approx(1, abs=0.1)
    assert found.high - found.low > 20 * found.error


def test_interval__counts_each_interaction_once() -> None:
    """The truth is known by simulation: an interaction of all five factors weighs one cell among all cells."""
    shape, rng = (3, 4, 3, 3, 4), np.random.default_rng(0)
    arrays = [simulate(shape, {FACTORS: 1.0, ("home", "target"): 0.5}, rng) for _ in range(40)]
    truth = 1.0 / np.prod(shape) + 0.25 / (3 * 4)
    ours = np.mean([interval(Ratio(array, ONE), shape).error ** 2 for array in arrays])
    resampled = np.mean([intervals(Ratio(array, ONE), shape, count=200)[0].error ** 2 for array in arrays])
    assert truth < ours < 1.8 * truth  # it is unbiased but for its lower bound
    assert resampled > 1.5 * ours


def test_interval__under_these_rules_asks_nothing_of_other_rules() -> None:
    """Where only rules differ, the answer for these rules is known exactly, and that for others is not."""
    shape = (3, 4, 2, 2, 4)
    array = simulate(shape, {("home", "target"): 0.5}, np.random.default_rng(1))
    here, others = interval(Ratio(array, ONE), shape, fixed=RULES), interval(Ratio(array, ONE), shape)
    assert here.fixed == RULES
    assert here.high - here.low < 1e-9 < others.high - others.low
    assert here.estimate == others.estimate == pytest.approx(array.mean())


def test_interval__says_which_factors_it_does_not_speak_of() -> None:
    shape = (3, 4, 1, 2, 1)
    found = interval(Ratio(numbers(shape), ONE), shape)
    assert found.fixed == ("seed", "economy")
    assert "for this seed and economy only" in str(found)


def test_interval__of_a_single_number_holds_everything() -> None:
    found = interval(Ratio(ONE, ONE), (1, 1, 1, 1, 1))
    assert (found.low, found.high) == (-np.inf, np.inf)


@given(st.floats(-5, 5), st.floats(0.01, 100))
def test_interval__moves_and_stretches_with_the_numbers(shift: float, factor: float) -> None:
    array = numbers(SMALL)
    plain = interval(Ratio(array, ONE), SMALL, count=100)
    moved = interval(Ratio(factor * (array + shift), ONE), SMALL, count=100)
    assert moved.low == pytest.approx(factor * (plain.low + shift), abs=1e-6 * factor)
    assert moved.high == pytest.approx(factor * (plain.high + shift), abs=1e-6 * factor)


@given(st.integers(0, 2**32 - 1))
def test_interval__does_not_depend_on_the_order_of_levels(seed: int) -> None:
    array, rng = numbers(SMALL), np.random.default_rng(seed)
    shuffled = array[np.ix_(*(rng.permutation(size) for size in SMALL))]
    plain, other = (interval(Ratio(each, ONE), SMALL) for each in (array, shuffled))
    assert other.estimate == pytest.approx(plain.estimate)
    assert other.variances == pytest.approx(plain.variances)
    assert other.high - other.low == pytest.approx(plain.high - plain.low, rel=0.25)


def coverage(way: Callable[..., Any], repetitions: int) -> float:
    rng = np.random.default_rng(0)
    components: Components = {("seed",): 0.1, ("target",): 0.2, ("home", "target"): 0.1, FACTORS: 0.2}
    held = []
    for _ in range(repetitions):
        low, high = way(Ratio(*simulate_contrast(SMALL, rng, components)))
        held.append(low <= 0 <= high)
    return float(np.mean(held))


def used(statistic: Statistic) -> tuple[float, float]:
    found = interval(statistic, SMALL, count=200)
    return found.low, found.high


def seeds_only(statistic: Statistic) -> tuple[float, float]:
    draws = statistic(resample(SMALL, 200, np.random.default_rng(0), ("seed",)))
    return float(draws.min()), float(draws.max())


def test_interval__holds_the_truth_as_often_as_it_says() -> None:
    assert coverage(used, 400) >= 0.95 - 3 * (0.95 * 0.05 / 400) ** 0.5


def test_interval__over_seeds_alone_would_be_spuriously_tight() -> None:
    assert coverage(seeds_only, 400) < 0.6


def test_interval__is_no_wider_than_it_has_to_be() -> None:
    rng, shape = np.random.default_rng(3), (8, 8, 8, 8, 8)
    components: Components = dict.fromkeys([(name,) for name in FACTORS], 0.1)
    estimates, widths = [], []
    for _ in range(200):
        found = interval(Ratio(simulate(shape, components, rng), ONE), shape, count=200)
        estimates.append(found.estimate)
        widths.append(found.high - found.low)
    assert np.mean(widths) == pytest.approx(2 * t.ppf(0.975, 35) * np.std(estimates), rel=0.15)


def cells(shape: tuple[int, int, int], seed: int = 0) -> tuple[Statistic, np.ndarray]:
    """Scores of runs that are the same in all panels and economies, and the scores themselves."""
    found = numbers(shape, seed)
    full = np.broadcast_to(found[..., None, None], (*shape, 2, 4))
    return scores(full, np.zeros((1, shape[1], 1, 2, 4)), np.ones((1, shape[1], 1, 2, 4))), found


def test_scores__are_ratios_of_sums() -> None:
    returns, floor, best = numbers((3, 4, 2, 2, 4)), numbers((1, 4, 1, 2, 4), 1), 3 + numbers((1, 4, 1, 2, 4), 2)
    found = scores(returns, floor, best)(equal((3, 4, 2, 2, 4)))[0]
    assert found[2, 1, 0] == pytest.approx((returns - floor)[2, 1, 0].sum() / (best - floor)[0, 1, 0].sum())


def test_interquartile_mean__is_the_mean_trimmed_by_a_quarter() -> None:
    of, found = cells((2, 3, 4))
    assert value(interquartile_mean(of), (2, 3, 4, 2, 4)) == pytest.approx(trim_mean(found.ravel(), 0.25))


def test_interquartile_mean__in_a_bootstrap_is_that_of_the_repeated_scores() -> None:
    of, found = cells((1, 1, 9))
    rows = resample((1, 1, 9, 2, 4), 20, np.random.default_rng(0))
    expected = [trim_mean(np.repeat(found.ravel(), np.rint(8 * weights).astype(int)), 0.25) for weights in rows[2]]
    assert np.allclose(interquartile_mean(of)(rows), expected)


def test_probability_of_improvement__counts_pairs_of_runs_by_task() -> None:
    (of, ours), (over, theirs) = cells((2, 3, 4)), cells((2, 3, 4), 1)
    pairs = [ours[h, g, i] > theirs[h, g, j] for h in range(2) for g in range(3) for i in range(4) for j in range(4)]
    assert value(probability_of_improvement(of, over), (2, 3, 4, 2, 4)) == pytest.approx(np.mean(pairs))
    assert value(probability_of_improvement(of, of), (2, 3, 4, 2, 4)) == 0.5


def test_performance_profile__is_the_share_of_scores_above_each_threshold() -> None:
    of, found = cells((2, 3, 4))
    thresholds = np.array([-1.0, 0.0, 1.0])
    profile = intervals(performance_profile(of, thresholds), (2, 3, 4, 2, 4), bounds=(0, 1), count=200)
    assert [each.estimate for each in profile] == pytest.approx([(found > each).mean() for each in thresholds])
    assert all(0 <= each.low <= each.estimate <= each.high <= 1 for each in profile)


def test_measure_components__finds_those_that_were_planted() -> None:
    planted: Components = {("target",): 0.3, ("home", "seed"): 0.2, FACTORS: 0.4}
    rng, scale = np.random.default_rng(0), 2 + simulate((1, 30, 1, 1, 1), {("target",): 0.5}, np.random.default_rng(1))
    found = [measure_components(simulate((20, 30, 20, 2, 4), planted, rng) + 0.7 * scale, scale) for _ in range(10)]
    unit = float(scale.mean())
    for factors in found[0]:
        squared = np.mean([each[factors] ** 2 for each in found])
        assert squared**0.5 == pytest.approx(planted.get(factors, 0.0) / unit, abs=0.03), factors


def blocks(homes: int, targets: int, block: int) -> np.ndarray:
    """Which homes and targets meet, (H, G, 1, 1, 1) bool: each home `block` targets, one further than the last."""
    return ((np.arange(targets) - np.arange(homes)[:, None]) % targets < block)[:, :, None, None, None]


def test_components__of_blocks_are_unbiased() -> None:
    """Homes meet half of the targets; each component is found on average, and so is the error of the mean."""
    planted: Components = {
        ("home",): 0.3, ("target",): 0.2, RULES: 0.4, ("seed",): 0.1, ("target", "seed"): 0.2,
        ("home", "economy"): 0.2, (*RULES, "seed"): 0.25, FACTORS: 0.3,
    }  # fmt: skip
    rng, met = np.random.default_rng(0), blocks(6, 6, 3)
    arrays = [np.where(met, simulate((6, 6, 2, 2, 4), planted, rng), np.nan) for _ in range(400)]
    found = [components(array) for array in arrays]
    for factors in found[0]:
        variances = [each[factors].variance for each in found]
        allowed = 4 * np.std(variances) / len(found) ** 0.5
        assert np.mean(variances) == pytest.approx(planted.get(factors, 0.0) ** 2, abs=allowed), factors
    errors = [sum(component.share for component in each.values()) for each in found]
    assert np.mean(errors) == pytest.approx(np.var([np.nanmean(array) for array in arrays]), rel=0.2)


@pytest.mark.parametrize("fixed", [(), RULES])
def test_interval__of_blocks_holds_the_truth_as_often_as_it_says(fixed: tuple[str, ...]) -> None:
    rng, met, held = np.random.default_rng(2), blocks(8, 8, 4), []
    shape = (8, 8, 4, 2, 4)
    for _ in range(400):
        rules = simulate(shape, {RULES: 0.4, ("home",): 0.2}, rng)
        rest = simulate(shape, {("seed",): 0.1, ("target", "seed"): 0.2, FACTORS: 0.2}, rng)
        found = interval(Ratio(np.where(met, rules + rest, np.nan), ONE), shape, fixed=fixed)
        truth = float(np.nanmean(np.where(met, rules, np.nan))) if fixed else 0.0
        held.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(held) <= 1.0


def test_mean__of_blocks_is_over_the_pairs_that_met() -> None:
    array = np.where(blocks(4, 6, 3), numbers((4, 6, 2, 1, 3)), np.nan)
    scale = 1 + numbers((1, 6, 1, 1, 3), 1) ** 2
    ratio = Ratio(array, scale)
    assert value(ratio, array.shape) == pytest.approx(np.nansum(array) / np.nansum(np.where(np.isnan(array), 0, scale)))
    by_home = ratio.partial(equal(array.shape), FACTORS[1:])[0, :, 0, 0, 0, 0]
    one = array[1, 1:4].sum() / np.broadcast_to(scale[0, 1:4], array[1, 1:4].shape).sum()
    assert by_home[1] == pytest.approx(one)
    drawn = bootstrap(ratio, array.shape, 400)
    assert np.isfinite(drawn).all()


def test_aggregates__of_blocks_are_those_of_the_pairs_that_met() -> None:
    met, shape = blocks(4, 6, 3), (4, 6, 2, 1, 1)
    array = np.where(met, numbers(shape), np.nan)
    of, kept = scores(array, np.zeros((1, 6, 1, 1, 1)), np.ones((1, 6, 1, 1, 1))), np.sort(array[~np.isnan(array)])
    assert value(interquartile_mean(of), shape) == pytest.approx(trim_mean(kept, 0.25))
    profile = performance_profile(of, np.array([0.0]))(equal(shape))[0]
    assert profile[0] == pytest.approx((kept > 0).mean())
    assert value(probability_of_improvement(of, of), shape) == pytest.approx(0.5)
    for statistic in (interquartile_mean(of), performance_profile(of, np.zeros(1)), probability_of_improvement(of, of)):
        drawn = bootstrap(statistic, shape, 2_000)  # without the draws in which no home meets a target
        assert 1_000 < len(drawn) < 2_000
        assert np.isfinite(drawn).all()


def test_power__of_blocks_is_less_than_that_of_all_pairs() -> None:
    met = blocks(8, 8, 2)[..., 0, 0, 0]
    part, whole = (power_table((8, 8, 2, 2, 4), (0.0,), meet=each, repetitions=60)[0] for each in (met, None))
    assert part.half_width > whole.half_width


def test_power__grows_with_the_effect_and_with_the_study() -> None:
    small, large = power_table(SMALL, repetitions=60), power_table((12, 12, 4, 2, 4), repetitions=60)
    assert [each.effect for each in small] == list(EFFECTS)
    assert all(sum(each.shares.values()) == pytest.approx(1) for each in small)
    for weak, strong in ((small[0], small[-1]), (small[-1], large[-1])):
        assert weak.shares["supported"] <= strong.shares["supported"]
    assert large[0].half_width < 0.6 * small[0].half_width


def test_power__without_an_effect_seldom_finds_one() -> None:
    table = power_table((6, 6, 3, 2, 4), (0.0,), repetitions=100)
    assert table[0].shares["supported"] <= 0.05
    assert "true effect of 0 points:" in str(table[0])
