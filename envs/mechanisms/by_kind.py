"""Jobs by kind: two-sided mechanisms assign the jobs of a kind together, the most valuable first."""

from ruleshift.envs.compile import jit
from ruleshift.envs.order import sort_descending


@jit
def jobs_by_kind(problem, order, first, by_value, spare):
    """Write the jobs of each kind k, the most valuable first, into `order[first[k]:first[k + 1]]`, in O(J log J + K).

    Ties are broken by arrival. `order`, `by_value` and `spare` are (J,), of which the last two are scratch memory, and
    `first` is (K + 1,).
    """
    jobs, kinds = len(problem.kinds), len(first) - 1
    first[:] = 0
    for j in range(jobs):
        first[problem.kinds[j] + 1] += 1
    for k in range(kinds):
        first[k + 1] += first[k]
    for j in range(jobs):
        by_value[j] = j
    sort_descending(problem.values, problem.values, by_value, spare)
    for j in by_value:
        k = problem.kinds[j]
        order[first[k]] = j
        first[k] += 1
    for k in range(kinds, 0, -1):
        first[k] = first[k - 1]
    first[0] = 0
