"""The market round, in order: act, score, match, pay, deliver, feed back, learn; then the next is disclosed."""

from collections import namedtuple

import numpy as np
from numba import types
from numba.core.typing import signature

from ruleshift.envs import layout as at
from ruleshift.envs.act import act
from ruleshift.envs.compile import calls_through_address, inlined, jit, matrix
from ruleshift.envs.deliver import deliver
from ruleshift.envs.disclose import disclose, sum_board, sum_public
from ruleshift.envs.enter import draw_shocks, enter, post_jobs
from ruleshift.envs.feed_back import feed_back
from ruleshift.envs.layout import outcome_of, state_of
from ruleshift.envs.learn import learn
from ruleshift.envs.match import draw_priorities, faults, open_capacities, rank_kinds
from ruleshift.envs.mechanisms.base import Match, Problem
from ruleshift.envs.numerics import DRAW, draw_fine, padded
from ruleshift.envs.order import copy
from ruleshift.envs.pay import pay
from ruleshift.envs.score import place, score

Arrays = namedtuple(
    "Arrays",
    [
        "keys",  # (B, 2) uint64, the generator's
        "economy",  # (ECONOMY_ROW,) float64
        "state",  # (B, 6 + 4K, N) float64
        "outcomes",  # (B, 13 + 2K, N) float64
        "job_kinds",  # (B, J) int64, the board now posted
        "job_values",  # (B, J) float64
        "served_kinds",  # (B, J) int64, the board of the round last played
        "served_values",  # (B, J) float64
        "winners",  # (B, J) int64
        "payments",  # (B, J) float64
        "measures",  # (B, M) float64, of the round last played
        "totals",  # (B, M) float64, over the episode so far
        "faults",  # (B,) int64, assignments that a mechanism got wrong
    ],
)

Stage = namedtuple(
    "Stage",
    [
        "rows",  # (B, RULE_ROW) float64
        "features",  # (B, len(FEATURES)) float32
        "addresses",  # (B,) int64, the mechanisms
    ],
)
"""The rules in force in one round, one a market."""

Scratch = namedtuple(
    "Scratch",
    [
        "log_odds", "race",
        "uniforms", "draws",
        "common", "mean", "noise",
        "qualities",
        "count", "value", "column",
        "public",
        "priority",
        "preferences",
        "capacities", "load", "order", "spare",
        "lead",
        "floats", "integers",
    ],
)  # fmt: skip


