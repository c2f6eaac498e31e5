"""Pay: what clients pay for each job, what the platform keeps, and what promotion costs."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined
from ruleshift.envs.numerics import exp


@inlined
def pay(rule, economy, winner, lead, values, outcome, payments):
    """Write payments (J,), and paid, commission and charge of `outcome`, in mean job values."""
    outcome.paid[:] = 0.0
    price = economy[at.PROMOTION_PRICE]
    sunk = rule[at.CHARGE] == 0.0
    for i in range(len(outcome.charge)):
        outcome.charge[i] = price * outcome.promotion[i] if sunk else 0.0
    pricing, reserve, commission = rule[at.PRICING], rule[at.RESERVE], rule[at.COMMISSION]
    slope = rule[at.W_PRICE] * (1.0 if rule[at.AMPLIFICATION] == np.inf else rule[at.AMPLIFICATION])
    for j in range(len(winner)):
        payments[j] = 0.0
        i = winner[j]
        if i < 0:
            continue
        share = _share(pricing, reserve, slope, outcome.ask[i], lead[j])
        payments[j] = share * values[j]
        outcome.paid[i] += payments[j]
        if not sunk:
            outcome.charge[i] += price * outcome.promotion[i] * values[j]
    for i in range(len(outcome.paid)):
        outcome.commission[i] = commission * outcome.paid[i]


@inlined
def _share(pricing, reserve, slope, ask, lead):
    """Payment as a share of the job's value.

    Second price (Vickrey 1961): the ask at which the lead would be gone. Log odds fall by `slope` a unit of log ask;
    where the ask counts for nothing, or there is no rival, the reserve binds.
    """
    if pricing == 0.0:
        return ask
    if pricing == 2.0 or slope == 0.0 or lead == np.inf:
        return reserve
    return min(reserve, max(ask, 0.02) * exp(min(lead / slope, 100.0)))
