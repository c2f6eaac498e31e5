"""Buffers of the kernel: what markets keep, what a round leaves from stage to stage, and what a stage works in."""

from collections import namedtuple
from typing import Annotated, Any, NamedTuple

import numpy as np
from numba import types

from ruleshift.envs.compile import (
    Floats1,
    Floats2,
    Floats3,
    Integers1,
    Integers2,
    compiled_type,
    inlined,
    jit,
    matrix,
    piece,
    reader,
    write_down,
)
from ruleshift.envs.layout import PUBLIC_STATISTICS
from ruleshift.envs.numerics import LANES, padded

_Keys = Annotated[np.ndarray, types.Array(types.uint64, 2, "C")]
_Observations = Annotated[np.ndarray, types.Array(types.float32, 2, "C")]
_Features = Annotated[np.ndarray, types.Array(types.float32, 3, "C")]


class Arrays(NamedTuple):
    """What the markets keep. B markets, N organizations, J jobs, K kinds."""

    keys: _Keys  # (B, 2), the generator's
    economy: Floats1  # (ECONOMY_ROW,)
    calendar: Floats2  # (P, 1 + K), see `Economy.calendar`
    state: Floats3  # (B, 6 + 5K, N)
    outcomes: Floats3  # (B, 13 + 2K, N)
    job_kinds: Integers2  # (B, J), the board now posted
    job_values: Floats2  # (B, J)
    served_kinds: Integers2  # (B, J), the board of the round last played
    served_values: Floats2  # (B, J)
    winners: Integers2  # (B, J)
    payments: Floats2  # (B, J)
    measures: Floats2  # (B, M), of the round last played
    totals: Floats2  # (B, M), over the episode so far
    faults: Integers1  # (B,), assignments that a mechanism got wrong
    history: Floats3  # (B, H, 8 + 2N), what was disclosed in the last H rounds; H is 0 where nothing is late


class EpisodeRules(NamedTuple):
    """The rules of an episode: in market b, `[s, b]` is the first rule for s = 0, then that of shift s - 1."""

    rows: Floats3  # (S, B, RULE_ROW)
    features: _Features  # (S, B, len(FEATURES))
    addresses: Integers2  # (S, B), the mechanisms
    stages: Integers2  # (T, B), which rule is in force
    notices: Floats2  # (T, B), how near an announced shift is


class RoundBuffers(NamedTuple):
    """What the stages of a round leave for later ones, for the b markets of a block."""

    log_odds: Floats3  # (b, K, N + 1)
    margin: Floats2  # (b, J), and so are the three below: see `mechanisms.Match`
    price: Floats2
    bid: Floats2
    qualities: Floats2  # of the jobs served


class ThreadBuffers(NamedTuple):
    """All that one thread reads and writes: the markets' arrays, and memory of its own."""

    arrays: Annotated[Arrays, compiled_type(Arrays)]
    round: Annotated[RoundBuffers, compiled_type(RoundBuffers)]
    staging: _Observations  # (TOGETHER, F), observations on their way out
    floats: Floats1  # this and the next are carved into a `Scratch`
    integers: Integers1


Scratch = namedtuple(
    "Scratch",
    [
        "perturbed", "costs", "qualities",  # (K, N); the first serves as shares, too
        "uniforms",  # (4, max(J, N) or more)
        "draws",  # (4, max(J, N, K N / 4) or more)
        "common", "mean", "noise",  # (N,)
        "count", "value", "column",  # (K,)
        "public",  # (6,)
        "priority",  # (K, N) int64
        "preferences",  # (N, K) int64
        "capacities", "load",  # (N,) int64
        "order", "spare",  # (max(N, K),) int64
        "floats", "integers",  # the mechanism's own
    ],
)  # fmt: skip
"""What one stage works in, for one market; nothing in it lasts."""

_BLOCK_BYTES, _LARGEST_BLOCK = 200_000, 16


def block_size(markets: int, n: int, j: int, k: int) -> int:
    """How many markets go through a stage of the round together: as many as fit into a core's second-level cache.

    A round is far more machine code than the first-level cache holds; a block shares the loading of each stage.
    """
    bytes_each = 8 * (n * (40 + 12 * k) + 8 * j)
    return max(1, min(markets, _LARGEST_BLOCK, _BLOCK_BYTES // bytes_each))


def round_buffers(markets: int, n: int, j: int, k: int) -> RoundBuffers:
    """Fresh buffers for the blocks of so many markets of n organizations, j jobs and k kinds."""
    size = block_size(markets, n, j, k)
    return RoundBuffers(np.empty((size, k, n + 1)), *(np.empty((size, j)) for _ in range(4)))


_WORDS = 512
buffers_of = reader(compiled_type(ThreadBuffers))
rules_of = reader(compiled_type(EpisodeRules))


@jit
def _write(value, words):
    write_down(value, words)


def handle(value: Any) -> np.ndarray:
    """`ThreadBuffers` or `EpisodeRules` as machine words, int64 (512,), for `buffers_of` or `rules_of` in a kernel.

    To hand over an array costs a call a tenth of a microsecond, and there are dozens. A handle keeps nothing alive.
    """
    words = np.zeros(_WORDS, np.int64)
    _write(value, words)
    return words


def scratch_sizes(n: int, j: int, k: int, floats: int, integers: int) -> tuple[int, int]:
    """Numbers of float64 and int64 that `carve` needs, with these many for the mechanism."""
    drawn = 4 * padded(max(j, n)) + 4 * padded(max(j, n, -(-k * n // 4)))
    by_one = 3 * k * n + 3 * n + 3 * k + len(PUBLIC_STATISTICS)
    return by_one + drawn + floats, 2 * k * n + 2 * n + 2 * max(n, k) + integers


@inlined
def carve(floats, integers, n, j, k):
    """The `Scratch` of one thread, cut out of its memory, of which `scratch_sizes` says how much is needed."""
    longest, kn = max(n, k), k * n
    jobs = -(-max(j, n) // LANES) * LANES
    calls = -(-max(j, n, -(-kn // 4)) // LANES) * LANES
    a = 3 * kn
    b = a + 4 * jobs
    c = b + 4 * calls
    d = c + 3 * n
    e = d + 3 * k
    f = e + len(PUBLIC_STATISTICS)
    r = 2 * kn + 2 * n
    s = r + 2 * longest
    return Scratch(
        matrix(floats, 0, k, n), matrix(floats, kn, k, n), matrix(floats, 2 * kn, k, n),
        matrix(floats, a, 4, jobs), matrix(floats, b, 4, calls),
        piece(floats, c, n), piece(floats, c + n, n), piece(floats, c + 2 * n, n),
        piece(floats, d, k), piece(floats, d + k, k), piece(floats, d + 2 * k, k),
        piece(floats, e, f - e),
        matrix(integers, 0, k, n), matrix(integers, kn, n, k),
        piece(integers, 2 * kn, n), piece(integers, 2 * kn + n, n),
        piece(integers, r, longest), piece(integers, r + longest, longest),
        piece(floats, f, len(floats) - f), piece(integers, s, len(integers) - s),
    )  # fmt: skip
