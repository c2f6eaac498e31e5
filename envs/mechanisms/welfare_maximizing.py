"""Welfare-maximizing assignment: the sum over jobs served of value * (parameter 0 + quality - cost) is the largest.

Costs are the true ones where parameter 1 is 0, the asks where it is 1. A pair worth less than 0 is never matched.

Jobs are served one by one, each by a shortest augmenting path under prices of organizations at which every job is
where it gains most (Kuhn 1955; Edmonds & Karp 1972; Jonker & Volgenant 1987). Jobs of one kind differ by value alone,
so the dearer ones go to the better organizations, and an exchange within a kind can be broken up into steps between
neighbours in that order, at no more loss (Monge's condition). So arcs between neighbours, and to organizations that
stand between them, are all that a path needs: O(K N) of them in place of O(J N). Worst case O(J K N log N).

What a client pays under the pricing `externality` (Vickrey 1961, Clarke 1971, Groves 1973; here for procurement): an
organization gets what the market is worth, less what it would be worth without it, plus its own cost. That is what its
jobs are worth before its cost, less what they would add were it away: one more path for each of its jobs, from the
assignment at hand. All the payments together cost no more than the assignment, in order. The total is spread over an
organization's jobs in proportion to value.

Organizations are taken in random order, so that equal ones are treated equally.
"""

from collections import namedtuple

import numpy as np

from ruleshift.envs.compile import inlined, jit, matrix
from ruleshift.envs.mechanisms.base import WANTS_PRICE, Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind
from ruleshift.envs.mechanisms.worth import cost_of, score_of
from ruleshift.envs.order import copy, sort_descending

# What does not change within a round. Members are the organizations, numbered anew in random order.
_Board = namedtuple(
    "_Board",
    [
        "members",  # (N,) organizations
        "scores",  # (K, N) by member
        "order",  # (K, N) members, the best first
        "places",  # (K, N) where each member stands in `order`
        "depth",  # (K,) places of those that offer and are worth 0 or more; the rest never serve
        "first",  # (K + 1,) where the jobs of each kind start
        "jobs",  # (J,) by kind, the dearest first
        "values",  # (J,) theirs
    ],
)

# Who serves how many. The jobs served of a kind are numbered from the dearest, 0; better places serve dearer jobs.
_Plan = namedtuple(
    "_Plan",
    [
        "price",  # (N,) by member; 0 where capacity is left
        "units",  # (N, K) jobs that each member serves
        "before",  # (K, N + 1) jobs that the places before it serve; at `depth`, all that are served
        "free",  # (N,) capacity left, by member
        "hole",  # (K,) number that the dearest job still waiting would have
        "missing",  # (K,) jobs that wait, from there on
        "whole",  # all of these integers, to copy
    ],
)

_Search = namedtuple(
    "_Search",
    [
        "length",  # (N,) of the shortest path found to each member
        "bound",  # (1,) that of the shortest path to an end
        "origin",  # (N,) the member before, or -1 for the job to be served
        "kind",  # (N,) of the job that moves from there
        "heap",  # (N,) members reached, the nearest on top
        "slot",  # (N,) where in the heap, or -1
        "settled",  # (N,) members that the search has passed
        "end",  # (3,) member at the end, or -1 where a job is given up; then by which member, and its kind
    ],
)


def _plan_size(n: int, k: int) -> int:
    """Integers of a plan."""
    return k * (2 * n + 1) + n + 2 * k


def _scratch(n: int, j: int, k: int, c: int) -> tuple[int, int]:
    board, search, sorting = n + 2 * k * n + 2 * k + 1 + j, 5 * n + 3, j + max(n, j)
    return k * n + j + 3 * n + 1, board + 2 * _plan_size(n, k) + search + sorting


_size_of_plan = inlined(_plan_size)


@inlined
def _carve(floats, integers, n, j, k):
    """A board, two plans, a search, and spare integers for sorting, in the mechanism's memory."""
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
    """Draw the order of organizations, sort them for each kind, and let all jobs wait."""
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
            board.scores[k, r] = score_of(problem, k, board.members[r])
            board.order[k, r] = r
        sort_descending(board.scores[k], board.scores[k], board.order[k], spare[:n])
        board.depth[k] = 0
        for place in range(n):
            r = board.order[k, place]
            board.places[k, r] = place
            board.depth[k] += np.int64(board.scores[k, r] >= 0.0)
        plan.before[k][:] = 0
        plan.hole[k] = 0
        plan.missing[k] = board.first[k + 1] - board.first[k]


@inlined
def _value(board, plan, k, number):
    """Value of the job of kind k that has this number among those served."""
    waiting = plan.missing[k] if number >= plan.hole[k] else 0
    return board.values[board.first[k] + number + waiting]


