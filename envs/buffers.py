"""Memory of the kernel: what markets keep, what a round leaves from stage to stage, and what a stage works in."""

from collections import namedtuple
from typing import Any

import numpy as np
from numba import types

from ruleshift.envs.compile import inlined, jit, matrix, piece, reader, write_down
from ruleshift.envs.layout import PUBLIC_STATISTICS
from ruleshift.envs.numerics import padded

Arrays = namedtuple(
    "Arrays",
    [
        "keys",  # (B, 2) uint64, the generator's
        "economy",  # (ECONOMY_ROW,) float64
        "calendar",  # (P, 1 + K) float64, see `Economy.calendar`
        "state",  # (B, 6 + 5K, N) float64
        "outcomes",  # (B, 13 + 2K, N) float64
        "job_kinds",  # (B, J) int64, the board now posted
        "job_values",  # (B, J) float64
        "served_kinds",  # (B, J) int64, the board of the round last played
        "served_values",  # (B, J) float64
        "winners",  # (B, J) int64
        "payments",  # (B, J) float64
        "measures",  # (B, M) float64, of the round last played
        "totals",  # (B, M) float64, over the episode so far
        "faults",  # (B,) int64, assignments that a mechanism got wrong
        "history",  # (B, H, 8 + 2N) float64, what was disclosed in the last H rounds; H is 0 where nothing is late
    ],
)
"""What the markets keep. B markets, N organizations, J jobs, K kinds."""

Plan = namedtuple(
    "Plan",
    [
        "rows",  # (S, B, RULE_ROW) float64
        "features",  # (S, B, len(FEATURES)) float32
        "addresses",  # (S, B) int64, the mechanisms
        "stages",  # (T, B) int64, which rule is in force
        "notices",  # (T, B) float64, how near an announced shift is
    ],
)
"""The rules of an episode: in market b, `[s, b]` is the first rule for s = 0, then that of shift s - 1."""

Interim = namedtuple(
    "Interim",
    [
        "log_odds",  # (b, K, N + 1) float64
        "lead",  # (b, J)
        "price",  # (b, J)
        "bid",  # (b, J)
        "qualities",  # (b, J)
    ],
)
"""What the stages of a round leave for later ones, for the b markets of a block."""

Scratch = namedtuple(
    "Scratch",
    [
        "race", "costs", "expected",  # (K, N)
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


def interim(markets: int, n: int, j: int, k: int) -> Interim:
    """Memory for a block of markets."""
    size = block_size(markets, n, j, k)
    return Interim(np.empty((size, k, n + 1)), *(np.empty((size, j)) for _ in range(4)))


Home = namedtuple("Home", ["arrays", "interim", "sheet", "floats", "integers"])
"""All the memory of one thread: the markets' and its own.

`sheet` (TOGETHER, F) float32 holds observations on their way out; `floats` and `integers` are carved into a `Scratch`.
"""

_WORDS = 512
_FLOATS = tuple(types.Array(types.float64, dimensions, "C") for dimensions in range(4))
_INTEGERS = tuple(types.Array(types.int64, dimensions, "C") for dimensions in range(4))
_ARRAYS = types.NamedTuple(
    (
        types.Array(types.uint64, 2, "C"), _FLOATS[1], _FLOATS[2], _FLOATS[3], _FLOATS[3], _INTEGERS[2], _FLOATS[2],
        _INTEGERS[2], _FLOATS[2], _INTEGERS[2], _FLOATS[2], _FLOATS[2], _FLOATS[2], _INTEGERS[1], _FLOATS[3],
    ),
    Arrays,
)  # fmt: skip
_INTERIM = types.NamedTuple((_FLOATS[3], _FLOATS[2], _FLOATS[2], _FLOATS[2], _FLOATS[2]), Interim)
_PLAN = types.NamedTuple((_FLOATS[3], types.Array(types.float32, 3, "C"), _INTEGERS[2], _INTEGERS[2], _FLOATS[2]), Plan)
home_of = reader(
    types.NamedTuple((_ARRAYS, _INTERIM, types.Array(types.float32, 2, "C"), _FLOATS[1], _INTEGERS[1]), Home)
)
plan_of = reader(_PLAN)


@jit
def _write(value, words):
    write_down(value, words)


def handle(value: Any) -> np.ndarray:
    """A `Home` or `Plan` as machine words, int64 (512,), which `home_of` or `plan_of` read in a kernel.

    To hand over an array costs a call a tenth of a microsecond, and there are dozens. A handle holds nothing alive.
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
    """The named pieces of one thread's scratch memory."""
    longest, kn = max(n, k), k * n
    jobs = -(-max(j, n) // 8) * 8
    calls = -(-max(j, n, -(-kn // 4)) // 8) * 8
    a = 3 * kn
    b = a + 4 * jobs
    c = b + 4 * calls
    d = c + 3 * n
    e = d + 3 * k
    f = e + 6
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
