"""Two tabular Q-learners that remember the last prices of both, in one kernel.

The learners of Calvano, Calzolari, Denicolo & Pastorello (2020, "Artificial intelligence, algorithmic pricing, and
collusion", American Economic Review 110): state, the two prices of the last round; exploration with probability
exp(-beta t); convergence, when no learner's best price in any state has changed for 100,000 rounds.
"""

from dataclasses import dataclass

import numpy as np

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.numerics import exp, market_key, uniform, words


@dataclass(frozen=True)
class Learners:
    """Parameters of both learners: those of the baseline of Calvano et al. 2020, section III."""

    rate: float = 0.15
    """alpha, step of learning."""
    discount: float = 0.95
    """delta."""
    decay: float = 4e-6
    """beta: rounds explored fall as exp(-beta t)."""
    patience: int = 100_000
    """Rounds without change that count as convergence."""
    longest: int = 10_000_000
    """Rounds after which a session is given up."""


def session(payoffs: np.ndarray, learners: Learners, *, seed: int, number: int) -> tuple[float, int]:
    """One session from start to convergence, and what the two earn then.

    Args:
        payoffs: (2, M, M) float64, profit of each at the first's price and the second's.
        learners: parameters.
        seed: of all sessions.
        number: of this session.

    Returns:
        Mean profit of the two over the cycle of prices that they end in, and the rounds until convergence (below 0
        where there was none).
    """
    prices = payoffs.shape[1]
    flat = np.ascontiguousarray(payoffs.reshape(2, -1))
    values = np.empty((2, prices * prices, prices))
    against_anyone = np.stack([payoffs[0].mean(axis=1), payoffs[1].mean(axis=0)]) / (1 - learners.discount)
    values[:] = against_anyone[:, None, :]
    best = np.ascontiguousarray(values.argmax(axis=2))
    ended = np.zeros(2, np.int64)  # rounds, and the state reached
    learn(
        market_key(seed, number), flat, values, best, learners.rate, learners.discount, learners.decay,
        learners.patience, learners.longest, ended,
    )  # fmt: skip
    rounds = int(ended[0]) if ended[0] < learners.longest else -1
    return float(_cycle(flat, best, int(ended[1]))), rounds


def _cycle(payoffs: np.ndarray, best: np.ndarray, state: int) -> np.floating:
    """Mean profit of the two over the cycle that their best prices lead into from a state."""
    prices, path = int(len(best[0]) ** 0.5), []
    while state not in path:
        path.append(state)
        state = int(best[0, state] * prices + best[1, state])
    return payoffs[:, path[path.index(state) :]].mean()


@inlined
def _learn_one(values, best, state, price, profit, following, rate, discount):
    """One learner's update; returns 1 where its best price in the state changed."""
    target = profit + discount * values[following, best[following]]
    old = values[state, price]
    values[state, price] = old + rate * (target - old)
    before = best[state]
    if values[state, price] > values[state, before]:
        best[state] = price
    elif price == before and values[state, price] < old:
        for other in range(values.shape[1]):
            if values[state, other] > values[state, best[state]]:
                best[state] = other
    return np.int64(best[state] != before)


@jit
def learn(key, payoffs, values, best, rate, discount, decay, patience, longest, ended):
    """Learn until convergence: values (2, S, M) and best (2, S) are changed in place, S = M * M states.

    `ended` (2,) is given the rounds played and the state reached. Draws are those of the key at the round.
    """
    prices = values.shape[2]
    a, _, _, _ = words(key[0], key[1], 1, 0, 0, 0)
    state = np.int64(uniform(a) * prices * prices)
    quiet, t = np.int64(0), np.int64(0)
    while quiet < patience and t < longest:
        explores = exp(-decay * t)
        a, b, c, d = words(key[0], key[1], 0, t, 0, 0)
        first = np.int64(uniform(c) * prices) if uniform(a) < explores else best[0, state]
        second = np.int64(uniform(d) * prices) if uniform(b) < explores else best[1, state]
        following = first * prices + second
        changed = _learn_one(
            values[0], best[0], state, first, payoffs[0, following], following, rate, discount
        ) + _learn_one(values[1], best[1], state, second, payoffs[1, following], following, rate, discount)
        quiet = np.int64(0) if changed > 0 else quiet + 1
        state = following
        t += 1
    ended[0], ended[1] = t, state
