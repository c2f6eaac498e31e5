"""Serial draws: each arriving job draws among the organizations with remaining capacity, by their odds for its kind.

Luce (1959), "Individual choice behavior", without replacement of full organizations. Amplification 0 is a lottery, inf
a ranking with ties broken at random job by job: the limits are exact. The outside option is one more candidate.

The candidates of a kind are the leaves of a binary tree. A node holds a level and a mass: the highest level below it,
and the sum of the odds at that level. A candidate of a lower level is drawn only when no higher one is left. Under a
ranking the level is the score; else it counts whole factors of e**512 that the odds lie behind the leader, so that
odds beyond the range of floating point keep their order. Worst case O(K N + (J + N K) log N).
"""

import numpy as np

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.mechanisms.base import WANTS_LEAD, Mechanism
from ruleshift.envs.numerics import exp, log

_SPAN = 512.0


@jit
def _plant(level, mass, log_odds, sharp, leaves):
    """Leaves from log odds, the nodes above them from their children; node 1 is the root."""
    best, least = -np.inf, np.inf
    for i in range(leaves):
        best = max(best, log_odds[i])
        least = min(least, log_odds[i] if log_odds[i] > -np.inf else np.inf)
    if sharp:
        for i in range(leaves):
            level[leaves + i] = log_odds[i]
            mass[leaves + i] = 1.0 if log_odds[i] > -np.inf else 0.0
    else:
        for i in range(leaves):
            level[leaves + i] = 0.0 if log_odds[i] > -np.inf else -np.inf
            mass[leaves + i] = exp(log_odds[i] - best)
        if least < best - _SPAN:
            _deepen(level, mass, log_odds, best, leaves)
    for node in range(leaves - 1, 0, -1):
        _combine(level, mass, node)


@jit
def _deepen(level, mass, log_odds, best, leaves):
    """Give leaves more than e**512 behind the leader levels of their own."""
    for i in range(leaves):
        if log_odds[i] > -np.inf:
            behind = max(log_odds[i] - best, -1e15)
            steps = -np.float64(np.int64(-behind / _SPAN))
            level[leaves + i] = steps
            mass[leaves + i] = exp(behind - steps * _SPAN)


@inlined
def _combine(level, mass, node):
    left, right = 2 * node, 2 * node + 1
    a, b = level[left], level[right]
    if a == b:
        level[node], mass[node] = a, mass[left] + mass[right]
    elif a > b:
        level[node], mass[node] = a, mass[left]
    else:
        level[node], mass[node] = b, mass[right]


@jit
def _remove(level, mass, leaf):
    level[leaf], mass[leaf] = -np.inf, 0.0
    node = leaf // 2
    while node > 0:
        _combine(level, mass, node)
        node //= 2


@jit
def _draw(level, mass, leaves, u):
    """The leaf drawn by u in (0, 1) among those of the highest level, in proportion to mass."""
    node, goal, top = np.int64(1), u * mass[1], level[1]
    while node < leaves:
        left = 2 * node
        left_mass = mass[left] if level[left] == top else 0.0
        right_mass = mass[left + 1] if level[left + 1] == top else 0.0
        goes_right = (goal >= left_mass) & (right_mass > 0.0)
        goal -= left_mass if goes_right else 0.0
        node = left + np.int64(goes_right)
    return node


@jit
def _others(level, mass, leaf):
    """The level and mass of all the leaves but one."""
    other_level, other_mass = -np.inf, 0.0
    node = leaf
    while node > 1:
        sibling = node ^ 1
        if level[sibling] > other_level:
            other_level, other_mass = level[sibling], mass[sibling]
        elif level[sibling] == other_level:
            other_mass += mass[sibling]
        node //= 2
    return other_level, other_mass


@jit
def _lead(level, mass, other_level, other_mass, sharp, u1, u2):
    """Log odds by which a winner leads the best excluded rival, given that it won.

    A Luce draw is a race of exponential clocks: the winner's time is Exp(1) over all odds, and the next clock rings
    another Exp(1) over the others' odds later, independently; the ratio of the two times is the lead.
    """
    if other_mass == 0.0:
        return np.inf
    if sharp:
        return level - other_level
    if level > other_level:
        return (level - other_level) * _SPAN
    first = -log(u1) / (mass + other_mass)
    return log((first - log(u2) / other_mass) / first)


@jit
def serial(problem, match, floats, integers):
    """See the module."""
    kinds, columns = problem.log_odds.shape
    organizations = columns - 1
    size = 2 * columns
    sharp = problem.sharp == 1
    planted = integers[:kinds]
    planted[:] = 0
    for j in range(len(problem.kinds)):
        k = problem.kinds[j]
        level = floats[2 * k * size : (2 * k + 1) * size]
        mass = floats[(2 * k + 1) * size : (2 * k + 2) * size]
        if planted[k] == 0:
            planted[k] = 1
            _plant(level, mass, problem.log_odds[k], sharp, columns)
            for i in range(organizations):
                if problem.capacities[i] == 0 and mass[columns + i] > 0.0:
                    _remove(level, mass, columns + i)
        if mass[1] == 0.0:
            continue
        leaf = _draw(level, mass, columns, problem.uniforms[0, j])
        i = leaf - columns
        if i == organizations:
            continue
        match.winner[j] = i
        if problem.wants & WANTS_LEAD:
            other_level, other_mass = _others(level, mass, leaf)
            match.lead[j] = _lead(
                level[leaf], mass[leaf], other_level, other_mass, sharp, problem.uniforms[1, j], problem.uniforms[2, j]
            )
        problem.capacities[i] -= 1
        if problem.capacities[i] == 0:
            for other in range(kinds):
                if planted[other] == 1:
                    start = 2 * other * size
                    _remove(floats[start : start + size], floats[start + size : start + 2 * size], leaf)


MECHANISM = Mechanism(
    name="serial",
    function=serial,
    source="Luce 1959",
    cost="K N + (J + N K) log N",
    scratch=lambda n, j, k, c: (4 * k * (n + 1), k),
)
