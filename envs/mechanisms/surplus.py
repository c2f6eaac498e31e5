"""Worth: what a pair of organization and job is worth to mechanisms that read costs."""

from ruleshift.envs.compile import inlined


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
