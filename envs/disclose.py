"""Disclose: what each organization observes before it acts, written directly into the learner's float32 array."""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined, jit, settle, stream
from ruleshift.envs.enumerations import LEVEL
from ruleshift.envs.layout import PUBLIC, START, column
from ruleshift.envs.numerics import NOISE, PURPOSES, draw
from ruleshift.envs.order import FAR, copy

_BOUND = 10.0
_LEAST_POPULARITY = 1e-300  # below it, N divided by the sum would overflow
TOGETHER = 64
"""How many observations are written together: few enough to stay in the cache while field after field is written."""


@inlined
def _clip(value):
    return min(max(value, -_BOUND), _BOUND)


@inlined
def sum_board(kinds, values, count, mean):
    """Write the jobs of each kind, `count` (K,), relative to an even split, and their mean values, `mean` (K,).

    The mean of a kind without jobs is 0.
    """
    count[:] = 0.0
    mean[:] = 0.0
    for j in range(len(kinds)):
        count[kinds[j]] += 1.0
        mean[kinds[j]] += values[j]
    even = len(kinds) / len(count)
    for k in range(len(count)):
        mean[k] = mean[k] / count[k] if count[k] > 0.0 else 0.0
        count[k] = _clip(count[k] / even)


@inlined
def sum_public(state, outcome, mean_capability, public):
    """Write the public statistics (6,): the winners' mean signals minus everyone's, in the order of PUBLIC_STATISTICS.

    Popularity is relative to its mean. All are 0 if nothing was served. `mean_capability` (N,) is scratch memory.
    """
    kinds, n = state.capability.shape
    mean_capability[:] = 0.0
    for k in range(kinds):
        for i in range(n):
            mean_capability[i] += state.capability[k, i]
    total = 0.0
    ask, effort, promotion, reputation, popularity, capability = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    w_ask, w_effort, w_promotion, w_reputation, w_popularity, w_capability = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        served = outcome.served[i]
        total += served
        ask += outcome.ask[i]
        effort += outcome.effort[i]
        promotion += outcome.promotion[i]
        reputation += state.reputation[i]
        popularity += state.popularity[i]
        capability += mean_capability[i]
        w_ask += served * outcome.ask[i]
        w_effort += served * outcome.effort[i]
        w_promotion += served * outcome.promotion[i]
        w_reputation += served * state.reputation[i]
        w_popularity += served * state.popularity[i]
        w_capability += served * mean_capability[i]
    public[:] = 0.0
    if total == 0.0:
        return
    public[PUBLIC.ask] = w_ask / total - ask / n
    public[PUBLIC.effort] = w_effort / total - effort / n
    public[PUBLIC.promotion] = w_promotion / total - promotion / n
    public[PUBLIC.reputation] = w_reputation / total - reputation / n
    public[PUBLIC.popularity] = (
        _clip((w_popularity / total - popularity / n) * n / popularity) if popularity > 0.0 else 0.0
    )
    public[PUBLIC.capability] = (w_capability / total - capability / n) / kinds


@jit
def blur(key, round_, episode, width, scores, public, outcome, draws):
    """Add uniform noise of half-width `width` to the public statistics and, if they are disclosed, to the scores."""
    draw(key, round_, episode, NOISE, len(public), draws)
    for p in range(len(public)):
        public[p] = _clip(public[p] + width * (2.0 * draws[0, p] - 1.0))
    if scores:
        n = len(outcome.priority)
        draw(key, round_, episode, NOISE + PURPOSES, n, draws)
        for i in range(n):
            outcome.priority[i] = max(outcome.priority[i] + width / n * (2.0 * draws[0, i] - 1.0), 0.0)
            outcome.rank[i] = min(max(outcome.rank[i] + width * (2.0 * draws[1, i] - 1.0), 0.0), 1.0)


@jit
def record(past, round_, public, scores, statistics, outcome):
    """Keep what is disclosed before a round in `past` (8 + 2N,), laid out by the `DISCLOSED_...` of `layout`."""
    n = len(outcome.priority)
    past[at.DISCLOSED_ROUND] = round_
    past[at.DISCLOSED_LEVEL] = LEVEL.scores if scores else (LEVEL.outcomes if public else LEVEL.opaque)
    copy(statistics, past[at.DISCLOSED_PUBLIC : at.DISCLOSED_SCORES])
    if scores:
        copy(outcome.priority, past[at.DISCLOSED_SCORES : at.DISCLOSED_SCORES + n])
        copy(outcome.rank, past[at.DISCLOSED_SCORES + n : at.DISCLOSED_SCORES + 2 * n])


@jit
def recall(past, round_, public, scores, statistics, outcome):
    """Replace today's public statistics and scores by those before an earlier round; returns whether it has each."""
    n = len(outcome.priority)
    level = past[at.DISCLOSED_LEVEL] if round_ > 0 and past[at.DISCLOSED_ROUND] == round_ else 0.0
    public, scores = public and level >= LEVEL.outcomes, scores and level >= LEVEL.scores
    if public:
        copy(past[at.DISCLOSED_PUBLIC : at.DISCLOSED_SCORES], statistics)
    if scores:
        copy(past[at.DISCLOSED_SCORES : at.DISCLOSED_SCORES + n], outcome.priority)
        copy(past[at.DISCLOSED_SCORES + n : at.DISCLOSED_SCORES + 2 * n], outcome.rank)
    return public, scores


