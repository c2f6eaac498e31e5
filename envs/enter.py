"""Enter: what organizations bring to a market, and what each round brings to them: jobs and cost shocks."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import jit, matrix
from ruleshift.envs.learn import update_capability
from ruleshift.envs.numerics import BOARD, INITIAL, SHOCK, exp, log, uniform, words

_ROOT_3 = 1.7320508075688772


@jit
def enter(key, episode, rule, economy, state):
    """All organizations of a new episode: no experience, and initial capability and infrastructure drawn."""
    kinds, n = state.initial.shape
    low, width = economy[at.CAPABILITY_LOW], economy[at.CAPABILITY_HIGH] - economy[at.CAPABILITY_LOW]
    start, range_ = economy[at.INFRASTRUCTURE_LOW], economy[at.INFRASTRUCTURE_HIGH] - economy[at.INFRASTRUCTURE_LOW]
    for i in range(n):
        state.reputation[i] = economy[at.INITIAL_REPUTATION]
        state.popularity[i] = rule[at.PRIOR]
        state.cash[i] = economy[at.INITIAL_CASH]
        state.newcomer[i] = 0.0
        four = words(key[0], key[1], i, kinds, episode, INITIAL)
        state.infrastructure[i] = start + range_ * uniform(four[0])
        state.relief[i] = exp(-economy[at.INFRASTRUCTURE_GAIN] * log(1.0 + state.infrastructure[i]))
    for k in range(kinds):
        for i in range(n):
            four = words(key[0], key[1], i // 4, k, episode, INITIAL)
            state.initial[k, i] = low + width * uniform(four[i % 4])
            state.experience[k, i] = 0.0
    update_capability(economy[at.LEARNING_EXPONENT], state)


@jit
def post_jobs(key, round_, episode, economy, kinds_count, kinds, values):
    """The jobs of a round, in order of arrival: their kinds and values."""
    jobs = len(kinds)
    spread = economy[at.VALUE_SPREAD]
    even = economy[at.DEMAND_EVEN] == 1.0
    for j in range(jobs):
        a, b, c, _ = words(key[0], key[1], j, round_, episode, BOARD)
        values[j] = 1.0 + spread * (2.0 * uniform(b) - 1.0)
        kinds[j] = j % kinds_count if even else np.int64(uniform(a) * kinds_count)
        if even and j > 0:  # a random order of arrival, by swapping with a job that came before
            other = np.int64(uniform(c) * (j + 1))
            kinds[j], kinds[other] = kinds[other], kinds[j]


@jit
def draw_shocks(key, round_, episode, economy, shock):
    """The private cost shocks of a round, (K, N)."""
    kinds, n = shock.shape
    mean, sd = economy[at.SHOCK_MEAN], economy[at.SHOCK_SD]
    if sd == 0.0:
        shock[:] = mean
        return
    flat = matrix(shock, 0, 1, kinds * n)[0]
    for start in range(0, len(flat), 4):
        four = words(key[0], key[1], start // 4, round_, episode, SHOCK)
        for offset in range(min(4, len(flat) - start)):
            flat[start + offset] = uniform(four[offset])
    if economy[at.SHOCK_EXPONENTIAL] == 1.0:
        for index in range(len(flat)):
            flat[index] = mean + sd * (-log(flat[index]) - 1.0)
    else:
        for index in range(len(flat)):
            flat[index] = mean + sd * ((2.0 * flat[index] - 1.0) * _ROOT_3)
