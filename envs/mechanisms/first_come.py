"""First come, first served: scores have no effect. With the pricing `posted`, it is a posted price without a contest.

Organizations that offer form a random queue in which all orders are equally likely. Jobs arrive in order, and each goes
to the first organization in the queue with capacity left; if there is none, it is not served. The queue is drawn only
as far as it is needed, each next position from those still waiting (Durstenfeld 1964). Worst case O(N + J).
"""

import numpy as np

from ruleshift.envs.compile import jit
from ruleshift.envs.mechanisms.base import Mechanism


@jit
def first_come(problem, match, floats, integers):
    """See the module."""
    n = len(problem.capacities)
    waiting = integers[:n]
    for i in range(n):
        waiting[i] = i
    served, left = np.int64(-1), n
    for j in range(len(problem.kinds)):
        while served < 0 or problem.capacities[served] == 0:
            if left == 0:
                return
            position = min(np.int64(problem.uniforms[0, left - 1] * left), left - 1)
            left -= 1
            served = waiting[position]
            waiting[position] = waiting[left]
        match.winner[j] = served
        problem.capacities[served] -= 1


MECHANISM = Mechanism(
    name="first_come",
    function=first_come,
    source="Durstenfeld 1964, for the queue",
    cost="N + J",
    reads_odds=False,
    draws_organizations=True,
    scratch=lambda n, j, k, c: (0, n),
)
