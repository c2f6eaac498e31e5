"""Match: the mechanism decides who serves whom; what it decided is checked."""

import numpy as np

from ruleshift.envs.compile import jit
from ruleshift.envs.numerics import DRAW, RACE, log, uniform, uniform_fine, words
from ruleshift.envs.order import sort_descending


@jit
def draw_uniforms(key, round_, episode, uniforms):
    """Three uniforms a job, (J, 3): one fine for the choice, two for the lead, from one call of the generator."""
    for j in range(uniforms.shape[0]):
        a, b, c, d = words(key[0], key[1], j, round_, episode, DRAW)
        uniforms[j, 0] = uniform_fine(a, b)
        uniforms[j, 1] = uniform(c)
        uniforms[j, 2] = uniform(d)


@jit
def draw_priorities(key, round_, episode, log_odds, sharp, noise, race, priority, spare):
    """One priority list a kind, drawn as Plackett-Luce from the odds: log odds plus Gumbel noise, in order.

    Under a ranking the race is the score, and the noise only breaks ties. (Yellott 1977: the Gumbel form of Luce.)
    """
    kinds, n = race.shape
    for k in range(kinds):
        for i in range(n):
            index = k * n + i
            four = words(key[0], key[1], index // 2, round_, episode, RACE)
            u = uniform_fine(four[0], four[1]) if index % 2 == 0 else uniform_fine(four[2], four[3])
            noise[i] = -log(-log(u))
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


@jit
def open_capacities(asks, reserve, capacity, capacities):
    """Jobs that each organization can serve: its capacity where its ask is offered, else 0."""
    for i in range(len(asks)):
        capacities[i] = np.int64(capacity) if asks[i] <= reserve else 0
