"""Expected shares instead of draws: every job is divided among all organizations by their odds.

This is the limit of many small jobs, the demand of discrete choice (McFadden 1974). It replaces match, pay, deliver and
rate, and has no noise.
"""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import jit
from ruleshift.envs.deliver import cost_share, expected_quality
from ruleshift.envs.enumerations import CHARGE
from ruleshift.envs.layout import MEASURE
from ruleshift.envs.numerics import exp, log
from ruleshift.envs.pay import commission_on, price_share


@jit
def divide_by_shares(rule, economy, state, kinds, values, outcome, log_odds, shares, payments, measures):
    """Write reputation, payments (J,), all of `outcome` that `act` does not write, and sums over jobs into `measures`.

    `measures` (M,) are left as `measure.sum_jobs` leaves them. `log_odds` (K, N + 1) are not changed, because the
    scores to be disclosed depend on them. `shares` (K, N) is scratch memory.
    """
    for row in (outcome.paid, outcome.commission, outcome.cost, outcome.charge, outcome.served, outcome.quality):
        row[:] = 0.0
    outcome.won[:] = 0.0
    measures[:] = 0.0
    for k in range(len(log_odds)):
        _share_out(log_odds[k], rule[at.AMPLIFICATION] == np.inf, shares[k])
        count, value = 0.0, 0.0
        for j in range(len(kinds)):
            if kinds[j] == k:
                count += 1.0
                value += values[j]
        if count > 0.0:
            _serve(rule, economy, state, outcome, k, count, value, shares[k], measures)
    for j in range(len(kinds)):
        payments[j] = 0.0
        for i in range(len(outcome.ask)):
            payments[j] += shares[kinds[j], i] * _price(rule, outcome.ask[i]) * values[j]
    for i in range(len(outcome.profit)):
        if rule[at.CHARGE] == CHARGE.sunk:
            outcome.charge[i] = economy[at.PROMOTION_PRICE] * outcome.promotion[i]
        outcome.quality[i] = outcome.quality[i] / outcome.served[i] if outcome.served[i] > 0.0 else 0.0
        outcome.profit[i] = outcome.paid[i] - outcome.commission[i] - outcome.cost[i] - outcome.charge[i]
        state.cash[i] += outcome.profit[i]
        rating = outcome.quality[i] + rule[at.INFLATION] * (1.0 - outcome.quality[i])
        # half a job moves reputation so that two halves move it as one job does
        step = 1.0 - exp(outcome.served[i] * log(max(1.0 - rule[at.GAIN], 1e-300)))
        state.reputation[i] = min(max(state.reputation[i] + step * (rating - state.reputation[i]), 0.01), 1.0)


@jit
def _share_out(log_odds, ranked, shares):
    """Write shares (N,) that sum to 1 together with that of the outside option; under a ranking the best share evenly.

    All are 0 if nobody offers and there is no outside option.
    """
    best, total = -np.inf, 0.0
    for i in range(len(log_odds)):
        best = max(best, log_odds[i])
    for i in range(len(log_odds)):
        behind = log_odds[i] - best if best > -np.inf else -np.inf
        odds = (1.0 if behind == 0.0 else 0.0) if ranked else exp(behind)
        total += odds
        if i < len(shares):
            shares[i] = odds
    for i in range(len(shares)):
        shares[i] = shares[i] / total if total > 0.0 else 0.0


@jit
def _price(rule, ask):
    return price_share(np.int64(rule[at.PRICING]), rule[at.RESERVE], 0.0, 0.0, ask, np.inf)


@jit
def _serve(rule, economy, state, outcome, k, count, value, shares, measures):
    """Divide the jobs of kind k, of which there are `count` with total value `value`, by shares (N,)."""
    for i in range(len(outcome.ask)):
        part = shares[i] * value
        paid = _price(rule, outcome.ask[i]) * part
        quality = expected_quality(economy[at.QUALITY_CAPABILITY], state, outcome, k, i)
        before = state.billed[k, i]
        state.billed[k, i] = before + paid
        fee = commission_on(rule, before, paid) if rule[at.TIER_1] > 0.0 else rule[at.COMMISSION] * paid
        outcome.paid[i] += paid
        outcome.commission[i] += fee
        outcome.cost[i] += part * cost_share(economy[at.BASE_COST], economy[at.EFFORT_COST], state, outcome, k, i)
        outcome.charge[i] += economy[at.PROMOTION_PRICE] * outcome.promotion[i] * part
        outcome.won[k, i] = shares[i] * count
        outcome.served[i] += shares[i] * count
        outcome.quality[i] += quality * shares[i] * count
        measures[MEASURE.served] += shares[i] * count
        measures[MEASURE.surplus] += quality * part - paid
        measures[MEASURE.welfare] += part
        measures[MEASURE.price] += paid
        measures[MEASURE.quality] += quality * shares[i] * count
