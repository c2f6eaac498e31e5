"""Two tabular Q-learners that remember the last prices of both, in one kernel.

They are those of Calvano, Calzolari, Denicolo & Pastorello (2020, "Artificial intelligence, algorithmic pricing, and
collusion", American Economic Review 110). The state is the two prices of the last round; a learner explores with
probability exp(-beta t); and they have converged when no best price in any state has changed for 100,000 rounds.
"""

from dataclasses import dataclass

import numpy as np

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.numerics import exp, market_key, uniform, words


@dataclass(frozen=True)
class Learners:
    """Parameters of both learners, by default those of the baseline in Calvano et al. 2020, section III."""

    rate: float = 0.15
    """Learning rate alpha, 0 .. 1."""
    discount: float = 0.95
    """Discount factor delta, 0 .. 1."""
    decay: float = 4e-6
    """Decay beta per round of the probability of exploring, exp(-beta t)."""
    patience: int = 100_000
    """Rounds without change that count as convergence."""
    longest: int = 10_000_000
    """Rounds after which a session stops without convergence."""


def session(payoffs: np.ndarray, learners: Learners, *, seed: int, number: int) -> tuple[float, int]:
    """Run one session from the start to convergence, and return what the two learners earn then.

    Args:
        payoffs: (2, M, M) float64 profit of each learner, by the price of the first and the price of the second.
        learners: parameters of both learners.
        seed: seed of all sessions.
        number: number of this session.

    Returns:
        Mean profit of the two over the cycle of prices in which they end, and the number of rounds until convergence,
        or -1 if they did not converge.
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
    """Mean profit of both learners over the cycle into which their best prices lead from a state."""
    prices, path = int(len(best[0]) ** 0.5), []
    while state not in path:
        path.append(state)
        state = int(best[0, state] * prices + best[1, state])
    return payoffs[:, path[path.index(state) :]].mean()


@inlined
def _learn_one(values, best, state, price, profit, following, rate, discount):
    """Update one learner, and return 1 if its best price in the state changed, else 0."""
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
    """Learn until convergence, and change values (2, S, M) and best prices (2, S) in place, with S = M * M states.

    The number of rounds played and the state reached are written to `ended` (2,). Draws are keyed by the round.
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
