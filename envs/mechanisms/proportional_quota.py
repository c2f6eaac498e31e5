"""Proportional quota: the jobs of each kind are split in proportion to the odds, by systematic sampling (Madow 1949).

The candidates for a kind (the organizations that offer and the outside option) form a line by their odds, the best
first and ties at random. Each covers a stretch of the line as long as its share of the kind's m jobs. The jobs, in
order of arrival, fall at u, u + 1, ..., u + m - 1, with one uniform number u per kind. So each candidate receives its
share of the jobs rounded down or up, and exactly its share in expectation: amplification 0 is a round robin, and inf
an even split among the best.

A job that falls to an organization without capacity passes to the next one in line that has some, and from the last to
the first; the outside option is never full. Worst case O((J + K N) log N).
"""

from collections import namedtuple

import numpy as np

from ruleshift.envs.compile import jit, matrix
from ruleshift.envs.mechanisms.base import Mechanism
from ruleshift.envs.numerics import exp
from ruleshift.envs.order import sort_descending

_Split = namedtuple(
    "_Split",
    [
        "line",  # (K, N + 1) int64, the candidates for each kind by position in its line
        "odds",  # (K, N + 1) float64, odds relative to the first candidate, by position
        "following",  # (K, N + 1) int64, for a full position a later one, such that all in between are full
        "length",  # (K,) int64, number of positions in the line
        "jobs",  # (K,) int64, number of jobs of the kind
        "dealt",  # (K,) int64, number of jobs dealt so far
        "position",  # (K,) int64, position at which the last job fell
        "reached",  # (K,) float64, sum of the odds up to that position
        "total",  # (K,) float64, sum of all odds
        "start",  # (K,) float64, u in (0, 1)
    ],
)


@jit
def _carve(floats, integers, kinds, columns):
    """Cut the pieces out of scratch memory, leaving `columns` int64 and float64 numbers before them."""
    size = kinds * columns
    f, i = columns + size, columns + 2 * size
    return _Split(
        matrix(integers, columns, kinds, columns), matrix(floats, columns, kinds, columns),
        matrix(integers, columns + size, kinds, columns), integers[i : i + kinds],
        integers[i + kinds : i + 2 * kinds], integers[i + 2 * kinds : i + 3 * kinds],
        integers[i + 3 * kinds : i + 4 * kinds], floats[f : f + kinds],
        floats[f + kinds : f + 2 * kinds], floats[f + 2 * kinds : f + 3 * kinds],
    )  # fmt: skip


@jit
def _line_up(log_odds, ranked, ties, spare, split, k):
    """Put the candidates for kind k in line; among equals the outside option comes last."""
    line, odds = split.line[k], split.odds[k]
    for candidate in range(len(line)):
        line[candidate] = candidate
    sort_descending(log_odds, ties, line, spare)
    length, total, best = 0, 0.0, log_odds[line[0]]
    while length < len(line) and log_odds[line[length]] > -np.inf:
        behind = log_odds[line[length]] - best
        odds[length] = exp(behind) if not ranked else np.float64(behind == 0.0)
        total += odds[length]
        length += 1
        split.following[k, length - 1] = length
    split.length[k], split.total[k], split.reached[k], split.position[k] = length, total, odds[0], 0


@jit
def _fall(split, k):
    """Return the position in the line of kind k on whose stretch its next job falls."""
    odds, position = split.odds[k], split.position[k]
    goal = (split.dealt[k] + split.start[k]) * split.total[k] / split.jobs[k]
    while split.reached[k] <= goal and position + 1 < split.length[k] and odds[position + 1] > 0.0:
        position += 1
        split.reached[k] += odds[position]
    split.dealt[k] += 1
    split.position[k] = position
    return position


@jit
def _with_capacity(split, k, position, capacities):
    """Return the first position with capacity from the given one on in the line of kind k; its length if there is none.

    Positions that are full stay full, so that `following` can skip them; its paths are halved as they are walked.
    """
    line, following, length = split.line[k], split.following[k], split.length[k]
    while position < length and _is_full(line[position], capacities):
        after = following[position]
        if after < length and _is_full(line[after], capacities):
            following[position] = following[after]
        position = following[position]
    return position


@jit
def _is_full(candidate, capacities):
    return candidate < len(capacities) and capacities[candidate] == 0


@jit
def proportional_quota(problem, match, floats, integers):
    """See the module."""
    kinds, columns = problem.log_odds.shape
    n = columns - 1
    split = _carve(floats, integers, kinds, columns)
    ties, spare = floats[:columns], integers[:columns]
    for i in range(n):
        ties[i] = problem.uniforms[1, i]
    ties[n] = 0.0
    split.jobs[:] = 0
    split.dealt[:] = 0
    for j in range(len(problem.kinds)):
        split.jobs[problem.kinds[j]] += 1
    for j in range(len(problem.kinds)):
        k = problem.kinds[j]
        if split.dealt[k] == 0:
            _line_up(problem.log_odds[k], problem.ranked == 1, ties, spare, split, k)
            split.start[k] = problem.uniforms[0, j]
        if split.length[k] == 0:
            continue
        position = _with_capacity(split, k, _fall(split, k), problem.capacities)
        if position == split.length[k]:
            position = _with_capacity(split, k, 0, problem.capacities)
        if position < split.length[k] and split.line[k, position] < n:
            match.winner[j] = split.line[k, position]
            problem.capacities[split.line[k, position]] -= 1


MECHANISM = Mechanism(
    name="proportional_quota",
    function=proportional_quota,
    source="Madow 1949",
    cost="(J + K N) log N",
    draws_organizations=True,
    scratch=lambda n, j, k, c: ((k + 1) * (n + 1) + 3 * k, (2 * k + 1) * (n + 1) + 4 * k),
)
