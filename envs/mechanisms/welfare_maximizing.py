"""Welfare-maximizing assignment: it maximizes the sum of value * (`service_value` + quality - cost) over jobs served.

Costs are the true ones, or the asks if `cost_is_ask` is 1. A pair with a negative surplus is never matched.

Jobs are served one by one, each by a shortest augmenting path under prices of organizations at which every job is
where it gains most (Kuhn 1955; Edmonds & Karp 1972; Jonker & Volgenant 1987). Jobs of one kind differ only in value, so
that the more valuable ones go to the better organizations, and an exchange within a kind can be split into steps
between neighbours in that order without further loss (Monge's condition). So a path needs only arcs between neighbours
and to organizations between them, which are O(K N) instead of O(J N). Worst case O(J K N log N).

The pricing `externality` is that of Vickrey (1961), Clarke (1971) and Groves (1973), here for procurement: an
organization receives total welfare, minus the welfare without it, plus its own cost. This equals the welfare from its
jobs before its cost, minus what they would add without it, which takes one more path for each of its jobs, starting
from the assignment. The order of the cost of all payments is no higher than that of the assignment. What an
organization receives is divided among its jobs in proportion to value. It is never below 0: where a negative cost
shock makes serving worth more than nothing to it, the client pays nothing, and it serves all the same.

Organizations are taken in random order, so that equal ones are treated equally.
"""

from collections import namedtuple

import numpy as np

from ruleshift.envs.compile import inlined, jit, matrix
from ruleshift.envs.mechanisms.base import WANTS, Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind
from ruleshift.envs.mechanisms.surplus import PARAMETERS, cost_of, surplus_of
from ruleshift.envs.order import copy, sort_descending

# What does not change within a round. Members are the organizations, renumbered in random order.
_Board = namedtuple(
    "_Board",
    [
        "members",  # (N,) the organization of each member
        "scores",  # (K, N) surplus by member, as a share of value
        "order",  # (K, N) members, the best first
        "positions",  # (K, N) position of each member in `order`
        "depth",  # (K,) number of members with a surplus of 0 or more, who are the first in `order`; others never serve
        "first",  # (K + 1,) where the jobs of each kind start in `jobs`
        "jobs",  # (J,) jobs by kind, the most valuable first
        "values",  # (J,) values of `jobs`, in mean job values
    ],
)

# How many jobs each member serves. The jobs served of a kind are numbered from 0, the most valuable; better positions
# serve more valuable jobs.
_Plan = namedtuple(
    "_Plan",
    [
        "price",  # (N,) price by member, 0 if capacity is left
        "units",  # (N, K) number of jobs that each member serves
        "before",  # (K, N + 1) number of jobs that the positions before each serve; at `depth`, all jobs served
        "free",  # (N,) capacity left, by member
        "hole",  # (K,) the number that the most valuable waiting job would have
        "missing",  # (K,) number of jobs that wait, from that number on
        "whole",  # all of these integers as one array, for copying
    ],
)

_Search = namedtuple(
    "_Search",
    [
        "length",  # (N,) length of the shortest path found to each member
        "bound",  # (1,) length of the shortest path found to an end
        "origin",  # (N,) the member before on that path, or -1 for the job to be served
        "kind",  # (N,) kind of the job that moves from there
        "heap",  # (N,) members reached, the nearest on top
        "slot",  # (N,) place of each member in the heap, or -1
        "settled",  # (N,) members that the search has passed
        "end",  # (3,) the member at the end, or -1 if a job is given up; then the member that gives it up, and its kind
    ],
)


def _plan_size(n: int, k: int) -> int:
    """Return the number of integers of a plan."""
    return k * (2 * n + 1) + n + 2 * k


def _scratch(n: int, j: int, k: int, c: int) -> tuple[int, int]:
    board, search, sorting = n + 2 * k * n + 2 * k + 1 + j, 5 * n + 3, j + max(n, j)
    return k * n + j + 3 * n + 1, board + 2 * _plan_size(n, k) + search + sorting


_size_of_plan = inlined(_plan_size)


@inlined
def _carve(floats, integers, n, j, k):
    """Cut a board, two plans, a search, and integers for sorting out of the mechanism's memory."""
    lengths, rest = floats[k * n + j :], integers[n + 2 * k * n + 2 * k + 1 + j :]
    size = _size_of_plan(n, k)
    plan = _plan(lengths[:n], rest[:size], n, k)
    other = _plan(lengths[n : 2 * n], rest[size : 2 * size], n, k)
    search = _search(lengths[2 * n :], rest[2 * size :], n)
    return _board(floats, integers, n, j, k), plan, other, search, rest[2 * size + 5 * n + 3 :]


@inlined
def _board(floats, integers, n, j, k):
    rest = integers[n + 2 * k * n :]
    return _Board(
        integers[:n], matrix(floats, 0, k, n), matrix(integers, n, k, n), matrix(integers, n + k * n, k, n),
        rest[:k], rest[k : 2 * k + 1], rest[2 * k + 1 : 2 * k + 1 + j], floats[k * n : k * n + j],
    )  # fmt: skip


