"""Buffers of the kernel: what markets keep, what a round passes from stage to stage, and scratch memory."""

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
    """What the markets keep, for B markets of N organizations, J jobs and K kinds."""

    keys: _Keys  # (B, 2), keys of the random generator
    economy: Floats1  # (ECONOMY_ROW,), see `Economy.row`
    calendar: Floats2  # (P, 1 + K), see `Economy.calendar`
    state: Floats3  # (B, 6 + 5K, N), see `layout.State`
    outcomes: Floats3  # (B, 13 + 2K, N), see `layout.Outcome`
    job_kinds: Integers2  # (B, J), kinds of the jobs now posted
    job_values: Floats2  # (B, J), values of the jobs now posted, in mean job values
    served_kinds: Integers2  # (B, J), kinds of the jobs of the last round
    served_values: Floats2  # (B, J), values of the jobs of the last round, in mean job values
    winners: Integers2  # (B, J), organization that served each job of the last round, or -1
    payments: Floats2  # (B, J), what clients paid in the last round, in mean job values
    measures: Floats2  # (B, M), measures of the last round
    totals: Floats2  # (B, M), sums of the measures over the episode so far
    faults: Integers1  # (B,), invalid assignments by a mechanism, or -1 while it runs
    history: Floats3  # (B, H, 8 + 2N), what was disclosed in the last H rounds; H is 0 if disclosure has no delay


class EpisodeRules(NamedTuple):
    """The rules of an episode: in market b, `[0, b]` is the first rule and `[s, b]` the rule of shift s - 1."""

    rows: Floats3  # (S, B, RULE_ROW), see `Rule.row`
    features: _Features  # (S, B, len(FEATURES)), see `Rule.features`
    addresses: Integers2  # (S, B), machine addresses of the mechanisms
    stages: Integers2  # (2, B), index s of the rule in force in the round that is played and in the one after it
    notices: Floats1  # (B,), how near an announced shift is in the round after it, in [0, 1]


class RoundBuffers(NamedTuple):
    """What each stage of a round leaves for later ones, for the b markets of a block."""

    log_odds: Floats3  # (b, K, N + 1), see `mechanisms.Problem`
    margin: Floats2  # (b, J), see `mechanisms.Match`
    price: Floats2  # (b, J), see `mechanisms.Match`
    bid: Floats2  # (b, J), see `mechanisms.Match`
    qualities: Floats2  # (b, J), qualities of the jobs served, in [0, 1]


class ThreadBuffers(NamedTuple):
    """Everything that one thread reads and writes: the markets' arrays, and memory of its own."""

    arrays: Annotated[Arrays, compiled_type(Arrays)]
    round: Annotated[RoundBuffers, compiled_type(RoundBuffers)]
    staging: _Observations  # (TOGETHER, F), observations before they are streamed out
    floats: Floats1  # memory from which `carve` cuts a `Scratch`
    integers: Integers1  # memory from which `carve` cuts a `Scratch`


Scratch = namedtuple(
    "Scratch",
    [
        "perturbed", "costs", "qualities",  # (K, N); `perturbed` also holds expected shares
        "uniforms",  # (4, max(J, N) or more)
        "draws",  # (4, max(J, N, K N / 4) or more)
        "common", "mean", "noise",  # (N,)
        "count", "value", "column",  # (K,)
        "public",  # (6,)
        "priority",  # (K, N) int64
        "preferences",  # (N, K) int64
        "capacities", "load",  # (N,) int64
        "order", "spare",  # (max(N, K),) int64
        "floats", "integers",  # scratch memory of the mechanism
    ],
)  # fmt: skip
"""Scratch memory of one stage for one market; later stages cannot rely on its content."""

_BLOCK_BYTES, _LARGEST_BLOCK = 200_000, 16


def block_size(markets: int, n: int, j: int, k: int) -> int:
    """Return how many markets go through a stage of the round together: as many as fit into the second-level cache.

    The machine code of a round exceeds the first-level cache, and a block loads the code of each stage only once.
    """
    bytes_each = 8 * (n * (40 + 12 * k) + 8 * j)
    return max(1, min(markets, _LARGEST_BLOCK, _BLOCK_BYTES // bytes_each))


def round_buffers(markets: int, n: int, j: int, k: int) -> RoundBuffers:
    """Return fresh buffers for the blocks of `markets` markets of n organizations, j jobs and k kinds."""
    size = block_size(markets, n, j, k)
    return RoundBuffers(np.empty((size, k, n + 1)), *(np.empty((size, j)) for _ in range(4)))


_WORDS = 512
buffers_of = reader(compiled_type(ThreadBuffers))
rules_of = reader(compiled_type(EpisodeRules))


@jit
def _write(value, words):
    write_down(value, words)


def handle(value: Any) -> np.ndarray:
    """Return `ThreadBuffers` or `EpisodeRules` as machine words, int64 (512,), for `buffers_of` or `rules_of`.

    Passing an array to a kernel takes a tenth of a microsecond, and there are dozens of them. A handle does not keep
    its arrays alive.
    """
    words = np.zeros(_WORDS, np.int64)
    _write(value, words)
    return words


def scratch_sizes(n: int, j: int, k: int, floats: int, integers: int) -> tuple[int, int]:
    """Return how many float64 and int64 numbers `carve` needs if the mechanism needs `floats` and `integers`."""
    drawn = 4 * padded(max(j, n)) + 4 * padded(max(j, n, -(-k * n // 4)))
    by_one = 3 * k * n + 3 * n + 3 * k + len(PUBLIC_STATISTICS)
    return by_one + drawn + floats, 2 * k * n + 2 * n + 2 * max(n, k) + integers


@inlined
def carve(floats, integers, n, j, k):
    """Cut the `Scratch` of one thread out of its memory, whose sizes `scratch_sizes` gives."""
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
