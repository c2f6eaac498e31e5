"""Seeds as users give them, the same in every view of a market."""

from typing import Any

import numpy as np

from ruleshift.envs.fields import brief


def read_seed(seed: Any) -> int | None:
    """Return the seed of a reset, which is None or a whole number from 0 to 2**64 - 1.

    Raises:
        TypeError, ValueError: if it is anything else.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed: expected a whole number or None, got {type(seed).__name__}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: {brief(seed)} is not from 0 to 2**64 - 1")
    return int(seed)


def read_seeds(seed: Any, markets: int) -> int | tuple[int, ...] | None:
    """Return the seed of a reset of several markets: None, one for all of them, or a list with one for each.

    Raises:
        TypeError, ValueError: if a seed is wrong, or if there are not as many as markets.
    """
    if not isinstance(seed, list | tuple | np.ndarray) or np.ndim(seed) == 0:
        return read_seed(seed)
    if len(seed) != markets:
        raise ValueError(f"seed: there are {len(seed)} seeds for {markets} markets")
    seeds = [read_seed(each) for each in seed]
    given = tuple(each for each in seeds if each is not None)
    if given and len(given) < markets:
        raise ValueError("seed: some markets have a seed and others None; give one to all or to none")
    return given or None


def fresh_seed() -> int:
    """Return a seed from the operating system, in 0 .. 2**31 - 1."""
    return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
