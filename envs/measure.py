"""Measure: what the market as a whole did in a round, in the order of `layout.MEASURES`."""

from ruleshift.envs.compile import inlined
from ruleshift.envs.layout import MEASURE


@inlined
def sum_jobs(winner, values, qualities, payments, measures):
    """Begin the measures (M,) of a round with sums over its jobs.

    Writes the number of jobs served, and the sums of clients' surplus, payments and qualities, in the places of
    `served`, `surplus`, `price` and `quality`, and the sum of the values served in the place of `welfare`.
    """
    measures[:] = 0.0
    for j in range(len(winner)):
        if winner[j] >= 0:
            measures[MEASURE.served] += 1.0
            measures[MEASURE.surplus] += values[j] * qualities[j] - payments[j]
            measures[MEASURE.welfare] += values[j]
            measures[MEASURE.price] += payments[j]
            measures[MEASURE.quality] += qualities[j]


@inlined
def measure(jobs, entered, state, outcome, measures, totals):
    """Complete the measures (M,) of a round, and add them to the episode's `totals` (M,).

    `entered` is the share of seats that newcomers took.
    """
    n = len(outcome.ask)
    served, value = measures[MEASURE.served], measures[MEASURE.welfare]
    any_served = served if served > 0.0 else 1.0
    capability = 0.0
    kinds = state.capability.shape[0]
    for k in range(kinds):
        of_kind = 0.0
        for i in range(n):
            of_kind += state.capability[k, i]
        capability += of_kind
    for i in range(n):
        measures[MEASURE.profit] += outcome.profit[i]
        measures[MEASURE.revenue] += outcome.commission[i] + outcome.charge[i]
        measures[MEASURE.ask] += outcome.ask[i]
        measures[MEASURE.effort] += outcome.effort[i]
        measures[MEASURE.promotion] += outcome.promotion[i]
        measures[MEASURE.concentration] += outcome.served[i] * outcome.served[i]
        measures[MEASURE.clipped] += outcome.clipped[i]
    measures[MEASURE.served] /= jobs
    measures[MEASURE.surplus] /= jobs
    measures[MEASURE.profit] /= jobs
    measures[MEASURE.revenue] /= jobs
    measures[MEASURE.welfare] = measures[MEASURE.surplus] + measures[MEASURE.profit] + measures[MEASURE.revenue]
    measures[MEASURE.price] = measures[MEASURE.price] / value if value > 0.0 else 0.0
    measures[MEASURE.quality] /= any_served
    measures[MEASURE.ask] /= n
    measures[MEASURE.effort] /= n
    measures[MEASURE.promotion] /= n
    measures[MEASURE.capability] = capability / (n * kinds)
    square = any_served * any_served  # 0 where only the smallest of expected shares are served
    measures[MEASURE.concentration] = measures[MEASURE.concentration] / square if square > 1e-280 else 0.0
    measures[MEASURE.clipped] /= n
    measures[MEASURE.entered] = entered
    for m in range(len(measures)):
        totals[m] += measures[m]
