"""Top trading cycles (Shapley & Scarf 1974; with priorities in place of endowments: Abdulkadiroglu & Sonmez 2003).

The sides are as in deferred acceptance: organizations rank kinds by reported focus, kinds rank organizations by
`priority`, and the jobs of a kind are assigned the most valuable first. Each organization with capacity left points to
the kind that it likes best among those with jobs left, and each such kind points to the organization with capacity left
that it ranks best. Along a cycle every organization receives a job of the kind to which it points, so that
organizations trade priorities. Cycles have no members in common, so that their order does not matter.

If each organization can serve one job, the match is efficient and no misreport pays; with more capacity one can. A job
is won through a chain of priorities, so that there is no single rival and no payment that reads margins. Worst case
O(K N + J log J): each cycle, of at most 2 min(K, N) steps, is traded until one of its members is used up.
"""

from ruleshift.envs.compile import jit
from ruleshift.envs.mechanisms.base import Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind


@jit
def _favourite(problem, wish, left, i):
    """Return the kind that organization i likes best among those with jobs left; K if there is none."""
    kinds = len(left)
    while wish[i] < kinds and left[problem.preferences[i, wish[i]]] == 0:
        wish[i] += 1
    return problem.preferences[i, wish[i]] if wish[i] < kinds else kinds


@jit
def _foremost(problem, top, k):
    """Return the organization with capacity left that kind k ranks best; there must be one."""
    while problem.capacities[problem.priority[k, top[k]]] == 0:
        top[k] += 1
    return problem.priority[k, top[k]]


@jit
def _trade(problem, match, cycle, wish, left, order, first):
    """Give each organization on a cycle jobs of its favourite kind, as many as all of the cycle can give and take."""
    units = len(order)
    for i in cycle:
        units = min(units, problem.capacities[i], left[problem.preferences[i, wish[i]]])
    for i in cycle:
        k = problem.preferences[i, wish[i]]
        for position in range(first[k + 1] - left[k], first[k + 1] - left[k] + units):
            match.winner[order[position]] = i
        left[k] -= units
        problem.capacities[i] -= units


@jit
def _follow(problem, match, start, path, position, wish, top, left, order, first):
    """Follow the pointers from an organization and trade each cycle on the way, until it can receive no more.

    `path` holds the organizations passed, and `position` the place of each on it, or -1. A trade moves the pointers of
    those on the cycle and of the one that led to it, from which the walk continues.
    """
    path[0], position[start], length = start, 0, 1
    while problem.capacities[start] > 0:
        k = _favourite(problem, wish, left, path[length - 1])
        if k == len(left):
            return
        i = _foremost(problem, top, k)
        if position[i] < 0:
            path[length], position[i] = i, length
            length += 1
            continue
        begin = position[i]
        _trade(problem, match, path[begin:length], wish, left, order, first)
        for step in range(max(begin, 1), length):
            position[path[step]] = -1
        length = max(begin, 1)
    position[start] = -1


@jit
def top_trading_cycles(problem, match, floats, integers):
    """See the module."""
    kinds, n = problem.priority.shape
    jobs = len(problem.kinds)
    first = integers[: kinds + 1]
    left = integers[kinds + 1 : 2 * kinds + 1]
    top = integers[2 * kinds + 1 : 3 * kinds + 1]
    rest = integers[3 * kinds + 1 :]
    order = rest[:jobs]
    wish, path, position = rest[3 * jobs :][:n], rest[3 * jobs + n :][:n], rest[3 * jobs + 2 * n :][:n]
    jobs_by_kind(problem, order, first, rest[jobs : 2 * jobs], rest[2 * jobs : 3 * jobs])
    for k in range(kinds):
        left[k] = first[k + 1] - first[k]
    top[:] = 0
    wish[:] = 0
    position[:] = -1
    for start in range(n):
        if problem.capacities[start] > 0:
            _follow(problem, match, start, path, position, wish, top, left, order, first)


MECHANISM = Mechanism(
    name="top_trading_cycles",
    function=top_trading_cycles,
    source="Shapley & Scarf 1974; Abdulkadiroglu & Sonmez 2003",
    cost="K N + J log J",
    reads_preferences=True,
    reads_priorities=True,
    strategy_proof=("organizations",),
    efficient=True,
    scratch=lambda n, j, k, c: (0, 3 * k + 1 + 3 * j + 3 * n),
)
