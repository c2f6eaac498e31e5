"""Enter: what organizations bring to a market, and what each round brings to them: jobs and cost shocks."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import jit, matrix
from ruleshift.envs.learn import update_capability
from ruleshift.envs.numerics import BOARD, INITIAL, SHOCK, draw, exp, log, spread

_ROOT_3 = 1.7320508075688772


@jit
def enter(key, episode, rule, economy, state, draws):
    """All organizations of a new episode: no experience, and initial capability and infrastructure drawn."""
    kinds, n = state.initial.shape
    low, width = economy[at.CAPABILITY_LOW], economy[at.CAPABILITY_HIGH] - economy[at.CAPABILITY_LOW]
    start, range_ = economy[at.INFRASTRUCTURE_LOW], economy[at.INFRASTRUCTURE_HIGH] - economy[at.INFRASTRUCTURE_LOW]
    draw(key, kinds, episode, INITIAL, n, draws)
    for i in range(n):
        state.reputation[i] = economy[at.INITIAL_REPUTATION]
        state.popularity[i] = rule[at.PRIOR]
        state.cash[i] = economy[at.INITIAL_CASH]
        state.newcomer[i] = 0.0
        state.infrastructure[i] = start + range_ * draws[0, i]
        state.relief[i] = exp(-economy[at.INFRASTRUCTURE_GAIN] * log(1.0 + state.infrastructure[i]))
    for k in range(kinds):
        draw(key, k, episode, INITIAL, (n + 3) // 4, draws)
        spread(draws, state.initial[k])
        for i in range(n):
            state.initial[k, i] = low + width * state.initial[k, i]
            state.experience[k, i] = 0.0
    update_capability(economy[at.LEARNING_EXPONENT], state)


@jit
def post_jobs(key, round_, episode, economy, kinds_count, kinds, values, draws):
    """The jobs of a round, in order of arrival: their kinds and values."""
    jobs = len(kinds)
    width = economy[at.VALUE_SPREAD]
    even = economy[at.DEMAND_EVEN] == 1.0
    draw(key, round_, episode, BOARD, jobs, draws)
    for j in range(jobs):
        values[j] = 1.0 + width * (2.0 * draws[1, j] - 1.0)
    if not even:
        for j in range(jobs):
            kinds[j] = np.int64(draws[0, j] * kinds_count)
        return
    for j in range(jobs):  # a random order of arrival: each swaps with one that came before, or itself
        other = np.int64(draws[2, j] * (j + 1))
        kinds[j] = kinds[other]
        kinds[other] = j % kinds_count


@jit
def draw_shocks(key, round_, episode, economy, shock, draws):
    """The private cost shocks of a round, (K, N)."""
    kinds, n = shock.shape
    mean, sd = economy[at.SHOCK_MEAN], economy[at.SHOCK_SD]
    if sd == 0.0:
        shock[:] = mean
        return
    flat = matrix(shock, 0, 1, kinds * n)[0]
    draw(key, round_, episode, SHOCK, (len(flat) + 3) // 4, draws)
    spread(draws, flat)
    if economy[at.SHOCK_EXPONENTIAL] == 1.0:
        for index in range(len(flat)):
            flat[index] = mean + sd * (-log(flat[index]) - 1.0)
    else:
        for index in range(len(flat)):
            flat[index] = mean + sd * ((2.0 * flat[index] - 1.0) * _ROOT_3)
