"""The market round, in order: act, score, match, pay, deliver, feed back, learn; then the next is disclosed."""

from collections import namedtuple

import numpy as np
from numba import types
from numba.core.typing import signature

from ruleshift.envs import layout as at
from ruleshift.envs.act import act
from ruleshift.envs.compile import calls_through_address, inlined, jit, matrix
from ruleshift.envs.deliver import deliver
from ruleshift.envs.disclose import blur, disclose, recall, record, sum_board, sum_public
from ruleshift.envs.divide import divide
from ruleshift.envs.enter import draw_shocks, enter, post_jobs, replace_bankrupt, seat_entrants
from ruleshift.envs.feed_back import feed_back, rate
from ruleshift.envs.layout import outcome_of, state_of
from ruleshift.envs.learn import learn
from ruleshift.envs.match import draw_priorities, expect, faults, open_capacities, rank_kinds, wanted
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
        "calendar",  # (P, 1 + K) float64, see `Economy.calendar`
        "state",  # (B, 6 + 5K, N) float64
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
        "history",  # (B, H, 8 + 2N) float64, what was disclosed in the last H rounds; H is 0 where nothing is late
    ],
)

Rules = namedtuple(
    "Rules",
    [
        "rows",  # (S, B, RULE_ROW) float64
        "features",  # (S, B, len(FEATURES)) float32
        "addresses",  # (S, B) int64, the mechanisms
    ],
)
"""The rules of an episode: in market b, `[s, b]` is the first rule for s = 0, then that of shift s - 1."""

