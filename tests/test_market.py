"""The batched market: the same bits alone, in a batch, in threads, elsewhere; and nothing half done."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ruleshift.envs import Economy, Market, Shift, list_rules, load_rule, load_structure
from ruleshift.envs.layout import MEASURES, outcome_view, state_view
from ruleshift.envs.numerics import ACTION, uniforms

ECONOMY = Economy(rounds=10)
SCHEDULE = (Shift(3, "clearing_house", notice=2), Shift(6, "promoted_listing"))


def _actions(market: Market, round_: int) -> np.ndarray:
    """Random actions that depend on nothing but the market's own key."""
    count = market.organizations * market.action_size
    numbers = [uniforms(key, count, round=round_, episode=market.episode, purpose=ACTION) for key in market.key]
    shape = (market.markets, market.organizations, market.action_size)
    return (2.2 * np.reshape(numbers, shape) - 1.1).astype(np.float32)


def _trajectory(market: Market, index: int, rounds: int = 13, seed: int | None = 5) -> str:
    """Hash of everything that one market of a batch shows and pays."""
    seen = market.reset(seed=seed) if seed is not None else np.zeros((market.markets, 1), np.float32)
    digest = hashlib.sha256(seen[index].tobytes())
    for round_ in range(rounds):
        seen, rewards, truncated = market.step(_actions(market, round_))
        for array in (seen, rewards, market.state, market.outcomes, market.payments, market.winners, market.measures):
            digest.update(np.ascontiguousarray(array[index]).tobytes())
        if truncated:
            assert market.last_observations is not None
            digest.update(market.last_observations[index].tobytes())
    return digest.hexdigest()