@inlined
def _plan(price, whole, n, k):
    rest = whole[k * (2 * n + 1) :]
    return _Plan(
        price, matrix(whole, 0, n, k), matrix(whole, n * k, k, n + 1), rest[:n], rest[n : n + k], rest[n + k :], whole
    )


@inlined
def _search(floats, integers, n):
    return _Search(
        floats[:n], floats[n : n + 1], integers[:n], integers[n : 2 * n], integers[2 * n : 3 * n],
        integers[3 * n : 4 * n], integers[4 * n : 5 * n], integers[5 * n : 5 * n + 3],
    )  # fmt: skip


@jit
def _set_up(problem, board, plan, spare):
    """Draw the order of organizations, sort them for each kind, and mark all jobs as waiting."""
    kinds, n = board.scores.shape
    jobs = len(problem.kinds)
    jobs_by_kind(problem, board.jobs, board.first, spare[:jobs], spare[jobs : 2 * jobs])
    for index in range(jobs):
        board.values[index] = problem.values[board.jobs[index]]
    for r in range(n):
        board.members[r] = r
    sort_descending(problem.uniforms[0], problem.uniforms[0], board.members, spare[:n])
    for r in range(n):
        plan.units[r][:] = 0
        plan.free[r] = problem.capacities[board.members[r]]
        plan.price[r] = 0.0
    for k in range(kinds):
        for r in range(n):
            board.scores[k, r] = surplus_of(problem, k, board.members[r])
            board.order[k, r] = r
        sort_descending(board.scores[k], board.scores[k], board.order[k], spare[:n])
        board.depth[k] = 0
        for position in range(n):
            r = board.order[k, position]
            board.positions[k, r] = position
            board.depth[k] += np.int64(board.scores[k, r] >= 0.0)
        plan.before[k][:] = 0
        plan.hole[k] = 0
        plan.missing[k] = board.first[k + 1] - board.first[k]


@inlined
def _value(board, plan, k, number):
    """Return the value of the job of kind k that has the given number among those served."""
    waiting = plan.missing[k] if number >= plan.hole[k] else 0
    return board.values[board.first[k] + number + waiting]


