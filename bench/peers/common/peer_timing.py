"""What the peers' programs share: arguments, one core, timing, the JSON line.

Standard library only, because it is imported in every peer's own environment
and before the peer's libraries have started any thread.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

REPETITIONS = 5
SURVEY_REPETITIONS = 3
SINGLE_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

Block = Callable[[], int]
"""Does a block of work and returns how many agent-steps it took."""


@dataclass(frozen=True)
class Measurement:
    """The agent-steps per second of the timed repetitions of one block."""

    rates: tuple[float, ...]
    cpu_share: float

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


def argument_parser(description: str) -> argparse.ArgumentParser:
    """The arguments that every peer's program takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=5.0, help="timed seconds in all")
    parser.add_argument("--core", type=int, default=0, help="the one core to run on")
    return parser


def use_one_core(core: int) -> None:
    """Bind this process, and all threads it starts later, to one core."""
    os.sched_setaffinity(0, {core})
    for name in SINGLE_THREAD_VARIABLES:
        os.environ[name] = "1"


def measure(block: Block, seconds: float, repetitions: int = REPETITIONS) -> Measurement:
    """Time a warm block: each repetition runs it until its share of the seconds is over."""
    share = seconds / repetitions
    rates = []
    cpu_start, wall_start = time.process_time(), time.perf_counter()
    for _ in range(repetitions):
        steps = 0
        start = time.perf_counter()
        while True:
            steps += block()
            elapsed = time.perf_counter() - start
            if elapsed >= share:
                break
        rates.append(steps / elapsed)
    cpu_share = (time.process_time() - cpu_start) / (time.perf_counter() - wall_start)
    return Measurement(tuple(rates), cpu_share)


def measure_best(
    make_block: Callable[[int], Block], batches: Sequence[int], seconds: float
) -> tuple[int, Measurement, dict[int, float]]:
    """Find the fastest batch size in half of the seconds, then time it in the other half.

    Timing the winner anew keeps a lucky survey figure out of the result.
    Returns the batch, its measurement and the survey's figure for every batch.
    """
    survey: dict[int, float] = {}
    blocks: dict[int, Block] = {}
    for batch in batches:
        blocks[batch] = make_block(batch)
        blocks[batch]()
        share = seconds / 2 / len(batches)
        survey[batch] = measure(blocks[batch], share, SURVEY_REPETITIONS).median
        print(f"batch {batch}: {survey[batch]:,.0f} agent-steps/s", file=sys.stderr)
    best = max(survey, key=lambda batch: survey[batch])
    return best, measure(blocks[best], seconds / 2), survey


def report(
    peer: str,
    batch: int,
    measurement: Measurement,
    packages: Sequence[str],
    **detail: object,
) -> None:
    """Print the result as one line of JSON on stdout.

    A `cpu_share` well under 1 says that something else used the core; a share of 1
    does not show that the machine under a virtual core was quiet.
    """
    versions = {"python": platform.python_version()}
    versions.update({package: version(package) for package in packages})
    result = {
        "peer": peer,
        "agent_steps_per_second": measurement.median,
        "detail": {
            "batch": batch,
            "versions": versions,
            "repetitions": list(measurement.rates),
            "cpu_share": round(measurement.cpu_share, 3),
            **detail,
        },
    }
    sys.stderr.flush()
    print(json.dumps(result), flush=True)