def _state_hash(market: Market) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(market.snapshot().items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("rule", ["price_board", "second_price_exchange", "clearing_house"])
@pytest.mark.parametrize(("markets", "first", "threads"), [(7, 33, 1), (7, 33, 2), (64, 0, 2)])
def test_market__the_same_bits_alone_and_in_a_batch(rule: str, markets: int, first: int, threads: int) -> None:
    alone = Market(rule, first_market=37, economy=ECONOMY, schedule=SCHEDULE)
    batch = Market(
        rule, markets=markets, first_market=first, economy=ECONOMY, schedule=SCHEDULE, threads=threads
    )  # fmt: skip
    assert _trajectory(alone, 0) == _trajectory(batch, 37 - first)


def test_market__a_structure_gives_the_same_bits_alone_and_in_a_batch() -> None:
    structure = load_structure("platforms")
    alone = Market(structure, first_market=37, economy=ECONOMY)
    assert _trajectory(alone, 0) == _trajectory(Market(structure, markets=40, economy=ECONOMY), 37)


def test_market__the_same_bits_at_full_batch() -> None:
    alone = Market(first_market=37, economy=ECONOMY)
    assert _trajectory(alone, 0, 4) == _trajectory(Market(markets=512, economy=ECONOMY, threads=2), 37, 4)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_market import _elsewhere
print(_elsewhere())
"""


def _elsewhere() -> str:
    markets = [Market(rule, markets=2, first_market=36, economy=ECONOMY, schedule=SCHEDULE) for rule in list_rules()]
    return hashlib.sha256("".join(_trajectory(market, 1) for market in markets).encode()).hexdigest()


def _in_another_process(**environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, os.path.dirname(__file__)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_market__the_same_bits_in_another_process() -> None:
    assert _in_another_process(PYTHONHASHSEED="7") == _elsewhere()


def test_market__seeds_and_markets_share_nothing() -> None:
    shocks = []
    for seed, first in ((0, 0), (1, 0), (0, 1), (2, 0)):
        market = Market(markets=1, first_market=first, economy=Economy(organizations=1000, initial_capability=(0, 1)))
        market.reset(seed=seed)
        state = state_view(market.state[0], 3)
        parts = [part.ravel() for part in (state.shock, state.initial)]
        shocks.append(np.concatenate([(part - part.mean()) / part.std() for part in parts]))
    correlations = np.corrcoef(shocks)[~np.eye(4, dtype=bool)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(6000)
    assert not set(shocks[0]) & set(shocks[1])


@pytest.mark.parametrize("rounds_before", [0, 4, 9, 12])
def test_snapshot__goes_on_to_the_same_bits(rounds_before: int) -> None:
    market = Market("reputation_ladder", markets=3, economy=ECONOMY, schedule=SCHEDULE)
    _trajectory(market, 0, rounds_before, seed=8)
    snapshot = market.snapshot()
    expected = _trajectory(market, 2, 12, seed=None)
    assert _trajectory(market, 2, 12, seed=None) != expected
    market.restore(snapshot)
    assert _trajectory(market, 2, 12, seed=None) == expected
    other = Market("reputation_ladder", markets=3, economy=ECONOMY, schedule=SCHEDULE)
    other.restore(snapshot)
    assert _trajectory(other, 2, 12, seed=None) == expected


def test_restore__a_snapshot_of_another_size() -> None:
    market = Market(economy=ECONOMY, markets=2)
    market.reset(seed=0)
    before = _state_hash(market)
    with pytest.raises(ValueError, match="snapshot: keys is uint64"):
        market.restore(Market(economy=ECONOMY, markets=3).snapshot())
    assert _state_hash(market) == before


def test_reset__goes_on_to_the_next_episode_without_a_seed() -> None:
    market = Market(economy=ECONOMY, markets=2)
    first = market.reset()
    np.testing.assert_array_equal(first, Market(economy=ECONOMY, markets=2).reset(seed=0))
    for round_ in range(ECONOMY.rounds):
        seen, _, truncated = market.step(_actions(market, round_))
        assert truncated == (round_ == ECONOMY.rounds - 1)
    assert market.episode == 1
    assert market.round == 0
    again = Market(economy=ECONOMY, markets=2)
    again.reset(seed=0)
    again.step(_actions(again, 0))
    np.testing.assert_array_equal(again.reset(), seen)
    np.testing.assert_array_equal(again.reset(seed=0), first)


def test_step__arrays_are_fresh() -> None:
    market = Market(economy=ECONOMY)
    first = market.reset(seed=0)
    kept = first.copy()
    second, rewards, _ = market.step(_actions(market, 0))
    paid = rewards.copy()
    market.step(_actions(market, 1))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(rewards, paid)
    assert not np.shares_memory(first, second)


def test_step__episode_measures_are_the_means() -> None:
    market = Market("promoted_listing", economy=ECONOMY, markets=3)
    market.reset(seed=0)
    rounds = []
    for round_ in range(ECONOMY.rounds):
        market.step(_actions(market, round_))
        rounds.append(market.measures.copy())
    assert market.episode_measures is not None
    np.testing.assert_allclose(market.episode_measures, np.mean(rounds, axis=0), rtol=1e-12)


def test_step__clips_and_counts() -> None:
    market = Market(economy=ECONOMY)
    actions = np.zeros((1, 8, 6), np.float32)
    actions[0, 2] = [1.5, -7, 0, 2, 0.3, 1]
    inside = np.clip(actions, -1, 1)
    market.reset(seed=1)
    seen = market.step(actions)[0]
    assert outcome_view(market.outcomes[0], 3).clipped.tolist() == [0, 0, 3, 0, 0, 0, 0, 0]
    assert market.measures[0, MEASURES.index("clipped")] == 3 / 8
    market.reset(seed=1)
    np.testing.assert_array_equal(market.step(inside)[0], seen)


def _spoiled(value: float) -> np.ndarray:
    actions = np.zeros((2, 8, 6), np.float32)
    actions[1, 3, 2] = value
    return actions


@pytest.mark.parametrize(
    ("actions", "error", "message"),
    [
        (np.zeros((2, 8, 5), np.float32), ValueError, "shape"),
        (np.zeros((8, 6), np.float32), ValueError, "shape"),
        (np.zeros((2, 6, 8), np.float32), ValueError, "shape"),
        (np.zeros((2, 8, 6), bool), TypeError, "bool"),
        (np.zeros((2, 8, 6), complex), TypeError, "complex"),
        (np.full((2, 8, 6), "0"), TypeError, "U1"),
        ([[[0.0] * 6] * 8, [[0.0] * 6] * 7], ValueError, "ragged"),
        (None, TypeError, "NoneType"),
        (_spoiled(np.nan), ValueError, r"nan at \[1, 3, 2\]"),
        (_spoiled(np.inf).astype(np.float16), ValueError, r"inf at \[1, 3, 2\]"),
    ],
)
def test_step__refuses_and_changes_nothing(actions: Any, error: type[Exception], message: str) -> None:
    market = Market(economy=ECONOMY, markets=2)
    market.reset(seed=0)
    for round_ in range(ECONOMY.rounds - 1):
        market.step(_actions(market, round_))
    before = _state_hash(market)
    with pytest.raises(error, match=message):
        market.step(actions)
    assert _state_hash(market) == before
    twin = Market(economy=ECONOMY, markets=2)
    twin.restore(market.snapshot())
    np.testing.assert_array_equal(market.step(_actions(market, 9))[0], twin.step(_actions(twin, 9))[0])


@pytest.mark.parametrize("convert", [
    list, np.float16, np.float64, np.longdouble, ">f4", lambda given: np.repeat(given, 2, axis=2)[:, :, ::2],
    lambda given: np.asfortranarray(given), lambda given: np.require(given, requirements="O").view(_Labelled),
])  # fmt: skip
def test_step__converts_other_real_numbers(convert: Any) -> None:
    given = np.array([-1.5, -0.5, 0.0, 0.25, 1.0, 2.0], np.float32) + np.zeros((2, 8, 1), np.float32)
    given.flags.writeable = False
    seen = []
    for actions in (given.copy(), given.tolist() if convert is list else
                    convert(given) if not isinstance(convert, type | str) or convert is _Labelled else
                    given.astype(convert)):  # fmt: skip
        market = Market(economy=ECONOMY, markets=2)
        market.reset(seed=0)
        seen.append(market.step(actions)[0])
    np.testing.assert_array_equal(seen[0], seen[1])


class _Labelled(np.ndarray):
    pass


def test_step__large_finite_actions_are_clipped() -> None:
    market = Market(economy=ECONOMY)
    market.reset(seed=0)
    market.step(np.full((1, 8, 6), 3e38, np.float32))
    assert outcome_view(market.outcomes[0], 3).clipped.tolist() == [6] * 8


def test_step__before_a_reset() -> None:
    with pytest.raises(RuntimeError, match="reset"):
        Market(economy=ECONOMY).step(np.zeros((1, 8, 6), np.float32))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"markets": 0}, ValueError, "markets"),
        ({"threads": 1.5}, ValueError, "threads"),
        ({"first_market": -1}, ValueError, "first_market"),
        ({"economy": {"jobs": 3}}, TypeError, "economy"),
        ({"rule": "none_such"}, ValueError, "none_such"),
        ({"rule": 3}, TypeError, "rule"),
        ({"mechanisms": ("json:nothing",)}, ValueError, "json:nothing"),
    ],
)
def test_market__mistakes_are_named(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Market(**arguments)


def test_reset__a_bad_argument_changes_nothing() -> None:
    market = Market(economy=ECONOMY)
    market.reset(seed=3)
    before = _state_hash(market)
    for arguments in ({"seed": 2**64}, {"seed": -1}, {"seed": 1, "rule": "none_such"}):
        with pytest.raises(ValueError, match=r"seed|none_such"):
            market.reset(**arguments)
        assert _state_hash(market) == before
        assert market.rule_in_force().name == "price_board"
    with pytest.raises(TypeError, match="seed"):
        market.reset(seed=1.5)  # type: ignore[arg-type]


def test_economy__mistakes_are_named() -> None:
    mistakes: dict[str, Any] = {
        "jobs": 0,
        "base_cost": float("nan"),
        "learning": "none",
        "initial_capability": (1, 0),
    }
    for name, value in mistakes.items():
        with pytest.raises(ValueError, match=f"economy: {name}"):
            Economy(**{name: value})


def test_serial__amplification_0_is_a_fair_lottery() -> None:
    economy = Economy(organizations=5, jobs=1, kinds=1, outside_share=0, rounds=1)
    market = Market(load_rule("price_board").replace(**{"scoring.amplification": 0}), markets=5000, economy=economy)
    market.reset(seed=0)
    actions = np.zeros((5000, 5, 4), np.float32)
    actions[:, :, 0] = np.linspace(-0.9, 0.5, 5)
    market.step(actions)
    shares = np.bincount(market.winners[:, 0], minlength=5) / 5000
    np.testing.assert_allclose(shares, 0.2, atol=3.5 * np.sqrt(0.2 * 0.8 / 5000))


def test_serial__amplification_inf_serves_the_best_first() -> None:
    economy = Economy(organizations=6, jobs=5, kinds=2, capacity=2, outside_share=0, rounds=1)
    rule = load_rule("sealed_tender").replace(**{"scoring.amplification": np.inf})
    market = Market(rule.replace(**{"scoring.weights": load_rule("second_price_exchange").scoring.weights}),
                    markets=20, economy=economy)  # fmt: skip
    market.reset(seed=0)
    actions = np.zeros((20, 6, 5), np.float32)
    actions[:, :, 0] = [0.2, -0.5, 0.1, -0.9, 0.5, 0.0]
    market.step(actions)
    np.testing.assert_array_equal(market.winners, [[3, 3, 1, 1, 5]] * 20)


def test_serial__exact_ties_are_broken_at_random() -> None:
    economy = Economy(organizations=4, jobs=1, kinds=1, outside_share=0, rounds=1)
    market = Market("second_price_exchange", markets=4000, economy=economy)
    market.reset(seed=0)
    market.step(np.zeros((4000, 4, 4), np.float32))
    shares = np.bincount(market.winners[:, 0], minlength=4) / 4000
    np.testing.assert_allclose(shares, 0.25, atol=3.5 * np.sqrt(0.25 * 0.75 / 4000))
