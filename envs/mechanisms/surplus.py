"""Surplus: the value of a pair of organization and job to mechanisms that read costs."""

from ruleshift.envs.compile import inlined
from ruleshift.envs.mechanisms.base import Parameter

PARAMETERS = (
    Parameter(
        "service_value", "what a client gains by being served at all, a share of the job's value", 0.0, -1e4, 1e4
    ),
    Parameter("cost_is_ask", "0: cost is what serving truly costs; 1: it is the ask", low=0.0, high=1.0),
)
SERVICE_VALUE, COST_IS_ASK = range(len(PARAMETERS))


@inlined
def cost_of(problem, k, i):
    """Return the cost of a job of kind k for organization i, the true cost or the ask, as a share of its value."""
    return problem.costs[k, i] if problem.parameters[COST_IS_ASK] == 0.0 else problem.asks[i]


@inlined
def surplus_of(problem, k, i):
    """Return `service_value` + expected quality - cost, the surplus of a job of kind k served by organization i.

    It is a share of the job's value, and -1 if the organization has no capacity.
    """
    if problem.capacities[i] == 0:
        return -1.0
    return problem.parameters[SERVICE_VALUE] + problem.qualities[k, i] - cost_of(problem, k, i)
