"""What policies know of the rule, as the protocol `probe` read it, beside what they earn, policy by policy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ruleshift.eval.claims.returns import Returns, Run, of_arm
from ruleshift.eval.statistics import Interval, Ratio, Sizes, Statistic, Weights, equal, interval

_MOST = 0.999999
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Policies:
    """The trained policies of a study, n in all: an arm with one policy for all homes has one a seed.

    Each arm weighs the same, however many policies it has. The axes are n policies, G held-out rules and E economies.
    """

    arms: tuple[str, ...]
    """(n,) the arm of each."""
    homes: tuple[int | None, ...]
    """(n,) the index of the home that each was trained on; None if it is of all homes."""
    seeds: tuple[int, ...]
    """(n,) the index of the training seed of each."""
    known: np.ndarray
    """(n, G, E) R2 of what was read of the rule in the last round."""
    known_of_mean: np.ndarray
    """(G,) R2 of the mean of the training rules, which is what somebody knows who has seen nothing of the rule."""

    @classmethod
    def probed(cls, returns: Returns) -> "Policies":
        """Read what the probe found in a study.

        Raises:
            ValueError: the study did not run the probe.
        """
        runs = [run for run in returns.runs if run.protocol == "probe" and run.budget == 1.0]
        if not runs:
            raise ValueError("what policies know was not probed, since the study does not ask this claim by its id")
        homes = _distinct(run.home for run in runs if run.home)
        targets, seeds = _distinct(run.target for run in runs), _distinct(run.seed for run in runs)
        held: dict[tuple[str, str, int | None], dict[str, Run]] = {}
        for run in runs:
            held.setdefault((run.arm, run.home, run.seed), {})[run.target] = run
        first = next(iter(held.values()))
        return cls(
            arms=tuple(arm for arm, _, _ in held),
            homes=tuple(homes.index(home) if home else None for _, home, _ in held),
            seeds=tuple(seeds.index(seed) for _, _, seed in held),
            known=np.array([[by[target].values["r2"][:, 0] for target in targets] for by in held.values()]),
            known_of_mean=np.array([first[target].values["r2_of_mean"][0, 0] for target in targets]),
        )

    def of(self, arms: Iterable[str]) -> "Policies":
        """The policies of these arms alone."""
        chosen = set(arms)
        kept = [index for index, arm in enumerate(self.arms) if arm in chosen]
        return replace(
            self,
            arms=tuple(self.arms[index] for index in kept),
            homes=tuple(self.homes[index] for index in kept),
            seeds=tuple(self.seeds[index] for index in kept),
            known=self.known[kept],
        )

    def weights(self, weights: Weights) -> np.ndarray:
        """The weight of each policy (B, n) under B rows of weights of the levels; they sum to 1 in each row."""
        by_home, _, by_seed = weights[:3]
        own = [by_seed[:, seed] for seed in self.seeds]
        of_home = [1.0 if home is None else by_home[:, home] for home in self.homes]
        return np.stack([a * b for a, b in zip(own, of_home, strict=True)], axis=1) / len(set(self.arms))

    def earned(self, table: Mapping[str, np.ndarray]) -> np.ndarray:
        """What each policy earned at held-out rules, (n, G, P, E), from a table of `Returns` by arm (H, G, S, P, E).

        Raises:
            ValueError: the table lacks an arm.
        """
        each = zip(self.arms, self.homes, self.seeds, strict=True)
        return np.array([of_arm(table, arm, "the return")[home or 0, :, seed] for arm, home, seed in each])


def _distinct(values: Iterable[_Value]) -> list[_Value]:
    """The values in the order in which each comes first, which is that of the design."""
    return list(dict.fromkeys(values))


def probe_array(returns: Returns, arm: str, protocol: str, measure: str) -> np.ndarray | None:
    """Values (H, G, S, P, E) of a measure of an arm, of a protocol that plays all held-out rules; None without any.

    H is 1 for an arm with one policy for all homes, and P is 1 if only the first panel was played.
    """
    runs = [run for run in returns.runs if (run.protocol, run.arm, run.budget) == (protocol, arm, 1.0)]
    if not runs:
        return None
    by = {(run.home, run.target, run.seed): run.values[measure].T for run in runs}
    levels = [_distinct(each) for each in zip(*by, strict=True)]
    found = np.array([[[by[home, target, seed] for seed in levels[2]] for target in levels[1]] for home in levels[0]])
    return found[:, :, :, :1] if np.isnan(found[:, :, :, 1:]).any() else found


def knowledge(returns: Returns, arm: str, protocol: str = "probe") -> Ratio | None:
    """R2 (B,) of what is read from an arm, or of what it names, over held-out rules; None if that was not measured.

    It is the share by which the squared error is less than that of the mean of the training rules, a ratio of sums.

    Args:
        returns: the numbers of the study.
        arm: name of the arm.
        protocol: `probe` for what is read, `naming` for what is named.
    """
    found, of_mean = (probe_array(returns, arm, protocol, measure) for measure in ("r2", "r2_of_mean"))
    return None if found is None or of_mean is None else Ratio(found - of_mean, 1 - of_mean)


@dataclass(frozen=True)
class Correlation:
    """Correlation (B,), over policies and held-out rules, of what policies know of a rule with what they earn under it.

    Both are means over economies and panels. NaN where one of them does not vary.
    """

    policies: Policies
    """The policies, with what they know."""
    earned: np.ndarray
    """(n, G, P, E) what each earned; NaN where that was not measured."""
    within: bool = True
    """Whether the mean of all policies under a rule is taken out, so that policies are compared under the same rule."""
    ranked: bool = False
    """Whether ranks among the policies under a rule take the place of values (Spearman 1904)."""

    def __call__(self, weights: Weights) -> np.ndarray:
        _, by_target, _, by_panel, by_economy = weights
        known = np.einsum("nge,be->bng", self.policies.known, by_economy)
        earned = np.einsum("ngpe,bp,be->bng", self.earned, by_panel, by_economy)
        joint = self.policies.weights(weights)[:, :, None] * by_target[:, None, :]
        joint = np.where(np.isnan(earned), 0.0, joint)
        values = [known, np.where(np.isnan(earned), 0.0, earned)]
        if self.ranked:
            values = [_ranks(each, joint) for each in values]
        axes = 1 if self.within else (1, 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = joint.sum(axis=axes, keepdims=True)
            x, y = (each - np.nan_to_num((joint * each).sum(axis=axes, keepdims=True) / total) for each in values)
            sums = [(joint * a * b).sum(axis=(1, 2)) for a, b in ((x, y), (x, x), (y, y))]
            found: np.ndarray = sums[0] / np.sqrt(sums[1] * sums[2])
        return np.where(np.minimum(sums[1], sums[2]) > 1e-15, found, np.nan)

    def linearised(self, sizes: Sizes) -> np.ndarray:
        """How far each cell moves the correlation, to first order: (H, G, S, P, E) of mean 0.

        With x and y in standard deviations from their means, a policy under a rule moves it by x y - r (x^2 + y^2) / 2
        (Devlin, Gnanadesikan & Kettenring 1975, "Robust estimation and outlier detection with correlation
        coefficients", Biometrika 62), and what an economy adds to x by (y - r x) of that. Ranks count as values.
        """
        homes, targets, seeds, _, _ = sizes
        known, earned = self.policies.known[:, :, None, :], self.earned
        means = [each.mean(axis=(2, 3)) for each in (known, earned)]
        joint = np.where(np.isnan(means[1]), 0.0, self.policies.weights(equal(sizes))[0][:, None])
        joint = joint / joint.sum()
        units, deviations = [], []
        for each, mean in zip((known, earned), means, strict=True):
            axes = 0 if self.within else (0, 1)
            held = np.where(joint > 0, mean, 0.0)
            centred = held - (joint * held).sum(axis=axes, keepdims=True) / joint.sum(axis=axes, keepdims=True)
            deviation = np.sqrt((joint * centred**2).sum())
            units.append((centred / deviation)[:, :, None, None])
            deviations.append(np.where(joint[:, :, None, None] > 0, each - mean[:, :, None, None], 0.0) / deviation)
        (x, y), (dx, dy) = units, deviations
        r = (joint[:, :, None, None] * x * y).sum()
        moved = x * y - r * (x**2 + y**2) / 2 + (y - r * x) * dx + (x - r * y) * dy
        found = np.zeros(sizes)
        for policy, (home, seed) in enumerate(zip(self.policies.homes, self.policies.seeds, strict=True)):
            own = joint[policy][:, None, None] * moved[policy] * targets * seeds
            found[slice(None) if home is None else home, :, seed] += own if home is None else own * homes
        return found


def _ranks(values: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """The weight (B, n, G) of the policies that are below each one under the same rule, ties counting half."""
    ranks = np.empty_like(values)
    for policy in range(values.shape[1]):
        own = values[:, policy, None]
        below = (values < own) + 0.5 * (values == own)
        ranks[:, policy] = (joint * below).sum(axis=1)
    return ranks


@dataclass(frozen=True)
class Share:
    """Share (B,) of pairs of a policy and a rule, 0 .. 1: those who know the rule or not, and do or not.

    A policy knows a rule if what was read of it is wrong by at most half the squared error of the mean of the training
    rules, and does if it scores at least `bar` under it. Rules without a scale are left out.
    """

    policies: Policies
    """The policies, with what they know."""
    score: Statistic
    """Their scores under each rule, (B, n, G); NaN where there is no scale."""
    bar: float
    """Least score of who does."""
    knows: bool
    """Whether those are counted who know."""
    does: bool
    """Whether those are counted who do."""

    def __call__(self, weights: Weights) -> np.ndarray:
        policies = self.policies
        known = np.einsum("nge,be->bng", policies.known, weights[4])
        knows = 1 - known <= (1 - policies.known_of_mean) / 2
        scores = self.score(weights)
        joint = policies.weights(weights)[:, :, None] * weights[1][:, None, :] * ~np.isnan(scores)
        chosen = (knows == self.knows) & ((scores >= self.bar) == self.does)
        with np.errstate(invalid="ignore"):
            share: np.ndarray = (joint * chosen).sum(axis=(1, 2)) / joint.sum(axis=(1, 2))
        return share


def scores_of(earned: np.ndarray, floor: np.ndarray, best_reply: np.ndarray) -> Statistic:
    """Scores (B, n, G) of policies under each rule, 0 at the floor and 1 at the best reply; NaN without a scale.

    Args:
        earned: (n, G, P, E).
        floor, best_reply: (G, P, E).
    """

    def score(weights: Weights) -> np.ndarray:
        gained = np.einsum("ngpe,bp,be->bng", earned - floor, weights[3], weights[4])
        whole = np.einsum("gpe,bp,be->bg", best_reply - floor, weights[3], weights[4])
        return gained / np.where(whole > 0, whole, np.nan)[:, None, :]

    return score


def correlation_interval(statistic: Correlation, sizes: Sizes, *, fixed: Sequence[str] = ()) -> Interval:
    """The interval of a correlation, by way of its inverse hyperbolic tangent (Fisher 1921); `error` is that of this.

    The error is that of the linearised correlation, as with a ratio of sums; with ranks it is bootstrapped.

    Args:
        statistic: the correlation.
        sizes: number of levels of each factor.
        fixed: factors, by name, whose levels are taken as they are; not with ranks.

    Raises:
        ValueError: one of the two does not vary.
    """
    found = float(statistic(equal(sizes))[0])
    if not np.isfinite(found):
        raise ValueError("all policies know the same, or earn the same, so that there is nothing to correlate")
    if statistic.ranked:
        assert not fixed
        wide = interval(lambda weights: np.arctanh(np.clip(statistic(weights), -_MOST, _MOST)), sizes)
    else:
        found = float(np.clip(found, -_MOST, _MOST))
        moved = np.arctanh(found) + statistic.linearised(sizes) / (1 - found**2)
        wide = interval(Ratio(moved, np.ones((1,) * len(sizes))), sizes, fixed=fixed)
    estimate, low, high = np.tanh([wide.estimate, wide.low, wide.high]).tolist()
    return replace(wide, estimate=estimate, low=low, high=high)


def reliability(values: np.ndarray) -> float:
    """How surely policies differ under the same rule, -1 .. 1: the correlation of two halves of the economies.

    It is stepped up to all economies (Spearman 1910; Brown 1910). NaN where there is one economy, or no difference.

    Args:
        values: (n, G, E).
    """
    halves = [np.nanmean(values[:, :, start::2], axis=2) for start in (0, 1)] if values.shape[2] > 1 else []
    if not halves:
        return float("nan")
    x, y = (each - each.mean(axis=0) for each in halves)
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    found = float((x * y).sum()) / scale if scale > 1e-15 else float("nan")
    return 2 * found / (1 + found) if found > -0.5 else -1.0
