"""Deferred acceptance, with organizations or jobs proposing (Gale & Shapley 1962; capacities: Roth & Sotomayor 1990).

Organizations rank kinds by their reported focus and, within a kind, jobs by value. The jobs of one kind share one
priority list over organizations. So a kind plays the part of a school: it holds as many units of capacity as it has
jobs, namely those that it ranks best. At the end its jobs are assigned in order of value, the most valuable one to the
unit that it ranks best.

The margin of a winner is its perturbed log odds minus those of the best-placed other organization that would rather
have its job than its own match. With one job each, the match remains stable as long as the winner falls by less than
the margin. If organizations propose, the winner then also keeps its jobs, and with one job each it loses its job if it
falls further.

No organization of capacity 1 that proposes gains by a misreport (Dubins & Freedman 1981; Roth 1982). With more capacity
it can: a proposal of one unit may drive a rival to the job of another unit (Roth 1985).
Worst case O(K N C + N C K log J) if organizations propose, O(J N (K + log C)) if jobs propose.
"""

import numpy as np

from ruleshift.envs.compile import inlined, jit, matrix, piece
from ruleshift.envs.enumerations import PROPOSER
from ruleshift.envs.mechanisms.base import WANTS, Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind
from ruleshift.envs.order import copy


@inlined
def _sift_down(heap, size):
    """Restore a heap with the largest on top after its top has changed."""
    node = 0
    while True:
        child = 2 * node + 1
        if child >= size:
            return
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= heap[node]:
            return
        heap[child], heap[node] = heap[node], heap[child]
        node = child


