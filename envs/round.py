"""The market round, in order: act, score, match, pay, deliver, feed back, learn; then the next board is disclosed.

Each stage goes through a block of markets before the next stage begins.
"""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.act import act
from ruleshift.envs.buffers import buffers_of, carve, rules_of
from ruleshift.envs.compile import calls_through_address, fetch_add, inlined, jit
from ruleshift.envs.deliver import deliver
from ruleshift.envs.disclose import blur, disclose, recall, record, sum_board, sum_public
from ruleshift.envs.enter import draw_shocks, enter, post_jobs, replace_bankrupt, seat_entrants
from ruleshift.envs.enumerations import ENTRY, LEVEL, SHARE, WANTS
from ruleshift.envs.expected_shares import divide_by_shares
from ruleshift.envs.feed_back import feed_back, rate
from ruleshift.envs.layout import outcome_of, state_of
from ruleshift.envs.learn import learn
from ruleshift.envs.match import draw_priorities, expect, faults, open_capacities, rank_kinds
from ruleshift.envs.measure import measure, sum_jobs
from ruleshift.envs.mechanisms.base import MECHANISM_SIGNATURE, Match, Problem
from ruleshift.envs.numerics import DRAW, draw_fine
from ruleshift.envs.order import copy
from ruleshift.envs.pay import pay
from ruleshift.envs.score import rank_scores, score

IN_MECHANISM = -1
"""What `faults` holds of a market while its mechanism runs, and keeps if the mechanism raises an exception."""
_call_mechanism = calls_through_address(MECHANISM_SIGNATURE)


@jit
def play(
    next_market, round_, episode, last, buffers, rules, next_rules, actions, observations, rewards, last_observations
):
    """Play one round in the markets from `next_market[0]` on, block by block; threads that share it share the work.

    `buffers` is the handle of `ThreadBuffers`, `rules` that of this episode's `EpisodeRules`, and `next_rules` that of
    the next episode's, which this call opens if the round is the `last`. Writes observations (B, N, F), rewards (B, N)
    and, in the last round, last_observations (B, N, F). Returns how many assignments of mechanisms were invalid.
    """
    wrong = 0
    block, markets = len(buffers_of(buffers).round.margin), len(buffers_of(buffers).arrays.keys)
    while True:
        first = fetch_add(next_market, block)
        end = min(first + block, markets)
        if first >= markets:
            return wrong
        _act(first, end, buffers, rules, actions)
        _score(first, end, buffers, rules)
        if buffers_of(buffers).arrays.economy[at.SHARES] == SHARE.expected:
            _divide_by_shares(first, end, buffers, rules)
        else:
            wrong += _match(first, end, round_, episode, buffers, rules)
            _pay(first, end, buffers, rules)
            _deliver(first, end, round_, episode, buffers, rules)
        _learn(first, end, round_, episode, buffers, rules, rewards)
        _post(first, end, round_ + 1, episode, buffers)
        if last:
            _show(first, end, round_ + 1, episode, last, buffers, rules, last_observations)
            _open(first, end, episode + 1, buffers, next_rules, observations)
        else:
            _show(first, end, round_ + 1, episode, last, buffers, rules, observations)


@jit
def begin(buffers, rules, episode, observations):
    """Open an episode in every market: organizations enter, and the first board is disclosed."""
    arrays = buffers_of(buffers).arrays
    for b in range(len(arrays.keys)):
        arrays.totals[b][:] = 0.0
    _open(0, len(arrays.keys), episode, buffers, rules, observations)


@inlined
def _unpack(buffers):
    """Return the markets' arrays, and the round's buffers and the scratch memory of a thread."""
    mine = buffers_of(buffers)
    n, j, k = _sizes(mine.arrays)
    return mine.arrays, mine.round, carve(mine.floats, mine.integers, n, j, k)


@inlined
def _in_force(rules, later):
    """Return the rules of the episode, and the index of the one in force in each market, (B,).

    `later` is 0 for the round that is played, and 1 for the one after it.
    """
    of_episode = rules_of(rules)
    return of_episode, of_episode.stages[later]


@inlined
def _sizes(arrays):
    """Return the numbers of organizations, jobs and kinds."""
    kinds = (arrays.state.shape[1] - at.STATE_SINGLE) // at.STATE_BY_KIND
    return arrays.state.shape[2], arrays.job_kinds.shape[1], kinds


@jit
def _act(first, end, buffers, rules, actions):
    arrays, _, scratch = _unpack(buffers)
    book, now = _in_force(rules, 0)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        copy(arrays.job_kinds[b], arrays.served_kinds[b])
        copy(arrays.job_values[b], arrays.served_values[b])
        act(actions[b], book.rows[now[b], b, at.RESERVE], outcome_of(arrays.outcomes[b], k), scratch.common)


