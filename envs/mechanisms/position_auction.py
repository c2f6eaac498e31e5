"""Position auction: the round's jobs are slots, the dearest on top, for those who bid most by promotion.

The value of a job is the clicks of its slot, promotion is the bid a click; whoever bids more than 0 and offers gets at
most one slot a round, whatever its capacity. Kinds do not count; ties go by each organization's draw.

The charge `next_bid` is the generalized second price, the bid of the next in line for each click (Edelman, Ostrovsky &
Schwarz 2007; Varian 2007). The charge `externality` is what those below lose by the winner's presence, spread over its
clicks (Vickrey 1961, Clarke 1971, Groves 1973): of the slots s below and their values v and bids b, with v 0 past the
last slot, the sum of (v[s - 1] - v[s]) * b[s], over the value of its own. Worst case O(N log N + J log J).
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
    lost, below = 0.0, 0.0  # what those below lose by the presence of a bidder, and the value of the slot below
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
