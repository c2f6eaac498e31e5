"""What the benchmarks share: one core, interleaved repetitions, medians and ratios."""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping

REPETITIONS = 9

Block = Callable[[], int]
"""Does a block of work and returns how many units (agent-steps) it did."""


def arguments(description: str | None, seconds: float = 10.0) -> argparse.Namespace:
    """The arguments of every benchmark, with the process bound to one core where the system can."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=seconds, help="timed seconds in all")
    parser.add_argument("--core", type=int, default=0, help="the core to run on; -1 for all")
    parsed = parser.parse_args()
    if parsed.core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {parsed.core})
    return parsed


CPU = time.process_time
"""The clock for work of one thread: what other processes take does not count."""


def interleave(
    blocks: Mapping[str, Block], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Units per second of each block, `REPETITIONS` of each in turn (A B A B ...), after one warm-up of each.

    Taking turns lets a ratio hold while the machine's speed drifts.
    """
    share = seconds / (REPETITIONS * len(blocks))
    for block in blocks.values():
        block()
    rates: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(REPETITIONS):
        for name, block in blocks.items():
            units, start = 0, clock()
            while True:
                units += block()
                elapsed = clock() - start
                if elapsed >= share:
                    break
            rates[name].append(units / elapsed)
    return rates


def median(rates: list[float]) -> float:
    """The median rate."""
    return statistics.median(rates)


def ratio(rates: dict[str, list[float]], above: str, below: str) -> str:
    """The median of the ratios, pair by pair, with their quartiles, as text."""
    pairs = [a / b for a, b in zip(rates[above], rates[below], strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4)
    return f"{middle:.3g} ({low:.3g} .. {high:.3g})"
