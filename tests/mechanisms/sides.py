"""What the tests of matching mechanisms share: problems made by hand or at random, and calls of a mechanism on them."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ruleshift.envs.mechanisms import MECHANISMS, Match, Problem
from ruleshift.envs.numerics import padded

GUARD = 16


def problem(preferences: Any, priority: Any, kinds: Any, capacities: Any, **fields: Any) -> Problem:
    """Make a problem with these preferences (N, K) and priorities (K, N).

    Unless `fields` say otherwise, all values are 1, log odds 0 and uniform numbers .5, and the perturbed log odds fall
    by 1 from one rank in the priority to the next.
    """
    preferences, priority = np.array(preferences, np.int64), np.array(priority, np.int64)
    n, k = preferences.shape
    jobs = len(kinds)
    perturbed = np.empty((k, n))
    np.put_along_axis(perturbed, priority, -np.arange(float(n))[None, :].repeat(k, 0), axis=1)
    log_odds = np.zeros((k, n + 1))
    log_odds[:, n] = -np.inf
    made = Problem(
        log_odds=log_odds, ranked=0, perturbed=perturbed, priority=priority, preferences=preferences,
        costs=np.zeros((k, n)), qualities=np.zeros((k, n)), asks=np.zeros(n), promotions=np.zeros(n),
        kinds=np.array(kinds, np.int64), values=np.ones(jobs), capacities=np.array(capacities, np.int64),
        uniforms=np.full((4, padded(max(jobs, n))), 0.5), wants=0, proposer=0, parameters=np.zeros(4),
    )  # fmt: skip
    return made._replace(**fields)


def random_problem(seed: int, n: int, kinds: int, jobs: int, most: int = 1, **fields: Any) -> Problem:
    """Draw a problem with distinct values, log odds of standard deviation 2, perturbed by noise, and capacities.

    Capacities are 1 to `most`. If `most` is above 1, one organization in five does not offer: capacity 0, no odds.
    """
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 2, (kinds, n + 1))
    capacities = rng.integers(1, most + 1, n)
    if most > 1:
        capacities[rng.random(n) < 0.2] = 0
    log_odds[:, :n][:, capacities == 0] = -np.inf
    perturbed = log_odds[:, :n] + rng.gumbel(size=(kinds, n))
    made = problem(
        rng.random((n, kinds)).argsort(axis=1), (-perturbed).argsort(axis=1), rng.integers(kinds, size=jobs),
        capacities,
        log_odds=log_odds, perturbed=perturbed, values=rng.uniform(0.5, 1.5, jobs),
        uniforms=rng.random((4, padded(max(jobs, n)))),
    )  # fmt: skip
    return made._replace(**fields)


def problems(most: int = 3, n: int = 7, kinds: int = 4, jobs: int = 10, **fields: Any) -> st.SearchStrategy[Problem]:
    """Random problems with at most this number of organizations, kinds and jobs."""
    return st.builds(
        lambda seed, n, kinds, jobs: random_problem(seed, n, kinds, jobs, most, **fields),
        st.integers(0, 2**32 - 1), st.integers(1, n), st.integers(1, kinds), st.integers(1, jobs),
    )  # fmt: skip


def small_problems(most: int = 1) -> st.SearchStrategy[Problem]:
    """Random problems so small that all possible reports, or all possible matches, can be tried."""
    return problems(most, n=4, kinds=3, jobs=5)


def solve(name: str, given: Problem, dirt: int = -7) -> Match:
    """Call the compiled mechanism on a problem, which does not change, and return the match.

    Scratch memory is filled with `dirt` before the call, and the memory beyond the size that the mechanism asked for
    must stay untouched.
    """
    mechanism = MECHANISMS[name]
    kinds, columns = given.log_odds.shape
    jobs = len(given.kinds)
    sizes = mechanism.scratch(columns - 1, jobs, kinds, max(int(given.capacities.max()), 1))
    floats, integers = np.full(sizes[0] + GUARD, float(dirt)), np.full(sizes[1] + GUARD, dirt)
    match = Match(np.full(jobs, -1), np.full(jobs, np.inf), np.zeros(jobs), np.zeros(jobs))
    mechanism.function(given._replace(capacities=given.capacities.copy()), match, floats, integers)
    assert np.all(floats[sizes[0] :] == dirt)
    assert np.all(integers[sizes[1] :] == dirt)
    return match


def served(given: Problem, winner: np.ndarray) -> np.ndarray:
    """Number of jobs of each kind that each organization serves, (N, K)."""
    counts = np.zeros(given.preferences.shape, np.int64)
    for j, i in enumerate(winner):
        if i >= 0:
            counts[i, given.kinds[j]] += 1
    return counts


def places(given: Problem, winner: np.ndarray) -> np.ndarray:
    """Rank (N,) of the kind that each organization of capacity 1 serves, 0 for the best; K if it serves none."""
    liked = np.take_along_axis(served(given, winner), given.preferences, axis=1)
    return np.where(liked.any(axis=1), liked.argmax(axis=1), liked.shape[1])


def reports(given: Problem, i: int) -> Iterator[Problem]:
    """Yield the problem under each report that organization i could make."""
    for report in itertools.permutations(range(given.preferences.shape[1])):
        preferences = given.preferences.copy()
        preferences[i] = report
        yield given._replace(preferences=preferences)


def gains_by_misreporting(name: str, given: Problem) -> bool:
    """Whether some organization of capacity 1 gets a kind that it likes better by misreporting."""
    honest = places(given, solve(name, given).winner)
    return any(
        places(given, solve(name, reported).winner)[i] < honest[i]
        for i in range(len(honest))
        for reported in reports(given, i)
    )


def upper_sums(name: str, truth: Problem, reported: Problem, i: int) -> np.ndarray:
    """Number of jobs of its best kind, of its best two kinds, ... that organization i gets under the reports, (K,)."""
    return np.cumsum(served(truth, solve(name, reported).winner)[i, truth.preferences[i]])


def after_falling(given: Problem, i: int, k: int, fall: float) -> Problem:
    """Return the problem with the perturbed log odds of organization i for kind k lowered by `fall`."""
    perturbed = given.perturbed.copy()
    perturbed[k, i] -= fall
    return given._replace(perturbed=perturbed, priority=(-perturbed).argsort(axis=1))


def loses_by_falling(name: str, given: Problem, i: int, k: int, fall: float) -> bool:
    """Whether organization i serves fewer jobs of kind k if its race for that kind is lowered by `fall`."""
    before, after = (
        served(given, solve(name, each).winner)[i, k] for each in (given, after_falling(given, i, k, fall))
    )
    return bool(after < before)


def can_be_improved(given: Problem, winner: np.ndarray) -> bool:
    """Whether any other match is better for one organization of capacity 1 and worse for none; all are tried."""
    now = places(given, winner)
    n, kinds = given.preferences.shape
    posted = np.bincount(given.kinds, minlength=kinds)
    for choice in itertools.product(range(kinds + 1), repeat=n):
        if np.all(choice <= now) and np.any(choice < now):
            taken = np.bincount([given.preferences[i, c] for i, c in enumerate(choice) if c < kinds], minlength=kinds)
            if np.all(taken <= posted):
                return True
    return False


def is_stable(given: Problem, winner: np.ndarray) -> bool:
    """Whether no organization of capacity 1 and no kind prefer each other to what they have."""
    now, counts = places(given, winner), served(given, winner)
    kinds = given.preferences.shape[1]
    posted = np.bincount(given.kinds, minlength=kinds)
    for i, own in enumerate(now):
        for k in given.preferences[i, :own]:
            worst = min((given.perturbed[k, other] for other in np.flatnonzero(counts[:, k])), default=np.inf)
            if counts[:, k].sum() < posted[k] or worst < given.perturbed[k, i]:
                return False
    return True
