"""Serial draws under a ranking: the best-placed organization wins the job; ties are broken at random, job by job.

This is Luce's draw (1959) at amplification inf. For each kind, the organizations are the leaves of a tree as in
`serial`, but all that tie have the same weight. A leaf holds only its score. A node holds the highest score below it,
how many leaves have it and, if that is one, which. So the root names the leader; and when the leader is removed, its
siblings on each level are known at once, so that no level waits for another. Worst case O(K N + (J + N K) log N).
"""

import numpy as np

from ruleshift.envs.compile import inlined, jit, piece, prefetch
from ruleshift.envs.mechanisms.base import WANTS
from ruleshift.envs.mechanisms.tree import BELOW, FAN


@inlined
def _but(score, start, own, child):
    """Return the score of a child, or -inf if it is `own`."""
    value = score[start + child]
    return value if child != own else -np.inf


@inlined
def _best_but(score, start, own):
    """Return the highest of eight scores, leaving out that of `own`."""
    a = max(_but(score, start, own, 0), _but(score, start, own, 1))
    b = max(_but(score, start, own, 2), _but(score, start, own, 3))
    c = max(_but(score, start, own, 4), _but(score, start, own, 5))
    d = max(_but(score, start, own, 6), _but(score, start, own, 7))
    return max(max(a, b), max(c, d))


@inlined
def _tied(score, count, leaves, start, own, best, child):
    weight = 1.0 if leaves else count[start + child]
    return weight * np.float64(_but(score, start, own, child) == best)


@inlined
def _sum(score, count, leader, leaves, start, own):
    """Return the highest score of eight children, how many leaves have it, and one that has; `own` is left out."""
    best, child = _best_but(score, start, own), np.int64(0)
    a = _tied(score, count, leaves, start, own, best, 0) + _tied(score, count, leaves, start, own, best, 1)
    b = _tied(score, count, leaves, start, own, best, 2) + _tied(score, count, leaves, start, own, best, 3)
    c = _tied(score, count, leaves, start, own, best, 4) + _tied(score, count, leaves, start, own, best, 5)
    d = _tied(score, count, leaves, start, own, best, 6) + _tied(score, count, leaves, start, own, best, 7)
    for each in range(FAN):
        child += each * np.int64(_but(score, start, own, each) == best)
    child = child if child < FAN else np.int64(FAN - 1)  # if several have it, the sum is not one of them
    tied = ((a + b) + (c + d)) * np.float64(best > -np.inf)
    return best, tied, np.float64(start + child) if leaves else leader[start + child]


@jit
def _plant(score, count, leader, starts, depth, log_odds, capacities):
    """Write the leaves, with the scores of organizations that have capacity, and the nodes above them."""
    n = len(capacities)
    for i in range(n):
        score[i] = log_odds[i] if capacities[i] > 0 else -np.inf
    for leaf in range(n, starts[1]):
        score[leaf] = -np.inf
    for group in range(starts[1] // FAN):
        node = starts[1] + group
        score[node], count[node], leader[node] = _sum(score, count, leader, True, group * FAN, -1)
    for height in range(1, depth):
        for pad in range(starts[height] + (starts[height] - starts[height - 1]) // FAN, starts[height + 1]):
            score[pad], count[pad], leader[pad] = -np.inf, 0.0, 0.0
        for group in range((starts[height + 1] - starts[height]) // FAN):
            node, start = starts[height + 1] + group, starts[height] + group * FAN
            score[node], count[node], leader[node] = _sum(score, count, leader, False, start, -1)


@inlined
def _remove(score, count, leader, starts, depth, leaf):
    score[leaf] = -np.inf
    own, node = leaf % FAN, starts[1] + leaf // FAN
    best, tied, who = _sum(score, count, leader, True, leaf - own, own)
    for height in range(1, depth):
        score[node], count[node], leader[node] = best, tied, who
        own = node % FAN
        beside, tied_beside, rival = _sum(score, count, leader, False, node - own, own)
        if height >= depth - 2:
            near = np.int64(rival if best > beside else who)  # perhaps the next to leave
            prefetch(near, score)
            prefetch(starts[1] + near // FAN, score, count, leader)
        who = who if best > beside else rival
        tied = tied * np.float64(best >= beside) + tied_beside * np.float64(beside >= best)
        best = max(best, beside)
        node = starts[height + 1] + (node - starts[height]) // FAN
    score[node], count[node], leader[node] = best, tied, who


@jit
def _draw(score, count, starts, depth, goal):
    """Return the leaf at `goal`, a number from 0 to the number of leaves that tie at the top."""
    node = starts[depth]
    top = score[node]
    for height in range(depth - 1, -1, -1):
        goal = min(goal, count[node] * BELOW)
        node = starts[height] + (node - starts[height + 1]) * FAN
        upto = 0.0
        for _ in range(FAN):
            tied = (count[node] if height > 0 else 1.0) if score[node] == top else 0.0
            if goal < upto + tied:
                break
            upto += tied
            node += 1
        goal -= upto
    return node


@jit
def _best_other(score, starts, depth, leaf):
    """Return the highest score of all candidates, the outside option included, leaving out `leaf`."""
    best = score[starts[depth] + 1]
    node = leaf
    for height in range(depth):
        own = node % FAN
        best = max(best, _best_but(score, node - own, own))
        node = starts[height + 1] + (node - starts[height]) // FAN
    return best


@jit
def serial_ranked(problem, match, floats, starts, depth, planted, trees):
    """Do what `serial` does, but under a ranking, with `trees` trees of which none is `planted` yet."""
    n = len(problem.capacities)
    root = starts[depth]
    outside, size = root + 1, root + 2
    for j in range(len(problem.kinds)):
        k = problem.kinds[j] if trees > 1 else 0
        score, count, leader = _tree(floats, k, size)
        if planted[k] == 0:
            planted[k] = 1
            _plant(score, count, leader, starts, depth, problem.log_odds[k], problem.capacities)
            score[outside] = problem.log_odds[k, n]
        inside = count[root] if score[root] >= score[outside] else 0.0
        beside = 1.0 if score[outside] >= score[root] and score[outside] > -np.inf else 0.0
        goal = problem.uniforms[0, j] * (inside + beside)
        if inside == 0.0 or (goal >= inside and beside > 0.0):
            continue
        i = np.int64(leader[root]) if inside == 1.0 else _draw(score, count, starts, depth, goal)
        match.winner[j] = i
        if problem.wants & WANTS.margin:
            match.margin[j] = score[i] - _best_other(score, starts, depth, i)
        problem.capacities[i] -= 1
        if problem.capacities[i] == 0:
            for other in range(trees):
                if planted[other] == 1:
                    score, count, leader = _tree(floats, other, size)
                    _remove(score, count, leader, starts, depth, i)


@inlined
def _tree(floats, k, size):
    """Return the scores, counts and leaders of the tree of a kind."""
    start = 3 * k * size
    return piece(floats, start, size), piece(floats, start + size, size), piece(floats, start + 2 * size, size)
