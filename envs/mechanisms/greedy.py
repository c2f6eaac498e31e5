"""Greedy matching: again and again, match the pair of organization and job with the largest surplus, down to 0.

The surplus of a pair is value * (`service_value` + quality - cost), with the true cost, or with the ask if
`cost_is_ask` is 1. The total is at least half of what the best assignment yields (Avis 1983, "A survey of heuristics
for the weighted matching problem").

Jobs of one kind differ only in value, so that the best pair of a kind is its most valuable waiting job and its best
organization with capacity left, which is on top of the kind's heap of organizations. Ties within a kind are broken by
each organization's draw, and ties between kinds by the job's draw. Worst case
O(K (N + J) + J log J + min(N, J) K log N).
"""

from ruleshift.envs.compile import inlined, jit, matrix
from ruleshift.envs.mechanisms.base import Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind
from ruleshift.envs.mechanisms.surplus import PARAMETERS, surplus_of


@inlined
def _above(scores, draws, a, b):
    return scores[a] > scores[b] or (scores[a] == scores[b] and draws[a] > draws[b])


@jit
def _sink(scores, draws, heap, size, node):
    """Let an organization sink to its place in a heap of the given size with the best on top."""
    item = heap[node]
    while 2 * node + 1 < size:
        child = 2 * node + 1
        if child + 1 < size and _above(scores, draws, heap[child + 1], heap[child]):
            child += 1
        if not _above(scores, draws, heap[child], item):
            break
        heap[node] = heap[child]
        node = child
    heap[node] = item


@inlined
def _gather(problem, k, scores, heap):
    """Make a heap of the organizations that can serve kind k with a surplus of 0 or more; returns its size."""
    size = 0
    for i in range(len(scores)):
        scores[i] = surplus_of(problem, k, i)
        if scores[i] >= 0.0:
            heap[size] = i
            size += 1
    for node in range(size // 2 - 1, -1, -1):
        _sink(scores, problem.uniforms[0], heap, size, node)
    return size


@jit
def greedy(problem, match, floats, integers):
    """See the module."""
    kinds, columns = problem.log_odds.shape
    n, jobs = columns - 1, len(problem.kinds)
    scores, heaps = matrix(floats, 0, kinds, n), matrix(integers, 0, kinds, n)
    rest = integers[kinds * n :]
    order, rest = rest[:jobs], rest[jobs:]
    sizes, next_, first = rest[:kinds], rest[kinds : 2 * kinds], rest[2 * kinds : 3 * kinds + 1]
    jobs_by_kind(problem, order, first, rest[3 * kinds + 1 : 3 * kinds + 1 + jobs], rest[3 * kinds + 1 + jobs :])
    for k in range(kinds):
        next_[k] = first[k]
        sizes[k] = _gather(problem, k, scores[k], heaps[k]) if first[k] < first[k + 1] else 0
    while True:
        best, surplus, draw = -1, -1.0, 0.0
        for k in range(kinds):
            if next_[k] == first[k + 1]:
                continue
            while sizes[k] > 0 and problem.capacities[heaps[k, 0]] == 0:
                sizes[k] -= 1
                heaps[k, 0] = heaps[k, sizes[k]]
                _sink(scores[k], problem.uniforms[0], heaps[k], sizes[k], 0)
            if sizes[k] == 0:
                continue
            j = order[next_[k]]
            this = problem.values[j] * scores[k, heaps[k, 0]]
            if this > surplus or (this == surplus and problem.uniforms[1, j] > draw):
                best, surplus, draw = k, this, problem.uniforms[1, j]
        if best < 0:
            return
        i = heaps[best, 0]
        match.winner[order[next_[best]]] = i
        problem.capacities[i] -= 1
        next_[best] += 1


MECHANISM = Mechanism(
    name="greedy",
    function=greedy,
    source="Avis 1983",
    cost="K (N + J) + J log J + min(N, J) K log N",
    reads_odds=False,
    reads_costs=True,
    draws_organizations=True,
    parameters=PARAMETERS,
    scratch=lambda n, j, k, c: (k * n, k * n + 3 * k + 1 + 3 * j),
)
