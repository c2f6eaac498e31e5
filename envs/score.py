"""Score: the signals that a rule weighs become log odds.

`log odds[k, i] = amplification * sum over weights > 0 of weight * log max(signal, 1e-12)`. Amplification 1 is Luce's
choice (1959); with a single signal, amplification is Polya's exponent (1930) and that of Tullock's contest (1980).
"""

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.numerics import exp, log
from ruleshift.envs.order import sort_descending

_LEAST_SIGNAL = 1e-12
_LEAST_ASK = 0.02
_FAR = 0.5


@inlined
def _log(signal):
    return log(max(signal, _LEAST_SIGNAL))


@inlined
def score(rule, economy, state, outcome, common, log_odds):
    """Write `log_odds` (K, N + 1), of which the last column is the outside option.

    They are -inf for an ask above the reserve. Under amplification inf they are the weighted sums themselves. `common`
    (N,) is scratch memory.
    """
    kinds, columns = log_odds.shape
    n = columns - 1
    ranked = rule[at.AMPLIFICATION] == np.inf
    scale = 1.0 if ranked else rule[at.AMPLIFICATION]
    _sum_common(rule, state, outcome, common)
    capability, focus = scale * rule[at.W_CAPABILITY], scale * rule[at.W_FOCUS]
    reserve = rule[at.RESERVE]
    for k in range(kinds):
        row = log_odds[k]
        for i in range(n):
            row[i] = scale * common[i]
        if capability > 0.0:
            for i in range(n):
                row[i] += capability * _log(state.capability[k, i])
        if focus > 0.0:
            for i in range(n):
                row[i] += focus * _log(outcome.focus[k, i])
        if rule[at.W_PROXIMITY] > 0.0:
            _add_proximity(scale * rule[at.W_PROXIMITY], np.int64(economy[at.BLOCS]), k, row, n)
        for i in range(n):
            row[i] = row[i] if outcome.ask[i] <= reserve else -np.inf
    _score_outside(rule, economy, state, scale, ranked, log_odds)


@inlined
def _sum_common(rule, state, outcome, common):
    """Write the sums of the weighted log signals that are the same for every kind into `common` (N,)."""
    n = len(common)
    price, reputation = rule[at.W_PRICE], rule[at.W_REPUTATION]
    promotion, popularity, floor = rule[at.W_PROMOTION], rule[at.W_POPULARITY], rule[at.PROMOTION_FLOOR]
    common[:] = 0.0
    if price > 0.0 and rule[at.LOGIT_SCALE] > 0.0:
        for i in range(n):
            common[i] -= price * outcome.ask[i] / rule[at.LOGIT_SCALE]
    elif price > 0.0:
        for i in range(n):
            common[i] -= price * log(max(outcome.ask[i], _LEAST_ASK))
    if reputation > 0.0:
        for i in range(n):
            common[i] += reputation * _log(state.reputation[i])
    if promotion > 0.0:
        for i in range(n):
            common[i] += promotion * _log(outcome.promotion[i] + floor)
    if popularity > 0.0:
        for i in range(n):
            common[i] += popularity * _log(state.popularity[i])


@jit
def _add_proximity(weight, blocs, k, row, n):
    far = weight * log(_FAR)
    for i in range(n):
        row[i] += 0.0 if i % blocs == k % blocs else far


@inlined
def _score_outside(rule, economy, state, scale, ranked, log_odds):
    """Write the log odds of the outside option, relative to the reference organization of `Economy.outside_share`."""
    kinds, columns = log_odds.shape
    n = columns - 1
    outside = economy[at.LOG_OUTSIDE_ODDS]
    if outside > -np.inf:
        ask, mu = economy[at.OUTSIDE_ASK], rule[at.LOGIT_SCALE]
        total = -rule[at.W_PRICE] * (ask / mu if mu > 0.0 else log(max(ask, _LEAST_ASK)))
        total += (rule[at.W_CAPABILITY] + rule[at.W_REPUTATION]) * log(0.5)
        total += rule[at.W_PROMOTION] * log(0.25 + rule[at.PROMOTION_FLOOR])
        total += rule[at.W_FOCUS] * log(1.0 / kinds)
        if rule[at.W_POPULARITY] > 0.0:
            popularity = 0.0
            for i in range(n):
                popularity += state.popularity[i]
            total += rule[at.W_POPULARITY] * _log(popularity / n)
        outside = total if ranked else scale * total + outside
    for k in range(kinds):
        log_odds[k, n] = outside


@jit
def rank_scores(log_odds, ranked, order, spare, mean, outcome):
    """Write `priority` (the share of the odds, over all kinds) and `rank` (0 the best, 1 the last) of `outcome`."""
    kinds, columns = log_odds.shape
    n = columns - 1
    best = -np.inf
    for i in range(n):
        mean[i] = 0.0
        for k in range(kinds):
            mean[i] += log_odds[k, i] / kinds
        best = max(best, mean[i])
        order[i] = i
    total = 0.0
    for i in range(n):
        odds = 0.0
        if mean[i] > -np.inf:
            odds = (1.0 if mean[i] == best else 0.0) if ranked else exp(mean[i] - best)
        outcome.priority[i] = odds
        total += odds
    sort_descending(mean, mean, order, spare)
    for position in range(n):
        i = order[position]
        tied = position > 0 and mean[i] == mean[order[position - 1]]
        outcome.rank[i] = outcome.rank[order[position - 1]] if tied else position / max(n - 1, 1)
    for i in range(n):
        outcome.priority[i] = outcome.priority[i] / total if total > 0.0 else 1.0 / n
