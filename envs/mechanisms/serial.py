"""Serial draws: each arriving job draws among the organizations with remaining capacity, by their odds for its kind.

Luce (1959), "Individual choice behavior", without replacement of full organizations. Amplification 0 is exactly a
lottery, and inf exactly a ranking with ties broken at random job by job. The outside option is one more candidate.

For each kind, the organizations are the leaves of a tree in which every node has eight children, one cache line. A node
holds a level and a mass: the highest level below it, and the sum of the odds at that level. A candidate of a lower
level is drawn only if no higher one is left. Minus the level is the number of whole factors of e**512 by which the odds
are behind the leader's, so that odds beyond the range of floating point keep their order. A ranking has a tree of its
own, see `ranking`. Worst case O(K N + (J + N K) log N).
"""

import numpy as np

from ruleshift.envs.compile import inlined, jit, piece
from ruleshift.envs.mechanisms.base import WANTS, Mechanism
from ruleshift.envs.mechanisms.ranking import serial_ranked
from ruleshift.envs.mechanisms.tree import BELOW, DEPTH, FAN, lay_out, tree_size
from ruleshift.envs.numerics import exp, log
from ruleshift.envs.order import highest

_SPAN = 512.0


@inlined
def _highest_of_four(levels, start):
    return max(max(levels[start], levels[start + 1]), max(levels[start + 2], levels[start + 3]))


@inlined
def _combine(level, mass, upto, start, parent):
    """Write a parent from its eight children, and into `upto` the cumulative masses of those at the highest level."""
    levels, masses, sums = piece(level, start, FAN), piece(mass, start, FAN), piece(upto, start, FAN)
    top, total = max(_highest_of_four(levels, 0), _highest_of_four(levels, 4)), 0.0
    for child in range(FAN):
        sums[child] = masses[child] * np.float64(levels[child] == top)
    for child in range(FAN):
        total += sums[child]
        sums[child] = total
    level[parent], mass[parent] = top, total