@jit
def _score(first, end, buffers, rules):
    arrays, between, scratch = _unpack(buffers)
    book, now = _in_force(rules, 0)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        score(book.rows[now[b], b], arrays.economy, state, outcome, scratch.common, between.log_odds[b - first])
        arrays.winners[b][:] = -1


@jit
def _match(first, end, round_, episode, buffers, rules):
    """Let the mechanism decide who serves whom; if any assignment is invalid, all of its market are undone.

    Returns the number of invalid assignments.
    """
    wrong = 0
    arrays, between, scratch = _unpack(buffers)
    book, now = _in_force(rules, 0)
    n, j, k = _sizes(arrays)
    capacity = arrays.economy[at.CAPACITY]
    for b in range(first, end):
        key, rule, address = arrays.keys[b], book.rows[now[b], b], book.addresses[now[b], b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        kinds, values, winner = arrays.served_kinds[b], arrays.served_values[b], arrays.winners[b]
        here = b - first
        log_odds, margin = between.log_odds[here], between.margin[here]
        price, bid = between.price[here], between.bid[here]
        reserve, ranked = rule[at.RESERVE], rule[at.AMPLIFICATION] == np.inf
        if rule[at.READS_PRIORITIES] == 1.0:
            draw_priorities(
                key, round_, episode, log_odds, ranked, scratch.noise, scratch.perturbed, scratch.priority,
                scratch.spare[:n], scratch.draws,
            )  # fmt: skip
        if rule[at.READS_PREFERENCES] == 1.0:
            rank_kinds(outcome.focus, scratch.column, scratch.order, scratch.spare, scratch.preferences)
        if rule[at.READS_COSTS] == 1.0:
            expect(arrays.economy, state, outcome, scratch.costs, scratch.qualities)
        drawn = max(j, n) if rule[at.DRAWS_ORGANIZATIONS] == 1.0 else j
        draw_fine(key, round_, episode, DRAW, drawn, scratch.uniforms)
        open_capacities(outcome.ask, reserve, capacity, scratch.capacities)
        margin[:] = np.inf
        wants = np.int64(rule[at.WANTS])
        if wants > WANTS.margin:
            price[:] = 0.0
            bid[:] = 0.0
        problem = Problem(
            log_odds, np.int64(ranked), scratch.perturbed, scratch.priority, scratch.preferences, scratch.costs,
            scratch.qualities, outcome.ask, outcome.promotion, kinds, values, scratch.capacities, scratch.uniforms,
            wants, np.int64(rule[at.PROPOSER]), rule[at.PARAMETER_0 : at.PARAMETER_0 + at.MOST_PARAMETERS],
        )  # fmt: skip
        match = Match(winner, margin, price, bid)
        arrays.faults[b] = IN_MECHANISM
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
def _divide_by_shares(first, end, buffers, rules):
    """Divide jobs by expected shares, which replaces match, pay, deliver and rate."""
    arrays, between, scratch = _unpack(buffers)
    book, now = _in_force(rules, 0)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        divide_by_shares(
            book.rows[now[b], b], arrays.economy, state_of(arrays.state[b], k), arrays.served_kinds[b],
            arrays.served_values[b], outcome_of(arrays.outcomes[b], k), between.log_odds[b - first],
            scratch.perturbed, arrays.payments[b], arrays.measures[b],
        )  # fmt: skip


@jit
def _pay(first, end, buffers, rules):
    arrays, between, _ = _unpack(buffers)
    book, now = _in_force(rules, 0)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        here = b - first
        pay(
            book.rows[now[b], b], arrays.economy, arrays.winners[b], between.margin[here], between.price[here],
            between.bid[here], arrays.served_kinds[b], arrays.served_values[b], state_of(arrays.state[b], k),
            outcome_of(arrays.outcomes[b], k), arrays.payments[b],
        )  # fmt: skip


@jit
def _deliver(first, end, round_, episode, buffers, rules):
    arrays, between, scratch = _unpack(buffers)
    book, now = _in_force(rules, 0)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        winner, values, qualities = arrays.winners[b], arrays.served_values[b], between.qualities[b - first]
        deliver(
            arrays.keys[b], round_, episode, arrays.economy, state, winner, arrays.served_kinds[b], values, outcome,
            qualities, scratch.draws,
        )  # fmt: skip
        rate(book.rows[now[b], b], winner, qualities, state)
        sum_jobs(winner, values, qualities, arrays.payments[b], arrays.measures[b])


@jit
def _learn(first, end, round_, episode, buffers, rules, rewards):
    """Feed back, learn and measure the round; newcomers then enter."""
    arrays, _, scratch = _unpack(buffers)
    book, now = _in_force(rules, 0)
    n, j, k = _sizes(arrays)
    for b in range(first, end):
        rule = book.rows[now[b], b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        feed_back(rule, state, outcome)
        learn(arrays.economy, state, outcome)
        for i in range(n):
            rewards[b, i] = outcome.profit[i]
        entered = 0.0
        if rule[at.ENTRY] == ENTRY.replacement:
            entered = replace_bankrupt(arrays.keys[b], round_, episode, rule, arrays.economy, state, scratch.draws)
        else:
            state.newcomer[:] = 0.0  # flags left by an earlier rule that replaced the bankrupt
        measure(j, entered, state, outcome, arrays.measures[b], arrays.totals[b])


@jit
def _post(first, end, round_, episode, buffers):
    """Draw the jobs and the cost shocks of a round."""
    arrays, _, scratch = _unpack(buffers)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        key = arrays.keys[b]
        post_jobs(
            key, round_, episode, arrays.economy, arrays.calendar, k, arrays.job_kinds[b], arrays.job_values[b],
            scratch.draws,
        )  # fmt: skip
        draw_shocks(key, round_, episode, arrays.economy, state_of(arrays.state[b], k).shock, scratch.draws)


@jit
def _show(first, end, round_, episode, ended, buffers, rules, observations):
    """Disclose the board of a round, and what the rule lets organizations see of the round before it.

    After the end of an episode nothing is announced, and the last rule is still in force.
    """
    arrays, between, scratch = _unpack(buffers)
    book, stages = _in_force(rules, 0 if ended else 1)
    n, _, k = _sizes(arrays)
    for b in range(first, end):
        rule, features = book.rows[stages[b], b], book.features[stages[b], b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        level, history = rule[at.LEVEL], arrays.history[b]
        sum_board(arrays.job_kinds[b], arrays.job_values[b], scratch.count, scratch.value)
        public, scores = level >= LEVEL.outcomes, level >= LEVEL.scores
        if public:
            sum_public(state, outcome, scratch.mean, scratch.public)
        if scores:
            ranked = rule[at.AMPLIFICATION] == np.inf
            rank_scores(
                between.log_odds[b - first], ranked, scratch.order[:n], scratch.spare[:n], scratch.mean, outcome
            )
        if public and rule[at.NOISE] > 0.0:
            blur(arrays.keys[b], round_, episode, rule[at.NOISE], scores, scratch.public, outcome, scratch.draws)
        if len(history) > 0:
            record(history[round_ % len(history)], round_, public, scores, scratch.public, outcome)
            if rule[at.DELAY] > 0.0:
                before = round_ - np.int64(rule[at.DELAY])
                past = history[max(before, 0) % len(history)]
                public, scores = recall(past, before, public, scores, scratch.public, outcome)
        if not scores:
            outcome.priority[:] = 0.0  # clear an earlier rule's scores, and those that are not yet disclosed
            outcome.rank[:] = 0.0
        disclose(
            level, public, scores, arrays.economy[at.CAPACITY], False,
            0.0 if ended else book.notices[b], state, outcome,
            scratch.count, scratch.value, scratch.public, features, buffers_of(buffers).staging, observations[b],
        )  # fmt: skip


@jit
def _open(first, end, episode, buffers, rules, observations):
    """Let organizations enter, and disclose the first board."""
    arrays, _, scratch = _unpack(buffers)
    book = rules_of(rules)
    _, _, k = _sizes(arrays)
    for b in range(first, end):
        enter(arrays.keys[b], episode, book.rows[0, b], arrays.economy, state_of(arrays.state[b], k), scratch.draws)
    _post(first, end, 0, episode, buffers)
    for b in range(first, end):
        rule, features = book.rows[0, b], book.features[0, b]
        state, outcome = state_of(arrays.state[b], k), outcome_of(arrays.outcomes[b], k)
        sum_board(arrays.job_kinds[b], arrays.job_values[b], scratch.count, scratch.value)
        if len(arrays.history[b]) > 0:
            record(arrays.history[b][0], 0, False, False, scratch.public, outcome)
        disclose(
            rule[at.LEVEL], False, False, arrays.economy[at.CAPACITY], True, book.notices[b], state, outcome,
            scratch.count, scratch.value, scratch.public, features, buffers_of(buffers).staging, observations[b],
        )  # fmt: skip
