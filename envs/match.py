"""Match: the mechanism decides who serves whom; what it decided is checked."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined, jit, prefetch
from ruleshift.envs.deliver import cost_share, expected_quality
from ruleshift.envs.mechanisms.base import WANTS_BID, WANTS_BID_EXTERNALITY, WANTS_LEAD, WANTS_PRICE
from ruleshift.envs.numerics import PURPOSES, RACE, draw_fine, log
from ruleshift.envs.order import AHEAD, FAR, sort_descending


@jit
def draw_priorities(key, round_, episode, log_odds, sharp, noise, race, priority, spare, draws):
    """One priority list a kind, drawn as Plackett-Luce from the odds: log odds plus Gumbel noise, in order.

    Under a ranking the race is the score, and the noise only breaks ties. (Yellott 1977: the Gumbel form of Luce.)
    """
    kinds, n = race.shape
    for k in range(kinds):
        draw_fine(key, round_, episode, RACE + PURPOSES * k, n, draws)
        for i in range(n):
            noise[i] = -log(-log(draws[0, i]))
            race[k, i] = log_odds[k, i] if sharp else log_odds[k, i] + noise[i]
            priority[k, i] = i
        sort_descending(race[k], noise, priority[k], spare)


@jit
def rank_kinds(focus, column, order, spare, preferences):
    """Each organization's kinds by focus, the most first: preferences (N, K). Ties go to the lower kind."""
    kinds, n = focus.shape
    for i in range(n):
        for k in range(kinds):
            column[k] = focus[k, i]
            order[k] = k
        sort_descending(column[:kinds], column[:kinds], order[:kinds], spare[:kinds])
        for k in range(kinds):
            preferences[i, k] = order[k]


@jit
def expect(economy, state, outcome, costs, qualities):
    """What serving would truly cost (a share of the value), and the quality to expect, both (K, N)."""
    kinds, n = costs.shape
    for k in range(kinds):
        for i in range(n):
            costs[k, i] = cost_share(economy[at.BASE_COST], economy[at.EFFORT_COST], state, outcome, k, i)
            qualities[k, i] = expected_quality(economy[at.QUALITY_CAPABILITY], state, outcome, k, i)


@inlined
def wanted(rule):
    """Which parts of `Match` the rule's payment reads, as the sum of WANTS_LEAD, ..."""
    wants = np.int64(0)
    if rule[at.PRICING] == 1.0 or rule[at.PRICING] == 3.0:
        wants += WANTS_LEAD
    if rule[at.PRICING] == 4.0:
        wants += WANTS_PRICE
    if rule[at.CHARGE] == 2.0:
        wants += WANTS_BID
    if rule[at.CHARGE] == 3.0:
        wants += WANTS_BID_EXTERNALITY
    return wants


@inlined
def faults(match, wants, asks, reserve, capacity, load):
    """How many assignments a mechanism got wrong: no such organization, one not offering or beyond capacity, a lead
    below 0, and, where the payment reads them, a price that is not finite or a bid outside 0 .. 1."""
    winner, lead = match.winner, match.lead
    load[:] = 0
    wrong = 0
    far = len(load) > FAR
    for j in range(len(winner)):
        if far:
            prefetch(winner[min(j + AHEAD, len(winner) - 1)], load, asks)
        i = winner[j]
        if i == -1:
            continue
        if i < -1 or i >= len(load):
            wrong += 1
            continue
        load[i] += 1
        fits = load[i] <= capacity and asks[i] <= reserve
        told = lead[j] >= 0.0
        if wants > WANTS_LEAD:
            told = told and abs(match.price[j]) < np.inf and 0.0 <= match.bid[j] <= 1.0
        if not (fits and told):
            wrong += 1
    return wrong


@inlined
def open_capacities(asks, reserve, capacity, capacities):
    """Jobs that each organization can serve: its capacity where its ask is offered, else 0."""
    for i in range(len(asks)):
        capacities[i] = np.int64(capacity) if asks[i] <= reserve else 0
