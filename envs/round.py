"""The market round, in order: act, score, match, pay, deliver, feed back, learn; then the next is disclosed.

Each stage goes through a block of markets before the next begins.
"""

import numpy as np
from numba import types
from numba.core.typing import signature

from ruleshift.envs import layout as at
from ruleshift.envs.act import act
from ruleshift.envs.compile import calls_through_address, fetch_add, inlined, jit
from ruleshift.envs.deliver import deliver
from ruleshift.envs.disclose import blur, disclose, recall, record, sum_board, sum_public
from ruleshift.envs.divide import divide
from ruleshift.envs.enter import draw_shocks, enter, post_jobs, replace_bankrupt, seat_entrants
from ruleshift.envs.feed_back import feed_back, rate
from ruleshift.envs.layout import outcome_of, state_of
from ruleshift.envs.learn import learn
from ruleshift.envs.match import draw_priorities, expect, faults, open_capacities, rank_kinds, wanted
from ruleshift.envs.measure import measure, sum_jobs
from ruleshift.envs.mechanisms.base import Match, Problem
from ruleshift.envs.memory import carve, home_of, plan_of
from ruleshift.envs.numerics import DRAW, draw_fine
from ruleshift.envs.order import copy
from ruleshift.envs.pay import pay
from ruleshift.envs.score import place, score

_F1, _F2 = types.Array(types.float64, 1, "C"), types.Array(types.float64, 2, "C")
_I1, _I2 = types.Array(types.int64, 1, "C"), types.Array(types.int64, 2, "C")
_PROBLEM = types.NamedTuple(
    (_F2, types.int64, _F2, _I2, _I2, _F2, _F2, _F1, _F1, _I1, _F1, _I1, _F2, types.int64, types.int64, _F1), Problem
)
MECHANISM_SIGNATURE = signature(types.none, _PROBLEM, types.NamedTuple((_I1, _F1, _F1, _F1), Match), _F1, _I1)
"""What every mechanism is compiled for."""

_call_mechanism = calls_through_address(MECHANISM_SIGNATURE)


@jit
def play(turn, round_, episode, last, home, plan, next_plan, actions, observations, rewards, last_observations):
    """Play one round in the markets from `turn[0]` on, a block at a time; threads that share `turn` share the markets.

    `home` is the handle of a `Home`, `plan` that of this episode's `Plan`, `next_plan` that of the next episode's,
    which this call opens where the round is the `last`. Writes observations (B, N, F), rewards (B, N) and, in the last
    round, last_observations (B, N, F). Returns how many assignments mechanisms got wrong.
    """
    wrong = 0
    block, markets = len(home_of(home).interim.lead), len(home_of(home).arrays.keys)
    while True:
        first = fetch_add(turn, block)
        end = min(first + block, markets)
        if first >= markets:
            return wrong
        _act(first, end, home, actions)
        _score(first, end, round_, home, plan)
        if home_of(home).arrays.economy[at.EXPECTED_SHARES] == 1.0:
            _divide(first, end, round_, home, plan)
        else:
            wrong += _match(first, end, round_, episode, home, plan)
            _pay(first, end, round_, home, plan)
            _deliver(first, end, round_, episode, home, plan)
        _learn(first, end, round_, episode, home, plan, rewards)
        _post(first, end, round_ + 1, episode, home)
        if last:
            _show(first, end, round_ + 1, episode, last, home, plan, last_observations)
            _open(first, end, episode + 1, home, next_plan, observations)
        else:
            _show(first, end, round_ + 1, episode, last, home, plan, observations)


@jit
def begin(home, plan, episode, observations):
    """Open an episode in every market: organizations enter, and the first board is disclosed."""
    arrays = home_of(home).arrays
    for b in range(len(arrays.keys)):
        arrays.totals[b][:] = 0.0
    _open(0, len(arrays.keys), episode, home, plan, observations)


@inlined
def _unfold(home):
    """The arrays, the interim and the scratch memory of a `Home`."""
    home_ = home_of(home)
    n, j, k = _sizes(home_.arrays)
    return home_.arrays, home_.interim, carve(home_.floats, home_.integers, n, j, k)


@inlined
def _rules(plan, round_):
    """The plan, and the stage that each market is at in a round."""
    plan_ = plan_of(plan)
    return plan_, plan_.stages[round_]


@inlined
def _sizes(arrays):
    """Organizations, jobs and kinds."""
    kinds = (arrays.state.shape[1] - at.STATE_SINGLE) // at.STATE_BY_KIND
    return arrays.state.shape[2], arrays.job_kinds.shape[1], kinds


