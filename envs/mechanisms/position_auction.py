"""Position auction: the round's jobs are slots, which go in order of value to the highest bidders by promotion.

The value of a job is the number of clicks on its slot, and promotion is the bid per click. An organization that offers
and bids more than 0 receives at most one slot per round, whatever its capacity. Kinds do not matter, and ties are
broken by each organization's draw.

The charge `next_bid` is the generalized second price: the bid of the next in line, per click (Edelman, Ostrovsky &
Schwarz 2007; Varian 2007). The charge `externality` is what those below lose by the winner's presence, divided by its
clicks (Vickrey 1961, Clarke 1971, Groves 1973): the sum over the slots s below of (v[s - 1] - v[s]) * b[s], with the
values v (0 beyond the last slot) and the bids b, divided by the value of the winner's own slot. Worst case
O(N log N + J log J).
"""

from ruleshift.envs.compile import jit
from ruleshift.envs.mechanisms.base import WANTS, Mechanism
from ruleshift.envs.order import sort_descending


@jit
def position_auction(problem, match, floats, integers):
    """See the module."""
    n, jobs = len(problem.capacities), len(problem.values)
    bids, slots, spare = integers[:n], integers[n : n + jobs], integers[n + jobs :]
    bidders = 0
    for i in range(n):
        if problem.capacities[i] > 0 and problem.promotions[i] > 0.0:
            bids[bidders] = i
            bidders += 1
    sort_descending(problem.promotions, problem.uniforms[0], bids[:bidders], spare[:bidders])
    for j in range(jobs):
        slots[j] = j
    sort_descending(problem.values, problem.values, slots, spare[:jobs])
    lost, below = 0.0, 0.0  # what those below lose by a bidder's presence, and the value of the slot below
    for s in range(min(bidders, jobs) - 1, -1, -1):
        j, next_bid = slots[s], problem.promotions[bids[s + 1]] if s + 1 < bidders else 0.0
        match.winner[j] = bids[s]
        lost += (problem.values[j] - below) * next_bid
        below = problem.values[j]
        if problem.wants & WANTS.bid:
            match.bid[j] = next_bid
        if problem.wants & WANTS.bid_externality and below > 0.0:
            match.bid[j] = lost / below


MECHANISM = Mechanism(
    name="position_auction",
    function=position_auction,
    source="Edelman, Ostrovsky & Schwarz 2007; Varian 2007",
    cost="N log N + J log J",
    reads_odds=False,
    draws_organizations=True,
    payments=("bid", "bid_externality"),
    strategy_proof_payments=("bid_externality",),
    scratch=lambda n, j, k, c: (0, n + j + max(n, j)),
)
