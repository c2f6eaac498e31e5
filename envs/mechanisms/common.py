"""What several mechanisms share: the jobs of each kind in order, and what a pair of organization and job is worth."""

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.order import sort_descending


@jit
def jobs_by_kind(problem, order, first, by_value, spare):
    """Jobs of each kind, the dearest first (arrival breaks ties): `order[first[k]:first[k + 1]]`.

    order, by_value and spare (J,), first (K + 1,), all int64.
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


@inlined
def cost_of(problem, k, i):
    """Cost of a job of kind k to organization i, a share of its value: true where parameter 1 is 0, else the ask."""
    return problem.costs[k, i] if problem.parameters[1] == 0.0 else problem.asks[i]


@inlined
def score_of(problem, k, i):
    """Worth of a job of kind k served by organization i, a share of its value; below 0 where i cannot serve.

    Parameter 0 (what a client gains by being served at all) + expected quality - cost.
    """
    if problem.capacities[i] == 0:
        return -1.0
    return problem.parameters[0] + problem.qualities[k, i] - cost_of(problem, k, i)
