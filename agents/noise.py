"""Noise for actions: standard normal numbers, each a pure function of (seed, market, episode, round, seat)."""

import numpy as np
from scipy.special import ndtri

from ruleshift.envs.compile import jit
from ruleshift.envs.numerics import ACTION, uniform, words


@jit
def _fill(out, keys, round_, episode, purpose):
    markets, count = out.shape
    for market in range(markets):
        for start in range(0, count, 4):
            four = words(keys[market, 0], keys[market, 1], start // 4, round_, episode, purpose)
            for offset in range(min(4, count - start)):
                out[market, start + offset] = uniform(four[offset])


def action_uniforms(keys: np.ndarray, *, round: int, episode: int, organizations: int, actions: int) -> np.ndarray:
    """Uniform numbers in (0, 1), float64 (B, N, A), for every action of every seat in one round.

    A seat's numbers do not depend on how many others there are.

    Args:
        keys: (B, 2) uint64, a generator key for each market, as `Market.key`.
        round: rounds already played in the episode.
        episode: number of the episode.
        organizations: N.
        actions: A.
    """
    out = np.empty((len(keys), organizations * actions))
    _fill(out, keys, round, episode, ACTION)
    return out.reshape(len(keys), organizations, actions)


def action_noise(keys: np.ndarray, *, round: int, episode: int, organizations: int, actions: int) -> np.ndarray:
    """Standard normal numbers, float32 (B, N, A), in place of the uniform ones: what policies take as `noise`."""
    uniforms = action_uniforms(keys, round=round, episode=episode, organizations=organizations, actions=actions)
    return ndtri(uniforms).astype(np.float32)
