"""Exponential, logarithm and random words: the same bits on every x86-64 machine.

`exp` and `log` are polynomials in IEEE additions, multiplications and one division, so that a trajectory does not
depend on the mathematics library, the vector width or fused multiplication. Random words come from Philox4x32-10
(Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"). Each word is a pure function of (key,
index, round, episode, purpose), so that no draw depends on how many others were made.
"""

from decimal import Decimal, localcontext

import numpy as np

from ruleshift.envs.compile import bits_float, float_bits, inlined, jit

# What a random word is used for. Each purpose is a stream of its own, and more draws for one do not shift another.
BOARD, SHOCK, DRAW, PRIORITY, QUALITY, INITIAL, ENTRY, ACTION, RULE, NOISE, SHIFT, NEWCOMER = range(12)
PURPOSES = 16  # a purpose that needs several blocks uses purpose + 16 * block

_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.44269504088896338700
_BELOW_1 = 1.0 - 2.0**-53
_ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits


@inlined
def exp(x):
    """Return e**x for float64 x, with a relative error below 4.6e-16; it is 0 below -708 and capped at e**709.

    The argument is reduced by multiples of ln 2 in two parts, to |r| <= 0.35. The Taylor polynomial of degree 13 is
    evaluated by Estrin's scheme, whose short chains a processor can overlap.
    """
    x = min(max(x, -708.0), 709.0)
    shifted = x * _LOG2_E + _ROUNDER
    n = shifted - _ROUNDER
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (0.5 + 0.16666666666666666 * r) + r2 * (0.041666666666666664 + 0.008333333333333333 * r)
    middle = 0.001388888888888889 + 0.0001984126984126984 * r
    middle += r2 * (2.48015873015873e-05 + 2.7557319223985893e-06 * r)
    high = 2.755731922398589e-07 + 2.505210838544172e-08 * r
    high += r2 * (2.08767569878681e-09 + 1.6059043836821613e-10 * r)
    p = ((low + r4 * middle) + (r4 * r4) * high) * r2 + r + 1.0
    power = bits_float((np.int64(n) + np.int64(1023)) << np.int64(52))
    return p * power if x > -708.0 else 0.0


@inlined
def log(x):
    """Return the natural logarithm of a normal positive float64, with a relative error below 4.6e-16.

    x = 2**n * m with m in [0.7071, 1.4143]; log m = 2 artanh(s) with s = (m - 1) / (m + 1), as a series in s**2.
    """
    bits = float_bits(x)
    offset = bits - np.int64(0x3FE6A09E667F3BCD)
    n = np.float64(offset >> np.int64(52))
    m = bits_float(bits - ((offset >> np.int64(52)) << np.int64(52)))
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    low = (0.6666666666666666 + 0.4 * z) + z2 * (0.2857142857142857 + 0.2222222222222222 * z)
    middle = (0.18181818181818182 + 0.15384615384615385 * z) + z2 * (0.13333333333333333 + 0.11764705882352941 * z)
    p = (low + z4 * middle) + (z4 * z4) * (0.10526315789473684 + 0.09523809523809523 * z)
    half = 0.5 * f * f
    return n * _LN2_HIGH - ((half - (s * (half + z * p) + n * _LN2_LOW)) - f)


@inlined
def words(key0, key1, index, round_, episode, purpose):
    """Return four random 32-bit words, as uint64, of Philox4x32-10 at counter (index, round, episode, purpose)."""
    mask = np.uint64(0xFFFFFFFF)
    a, b = np.uint64(index) & mask, np.uint64(round_) & mask
    c, d = np.uint64(episode) & mask, np.uint64(purpose) & mask
    k0, k1 = np.uint64(key0), np.uint64(key1)
    for _ in range(10):
        low = a * np.uint64(0xD2511F53)
        high = c * np.uint64(0xCD9E8D57)
        a, b, c, d = ((high >> np.uint64(32)) ^ b ^ k0, high & mask, (low >> np.uint64(32)) ^ d ^ k1, low & mask)
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    return a, b, c, d


@inlined
def uniform(word):
    """Return a uniform number in (0, 1) from one 32-bit word: the middle of its cell, so never 0 or 1."""
    return (np.float64(np.int64(word)) + 0.5) * 2.3283064365386963e-10


LANES = 8


def padded(count: int) -> int:
    """Return `count` rounded up to a multiple of LANES, because `draw` works in whole vectors."""
    return -(-count // LANES) * LANES


@jit
def draw(key, round_, episode, purpose, calls, out):
    """Write the uniform numbers of calls 0 .. calls - 1 of the generator, one row per word.

    `out` is (4, padded(calls) or more).
    """
    key0, key1 = key[0], key[1]
    for index in range((calls + LANES - 1) // LANES * LANES):
        a, b, c, d = words(key0, key1, index, round_, episode, purpose)
        out[0, index], out[1, index], out[2, index], out[3, index] = uniform(a), uniform(b), uniform(c), uniform(d)


@jit
def draw_fine(key, round_, episode, purpose, calls, out):
    """Draw like `draw`, except that row 0 has 52 random bits from two words; rows 1 and 2 have those of the others."""
    key0, key1 = key[0], key[1]
    for index in range((calls + LANES - 1) // LANES * LANES):
        a, b, c, d = words(key0, key1, index, round_, episode, purpose)
        out[0, index] = min(uniform(a) + (uniform(b) - 0.5) * 2.3283064365386963e-10, _BELOW_1)
        out[1, index], out[2, index] = uniform(d), uniform(c)


@jit
def spread(draws, out):
    """Copy len(out) numbers of `draws` into `out`: ceil(len(out) / 4) from each row, row after row."""
    calls = (len(out) + 3) // 4
    for word in range(4):
        for call in range(min(calls, len(out) - word * calls)):
            out[word * calls + call] = draws[word, call]


def rounded_log(x: float, base: float | None = None) -> float:
    """Return the float64 nearest to the logarithm of x > 0, natural or to a base.

    It is computed with 40 decimal digits, because the last bit of `math.log` depends on the processor.

    >>> rounded_log(8.0, base=2.0)
    3.0
    """
    with localcontext(prec=40):
        return float(Decimal(x).ln() / (Decimal(1) if base is None else Decimal(base).ln()))


def market_key(seed: int, market: int) -> np.ndarray:
    """Return the generator's key of one market: two 32-bit words, uint64 (2,).

    Seed and market are hashed, not added, so that the seeds s and s + 1 have nothing in common.

    Raises:
        ValueError: if the seed is not in 0 .. 2**64 - 1.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; it must be a whole number from 0 to 2**64 - 1")
    return np.random.SeedSequence((seed, market)).generate_state(2).astype(np.uint64)


def uniforms(key: np.ndarray, count: int, *, round: int, episode: int, purpose: int) -> np.ndarray:
    """Return uniform numbers in (0, 1), float64 (count,), of one purpose in one round and episode of one market."""
    out, calls = np.empty(count), -(-count // 4)
    draws = np.empty((4, padded(calls)))
    draw(key, round, episode, purpose, calls, draws)
    spread(draws, out)
    return out
