"""Match: the mechanism decides who serves whom; what it decided is checked."""

import numpy as np

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.numerics import PURPOSES, RACE, draw_fine, log
from ruleshift.envs.order import sort_descending


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


@inlined
def faults(winner, lead, asks, reserve, capacity, load):
    """How many assignments a mechanism got wrong: no such organization, one not offering, one beyond capacity."""
    load[:] = 0
    wrong = 0
    for j in range(len(winner)):
        i = winner[j]
        if i == -1:
            continue
        if i < -1 or i >= len(load):
            wrong += 1
            continue
        load[i] += 1
        if load[i] > capacity or asks[i] > reserve or not lead[j] >= 0.0:
            wrong += 1
    return wrong


@inlined
def open_capacities(asks, reserve, capacity, capacities):
    """Jobs that each organization can serve: its capacity where its ask is offered, else 0."""
    for i in range(len(asks)):
        capacities[i] = np.int64(capacity) if asks[i] <= reserve else 0
