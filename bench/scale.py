"""Time and memory a round and organization, for N = J organizations in one market."""

import math
import time

from markets import random_actions
from timing import arguments, median

from ruleshift.envs import Economy, Market

SIZES = (10, 100, 1_000, 10_000, 100_000)


def measure(rule: str, size: int, seconds: float) -> tuple[float, float]:
    """Nanoseconds and bytes an organization."""
    market = Market(rule, economy=Economy(organizations=size, jobs=size))
    actions = random_actions(market, 2)
    observations = market.reset(seed=0)
    market.step(actions[0])
    rates, deadline = [], time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(rates) < 3:
        start = time.perf_counter()
        market.step(actions[len(rates) % 2])
        rates.append((time.perf_counter() - start) / size)
    home = market._homes[0]
    held = [*market.arrays, *home.interim, home.floats, home.integers, observations]
    return median(rates) * 1e9, sum(array.nbytes for array in held) / size


if __name__ == "__main__":
    options = arguments(__doc__)
    for rule in ("price_board", "sealed_tender", "clearing_house"):
        print(f"{rule}: organizations, ns and bytes an organization and round")
        found = [measure(rule, size, options.seconds / 15) for size in SIZES]
        for size, (nanoseconds, memory) in zip(SIZES, found, strict=True):
            print(f"  {size:>8,}{nanoseconds:10.0f}{memory:10.0f}")
        slope = math.log(found[-1][0] / found[2][0]) / math.log(SIZES[-1] / SIZES[2])
        print(f"  cost a round grows as N to the {1 + slope:.3f} from 1,000 to 100,000")
