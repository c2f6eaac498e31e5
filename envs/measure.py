"""Measure: what a market as a whole did in a round, in the order of `layout.MEASURES`."""

from ruleshift.envs.compile import inlined


@inlined
def sum_jobs(winner, values, qualities, payments, measures):
    """Begin the measures (M,) of a round with what its jobs sum to.

    Leaves the jobs served, the surplus of clients, payments and qualities where `served`, `surplus`, `price` and
    `quality` will stand, and the value served in place of `welfare`.
    """
    measures[:] = 0.0
    for j in range(len(winner)):
        if winner[j] >= 0:
            measures[0] += 1.0
            measures[1] += values[j] * qualities[j] - payments[j]
            measures[4] += values[j]
            measures[5] += payments[j]
            measures[6] += qualities[j]


@inlined
def measure(jobs, entered, state, outcome, measures, totals):
    """Complete the measures (M,) of a round, and add them to those of the episode. `entered` is a share of seats."""
    n = len(outcome.ask)
    served, value = measures[0], measures[4]
    any_served = served if served > 0.0 else 1.0
    capability = 0.0
    kinds = state.capability.shape[0]
    for k in range(kinds):
        of_kind = 0.0
        for i in range(n):
            of_kind += state.capability[k, i]
        capability += of_kind
    for i in range(n):
        measures[2] += outcome.profit[i]
        measures[3] += outcome.commission[i] + outcome.charge[i]
        measures[7] += outcome.ask[i]
        measures[8] += outcome.effort[i]
        measures[9] += outcome.promotion[i]
        measures[11] += outcome.served[i] * outcome.served[i]
        measures[12] += outcome.clipped[i]
    measures[0] /= jobs
    measures[1] /= jobs
    measures[2] /= jobs
    measures[3] /= jobs
    measures[4] = measures[1] + measures[2] + measures[3]
    measures[5] = measures[5] / value if value > 0.0 else 0.0
    measures[6] /= any_served
    measures[7] /= n
    measures[8] /= n
    measures[9] /= n
    measures[10] = capability / (n * kinds)
    measures[11] /= any_served * any_served
    measures[12] /= n
    measures[13] = entered
    for m in range(len(measures)):
        totals[m] += measures[m]