def scratch_sizes(n: int, j: int, k: int, floats: int, integers: int) -> tuple[int, int]:
    """Numbers of float64 and int64 that `carve` needs, with these many for the mechanism."""
    calls = max(j, n, -(-k * n // 4))
    by_kind = k * (n + 1) + k * n + 3 * k
    by_one = 3 * n + 2 * j + len(at.PUBLIC_STATISTICS)
    drawn = 4 * padded(j) + 4 * padded(calls)
    return by_kind + by_one + drawn + floats, 2 * k * n + 2 * n + 2 * max(n, k) + integers


@jit
def carve(floats, integers, n, j, k):
    """The named pieces of one thread's scratch memory."""
    longest = max(n, k)
    a = k * (n + 1)
    b = a + k * n
    jobs = -(-j // 8) * 8
    calls = -(-max(j, n, -(-k * n // 4)) // 8) * 8
    c = b + 4 * jobs + 4 * calls
    d = c + 3 * n
    e = d + 2 * j
    f = e + 3 * k
    g = f + 6
    p = k * n
    q = 2 * k * n
    r = q + 2 * n
    s = r + 2 * longest
    return Scratch(
        matrix(floats, 0, k, n + 1), matrix(floats, a, k, n),
        matrix(floats, b, 4, jobs), matrix(floats, b + 4 * jobs, 4, calls),
        floats[c : c + n], floats[c + n : c + 2 * n], floats[c + 2 * n : d],
        floats[d : d + j],
        floats[e : e + k], floats[e + k : e + 2 * k], floats[e + 2 * k : f],
        floats[f:g],
        matrix(integers, 0, k, n),
        matrix(integers, p, n, k),
        integers[q : q + n], integers[q + n : r], integers[r : r + longest], integers[r + longest : s],
        floats[d + j : e],
        floats[g:], integers[s:],
    )  # fmt: skip


_F1, _F2 = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
_I1, _I2 = types.Array(types.int64, 1, "C"), types.Array(types.int64, 2, "C")
_PROBLEM = types.NamedTuple(
    (_F2, types.int64, _F2, _I2, _I2, _I1, _F1, _I1, _F2, types.int64, types.int64, _F1), Problem
)
MECHANISM_SIGNATURE = signature(types.none, _PROBLEM, types.NamedTuple((_I1, _F1), Match), _F1, _I1)
"""What every mechanism is compiled for."""

_call_mechanism = calls_through_address(MECHANISM_SIGNATURE)


@inlined
def _match(address, key, round_, episode, rule, economy, state, outcome, kinds, values, winner, scratch):
    """Who serves whom; returns the number of assignments that the mechanism got wrong."""
    score(rule, economy, state, outcome, scratch.common, scratch.log_odds)
    reserve, capacity = rule[at.RESERVE], economy[at.CAPACITY]
    n = len(outcome.ask)
    sharp = rule[at.AMPLIFICATION] == np.inf
    if rule[at.READS_PREFERENCES] == 1.0:
        draw_priorities(
            key, round_, episode, scratch.log_odds, sharp, scratch.noise, scratch.race, scratch.priority,
            scratch.spare[:n], scratch.draws,
        )  # fmt: skip
        rank_kinds(outcome.focus, scratch.column, scratch.order, scratch.spare, scratch.preferences)
    draw_fine(key, round_, episode, DRAW, len(kinds), scratch.uniforms)
    open_capacities(outcome.ask, reserve, capacity, scratch.capacities)
    winner[:] = -1
    scratch.lead[:] = np.inf
    problem = Problem(
        scratch.log_odds, np.int64(sharp), scratch.race, scratch.priority, scratch.preferences, kinds, values,
        scratch.capacities, scratch.uniforms, np.int64(rule[at.PRICING] == 1.0), np.int64(rule[at.PROPOSER]),
        rule[at.PARAMETER_0 :],
    )  # fmt: skip
    _call_mechanism(address, problem, Match(winner, scratch.lead), scratch.floats, scratch.integers)
    return faults(winner, scratch.lead, outcome.ask, reserve, capacity, scratch.load)


@inlined
def _measure(economy, winner, values, qualities, payments, state, outcome, measures, totals):
    """The market's measures of a round (M,), in the order of `layout.MEASURES`, added to those of the episode."""
    n, jobs = len(outcome.ask), len(winner)
    measures[:] = 0.0
    value = 0.0
    for j in range(jobs):
        if winner[j] >= 0:
            measures[0] += 1.0
            measures[1] += values[j] * qualities[j] - payments[j]
            measures[5] += payments[j]
            measures[6] += qualities[j]
            value += values[j]
    served = max(measures[0], 1.0)
    capability = 0.0
    kinds = state.capability.shape[0]
    for k in range(kinds):
        for i in range(n):
            capability += state.capability[k, i]
    for i in range(n):
        measures[2] += outcome.profit[i]
        measures[3] += outcome.commission[i] + outcome.charge[i]
        measures[7] += outcome.ask[i]
        measures[8] += outcome.effort[i]
        measures[9] += outcome.promotion[i]
        measures[11] += outcome.served[i] * outcome.served[i]
        measures[12] += outcome.clipped[i]
    measures[0] /= jobs
    measures[1] /= jobs
    measures[2] /= jobs
    measures[3] /= jobs
    measures[4] = measures[1] + measures[2] + measures[3]
    measures[5] = measures[5] / value if value > 0.0 else 0.0
    measures[6] /= served
    measures[7] /= n
    measures[8] /= n
    measures[9] /= n
    measures[10] = capability / (n * kinds)
    measures[11] /= served * served
    measures[12] /= n
    for m in range(len(measures)):
        totals[m] += measures[m]


@inlined
def _show(rule, economy, first, notice, state, outcome, kinds, values, features, scratch, observations):
    """Disclose the board and what the rule lets organizations see."""
    level = rule[at.LEVEL]
    sum_board(kinds, values, scratch.count, scratch.value)
    if level >= 1.0 and not first:
        sum_public(state, outcome, scratch.mean, scratch.public)
    if level >= 2.0 and not first:
        n = len(outcome.ask)
        sharp = rule[at.AMPLIFICATION] == np.inf
        place(scratch.log_odds, sharp, scratch.order[:n], scratch.spare[:n], scratch.mean, outcome)
    capacity = economy[at.CAPACITY]
    disclose(
        level, capacity, first, notice, state, outcome, scratch.count, scratch.value, scratch.public, features,
        observations,
    )  # fmt: skip


@jit
def begin(arrays, stage, episode, notice, floats, integers, observations):
    """Open an episode in every market: organizations enter, and the first board is disclosed."""
    for b in range(len(arrays.keys)):
        kinds = _kinds(arrays.state[b])
        scratch = carve(floats, integers, arrays.state.shape[2], arrays.job_kinds.shape[1], kinds)
        arrays.totals[b] = 0.0
        _open(
            arrays.keys[b], episode, notice, stage.rows[b], stage.features[b], arrays.economy,
            state_of(arrays.state[b], kinds), outcome_of(arrays.outcomes[b], kinds),
            arrays.job_kinds[b], arrays.job_values[b], kinds, scratch, observations[b],
        )  # fmt: skip


@jit
def _open(key, episode, notice, rule, features, economy, state, outcome, kinds, values, count, scratch, observations):
    enter(key, episode, rule, economy, state, scratch.draws)
    post_jobs(key, 0, episode, economy, count, kinds, values, scratch.draws)
    draw_shocks(key, 0, episode, economy, state.shock, scratch.draws)
    _show(rule, economy, True, notice, state, outcome, kinds, values, features, scratch, observations)


@jit
def _kinds(state):
    return (state.shape[0] - 6) // 4


@jit
def _play_round(
    b, round_, episode, notice, last, keys, economy, states, outcomes, job_kinds, job_values, served_kinds,
    served_values, winners, payments, measures, totals, wrong, now, then, actions, observations, rewards,
    last_observations, scratch, count,
):  # fmt: skip
    """One round of market b, and what comes after it."""
    key, state, outcome = keys[b], state_of(states[b], count), outcome_of(outcomes[b], count)
    kinds, values, winner = served_kinds[b], served_values[b], winners[b]
    copy(job_kinds[b], kinds)
    copy(job_values[b], values)
    rule = now.rows[b]
    act(actions[b], outcome, scratch.common)
    wrong[b] = _match(
        now.addresses[b], key, round_, episode, rule, economy, state, outcome, kinds, values, winner, scratch
    )
    if wrong[b] > 0:
        return
    pay(rule, economy, winner, scratch.lead, values, outcome, payments[b])
    deliver(key, round_, episode, economy, state, winner, kinds, values, outcome, scratch.qualities, scratch.draws)
    feed_back(rule, winner, scratch.qualities, state, outcome)
    learn(economy, state, outcome)
    _measure(economy, winner, values, scratch.qualities, payments[b], state, outcome, measures[b], totals[b])
    for i in range(len(outcome.profit)):
        rewards[b, i] = outcome.profit[i]
    post_jobs(key, round_ + 1, episode, economy, count, job_kinds[b], job_values[b], scratch.draws)
    draw_shocks(key, round_ + 1, episode, economy, state.shock, scratch.draws)
    stage = now if last else then  # nothing is in force after the last round
    _show(
        stage.rows[b], economy, False, 0.0 if last else notice, state, outcome, job_kinds[b], job_values[b],
        stage.features[b], scratch, last_observations[b] if last else observations[b],
    )  # fmt: skip
    if last:
        _open(
            key, episode + 1, notice, then.rows[b], then.features[b], economy, state, outcome, job_kinds[b],
            job_values[b], count, scratch, observations[b],
        )  # fmt: skip


@jit
def play(
    start, stop, round_, episode, last, notice, arrays, now, then, actions, observations, rewards,
    last_observations, floats, integers,
):  # fmt: skip
    """Play one round in the markets start .. stop - 1.

    `now` are the rules of this round, `then` those of the next, which is the first of a new episode where this one is
    the `last`. Writes observations (B, N, F), rewards (B, N) and, in the last round, last_observations (B, N, F).
    """
    keys, economy, states = arrays.keys, arrays.economy, arrays.state
    outcomes, job_kinds, job_values = arrays.outcomes, arrays.job_kinds, arrays.job_values
    served_kinds, served_values = arrays.served_kinds, arrays.served_values
    winners, payments, wrong = arrays.winners, arrays.payments, arrays.faults
    measures, totals = arrays.measures, arrays.totals
    count = (states.shape[1] - 6) // 4
    scratch = carve(floats, integers, states.shape[2], job_kinds.shape[1], count)
    for b in range(start, stop):
        _play_round(
            b, round_, episode, notice, last, keys, economy, states, outcomes, job_kinds, job_values, served_kinds,
            served_values, winners, payments, measures, totals, wrong, now, then, actions, observations,
            rewards, last_observations, scratch, count,
        )  # fmt: skip