Scratch = namedtuple(
    "Scratch",
    [
        "log_odds", "race",
        "uniforms", "draws",
        "common", "mean", "noise",
        "qualities", "price", "bid",
        "costs", "expected",
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
    by_kind = k * (n + 1) + 3 * k * n + 3 * k
    by_one = 3 * n + 4 * j + len(at.PUBLIC_STATISTICS)
    drawn = 4 * padded(max(j, n)) + 4 * padded(calls)
    return by_kind + by_one + drawn + floats, 2 * k * n + 2 * n + 2 * max(n, k) + integers


@jit
def carve(floats, integers, n, j, k):
    """The named pieces of one thread's scratch memory."""
    longest = max(n, k)
    a = k * (n + 1)
    b = a + 3 * k * n
    jobs = -(-max(j, n) // 8) * 8
    calls = -(-max(j, n, -(-k * n // 4)) // 8) * 8
    c = b + 4 * jobs + 4 * calls
    d = c + 3 * n
    e = d + 4 * j
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
        floats[d : d + j], floats[d + j : d + 2 * j], floats[d + 2 * j : d + 3 * j],
        matrix(floats, a + k * n, k, n), matrix(floats, a + 2 * k * n, k, n),
        floats[e : e + k], floats[e + k : e + 2 * k], floats[e + 2 * k : f],
        floats[f:g],
        matrix(integers, 0, k, n),
        matrix(integers, p, n, k),
        integers[q : q + n], integers[q + n : r], integers[r : r + longest], integers[r + longest : s],
        floats[d + 3 * j : e],
        floats[g:], integers[s:],
    )  # fmt: skip


_F1, _F2 = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
_I1, _I2 = types.Array(types.int64, 1, "C"), types.Array(types.int64, 2, "C")
_PROBLEM = types.NamedTuple(
    (_F2, types.int64, _F2, _I2, _I2, _F2, _F2, _F1, _F1, _I1, _F1, _I1, _F2, types.int64, types.int64, _F1), Problem
)
MECHANISM_SIGNATURE = signature(types.none, _PROBLEM, types.NamedTuple((_I1, _F1, _F1, _F1), Match), _F1, _I1)
"""What every mechanism is compiled for."""

_call_mechanism = calls_through_address(MECHANISM_SIGNATURE)


@inlined
def _match(address, key, round_, episode, rule, economy, state, outcome, kinds, values, winner, scratch):
    """Who serves whom; returns the number of assignments that the mechanism got wrong."""
    score(rule, economy, state, outcome, scratch.common, scratch.log_odds)
    winner[:] = -1
    if economy[at.EXPECTED_SHARES] == 1.0:
        return 0
    reserve, capacity = rule[at.RESERVE], economy[at.CAPACITY]
    n = len(outcome.ask)
    sharp = rule[at.AMPLIFICATION] == np.inf
    if rule[at.READS_PREFERENCES] == 1.0:
        draw_priorities(
            key, round_, episode, scratch.log_odds, sharp, scratch.noise, scratch.race, scratch.priority,
            scratch.spare[:n], scratch.draws,
        )  # fmt: skip
        rank_kinds(outcome.focus, scratch.column, scratch.order, scratch.spare, scratch.preferences)
    if rule[at.READS_COSTS] == 1.0:
        expect(economy, state, outcome, scratch.costs, scratch.expected)
    drawn = max(len(kinds), n) if rule[at.DRAWS_ORGANIZATIONS] == 1.0 else len(kinds)
    draw_fine(key, round_, episode, DRAW, drawn, scratch.uniforms)
    open_capacities(outcome.ask, reserve, capacity, scratch.capacities)
    scratch.lead[:] = np.inf
    wants = wanted(rule)
    if wants > 1:
        scratch.price[:] = 0.0
        scratch.bid[:] = 0.0
    problem = Problem(
        scratch.log_odds, np.int64(sharp), scratch.race, scratch.priority, scratch.preferences, scratch.costs,
        scratch.expected, outcome.ask, outcome.promotion, kinds, values, scratch.capacities, scratch.uniforms,
        wants, np.int64(rule[at.PROPOSER]), rule[at.PARAMETER_0 :],
    )  # fmt: skip
    match = Match(winner, scratch.lead, scratch.price, scratch.bid)
    _call_mechanism(address, problem, match, scratch.floats, scratch.integers)
    wrong = faults(winner, scratch.lead, outcome.ask, reserve, capacity, scratch.load)
    if rule[at.ENTRY_RATE] > 0.0 and wrong == 0:
        seat_entrants(
            key, round_, episode, rule[at.ENTRY_RATE], reserve, state, outcome, winner, scratch.lead, scratch.load,
            scratch.draws,
        )  # fmt: skip
    return wrong


@inlined
def _sum_jobs(winner, values, qualities, payments, measures):
    """What jobs sum to, into served, surplus, price and quality of the measures; returns the value served."""
    measures[:] = 0.0
    value = 0.0
    for j in range(len(winner)):
        if winner[j] >= 0:
            measures[0] += 1.0
            measures[1] += values[j] * qualities[j] - payments[j]
            measures[5] += payments[j]
            measures[6] += qualities[j]
            value += values[j]
    return value


@inlined
def _measure(jobs, value, state, outcome, measures, totals):
    """The market's measures of a round (M,), in the order of `layout.MEASURES`, added to those of the episode."""
    n = len(outcome.ask)
    served = measures[0] if measures[0] > 0.0 else 1.0
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
def _show(
    key, round_, episode, rule, economy, notice, state, outcome, kinds, values, features, history, scratch, observations
):
    """Disclose the board of a round, and what the rule lets organizations see of the round before it."""
    level = rule[at.LEVEL]
    n = len(outcome.ask)
    sum_board(kinds, values, scratch.count, scratch.value)
    public, scores = level >= 1.0 and round_ > 0, level >= 2.0 and round_ > 0
    if public:
        sum_public(state, outcome, scratch.mean, scratch.public)
    if scores:
        sharp = rule[at.AMPLIFICATION] == np.inf
        place(scratch.log_odds, sharp, scratch.order[:n], scratch.spare[:n], scratch.mean, outcome)
    if public and rule[at.NOISE] > 0.0:
        blur(key, round_, episode, rule[at.NOISE], scores, scratch.public, outcome, scratch.draws)
    if len(history) > 0:
        record(history[round_ % len(history)], round_, public, scores, scratch.public, outcome)
        if rule[at.DELAY] > 0.0:
            before = round_ - np.int64(rule[at.DELAY])
            public, scores = recall(
                history[max(before, 0) % len(history)], before, public, scores, scratch.public, outcome
            )
    if not scores and round_ > 0:
        outcome.priority[:] = 0.0  # neither an earlier rule's, nor what is not yet disclosed
        outcome.rank[:] = 0.0
    disclose(
        level, public, scores, economy[at.CAPACITY], round_ == 0, notice, state, outcome, scratch.count,
        scratch.value, scratch.public, features, observations,
    )  # fmt: skip


@jit
def begin(arrays, rules, episode, notices, floats, integers, observations):
    """Open an episode in every market: organizations enter, and the first board is disclosed."""
    for b in range(len(arrays.keys)):
        kinds = _kinds(arrays.state[b])
        scratch = carve(floats, integers, arrays.state.shape[2], arrays.job_kinds.shape[1], kinds)
        arrays.totals[b] = 0.0
        _open(
            arrays.keys[b], episode, notices[b], rules.rows[0, b], rules.features[0, b], arrays.economy,
            arrays.calendar, state_of(arrays.state[b], kinds), outcome_of(arrays.outcomes[b], kinds),
            arrays.job_kinds[b], arrays.job_values[b], arrays.history[b], kinds, scratch, observations[b],
        )  # fmt: skip


@jit
def _open(
    key, episode, notice, rule, features, economy, calendar, state, outcome, kinds, values, history, count, scratch,
    observations,
):  # fmt: skip
    enter(key, episode, rule, economy, state, scratch.draws)
    post_jobs(key, 0, episode, economy, calendar, count, kinds, values, scratch.draws)
    draw_shocks(key, 0, episode, economy, state.shock, scratch.draws)
    _show(
        key, 0, episode, rule, economy, notice, state, outcome, kinds, values, features, history, scratch, observations
    )


@jit
def _kinds(state):
    return (state.shape[0] - at.STATE_SINGLE) // at.STATE_BY_KIND


@jit
def _play_round(
    b, round_, episode, last, keys, economy, calendar, states, outcomes, job_kinds, job_values, served_kinds,
    served_values, winners, payments, measures, totals, wrong, history, now, then, notices, rules, next_rules,
    actions, observations, rewards, last_observations, scratch, count,
):  # fmt: skip
    """One round of market b, and what comes after it."""
    key, state, outcome = keys[b], state_of(states[b], count), outcome_of(outcomes[b], count)
    kinds, values, winner = served_kinds[b], served_values[b], winners[b]
    copy(job_kinds[b], kinds)
    copy(job_values[b], values)
    stage, following = now[b], then[b]
    rule = rules.rows[stage, b]
    act(actions[b], outcome, scratch.common)
    wrong[b] = _match(
        rules.addresses[stage, b], key, round_, episode, rule, economy, state, outcome, kinds, values, winner, scratch
    )
    if wrong[b] > 0:
        return
    if economy[at.EXPECTED_SHARES] == 1.0:
        value = divide(
            rule, economy, state, kinds, values, outcome, scratch.log_odds, scratch.race, payments[b], measures[b]
        )
    else:
        pay(
            rule, economy, winner, scratch.lead, scratch.price, scratch.bid, kinds, values, state, outcome, payments[b]
        )
        deliver(key, round_, episode, economy, state, winner, kinds, values, outcome, scratch.qualities, scratch.draws)
        rate(rule, winner, scratch.qualities, state)
        value = _sum_jobs(winner, values, scratch.qualities, payments[b], measures[b])
    feed_back(rule, state, outcome)
    learn(economy, state, outcome)
    _measure(len(winner), value, state, outcome, measures[b], totals[b])
    for i in range(len(outcome.profit)):
        rewards[b, i] = outcome.profit[i]
    if rule[at.ENTRY] == 1.0:
        entered = replace_bankrupt(key, round_, episode, rule, economy, state, scratch.draws)
        measures[b, len(at.MEASURES) - 1] = entered
        totals[b, len(at.MEASURES) - 1] += entered
    else:
        state.newcomer[:] = 0.0  # of a rule before
    post_jobs(key, round_ + 1, episode, economy, calendar, count, job_kinds[b], job_values[b], scratch.draws)
    draw_shocks(key, round_ + 1, episode, economy, state.shock, scratch.draws)
    if last:
        following = stage  # no other is in force after the last round
    _show(
        key, round_ + 1, episode, rules.rows[following, b], economy, 0.0 if last else notices[b], state, outcome,
        job_kinds[b], job_values[b], rules.features[following, b], history[b], scratch,
        last_observations[b] if last else observations[b],
    )  # fmt: skip
    if last:
        _open(
            key, episode + 1, notices[b], next_rules.rows[0, b], next_rules.features[0, b], economy, calendar, state,
            outcome, job_kinds[b], job_values[b], history[b], count, scratch, observations[b],
        )  # fmt: skip


@jit
def play(
    start, stop, round_, episode, last, arrays, now, then, notices, rules, next_rules, actions, observations, rewards,
    last_observations, floats, integers,
):  # fmt: skip
    """Play one round in the markets start .. stop - 1.

    `now` and `then` (B,) are the stages of this round and the next: in market b the rule is `rules.rows[now[b], b]`.
    Where this round is the `last`, the next opens an episode under `next_rules`. `notices` (B,) are those of the next
    round. Writes observations (B, N, F), rewards (B, N) and, in the last round, last_observations (B, N, F).
    """
    keys, economy, calendar, states = arrays.keys, arrays.economy, arrays.calendar, arrays.state
    outcomes, job_kinds, job_values = arrays.outcomes, arrays.job_kinds, arrays.job_values
    served_kinds, served_values = arrays.served_kinds, arrays.served_values
    winners, payments, wrong = arrays.winners, arrays.payments, arrays.faults
    measures, totals, history = arrays.measures, arrays.totals, arrays.history
    count = _kinds(states[0])
    scratch = carve(floats, integers, states.shape[2], job_kinds.shape[1], count)
    for b in range(start, stop):
        _play_round(
            b, round_, episode, last, keys, economy, calendar, states, outcomes, job_kinds, job_values, served_kinds,
            served_values, winners, payments, measures, totals, wrong, history, now, then, notices, rules,
            next_rules, actions, observations, rewards, last_observations, scratch, count,
        )  # fmt: skip