@inlined
def disclose(
    level, shows_public, shows_scores, capacity, first, notice, state, outcome, count, mean, public, features, staging,
    observations,
):  # fmt: skip
    """Write observations (N, F), in the order of `layout.observation_layout`.

    The last outcome reads 0 in the first round of an episode and for newcomers. What all organizations see is written
    once and copied, and then each organization's own numbers are filled in. If the observations exceed the cache, they
    are written into `staging` (TOGETHER, F) and streamed from there.
    """
    n, kinds = len(observations), len(count)
    far = n > FAR
    written = staging if far else observations
    _write_common(level, shows_public, shows_scores, notice, count, mean, public, features, written[0])
    if far:
        for i in range(1, TOGETHER):
            copy(staging[0], staging[i])
    per_popularity = 0.0
    for i in range(n):
        per_popularity += state.popularity[i]
    per_popularity = n / per_popularity if per_popularity > _LEAST_POPULARITY else 0.0
    for low in range(0, n, TOGETHER):
        high = min(low + TOGETHER, n)
        base = low if far else 0
        if not far:
            for i in range(max(low, 1), high):
                copy(observations[0], observations[i])
        _write_state(low, high, base, per_popularity, state, written)
        if not first:
            _write_outcome(low, high, base, 1.0 / capacity, state.newcomer, outcome, written)
        if shows_scores:
            priority, rank = column(START.priority, kinds), column(START.rank, kinds)
            for i in range(low, high):
                written[i - base, priority] = _clip(outcome.priority[i] * n)
                written[i - base, rank] = outcome.rank[i]
        if far:
            stream(staging, high - low, observations, low)
    if far:
        settle()


@inlined
def _write_common(level, shows_public, shows_scores, notice, count, mean, public, features, row):
    """Write the board, the notice, the public statistics, the masks and the features into one row, and 0 elsewhere."""
    kinds = len(count)
    row[:] = np.float32(0.0)
    jobs, values = column(START.jobs, kinds), column(START.values, kinds)
    for k in range(kinds):
        row[jobs + k] = count[k]
        row[values + k] = mean[k]
    row[column(START.notice, kinds)] = notice
    if shows_public:
        start = column(START.public, kinds)
        for p in range(len(public)):
            row[start + p] = public[p]
        row[column(START.public_mask, kinds)] = 1.0
    if shows_scores:
        row[column(START.scores_mask, kinds)] = 1.0
    if level >= LEVEL.full:
        row[column(START.features_mask, kinds)] = 1.0
        start = column(START.features, kinds)
        for p in range(len(features)):
            row[start + p] = features[p]


@inlined
def _write_state(low, high, base, per_popularity, state, written):
    kinds = len(state.capability)
    capability, shock = column(START.capability, kinds), column(START.shock, kinds)
    for k in range(kinds):
        for i in range(low, high):
            written[i - base, capability + k] = state.capability[k, i]
            written[i - base, shock + k] = _clip(state.shock[k, i])
    reputation, popularity, cash = (
        column(START.reputation, kinds), column(START.popularity, kinds), column(START.cash, kinds)
    )  # fmt: skip
    infrastructure, newcomer = column(START.infrastructure, kinds), column(START.newcomer, kinds)
    for i in range(low, high):
        written[i - base, reputation] = state.reputation[i]
        written[i - base, popularity] = _clip(state.popularity[i] * per_popularity)
        written[i - base, cash] = _clip(state.cash[i] * 0.1)
        written[i - base, infrastructure] = _clip(state.infrastructure[i])
        written[i - base, newcomer] = state.newcomer[i]


@inlined
def _write_outcome(low, high, base, per_unit, newcomer, outcome, written):
    kinds = len(outcome.won)
    focus, won = column(START.last_focus, kinds), column(START.won, kinds)
    for k in range(kinds):
        for i in range(low, high):
            there = newcomer[i] == 0.0
            written[i - base, focus + k] = outcome.focus[k, i] if there else 0.0
            written[i - base, won + k] = outcome.won[k, i] * per_unit if there else 0.0
    ask, effort, promotion = (
        column(START.last_ask, kinds), column(START.last_effort, kinds), column(START.last_promotion, kinds)
    )  # fmt: skip
    paid, profit, quality = column(START.paid, kinds), column(START.profit, kinds), column(START.quality, kinds)
    for i in range(low, high):
        there = newcomer[i] == 0.0
        written[i - base, ask] = outcome.ask[i] if there else 0.0
        written[i - base, effort] = outcome.effort[i] if there else 0.0
        written[i - base, promotion] = outcome.promotion[i] if there else 0.0
        written[i - base, paid] = _clip(outcome.paid[i] * per_unit) if there else 0.0
        written[i - base, profit] = _clip(outcome.profit[i]) if there else 0.0
        written[i - base, quality] = outcome.quality[i] if there else 0.0
