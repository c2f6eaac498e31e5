"""Disclose: what each organization is shown before it acts, written straight into the learner's float32 array."""

import numpy as np

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.numerics import NOISE, PURPOSES, draw
from ruleshift.envs.order import copy

_BOUND = 10.0


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
def _lead_of_winners(signal, served, total):
    """The mean of a signal over jobs served less its mean over organizations; 0 where nothing was served."""
    won, everyone = 0.0, 0.0
    for i in range(len(signal)):
        won += served[i] * signal[i]
        everyone += signal[i]
    return won / total - everyone / len(signal) if total > 0.0 else 0.0


@inlined
def sum_public(state, outcome, mean_capability, public):
    """The public statistics (6,): winners' mean signals less everyone's, in the order of PUBLIC_STATISTICS."""
    kinds, n = state.capability.shape
    total, popularity = 0.0, 0.0
    mean_capability[:] = 0.0
    for i in range(n):
        total += outcome.served[i]
        popularity += state.popularity[i]
    for k in range(kinds):
        for i in range(n):
            mean_capability[i] += state.capability[k, i] / kinds
    public[0] = _lead_of_winners(outcome.ask, outcome.served, total)
    public[1] = _lead_of_winners(outcome.effort, outcome.served, total)
    public[2] = _lead_of_winners(outcome.promotion, outcome.served, total)
    public[3] = _lead_of_winners(state.reputation, outcome.served, total)
    relative = _lead_of_winners(state.popularity, outcome.served, total) * n
    public[4] = _clip(relative / popularity) if popularity > 0.0 else 0.0
    public[5] = _lead_of_winners(mean_capability, outcome.served, total)


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
    level, shows_public, shows_scores, capacity, first, notice, state, outcome, count, mean, public, features,
    observations,
):  # fmt: skip
    """Write observations (N, F), in the order of `layout.observation_layout`.

    In the first round of an episode there is no last outcome, and a newcomer has none: it reads 0. What all
    organizations see alike is written once and copied; what is an organization's own is then written over it.
    """
    n, size = observations.shape
    shared = observations[0]
    _write_common(level, shows_public, shows_scores, notice, count, mean, public, features, shared)
    for i in range(1, n):
        copy(shared, observations[i])
    _write_state(state, observations)
    if not first:
        _write_outcome(capacity, state.newcomer, outcome, observations)
    if shows_scores:
        f = size - len(features) - 4
        for i in range(n):
            observations[i, f] = _clip(outcome.priority[i] * n)
            observations[i, f + 1] = outcome.rank[i]


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
def _write_state(state, observations):
    kinds, n = state.capability.shape
    popularity = 0.0
    for i in range(n):
        popularity += state.popularity[i]
    popularity = n / popularity if popularity > 0.0 else 0.0
    f = 2 * kinds
    for i in range(n):
        seen = observations[i]
        for k in range(kinds):
            seen[k] = state.capability[k, i]
            seen[kinds + k] = _clip(state.shock[k, i])
        seen[f] = state.reputation[i]
        seen[f + 1] = _clip(state.popularity[i] * popularity)
        seen[f + 2] = _clip(state.cash[i] * 0.1)
        seen[f + 3] = _clip(state.infrastructure[i])
        seen[f + 4] = state.newcomer[i]


@inlined
def _write_outcome(capacity, newcomer, outcome, observations):
    kinds, n = outcome.won.shape
    start = 4 * kinds + 6
    after = start + 3 + 2 * kinds
    per_unit = 1.0 / capacity
    for i in range(n):
        if newcomer[i] == 1.0:
            continue
        seen = observations[i]
        seen[start] = outcome.ask[i]
        seen[start + 1] = outcome.effort[i]
        seen[start + 2] = outcome.promotion[i]
        for k in range(kinds):
            seen[start + 3 + k] = outcome.focus[k, i]
            seen[start + 3 + kinds + k] = outcome.won[k, i] * per_unit
        seen[after] = _clip(outcome.paid[i] * per_unit)
        seen[after + 1] = _clip(outcome.profit[i])
        seen[after + 2] = outcome.quality[i]
