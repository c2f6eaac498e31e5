"""Disclose: what each organization is shown before it acts, written straight into the learner's float32 array."""

import numpy as np

from ruleshift.envs.compile import inlined, jit, settle, stream
from ruleshift.envs.numerics import NOISE, PURPOSES, draw
from ruleshift.envs.order import FAR, copy

_BOUND = 10.0
TOGETHER = 64
"""Observations written together: they stay in the cache while one field after the other is."""


@inlined
def _clip(value):
    return min(max(value, -_BOUND), _BOUND)


@inlined
def sum_board(kinds, values, count, mean):
    """Jobs and mean value by kind: count (K,) relative to an even split, mean (K,) 0 where there is none."""
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
    """The public statistics (6,): winners' mean signals less everyone's, in the order of PUBLIC_STATISTICS.

    Popularity is relative to the mean. All 0 where nothing was served; `mean_capability` (N,) is scratch.
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
    public[0] = w_ask / total - ask / n
    public[1] = w_effort / total - effort / n
    public[2] = w_promotion / total - promotion / n
    public[3] = w_reputation / total - reputation / n
    public[4] = _clip((w_popularity / total - popularity / n) * n / popularity) if popularity > 0.0 else 0.0
    public[5] = (w_capability / total - capability / n) / kinds


@jit
def blur(key, round_, episode, width, scores, public, outcome, draws):
    """Add uniform noise of half-width `width` to the public statistics and, where they are shown, to the scores."""
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
def record(page, round_, public, scores, statistics, outcome):
    """Keep what is disclosed before a round: page (8 + 2N,) holds the round, what it has, and the numbers."""
    n = len(outcome.priority)
    page[0] = round_
    page[1] = 2.0 if scores else (1.0 if public else 0.0)
    copy(statistics, page[2:8])
    if scores:
        copy(outcome.priority, page[8 : 8 + n])
        copy(outcome.rank, page[8 + n : 8 + 2 * n])


@jit
def recall(page, round_, public, scores, statistics, outcome):
    """Put what was disclosed before an earlier round in place of today's; returns what there is of it."""
    n = len(outcome.priority)
    there = round_ > 0 and page[0] == round_
    public, scores = public and there and page[1] >= 1.0, scores and there and page[1] >= 2.0
    if public:
        copy(page[2:8], statistics)
    if scores:
        copy(page[8 : 8 + n], outcome.priority)
        copy(page[8 + n : 8 + 2 * n], outcome.rank)
    return public, scores


@inlined
def disclose(
    level, shows_public, shows_scores, capacity, first, notice, state, outcome, count, mean, public, features, sheet,
    observations,
):  # fmt: skip
    """Write observations (N, F), in the order of `layout.observation_layout`.

    In the first round of an episode there is no last outcome, and a newcomer has none: it reads 0. What all
    organizations see alike is written once and copied; what is an organization's own is then written over it. Where
    the observations outgrow the cache they are written into `sheet` (TOGETHER, F) and streamed out of it.
    """
    n, size = observations.shape
    far = n > FAR
    written = sheet if far else observations
    _write_common(level, shows_public, shows_scores, notice, count, mean, public, features, written[0])
    if far:
        for i in range(1, TOGETHER):
            copy(sheet[0], sheet[i])
    per_popularity = 0.0
    for i in range(n):
        per_popularity += state.popularity[i]
    per_popularity = n / per_popularity if per_popularity > 0.0 else 0.0
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
            f = size - len(features) - 4
            for i in range(low, high):
                written[i - base, f] = _clip(outcome.priority[i] * n)
                written[i - base, f + 1] = outcome.rank[i]
        if far:
            stream(sheet, high - low, observations, low)
    if far:
        settle()


@inlined
def _write_common(level, shows_public, shows_scores, notice, count, mean, public, features, seen):
    """The board, the notice, the public statistics, the masks and the features, and 0 elsewhere, into one row."""
    kinds = len(count)
    seen[:] = np.float32(0.0)
    f = 2 * kinds + 5
    for k in range(kinds):
        seen[f + k] = count[k]
        seen[f + kinds + k] = mean[k]
    seen[f + 2 * kinds] = notice
    f = len(seen) - len(features) - 5 - len(public)
    if shows_public:
        for p in range(len(public)):
            seen[f + p] = public[p]
        seen[f + len(public)] = 1.0
    f += len(public) + 1
    if shows_scores:
        seen[f + 2] = 1.0
    if level >= 3.0:
        seen[f + 3] = 1.0
        for p in range(len(features)):
            seen[f + 4 + p] = features[p]


@inlined
def _write_state(low, high, base, per_popularity, state, written):
    kinds = len(state.capability)
    for k in range(kinds):
        for i in range(low, high):
            written[i - base, k] = state.capability[k, i]
            written[i - base, kinds + k] = _clip(state.shock[k, i])
    f = 2 * kinds
    for i in range(low, high):
        written[i - base, f] = state.reputation[i]
        written[i - base, f + 1] = _clip(state.popularity[i] * per_popularity)
        written[i - base, f + 2] = _clip(state.cash[i] * 0.1)
        written[i - base, f + 3] = _clip(state.infrastructure[i])
        written[i - base, f + 4] = state.newcomer[i]


@inlined
def _write_outcome(low, high, base, per_unit, newcomer, outcome, written):
    kinds = len(outcome.won)
    start = 4 * kinds + 6
    after = start + 3 + 2 * kinds
    for k in range(kinds):
        for i in range(low, high):
            there = newcomer[i] == 0.0
            written[i - base, start + 3 + k] = outcome.focus[k, i] if there else 0.0
            written[i - base, start + 3 + kinds + k] = outcome.won[k, i] * per_unit if there else 0.0
    for i in range(low, high):
        there = newcomer[i] == 0.0
        written[i - base, start] = outcome.ask[i] if there else 0.0
        written[i - base, start + 1] = outcome.effort[i] if there else 0.0
        written[i - base, start + 2] = outcome.promotion[i] if there else 0.0
        written[i - base, after] = _clip(outcome.paid[i] * per_unit) if there else 0.0
        written[i - base, after + 1] = _clip(outcome.profit[i]) if there else 0.0
        written[i - base, after + 2] = outcome.quality[i] if there else 0.0
