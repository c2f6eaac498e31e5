"""What the benchmarks share: one core, interleaved repetitions, medians and ratios."""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Mapping

REPETITIONS = 9
"""Timed repetitions of each block."""

Block = Callable[[], int]
"""A function that does a block of work and returns the number of units (agent-steps) that it did."""


def arguments(description: str | None, seconds: float = 10.0) -> argparse.Namespace:
    """Parse the arguments of a benchmark, and bind the process to one core if the system can."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=seconds, help="timed seconds in total")
    parser.add_argument("--core", type=int, default=0, help="core to run on; -1 for all cores")
    parsed = parser.parse_args()
    if parsed.core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {parsed.core})
    return parsed


CPU = time.process_time
"""The clock for work of one thread, which ignores the time that other processes take."""


def interleave(
    blocks: Mapping[str, Block], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Time blocks in turn (A B A B ...), `REPETITIONS` times after one warm-up of each.

    Because they take turns, a ratio holds even while the speed of the machine drifts.

    Args:
        blocks: the blocks by name.
        seconds: timed seconds in total.
        clock: clock to read, in seconds.

    Returns:
        Units per second in each repetition of each block, by name.
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
    """Return the median rate."""
    return statistics.median(rates)


def ratio(rates: dict[str, list[float]], above: str, below: str) -> str:
    """Return the median of the ratios, repetition by repetition, with their quartiles, as text."""
    pairs = [a / b for a, b in zip(rates[above], rates[below], strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4)
    return f"{middle:.3g} ({low:.3g} .. {high:.3g})"
