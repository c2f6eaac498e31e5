"""Time and memory per agent-step by the number of organizations N = J in one market, and how the ranking scales."""

import math

from markets import random_actions
from timing import CPU, arguments, interleave, median, ratio

from ruleshift.envs import Economy, Market

SIZES = (10, 100, 1_000, 10_000, 100_000)
RANKING = "sealed_tender"


def of_size(rule: str, size: int) -> Market:
    """Return one market with this number of organizations and of jobs."""
    return Market(rule, economy=Economy(organizations=size, jobs=size))


def rounds_block(market: Market):
    """Return a block of rounds: two of a large market, more of a small one."""
    actions = random_actions(market, 2)
    market.reset(seed=0)
    rounds = max(2, 10_000 // market.organizations)

    def block() -> int:
        for number in range(rounds):
            market.step(actions[number % 2])
        return rounds * market.organizations

    return block


def bytes_held(market: Market) -> int:
    """Bytes that a market which was played holds, with its scratch and one array of observations."""
    buffers = market._buffers[0]
    observations = 4 * market.organizations * market.observation_size
    held = sum(array.nbytes for array in (*market.arrays, *buffers.round, buffers.floats, buffers.integers))
    return held + observations


def table(rule: str, seconds: float) -> None:
    """Print the figures of a rule by size."""
    markets = {f"{size:,}": of_size(rule, size) for size in SIZES}
    rates = interleave({name: rounds_block(market) for name, market in markets.items()}, seconds, CPU)
    print(f"{rule}: organizations, ns per agent-step, bytes per organization")
    for name, market in markets.items():
        print(f"  {name:>8}{1e9 / median(rates[name]):10.0f}{bytes_held(market) / market.organizations:10.0f}")
    slope = math.log(median(rates["1,000"]) / median(rates["100,000"])) / math.log(100)
    print(f"  from 1,000 to 100,000 the cost of a round grows as N to the power {1 + slope:.3f}")
    if rule == RANKING:
        times = ratio(rates, "1,000", "100,000")
        print(f"  ranking, cost per organization at 100,000 / at 1,000: {times}, target at most 1.5")


if __name__ == "__main__":
    options = arguments(__doc__)
    for rule in ("price_board", RANKING, "clearing_house"):
        table(rule, options.seconds / 3)