@inlined
def _raise(search, member, size):
    """Put a member into the heap of this size, or move it up after its length has fallen; returns the size."""
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
    """Take the nearest member from the heap of this size."""
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
def _reach(board, plan, search, k, place, step, value, length, least, origin, size):
    """Offer a job of kind k to the members at `place` and on, up to the next that serves the kind.

    `length` is the path's, before what the job gets from the member offered. Past the last place the job is given up.
    Returns the size of the heap.
    """
    depth = board.depth[k]
    while 0 <= place < depth:
        member = board.order[k, place]
        found = max(length + plan.price[member] - value * board.scores[k, member], least)
        if found < min(search.bound[0], search.length[member]):
            search.length[member], search.origin[member], search.kind[member] = found, origin, k
            if plan.free[member] > 0:
                search.bound[0], search.end[0] = found, member
            else:
                size = _raise(search, member, size)
        if plan.before[k, place + 1] > plan.before[k, place]:
            return size
        place += step
    if place == depth and max(length, least) < search.bound[0]:
        search.bound[0] = max(length, least)
        search.end[0], search.end[1], search.end[2] = -1, origin, k
    return size


@inlined
def _find_path(board, plan, search, k):
    """The shortest path by which the dearest waiting job of kind k is served; prices rise along it."""
    kinds = len(board.depth)
    search.length[:] = np.inf
    search.slot[:] = -1
    search.bound[0] = np.inf
    hole = plan.hole[k]
    value = board.values[board.first[k] + hole]
    place, size, passed = -1, 0, 0
    while place + 1 < board.depth[k] and plan.before[k, place + 1] < hole:
        place += 1
    if place >= 0:  # the member that serves the next dearer job
        size = _reach(board, plan, search, k, place, 1, value, 0.0, -np.inf, -1, size)
    size = _reach(board, plan, search, k, place + 1, 1, value, 0.0, -np.inf, -1, size)
    while size > 0 and search.length[search.heap[0]] < search.bound[0]:
        member = _pop(search, size)
        size -= 1
        search.settled[passed] = member
        passed += 1
        least = search.length[member]
        for q in range(kinds):
            if plan.units[member, q] > 0:
                place = board.places[q, member]
                score, length = board.scores[q, member], least - plan.price[member]
                last = plan.before[q, place + 1] - 1
                low, high = _value(board, plan, q, last), _value(board, plan, q, plan.before[q, place])
                size = _reach(board, plan, search, q, place + 1, 1, low, length + low * score, least, member, size)
                size = _reach(board, plan, search, q, place - 1, -1, high, length + high * score, least, member, size)
    for index in range(passed):
        member = search.settled[index]
        plan.price[member] += search.bound[0] - search.length[member]


@inlined
def _move(board, plan, k, origin, member):
    """Move one job of kind k from a member to another; -1 is nobody."""
    source, target = board.depth[k], board.depth[k]
    if origin >= 0:
        source = board.places[k, origin]
        plan.units[origin, k] -= 1
    if member >= 0:
        target = board.places[k, member]
        plan.units[member, k] += 1
    for place in range(source + 1, target + 1):
        plan.before[k, place] -= 1
    for place in range(target + 1, source + 1):
        plan.before[k, place] += 1


@inlined
def _serve(board, plan, search, k):
    """Serve the dearest waiting job of kind k, or give up the cheapest job of some kind; returns what that adds."""
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
    if plan.hole[given_up] > served:  # cheaper ones have no hope either
        plan.hole[given_up], plan.missing[given_up] = served, 0
    return -search.bound[0]


@jit
def _serve_all(board, plan, search):
    """Serve all that wait, as far as it adds; returns what it adds to the market's worth."""
    added = 0.0
    for k in range(len(plan.hole)):
        while plan.missing[k] > 0:
            added += _serve(board, plan, search, k)
    return added


@inlined
def _take_away(board, plan, member):
    """Take a member out of the market; its jobs wait again."""
    plan.price[member] = np.inf
    plan.free[member] = 0
    for k in range(len(plan.hole)):
        count = plan.units[member, k]
        if count > 0:
            place = board.places[k, member]
            plan.hole[k], plan.missing[k] = plan.before[k, place], count
            plan.units[member, k] = 0
            for after in range(place + 1, board.depth[k] + 1):
                plan.before[k, after] -= count


@inlined
def _price_externality(problem, match, board, plan, without, search):
    """Fill `match.price`; `without` is a second plan, for the market without one of its members."""
    for member in range(len(board.members)):
        i = board.members[member]
        worth, value = 0.0, 0.0
        for k in range(len(board.depth)):
            start = board.first[k] + plan.before[k, board.places[k, member]]
            for index in range(start, start + plan.units[member, k]):
                value += board.values[index]
                worth += board.values[index] * (board.scores[k, member] + cost_of(problem, k, i))
        if value > 0.0:
            copy(plan.price, without.price)
            copy(plan.whole, without.whole)
            _take_away(board, without, member)
            share = (worth - _serve_all(board, without, search)) / value
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
        for place in range(board.depth[k]):
            member = board.order[k, place]
            for _ in range(plan.units[member, k]):
                match.winner[board.jobs[index]] = board.members[member]
                index += 1
    if problem.wants & WANTS_PRICE:
        _price_externality(problem, match, board, plan, without, search)


MECHANISM = Mechanism(
    name="welfare_maximizing",
    function=welfare_maximizing,
    source="Kuhn 1955; Edmonds & Karp 1972; Jonker & Volgenant 1987; Vickrey 1961, Clarke 1971, Groves 1973",
    cost="J K N log N",
    reads_odds=False,
    reads_costs=True,
    draws_organizations=True,
    payments=("price",),
    strategy_proof_payments=("price",),
    largest=1_000_000,
    efficient=True,
    scratch=_scratch,
)