@inlined
def _push(heap, size, item):
    node = size
    heap[node] = item
    while node > 0 and heap[(node - 1) // 2] < heap[node]:
        parent = (node - 1) // 2
        heap[parent], heap[node] = heap[node], heap[parent]
        node = parent


@jit
def _sort_up(heap, size):
    """Turn a heap into ascending order."""
    for last in range(size - 1, 0, -1):
        heap[0], heap[last] = heap[last], heap[0]
        _sift_down(heap, last)


@inlined
def _refuse(refused, k, rank):
    """Keep the two best ranks of kind k that were refused a unit; two, as an organization is not its own rival."""
    if rank < refused[0, k]:
        refused[1, k] = refused[0, k]
        refused[0, k] = rank
    elif refused[0, k] < rank < refused[1, k]:
        refused[1, k] = rank


@jit
def _organizations_propose(problem, first, held, heaps, ranks, refused):
    """Write `heaps`: for each kind, the ranks in its priority of the units that it holds, the worst on top."""
    kinds, n = problem.priority.shape
    free, pointer, waiting = ranks[kinds], ranks[kinds + 1], ranks[kinds + 2]
    copy(problem.capacities, free)
    pointer[:] = 0
    for start in range(n):
        waiting[0] = start
        count = 1
        while count > 0:
            i = waiting[count - 1]
            if free[i] == 0 or pointer[i] == kinds:
                count -= 1
                continue
            k = problem.preferences[i, pointer[i]]
            room = first[k + 1] - first[k]
            heap = piece(heaps, first[k], room)
            mine = ranks[k, i]
            if held[k] < room:
                _push(heap, held[k], mine)
                held[k] += 1
                free[i] -= 1
            elif room > 0 and mine < heap[0]:
                out = problem.priority[k, heap[0]]
                _refuse(refused, k, heap[0])
                heap[0] = mine
                _sift_down(heap, room)
                free[i] -= 1
                free[out] += 1
                if free[i] == 0:
                    count -= 1  # only those with units to place wait, each once
                if free[out] == 1:
                    waiting[count] = out
                    count += 1
            else:
                _refuse(refused, k, mine)
                pointer[i] += 1


@jit
def _jobs_propose(problem, order, first, ranks, by_job, keeps, match):
    """Let each job propose down its kind's priority, while organizations keep the jobs that they like best.

    The most valuable jobs of a kind propose first, so that no job is displaced by a later one of its own kind.
    """
    kinds, n = problem.priority.shape
    jobs = len(order)
    free, load, slots = ranks[kinds], ranks[kinds + 1], ranks[kinds + 2]
    next_, rank = by_job[0], by_job[1]
    copy(problem.capacities, free)
    next_[:] = 0
    total = 0
    for i in range(n):
        slots[i] = total
        total += min(free[i], jobs)
        load[i] = 0
    for k in range(kinds):
        for position in range(first[k], first[k + 1]):
            rank[order[position]] = position
    for start in range(jobs):
        j = order[start]
        while next_[j] < n:
            k = problem.kinds[j]
            i = problem.priority[k, next_[j]]
            next_[j] += 1
            if free[i] == 0:
                continue
            room = min(free[i], jobs)
            heap = piece(keeps, slots[i], room)
            liking = _preference_rank(problem, i, k) * jobs + rank[j]
            if load[i] < room:
                _push(heap, load[i], liking)
                load[i] += 1
                match.winner[j] = i
                break
            if liking < heap[0]:
                out = order[heap[0] % jobs]
                heap[0] = liking
                _sift_down(heap, room)
                match.winner[j] = i
                match.winner[out] = -1
                j = out


@jit
def _preference_rank(problem, i, k):
    """Return the rank of kind k in the preferences of organization i, 0 for the best."""
    for rank in range(problem.preferences.shape[1]):
        if problem.preferences[i, rank] == k:
            return rank
    return problem.preferences.shape[1]


@jit
def deferred_acceptance(problem, match, floats, integers):
    """See the module."""
    kinds, n = problem.priority.shape
    jobs = len(problem.kinds)
    first = integers[: kinds + 1]
    held = integers[kinds + 1 : 2 * kinds + 1]
    refused = matrix(integers, 2 * kinds + 1, 2, kinds)
    rest = integers[4 * kinds + 1 :]
    order = rest[:jobs]
    by_job = matrix(rest, jobs, 2, jobs)
    ranks = matrix(rest, 3 * jobs, kinds + 3, n)
    keeps = rest[3 * jobs + (kinds + 3) * n :]
    jobs_by_kind(problem, order, first, by_job[0], by_job[1])
    held[:] = 0
    refused[0, :] = n
    refused[1, :] = n
    for k in range(kinds):
        for position in range(n):
            ranks[k, problem.priority[k, position]] = position
    if problem.proposer == PROPOSER.jobs:
        _jobs_propose(problem, order, first, ranks, by_job, keeps, match)
        if problem.wants & WANTS.margin:
            _find_refused(problem, match, ranks, refused)
    else:
        heaps = by_job[0]
        _organizations_propose(problem, first, held, heaps, ranks, refused)
        for k in range(kinds):
            units = piece(heaps, first[k], held[k])
            _sort_up(units, held[k])
            for rank in range(held[k]):
                match.winner[order[first[k] + rank]] = problem.priority[k, units[rank]]
    if problem.wants & WANTS.margin:
        for j in range(jobs):
            i, k = match.winner[j], problem.kinds[j]
            if i >= 0:
                match.margin[j] = _margin(problem, i, k, refused)


@jit
def _margin(problem, i, k, refused):
    rival = refused[0, k]
    if rival < len(problem.capacities) and problem.priority[k, rival] == i:
        rival = refused[1, k]
    if rival == len(problem.capacities):
        return np.inf
    return max(0.0, problem.perturbed[k, i] - problem.perturbed[k, problem.priority[k, rival]])


@jit
def _find_refused(problem, match, ranks, refused):
    """Find for each kind the two best-placed organizations that would rather have a job of it than their match."""
    kinds, n = problem.priority.shape
    serves, worst = ranks[kinds], ranks[kinds + 1]
    serves[:] = 0
    worst[:] = -1
    for j in range(len(match.winner)):
        i = match.winner[j]
        if i >= 0:
            serves[i] += 1
            worst[i] = max(worst[i], _preference_rank(problem, i, problem.kinds[j]))
    for k in range(kinds):
        found = 0
        for position in range(n):
            i = problem.priority[k, position]
            if serves[i] < problem.capacities[i] or worst[i] > _preference_rank(problem, i, k):
                refused[found, k] = position
                found += 1
                if found == 2:
                    break


MECHANISM = Mechanism(
    name="deferred_acceptance",
    function=deferred_acceptance,
    source="Gale & Shapley 1962; Roth & Sotomayor 1990",
    cost="K N C + N C K log J organizations proposing, J N (K + log C) jobs proposing",
    reads_preferences=True,
    reads_priorities=True,
    reads_proposer=True,
    payments=("margin",),
    stable=True,
    strategy_proof=("organizations",),
    scratch=lambda n, j, k, c: (0, 4 * k + 1 + 3 * j + (k + 3) * n + n * min(c, j)),
)