@jit
def _plant(level, mass, upto, starts, depth, log_odds, capacities):
    """Write the leaves, from the log odds of organizations that have capacity, and the nodes above them.

    Returns the best log odds.
    """
    n = len(capacities)
    best = highest(log_odds, n)
    deep = np.int64(0)
    for i in range(n):
        deep |= np.int64((log_odds[i] < best - _SPAN) & (log_odds[i] > -np.inf))
    for leaf in range(n, starts[1]):
        level[leaf], mass[leaf] = -np.inf, 0.0
    for i in range(n):
        there = (capacities[i] > 0) & (log_odds[i] > -np.inf)
        odds = exp(log_odds[i] - best)
        level[i] = 0.0 if there else -np.inf
        mass[i] = odds if there else 0.0
    if deep:
        _deepen(level, mass, log_odds, best, n)
    for height in range(depth):
        for group in range((starts[height + 1] - starts[height]) // FAN):
            _combine(level, mass, upto, starts[height] + group * FAN, starts[height + 1] + group)
        if height + 1 < depth:
            for pad in range(starts[height + 1] + (starts[height + 1] - starts[height]) // FAN, starts[height + 2]):
                level[pad], mass[pad] = -np.inf, 0.0
    return best


@jit
def _place(log_odds, best):
    """Return the level and the mass of a candidate relative to the best log odds."""
    if log_odds == -np.inf:
        return -np.inf, 0.0
    behind = max(log_odds - best, -1e15)
    steps = -np.float64(np.int64(-behind / _SPAN))
    return steps, exp(behind - steps * _SPAN)


@jit
def _deepen(level, mass, log_odds, best, n):
    """Give leaves whose odds are behind the leader's by more than a factor of e**512 a lower level."""
    for i in range(n):
        if level[i] > -np.inf:
            level[i], mass[i] = _place(log_odds[i], best)


@inlined
def _remove(level, mass, upto, starts, depth, leaf):
    level[leaf], mass[leaf] = -np.inf, 0.0
    node = leaf
    for height in range(depth):
        group = (node - starts[height]) // FAN
        node = starts[height + 1] + group
        _combine(level, mass, upto, starts[height] + group * FAN, node)


@inlined
def _draw(mass, upto, starts, depth, goal):
    """Return the leaf of the highest level at `goal`, a number from 0 to the root's mass."""
    node = starts[depth]
    for height in range(depth - 1, -1, -1):
        goal = min(goal, mass[node] * BELOW)
        start = starts[height] + (node - starts[height + 1]) * FAN
        sums = piece(upto, start, FAN)
        child = np.int64(0)
        for each in range(FAN):
            child += np.int64(sums[each] <= goal)
        goal -= sums[max(child - 1, 0)] * np.float64(child > 0)
        node = start + child
    return node


@jit
def _others(level, mass, starts, depth, leaf):
    """Return the level and the mass of all candidates, the outside option included, leaving out `leaf`."""
    other_level, other_mass = level[starts[depth] + 1], mass[starts[depth] + 1]
    node = leaf
    for height in range(depth):
        group = (node - starts[height]) // FAN
        start = starts[height] + group * FAN
        for sibling in range(start, start + FAN):
            if sibling != node and level[sibling] > other_level:
                other_level, other_mass = level[sibling], mass[sibling]
            elif sibling != node and level[sibling] == other_level:
                other_mass += mass[sibling]
        node = starts[height + 1] + group
    return other_level, other_mass


@jit
def _margin(level, mass, other_level, other_mass, u1, u2):
    """Draw the log odds by which a winner leads the best excluded rival, given that it won.

    A Luce draw is a race of exponential clocks. The winner's time is an Exp(1) number divided by all odds, and the next
    clock rings later by an independent Exp(1) number divided by the others' odds. The margin is the log of the ratio of
    the two times.
    """
    if other_mass == 0.0:
        return np.inf
    if level > other_level:
        return (level - other_level) * _SPAN
    first = -log(u1) / (mass + other_mass)
    return log((first - log(u2) / other_mass) / first)


@inlined
def _alike(log_odds):
    """Return whether all kinds have the same odds, so that one tree suffices."""
    kinds, columns = log_odds.shape
    first, differs = log_odds[0], np.int64(0)
    for k in range(1, kinds):
        row = log_odds[k]
        for i in range(columns):
            differs |= np.int64(row[i] != first[i])
        if differs:
            return False
    return True


@jit
def serial(problem, match, floats, integers):
    """See the module."""
    kinds, columns = problem.log_odds.shape
    n = columns - 1
    starts, planted = piece(integers, 0, DEPTH), piece(integers, DEPTH, kinds)
    depth = lay_out(n, starts)
    planted[:] = 0
    trees = 1 if _alike(problem.log_odds) else kinds
    if problem.ranked == 1:
        serial_ranked(problem, match, floats, starts, depth, planted, trees)
        return
    root = starts[depth]
    outside, size = root + 1, root + 2
    for j in range(len(problem.kinds)):
        k = problem.kinds[j] if trees > 1 else 0
        level, mass = piece(floats, 3 * k * size, size), piece(floats, (3 * k + 1) * size, size)
        upto = piece(floats, (3 * k + 2) * size, size)
        if planted[k] == 0:
            planted[k] = 1
            best = _plant(level, mass, upto, starts, depth, problem.log_odds[k], problem.capacities)
            level[outside], mass[outside] = _place(problem.log_odds[k, n], best)
        inside = mass[root] if level[root] >= level[outside] else 0.0
        beside = mass[outside] if level[outside] >= level[root] else 0.0
        goal = problem.uniforms[0, j] * (inside + beside)
        if inside == 0.0 or (goal >= inside and beside > 0.0):
            continue
        i = _draw(mass, upto, starts, depth, goal)
        match.winner[j] = i
        if problem.wants & WANTS.margin:
            other_level, other_mass = _others(level, mass, starts, depth, i)
            match.margin[j] = _margin(
                level[i], mass[i], other_level, other_mass, problem.uniforms[1, j], problem.uniforms[2, j]
            )
        problem.capacities[i] -= 1
        if problem.capacities[i] == 0:
            for other in range(trees):
                if planted[other] == 1:
                    a = 3 * other * size
                    _remove(
                        piece(floats, a, size), piece(floats, a + size, size), piece(floats, a + 2 * size, size),
                        starts, depth, i,
                    )  # fmt: skip


MECHANISM = Mechanism(
    name="serial",
    function=serial,
    source="Luce 1959",
    cost="K N + (J + N K) log N",
    payments=("margin",),
    scratch=lambda n, j, k, c: (3 * k * tree_size(n), DEPTH + k),
)
