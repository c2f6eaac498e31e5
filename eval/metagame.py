"""The meta-game: which of n kinds of organizations spreads in a population, given what each earns among each other.

Payoffs are those of a symmetric game of two: `payoffs[i, j]` is what kind i earns in a market of which kind j holds the
other half. All functions take leading axes, so that a bootstrap is one call.

OpenSpiel and EGTtools have alpha-rank, too, but are compiled packages many times the size of what is needed here.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import logsumexp

POPULATION, INTENSITY = 50, 1.0
"""Organizations of a population, and the intensity of selection, per unit of payoff. Where payoffs are scores, a lead
of 5 points gives a kind some twelve times the share of its only rival."""


def fixation(payoffs: np.ndarray, population: int = POPULATION, intensity: float = INTENSITY) -> np.ndarray:
    """Probability that one organization of kind j takes over a population of kind i, (..., n, n) at [i, j].

    Organizations meet at random, one is replaced at a time, and kinds spread in proportion to exp(intensity * payoff)
    (Nowak et al. 2004; in this form Traulsen et al. 2008). On the diagonal stands 1 / population.

    Args:
        payoffs: (..., n, n).
        population: number of organizations, at least 2.
        intensity: intensity of selection per unit of payoff, from 0, at which all is chance.
    """
    own = np.diagonal(payoffs, axis1=-2, axis2=-1)
    # What an invader j and a resident i earn, among k invaders; the axis of k is the last one.
    k = np.arange(1, population)
    invader_own, invader_met = own[..., None, :, None], np.swapaxes(payoffs, -1, -2)[..., None]
    resident_own, resident_met = own[..., :, None, None], payoffs[..., None]
    invader = (k - 1) * invader_own + (population - k) * invader_met
    resident = k * resident_met + (population - k - 1) * resident_own
    steps = np.cumsum(-intensity * (invader - resident) / (population - 1), axis=-1)
    return np.exp(-np.logaddexp(0.0, logsumexp(steps, axis=-1)))


def alpha_rank(payoffs: np.ndarray, population: int = POPULATION, intensity: float = INTENSITY) -> np.ndarray:
    """Share of time that a population is of each kind, (..., n), if mutants are rare (Omidshafiei et al. 2019).

    It is the stationary distribution of the chain whose states are populations of one kind, in which a mutant of
    another kind, each as likely, takes over with the probability `fixation`.
    """
    return stationary(fixation(payoffs, population, intensity))


def stationary(rates: np.ndarray) -> np.ndarray:
    """Stationary distribution (..., n) of a chain from the rates (..., n, n) at which it goes from i to j, all above 0.

    States are eliminated one by one, without a subtraction, so that tiny shares keep their digits (Grassmann, Taksar &
    Heyman 1985). The diagonal is not read.
    """
    rates = np.array(rates, np.float64)
    n = rates.shape[-1]
    for last in range(n - 1, 0, -1):
        rates[..., :last, last] /= rates[..., last, :last].sum(axis=-1)[..., None]
        rates[..., :last, :last] += rates[..., :last, last, None] * rates[..., None, last, :last]
    shares = np.ones(rates.shape[:-1])
    for state in range(1, n):
        shares[..., state] = (shares[..., :state] * rates[..., :state, state]).sum(axis=-1)
    return shares / shares.sum(axis=-1, keepdims=True)


def replicator(payoffs: np.ndarray, shares: np.ndarray, time: float) -> np.ndarray:
    """Shares (n,) of the kinds of an infinite population after some time (Taylor & Jonker 1978).

    A kind grows at the rate by which it earns more than the average: x_i' = x_i (f_i - sum x_j f_j), f = payoffs x.

    Args:
        payoffs: (n, n).
        shares: (n,) at the start, which sum to 1.
        time: in units of one over payoff, from 0.
    """

    def growth(_: float, logs: np.ndarray) -> np.ndarray:
        held = np.exp(logs - logsumexp(logs))
        earned: np.ndarray = payoffs @ held
        return earned - held @ earned

    present = np.flatnonzero(shares)
    payoffs = payoffs[np.ix_(present, present)]
    found = solve_ivp(growth, (0.0, time), np.log(shares[present]), rtol=1e-9, atol=1e-9)
    logs = found.y[:, -1]
    result = np.zeros(len(shares))
    result[present] = np.exp(logs - logsumexp(logs))
    return result
