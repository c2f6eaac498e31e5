"""Random serial dictatorship (Abdulkadiroglu & Sonmez 1998): organizations choose their jobs in a random order.

The order is a Plackett-Luce draw by each organization's log odds, averaged over kinds: at amplification 0 all orders
are equally likely, and at inf the mean score decides and the noise breaks ties. In turn, each organization takes jobs
up to its capacity, from the kinds that it ranks best by reported focus and the most valuable first. The match is
efficient, and no misreport pays at any capacity. Worst case O(N log N + K N + J log J).
"""

import math

from ruleshift.envs.compile import jit
from ruleshift.envs.mechanisms.base import Mechanism
from ruleshift.envs.mechanisms.by_kind import jobs_by_kind
from ruleshift.envs.numerics import log
from ruleshift.envs.order import sort_descending


@jit
def _draw_order(problem, perturbed, noise, choosers, spare):
    """Write organizations into `choosers` (N,) in the order in which they choose."""
    kinds = problem.log_odds.shape[0]
    for i in range(len(choosers)):
        noise[i] = -log(-log(problem.uniforms[0, i]))
        perturbed[i] = 0.0
        for k in range(kinds):
            perturbed[i] += problem.log_odds[k, i]
        perturbed[i] = perturbed[i] / kinds + (0.0 if problem.ranked else noise[i])
        choosers[i] = i
    sort_descending(perturbed, noise, choosers, spare)


@jit
def random_serial_dictatorship(problem, match, floats, integers):
    """See the module."""
    n, kinds = problem.preferences.shape
    jobs = len(problem.kinds)
    first = integers[: kinds + 1]
    next_ = integers[kinds + 1 : 2 * kinds + 1]
    rest = integers[2 * kinds + 1 :]
    order = rest[:jobs]
    choosers, spare = rest[3 * jobs : 3 * jobs + n], rest[3 * jobs + n : 3 * jobs + 2 * n]
    jobs_by_kind(problem, order, first, rest[jobs : 2 * jobs], rest[2 * jobs : 3 * jobs])
    _draw_order(problem, floats[:n], floats[n : 2 * n], choosers, spare)
    for k in range(kinds):
        next_[k] = first[k]
    for i in choosers:
        for preference in range(kinds):
            k = problem.preferences[i, preference]
            units = min(problem.capacities[i], first[k + 1] - next_[k])
            for position in range(next_[k], next_[k] + units):
                match.winner[order[position]] = i
            next_[k] += units
            problem.capacities[i] -= units
            if problem.capacities[i] == 0:
                break


MECHANISM = Mechanism(
    name="random_serial_dictatorship",
    function=random_serial_dictatorship,
    source="Abdulkadiroglu & Sonmez 1998",
    cost="N log N + K N + J log J",
    reads_preferences=True,
    draws_organizations=True,
    strategy_proof=("organizations",),
    strategy_proof_capacity=math.inf,
    efficient=True,
    scratch=lambda n, j, k, c: (2 * n, 2 * k + 1 + 3 * j + 2 * n),
)