@jit
def _act(first, end, home, actions):
    arrays, _, scratch = _unfold(home)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        copy(arrays.job_kinds[b], arrays.served_kinds[b])
        copy(arrays.job_values[b], arrays.served_values[b])
        act(actions[b], outcome_of(arrays.outcomes[b], k), scratch.common)


@jit
def _score(first, end, round_, home, plan):
    arrays, interim, scratch = _unfold(home)
    rules, now = _rules(plan, round_)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        score(rules.rows[now[b], b], arrays.economy, state, outcome, scratch.common, interim.log_odds[b - first])
        arrays.winners[b][:] = -1


@jit
def _match(first, end, round_, episode, home, plan):
    """Who serves whom. Where a mechanism got assignments wrong, they are counted and undone."""
    wrong = 0
    arrays, interim, scratch = _unfold(home)
    rules, now = _rules(plan, round_)
    n, j, k = _sizes(arrays)
    capacity = arrays.economy[at.CAPACITY]
    for b in range(first, end):
        key, rule, address = arrays.keys[b], rules.rows[now[b], b], rules.addresses[now[b], b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        kinds, values, winner = arrays.served_kinds[b], arrays.served_values[b], arrays.winners[b]
        at_ = b - first
        log_odds, lead = interim.log_odds[at_], interim.lead[at_]
        price, bid = interim.price[at_], interim.bid[at_]
        reserve, sharp = rule[at.RESERVE], rule[at.AMPLIFICATION] == np.inf
        if rule[at.READS_PRIORITIES] == 1.0:
            draw_priorities(
                key, round_, episode, log_odds, sharp, scratch.noise, scratch.race, scratch.priority,
                scratch.spare[:n], scratch.draws,
            )  # fmt: skip
        if rule[at.READS_PREFERENCES] == 1.0:
            rank_kinds(outcome.focus, scratch.column, scratch.order, scratch.spare, scratch.preferences)
        if rule[at.READS_COSTS] == 1.0:
            expect(arrays.economy, state, outcome, scratch.costs, scratch.expected)
        drawn = max(j, n) if rule[at.DRAWS_ORGANIZATIONS] == 1.0 else j
        draw_fine(key, round_, episode, DRAW, drawn, scratch.uniforms)
        open_capacities(outcome.ask, reserve, capacity, scratch.capacities)
        lead[:] = np.inf
        wants = wanted(rule)
        if wants > 1:
            price[:] = 0.0
            bid[:] = 0.0
        problem = Problem(
            log_odds, np.int64(sharp), scratch.race, scratch.priority, scratch.preferences, scratch.costs,
            scratch.expected, outcome.ask, outcome.promotion, kinds, values, scratch.capacities, scratch.uniforms,
            wants, np.int64(rule[at.PROPOSER]), rule[at.PARAMETER_0 : at.PARAMETER_0 + 4],
        )  # fmt: skip
        match = Match(winner, lead, price, bid)
        _call_mechanism(address, problem, match, scratch.floats, scratch.integers)
        arrays.faults[b] = faults(match, wants, outcome.ask, reserve, capacity, scratch.load)
        if arrays.faults[b] > 0:
            wrong += arrays.faults[b]
            winner[:] = -1
        if rule[at.ENTRY_RATE] > 0.0:
            seat_entrants(
                key, round_, episode, rule[at.ENTRY_RATE], reserve, state, outcome, match, scratch.load, scratch.draws
            )
    return wrong


@jit
def _divide(first, end, round_, home, plan):
    """Expected shares in place of match, pay, deliver and rate."""
    arrays, interim, scratch = _unfold(home)
    rules, now = _rules(plan, round_)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        divide(
            rules.rows[now[b], b], arrays.economy, state_of(arrays.state[b], k), arrays.served_kinds[b],
            arrays.served_values[b], outcome_of(arrays.outcomes[b], k), interim.log_odds[b - first],
            scratch.race, arrays.payments[b], arrays.measures[b],
        )  # fmt: skip


@jit
def _pay(first, end, round_, home, plan):
    arrays, interim, _ = _unfold(home)
    rules, now = _rules(plan, round_)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        at_ = b - first
        pay(
            rules.rows[now[b], b], arrays.economy, arrays.winners[b], interim.lead[at_], interim.price[at_],
            interim.bid[at_], arrays.served_kinds[b], arrays.served_values[b], state_of(arrays.state[b], k),
            outcome_of(arrays.outcomes[b], k), arrays.payments[b],
        )  # fmt: skip


@jit
def _deliver(first, end, round_, episode, home, plan):
    arrays, interim, scratch = _unfold(home)
    rules, now = _rules(plan, round_)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        winner, values, qualities = arrays.winners[b], arrays.served_values[b], interim.qualities[b - first]
        deliver(
            arrays.keys[b], round_, episode, arrays.economy, state, winner, arrays.served_kinds[b], values, outcome,
            qualities, scratch.draws,
        )  # fmt: skip
        rate(rules.rows[now[b], b], winner, qualities, state)
        sum_jobs(winner, values, qualities, arrays.payments[b], arrays.measures[b])


@jit
def _learn(first, end, round_, episode, home, plan, rewards):
    """Feed back, learn, and take stock of the round; newcomers enter after it."""
    arrays, _, scratch = _unfold(home)
    rules, now = _rules(plan, round_)
    n, j, k = _sizes(arrays)
    for b in range(first, end):
        rule = rules.rows[now[b], b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        feed_back(rule, state, outcome)
        learn(arrays.economy, state, outcome)
        for i in range(n):
            rewards[b, i] = outcome.profit[i]
        entered = 0.0
        if rule[at.ENTRY] == 1.0:
            entered = replace_bankrupt(arrays.keys[b], round_, episode, rule, arrays.economy, state, scratch.draws)
        else:
            state.newcomer[:] = 0.0  # of a rule before
        measure(j, entered, state, outcome, arrays.measures[b], arrays.totals[b])


@jit
def _post(first, end, round_, episode, home):
    """The jobs and the cost shocks of a round."""
    arrays, _, scratch = _unfold(home)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        key = arrays.keys[b]
        post_jobs(
            key, round_, episode, arrays.economy, arrays.calendar, k, arrays.job_kinds[b], arrays.job_values[b],
            scratch.draws,
        )  # fmt: skip
        draw_shocks(key, round_, episode, arrays.economy, state_of(arrays.state[b], k).shock, scratch.draws)


@jit
def _show(first, end, round_, episode, ended, home, plan, observations):
    """Disclose the board of a round, and what the rule lets organizations see of the round before it.

    After the end nothing is announced, and no other rule is in force.
    """
    arrays, interim, scratch = _unfold(home)
    rules, stages = _rules(plan, round_ - 1 if ended else round_)
    n, _, k = _sizes(arrays)
    for b in range(first, end):
        rule, features = rules.rows[stages[b], b], rules.features[stages[b], b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        level, history = rule[at.LEVEL], arrays.history[b]
        sum_board(arrays.job_kinds[b], arrays.job_values[b], scratch.count, scratch.value)
        public, scores = level >= 1.0, level >= 2.0
        if public:
            sum_public(state, outcome, scratch.mean, scratch.public)
        if scores:
            sharp = rule[at.AMPLIFICATION] == np.inf
            place(interim.log_odds[b - first], sharp, scratch.order[:n], scratch.spare[:n], scratch.mean, outcome)
        if public and rule[at.NOISE] > 0.0:
            blur(arrays.keys[b], round_, episode, rule[at.NOISE], scores, scratch.public, outcome, scratch.draws)
        if len(history) > 0:
            record(history[round_ % len(history)], round_, public, scores, scratch.public, outcome)
            if rule[at.DELAY] > 0.0:
                before = round_ - np.int64(rule[at.DELAY])
                page = history[max(before, 0) % len(history)]
                public, scores = recall(page, before, public, scores, scratch.public, outcome)
        if not scores:
            outcome.priority[:] = 0.0  # neither an earlier rule's, nor what is not yet disclosed
            outcome.rank[:] = 0.0
        disclose(
            level, public, scores, arrays.economy[at.CAPACITY], False,
            0.0 if ended else rules.notices[round_, b], state, outcome,
            scratch.count, scratch.value, scratch.public, features, home_of(home).sheet, observations[b],
        )  # fmt: skip


@jit
def _open(first, end, episode, home, plan, observations):
    """Organizations enter, and the first board is disclosed."""
    arrays, _, scratch = _unfold(home)
    rules = plan_of(plan)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        enter(arrays.keys[b], episode, rules.rows[0, b], arrays.economy, state_of(arrays.state[b], k), scratch.draws)
    _post(first, end, 0, episode, home)
    for b in range(first, end):
        rule, features = rules.rows[0, b], rules.features[0, b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        sum_board(arrays.job_kinds[b], arrays.job_values[b], scratch.count, scratch.value)
        if len(arrays.history[b]) > 0:
            record(arrays.history[b][0], 0, False, False, scratch.public, outcome)
        disclose(
            rule[at.LEVEL], False, False, arrays.economy[at.CAPACITY], True, rules.notices[0, b], state, outcome,
            scratch.count, scratch.value, scratch.public, features, home_of(home).sheet, observations[b],
        )  # fmt: skip
