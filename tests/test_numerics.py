"""Random words, exponential and logarithm: against published vectors and numpy's."""

import numpy as np
import pytest

from ruleshift.envs.numerics import (
    ACTION,
    RULE,
    exp,
    log,
    market_key,
    uniform,
    uniforms,
    words,
)

# Known answers of Philox4x32-10 as published with Random123 (Salmon et al. 2011): key, counter, words.
VECTORS = [
    ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0xA4093822, 0x299F31D0),
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("key", "counter", "expected"), VECTORS)
def test_words__published_vectors(key: tuple[int, ...], counter: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert tuple(int(word) for word in words(*map(np.uint64, key), *map(np.uint64, counter))) == expected


@pytest.mark.parametrize("word", [0, 2**32 - 1])
def test_uniform__never_0_or_1(word: int) -> None:
    assert 0 < uniform(np.uint64(word)) < 1


def test_exp__within_2_ulp() -> None:
    x = np.concatenate([np.linspace(-700, 700, 4001), np.random.default_rng(0).normal(size=4000)])
    expected = np.exp(x.astype(np.longdouble)).astype(np.float64)
    got = np.array([exp(value) for value in x])
    assert np.max(np.abs(got - expected) / np.spacing(expected)) <= 2
    assert exp(0.0) == 1.0
    assert exp(-800.0) == 0.0


def test_log__within_2_ulp() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([10.0 ** rng.uniform(-300, 300, 4000), 1 + rng.normal(0, 1e-3, 4000), rng.uniform(0.5, 2, 4000)])
    expected = np.log(x.astype(np.longdouble)).astype(np.float64)
    got = np.array([log(value) for value in x])
    assert np.max(np.abs(got - expected) / np.spacing(np.abs(expected))) <= 2
    assert log(1.0) == 0.0


def test_uniforms__are_uniform_and_depend_on_purpose_round_and_episode() -> None:
    key = market_key(7, 3)
    streams = [
        uniforms(key, 4000, round=round_, episode=episode, purpose=purpose)
        for purpose in (ACTION, RULE)
        for round_ in (0, 1)
        for episode in (0, 1)
    ]
    error = 4 / np.sqrt(12 * 4000)
    assert all(abs(stream.mean() - 0.5) < error for stream in streams)
    correlations = np.corrcoef(streams)[~np.eye(len(streams), dtype=bool)]
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)
    assert len(np.unique(np.concatenate(streams))) > 0.99 * 8 * 4000


def test_market_key__neighbouring_seeds_and_markets_share_nothing() -> None:
    keys = {tuple(market_key(seed, market).tolist()) for seed in range(40) for market in range(40)}
    assert len(keys) == 1600
    assert len({word for key in keys for word in key}) == 3200


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_market_key__a_seed_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        market_key(seed, 0)
