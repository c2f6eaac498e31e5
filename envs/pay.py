"""Pay: what clients pay for each job, what the platform keeps, and what promotion costs."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined, jit, prefetch
from ruleshift.envs.enumerations import CHARGE, PRICING
from ruleshift.envs.numerics import exp
from ruleshift.envs.order import AHEAD, FAR


@inlined
def pay(rule, economy, winner, margin, price, bid, kinds, values, state, outcome, payments):
    """Write payments (J,), and `paid`, `commission` and `charge` of `outcome`, in mean job values.

    `margin`, `price` and `bid` (J,) are what the mechanism reports if the rule's payment needs it, see `Match`.
    """
    pricing = np.int64(rule[at.PRICING])
    ranked = rule[at.AMPLIFICATION] == np.inf
    slope = rule[at.W_PRICE] * (1.0 if ranked else rule[at.AMPLIFICATION])
    outcome.paid[:] = 0.0
    far = len(outcome.paid) > FAR
    for j in range(len(winner)):
        if far:
            ahead = min(j + AHEAD, len(winner) - 1)
            prefetch(
                winner[ahead], outcome.ask, outcome.paid, outcome.promotion, outcome.charge,
                state.billed[kinds[ahead]],
            )  # fmt: skip
        payments[j] = 0.0
        i = winner[j]
        if i >= 0:
            share = price[j]
            if pricing != PRICING.externality:
                share = price_share(pricing, rule[at.RESERVE], slope, rule[at.LOGIT_SCALE], outcome.ask[i], margin[j])
            payments[j] = share * values[j]
    if pricing == PRICING.uniform:
        _equalize(winner, kinds, values, payments, len(state.billed))
    for j in range(len(winner)):
        if winner[j] >= 0:
            outcome.paid[winner[j]] += payments[j]
    charge(rule, economy, winner, bid, values, outcome)
    keep(rule, winner, kinds, payments, state, outcome)


@inlined
def price_share(pricing, reserve, slope, mu, ask, margin):
    """Return the payment as a share of the job's value, under any pricing but `externality`.

    The second price (Vickrey 1961) is the ask at which the margin would vanish. Log odds fall by `slope` per unit of
    log ask or, under a logit signal, by `slope / mu` per unit of ask. If the ask does not count or there is no rival,
    the payment is the reserve.
    """
    if pricing == PRICING.as_asked:
        return ask
    if pricing == PRICING.posted or slope == 0.0 or margin == np.inf:
        return reserve
    if mu > 0.0:
        return min(reserve, ask + margin * mu / slope)
    return min(reserve, max(ask, 0.02) * exp(min(margin / slope, 100.0)))


@jit
def _equalize(winner, kinds, values, payments, count):
    """Set a uniform price: every job of a kind is paid the highest share that is paid for any of them."""
    for k in range(count):
        highest = 0.0
        for j in range(len(winner)):
            if winner[j] >= 0 and kinds[j] == k and values[j] > 0.0:
                highest = max(highest, payments[j] / values[j])
        for j in range(len(winner)):
            if winner[j] >= 0 and kinds[j] == k:
                payments[j] = highest * values[j]


@inlined
def charge(rule, economy, winner, bid, values, outcome):
    """Charge promotion: a price per round, or a share of the value of each job won."""
    price, law = economy[at.PROMOTION_PRICE], np.int64(rule[at.CHARGE])
    for i in range(len(outcome.charge)):
        outcome.charge[i] = price * outcome.promotion[i] if law == CHARGE.sunk else 0.0
    if law == CHARGE.sunk:
        return
    for j in range(len(winner)):
        i = winner[j]
        if i >= 0:
            level = outcome.promotion[i] if law == CHARGE.if_matched else bid[j]
            outcome.charge[i] += price * level * values[j]


@inlined
def keep(rule, winner, kinds, payments, state, outcome):
    """Write the platform's commission, flat or by tiers of what organizations were paid before; update `billed`."""
    if rule[at.TIER_1] == 0.0:
        for i in range(len(outcome.paid)):
            outcome.commission[i] = rule[at.COMMISSION] * outcome.paid[i]
        for j in range(len(winner)):
            if winner[j] >= 0:
                state.billed[kinds[j], winner[j]] += payments[j]
        return
    outcome.commission[:] = 0.0
    for j in range(len(winner)):
        i, k = winner[j], kinds[j]
        if i >= 0:
            before = state.billed[k, i]
            state.billed[k, i] = before + payments[j]
            outcome.commission[i] += commission_on(rule, before, payments[j])


@inlined
def commission_on(rule, before, payment):
    """Return the commission on a payment to an organization that has been paid `before`.

    Each tier's share applies to the part of the payment that falls into the tier.
    """
    after = before + payment
    second = rule[at.TIER_1]
    third = rule[at.TIER_2] if rule[at.TIER_2] > 0.0 else np.inf
    total = rule[at.COMMISSION] * max(min(after, second) - before, 0.0)
    total += rule[at.TIER_1_SHARE] * max(min(after, third) - max(before, second), 0.0)
    return total + rule[at.TIER_2_SHARE] * max(after - max(before, third), 0.0)
