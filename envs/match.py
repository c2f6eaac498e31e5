"""Match: what mechanisms read, and the check of what they decided."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined, jit, prefetch
from ruleshift.envs.deliver import cost_share, expected_quality
from ruleshift.envs.enumerations import WANTS
from ruleshift.envs.mechanisms.base import MOST_PRICE
from ruleshift.envs.numerics import PRIORITY, PURPOSES, draw_fine, log
from ruleshift.envs.order import AHEAD, FAR, sort_descending


@jit
def draw_priorities(key, round_, episode, log_odds, ranked, noise, perturbed, priority, spare, draws):
    """Draw one priority list per kind from the Plackett-Luce distribution of the odds.

    Writes `perturbed` (K, N), log odds plus Gumbel noise (Yellott 1977), and `priority` (K, N), organizations in their
    descending order. Under a ranking the log odds are not perturbed, and the noise only breaks ties.
    """
    kinds, n = perturbed.shape
    for k in range(kinds):
        draw_fine(key, round_, episode, PRIORITY + PURPOSES * k, n, draws)
        for i in range(n):
            noise[i] = -log(-log(draws[0, i]))
            perturbed[k, i] = log_odds[k, i] if ranked else log_odds[k, i] + noise[i]
            priority[k, i] = i
        sort_descending(perturbed[k], noise, priority[k], spare)


@jit
def rank_kinds(focus, column, order, spare, preferences):
    """Write `preferences` (N, K): each organization's kinds in descending order of focus; ties go to the lower kind."""
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
    """Write the true costs of serving (as shares of the value) and the expected qualities, both (K, N)."""
    kinds, n = costs.shape
    for k in range(kinds):
        for i in range(n):
            costs[k, i] = cost_share(economy[at.BASE_COST], economy[at.EFFORT_COST], state, outcome, k, i)
            qualities[k, i] = expected_quality(economy[at.QUALITY_CAPABILITY], state, outcome, k, i)


@inlined
def faults(match, wants, asks, reserve, capacity, load):
    """Return how many assignments of a mechanism are invalid.

    An assignment is invalid if there is no such organization, if it does not offer or is beyond its capacity, if the
    margin is below 0, or, if the payment reads them, if the price is outside 0 .. `MOST_PRICE` or the bid outside
    0 .. 1. Writes `load` (N,), the jobs of each organization.
    """
    winner, margin = match.winner, match.margin
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
        possible = margin[j] >= 0.0
        if wants > WANTS.margin:
            possible = possible and 0.0 <= match.price[j] <= MOST_PRICE and 0.0 <= match.bid[j] <= 1.0
        if not (fits and possible):
            wrong += 1
    return wrong


@inlined
def open_capacities(asks, reserve, capacity, capacities):
    """Write how many jobs each organization can serve, (N,): its capacity if its ask is at most the reserve, else 0."""
    for i in range(len(asks)):
        capacities[i] = np.int64(capacity) if asks[i] <= reserve else 0