@inlined
def _raise(search, member, size):
    """Put a member into the heap, or move it up after its length has fallen; returns the new size of the heap."""
    slot = search.slot[member]
    if slot < 0:
        slot = size
        size += 1
    length = search.length[member]
    while slot > 0 and search.length[search.heap[(slot - 1) // 2]] > length:
        above = search.heap[(slot - 1) // 2]
        search.heap[slot] = above
        search.slot[above] = slot
        slot = (slot - 1) // 2
    search.heap[slot] = member
    search.slot[member] = slot
    return size


@inlined
def _pop(search, size):
    """Remove the nearest member from a heap of the given size, and return it."""
    top, moved = search.heap[0], search.heap[size - 1]
    size -= 1
    slot, length = 0, search.length[moved]
    while 2 * slot + 1 < size:
        child = 2 * slot + 1
        if child + 1 < size and search.length[search.heap[child + 1]] < search.length[search.heap[child]]:
            child += 1
        if search.length[search.heap[child]] >= length:
            break
        search.heap[slot] = search.heap[child]
        search.slot[search.heap[slot]] = slot
        slot = child
    search.heap[slot] = moved
    search.slot[moved] = slot
    return top


@jit
def _reach(board, plan, search, k, position, step, value, length, least, origin, size):
    """Offer a job of kind k to the members from `position` on, up to the next one that serves the kind.

    `length` is that of the path without the job's gain from the member. Beyond the last position the job is given up.
    Returns the size of the heap.
    """
    depth = board.depth[k]
    while 0 <= position < depth:
        member = board.order[k, position]
        found = max(length + plan.price[member] - value * board.scores[k, member], least)
        if found < min(search.bound[0], search.length[member]):
            search.length[member], search.origin[member], search.kind[member] = found, origin, k
            if plan.free[member] > 0:
                search.bound[0], search.end[0] = found, member
            else:
                size = _raise(search, member, size)
        if plan.before[k, position + 1] > plan.before[k, position]:
            return size
        position += step
    if position == depth and max(length, least) < search.bound[0]:
        search.bound[0] = max(length, least)
        search.end[0], search.end[1], search.end[2] = -1, origin, k
    return size


@inlined
def _find_path(board, plan, search, k):
    """Find the shortest path by which the most valuable waiting job of kind k is served, and raise prices along it."""
    kinds = len(board.depth)
    search.length[:] = np.inf
    search.slot[:] = -1
    search.bound[0] = np.inf
    hole = plan.hole[k]
    value = board.values[board.first[k] + hole]
    position, size, passed = -1, 0, 0
    while position + 1 < board.depth[k] and plan.before[k, position + 1] < hole:
        position += 1
    if position >= 0:  # the member that serves the next more valuable job
        size = _reach(board, plan, search, k, position, 1, value, 0.0, -np.inf, -1, size)
    size = _reach(board, plan, search, k, position + 1, 1, value, 0.0, -np.inf, -1, size)
    while size > 0 and search.length[search.heap[0]] < search.bound[0]:
        member = _pop(search, size)
        size -= 1
        search.settled[passed] = member
        passed += 1
        least = search.length[member]
        for q in range(kinds):
            if plan.units[member, q] > 0:
                position = board.positions[q, member]
                score, length = board.scores[q, member], least - plan.price[member]
                last = plan.before[q, position + 1] - 1
                low, high = _value(board, plan, q, last), _value(board, plan, q, plan.before[q, position])
                size = _reach(board, plan, search, q, position + 1, 1, low, length + low * score, least, member, size)
                size = _reach(
                    board, plan, search, q, position - 1, -1, high, length + high * score, least, member, size
                )
    for index in range(passed):
        member = search.settled[index]
        plan.price[member] += search.bound[0] - search.length[member]


@inlined
def _move(board, plan, k, origin, member):
    """Move one job of kind k from a member to another; -1 stands for none."""
    source, target = board.depth[k], board.depth[k]
    if origin >= 0:
        source = board.positions[k, origin]
        plan.units[origin, k] -= 1
    if member >= 0:
        target = board.positions[k, member]
        plan.units[member, k] += 1
    for position in range(source + 1, target + 1):
        plan.before[k, position] -= 1
    for position in range(target + 1, source + 1):
        plan.before[k, position] += 1


@inlined
def _serve(board, plan, search, k):
    """Serve the most valuable waiting job of kind k, or give up the least valuable of a kind; returns what it adds."""
    _find_path(board, plan, search, k)
    member, given_up = search.end[0], k
    if member >= 0:
        plan.free[member] -= 1
    else:
        member, given_up = search.end[1], search.end[2]
        _move(board, plan, given_up, member, -1)
    while member >= 0:
        _move(board, plan, search.kind[member], search.origin[member], member)
        member = search.origin[member]
    plan.hole[k] += 1
    plan.missing[k] -= 1
    served = plan.before[given_up, board.depth[given_up]]
    if plan.hole[given_up] > served:  # less valuable jobs cannot be served either
        plan.hole[given_up], plan.missing[given_up] = served, 0
    return -search.bound[0]


@jit
def _serve_all(board, plan, search):
    """Serve all waiting jobs as long as that adds surplus; returns what it adds."""
    added = 0.0
    for k in range(len(plan.hole)):
        while plan.missing[k] > 0:
            added += _serve(board, plan, search, k)
    return added


@inlined
def _take_away(board, plan, member):
    """Remove a member from the market, so that its jobs wait again."""
    plan.price[member] = np.inf
    plan.free[member] = 0
    for k in range(len(plan.hole)):
        count = plan.units[member, k]
        if count > 0:
            position = board.positions[k, member]
            plan.hole[k], plan.missing[k] = plan.before[k, position], count
            plan.units[member, k] = 0
            for after in range(position + 1, board.depth[k] + 1):
                plan.before[k, after] -= count


@inlined
def _price_externality(problem, match, board, plan, without, search):
    """Write `match.price`; `without` is a second plan, for the market without one of its members."""
    for member in range(len(board.members)):
        i = board.members[member]
        gross, value = 0.0, 0.0  # the surplus of its jobs before its cost, and their value
        for k in range(len(board.depth)):
            start = board.first[k] + plan.before[k, board.positions[k, member]]
            for index in range(start, start + plan.units[member, k]):
                value += board.values[index]
                gross += board.values[index] * (board.scores[k, member] + cost_of(problem, k, i))
        if value > 0.0:
            copy(plan.price, without.price)
            copy(plan.whole, without.whole)
            _take_away(board, without, member)
            share = max((gross - _serve_all(board, without, search)) / value, 0.0)
            for j in range(len(match.winner)):
                if match.winner[j] == i:
                    match.price[j] = share


@jit
def welfare_maximizing(problem, match, floats, integers):
    """See the module."""
    kinds, columns = problem.log_odds.shape
    board, plan, without, search, spare = _carve(floats, integers, columns - 1, len(problem.kinds), kinds)
    _set_up(problem, board, plan, spare)
    _serve_all(board, plan, search)
    for k in range(kinds):
        index = board.first[k]
        for position in range(board.depth[k]):
            member = board.order[k, position]
            for _ in range(plan.units[member, k]):
                match.winner[board.jobs[index]] = board.members[member]
                index += 1
    if problem.wants & WANTS.price:
        _price_externality(problem, match, board, plan, without, search)


MECHANISM = Mechanism(
    name="welfare_maximizing",
    function=welfare_maximizing,
    source="Kuhn 1955; Edmonds & Karp 1972; Jonker & Volgenant 1987; Vickrey 1961, Clarke 1971, Groves 1973",
    cost="J K N log N",
    reads_odds=False,
    reads_costs=True,
    draws_organizations=True,
    parameters=PARAMETERS,
    payments=("price",),
    strategy_proof_payments=("price",),
    largest=1_000_000,
    efficient=True,
    scratch=_scratch,
)
