"""Enter: the state in which organizations enter a market, and the jobs and cost shocks of each round."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import jit, matrix
from ruleshift.envs.enumerations import DEMAND, SHOCK_LAW
from ruleshift.envs.learn import update_capability
from ruleshift.envs.numerics import BOARD, ENTRY, INITIAL, NEWCOMER, PURPOSES, SHOCK, draw, exp, log, spread

_ROOT_3 = 1.7320508075688772


@jit
def enter(key, episode, rule, economy, state, draws):
    """Write the `state` in which organizations begin an episode, with capability and infrastructure drawn.

    They have no experience. `rule` and `economy` are the kernel's rows, and `draws` (4, max(N, N K / 4) or more) is
    scratch memory.
    """
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
            state.billed[k, i] = 0.0
    update_capability(economy[at.LEARNING_EXPONENT], state)


@jit
def replace_bankrupt(key, round_, episode, rule, economy, state, draws):
    """Put newcomers into the seats of organizations whose cash is below 0; returns their share of the seats, in [0, 1].

    They begin as organizations do in a new episode, and `state.newcomer` flags them for one round.
    """
    kinds, n = state.initial.shape
    entered = np.int64(0)
    for i in range(n):
        state.newcomer[i] = 1.0 if state.cash[i] < 0.0 else 0.0
        entered += np.int64(state.newcomer[i])
    if entered == 0:
        return 0.0
    low, width = economy[at.CAPABILITY_LOW], economy[at.CAPABILITY_HIGH] - economy[at.CAPABILITY_LOW]
    start, range_ = economy[at.INFRASTRUCTURE_LOW], economy[at.INFRASTRUCTURE_HIGH] - economy[at.INFRASTRUCTURE_LOW]
    draw(key, round_, episode, NEWCOMER + PURPOSES * kinds, n, draws)
    for i in range(n):
        if state.newcomer[i] == 1.0:
            state.reputation[i] = economy[at.INITIAL_REPUTATION]
            state.popularity[i] = rule[at.PRIOR]
            state.cash[i] = economy[at.INITIAL_CASH]
            state.infrastructure[i] = start + range_ * draws[0, i]
            state.relief[i] = exp(-economy[at.INFRASTRUCTURE_GAIN] * log(1.0 + state.infrastructure[i]))
    for k in range(kinds):
        draw(key, round_, episode, NEWCOMER + PURPOSES * k, n, draws)
        for i in range(n):
            if state.newcomer[i] == 1.0:
                state.initial[k, i] = low + width * draws[0, i]
                state.capability[k, i] = state.initial[k, i]
                state.experience[k, i] = 0.0
                state.billed[k, i] = 0.0
    return entered / n


@jit
def seat_entrants(key, round_, episode, rate, reserve, state, outcome, match, load, draws):
    """With probability `rate`, give each job served to a dormant seat (one of popularity 0) instead of its winner.

    The first dormant seat that offers and has won nothing enters, at most once per round (Simon 1955). It has no rival:
    under the pricing `externality` it is paid its ask, and no other organization's bid is charged to it. `load` (N,)
    counts the jobs that each organization won.
    """
    winner = match.winner
    draw(key, round_, episode, ENTRY, len(winner), draws)
    seat = 0
    for j in range(len(winner)):
        if winner[j] < 0 or draws[0, j] >= rate:
            continue
        while seat < len(load) and (state.popularity[seat] > 0.0 or load[seat] > 0 or outcome.ask[seat] > reserve):
            seat += 1
        if seat == len(load):
            return
        winner[j], match.margin[j] = seat, np.inf
        match.price[j], match.bid[j] = outcome.ask[seat], 0.0
        load[seat] = 1


@jit
def post_jobs(key, round_, episode, economy, calendar, kinds_count, kinds, values, draws):
    """Write the jobs of a round in order of arrival: `kinds` (J,) and `values` (J,), in mean job values.

    `calendar` (P, 1 + K) holds the drifts of values and demand, see `Economy.calendar`.
    """
    jobs = len(kinds)
    width = economy[at.VALUE_SPREAD]
    even = economy[at.DEMAND] == DEMAND.even
    draw(key, round_, episode, BOARD, jobs, draws)
    for j in range(jobs):
        values[j] = 1.0 + width * (2.0 * draws[1, j] - 1.0)
    today = calendar[round_ % len(calendar)]
    if len(calendar) > 1:
        for j in range(jobs):
            values[j] *= today[0]
    if economy[at.DEMAND_DRIFTS] == 1.0:
        for j in range(jobs):
            kinds[j] = 0
            for k in range(1, kinds_count):
                kinds[j] += np.int64(draws[0, j] >= today[k])
        return
    if not even:
        for j in range(jobs):
            kinds[j] = np.int64(draws[0, j] * kinds_count)
        return
    for j in range(jobs):  # shuffle: each job swaps places with itself or an earlier one
        other = np.int64(draws[2, j] * (j + 1))
        kinds[j] = kinds[other]
        kinds[other] = j % kinds_count


@jit
def draw_shocks(key, round_, episode, economy, shock, draws):
    """Write the private cost shocks of a round, `shock` (K, N), as shares of a job's value."""
    kinds, n = shock.shape
    mean, sd = economy[at.SHOCK_MEAN], economy[at.SHOCK_SD]
    if sd == 0.0:
        shock[:] = mean
        return
    flat = matrix(shock, 0, 1, kinds * n)[0]
    draw(key, round_, episode, SHOCK, (len(flat) + 3) // 4, draws)
    spread(draws, flat)
    if economy[at.SHOCK_LAW] == SHOCK_LAW.exponential:
        for index in range(len(flat)):
            flat[index] = mean + sd * (-log(flat[index]) - 1.0)
    else:
        for index in range(len(flat)):
            flat[index] = mean + sd * ((2.0 * flat[index] - 1.0) * _ROOT_3)
