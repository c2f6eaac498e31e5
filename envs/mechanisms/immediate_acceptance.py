"""Immediate acceptance, the Boston mechanism (Abdulkadiroglu & Sonmez 2003).

The sides are as in deferred acceptance: organizations rank kinds by reported focus, kinds rank organizations by
`priority`, and the jobs of a kind are assigned the most valuable first. But acceptance is final: in round r each
organization applies, with all the capacity that it has left, to the kind that it ranks r-th, and the kind assigns its
remaining jobs down its priority. An organization that ranks a popular kind first keeps it from others whom the kind
ranks higher, so that misreporting can pay.

The margin of a winner is its perturbed log odds minus those of the best-placed other organization that was refused in
the same round, as the mechanism compares no others; it is inf if nobody was refused in that round. Worst case
O(K N + K K + J log J): a list of applicants per kind and round is threaded through each priority and read once.
"""

from ruleshift.envs.compile import jit, matrix
from ruleshift.envs.mechanisms.base import WANTS, Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind


@jit
def _line_up(problem, applies, head, following):
    """Link the applicants to kind k in round r in the order of its priority: `head[k, r]`, then `following[k, i]`.

    Writes into `applies` (N, K) the round in which each organization applies to each kind.
    """
    kinds, n = problem.priority.shape
    for i in range(n):
        for round_ in range(kinds):
            applies[i, problem.preferences[i, round_]] = round_
    for k in range(kinds):
        for round_ in range(kinds):
            head[k, round_] = -1
        for position in range(n - 1, -1, -1):
            i = problem.priority[k, position]
            if problem.capacities[i] > 0:
                following[k, i] = head[k, applies[i, k]]
                head[k, applies[i, k]] = i


@jit
def _admit(problem, match, k, waiting, head, following):
    """Give the jobs of kind k in `waiting` to the applicants of one round, in order; returns how many were given."""
    i, taken, refused, next_refused = head, 0, -1, -1
    while i >= 0 and next_refused < 0:
        accepted = min(problem.capacities[i], len(waiting) - taken)
        for position in range(taken, taken + accepted):
            match.winner[waiting[position]] = i
        taken += accepted
        problem.capacities[i] -= accepted
        if problem.capacities[i] > 0:
            refused, next_refused = (i, -1) if refused < 0 else (refused, i)
        i = following[i]
    if problem.wants & WANTS.margin:
        for j in waiting[:taken]:
            i = match.winner[j]
            rival = refused if refused != i else next_refused
            if rival >= 0:
                match.margin[j] = problem.perturbed[k, i] - problem.perturbed[k, rival]
    return taken


@jit
def immediate_acceptance(problem, match, floats, integers):
    """See the module."""
    kinds, n = problem.priority.shape
    jobs = len(problem.kinds)
    first = integers[: kinds + 1]
    taken = integers[kinds + 1 : 2 * kinds + 1]
    rest = integers[2 * kinds + 1 :]
    order = rest[:jobs]
    applies = matrix(rest, 3 * jobs, n, kinds)
    head = matrix(rest, 3 * jobs + n * kinds, kinds, kinds)
    following = matrix(rest, 3 * jobs + n * kinds + kinds * kinds, kinds, n)
    jobs_by_kind(problem, order, first, rest[jobs : 2 * jobs], rest[2 * jobs : 3 * jobs])
    _line_up(problem, applies, head, following)
    taken[:] = 0
    for round_ in range(kinds):
        for k in range(kinds):
            waiting = order[first[k] + taken[k] : first[k + 1]]
            if len(waiting) > 0:
                taken[k] += _admit(problem, match, k, waiting, head[k, round_], following[k])


MECHANISM = Mechanism(
    name="immediate_acceptance",
    function=immediate_acceptance,
    source="Abdulkadiroglu & Sonmez 2003",
    cost="K N + K K + J log J",
    reads_preferences=True,
    reads_priorities=True,
    payments=("margin",),
    efficient=True,
    scratch=lambda n, j, k, c: (0, 2 * k + 1 + 3 * j + 2 * k * n + k * k),
)
