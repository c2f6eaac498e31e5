"""A market is open or closed: refused calls leave it as it was, and a round that was broken off leaves it closed."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tracemalloc
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.envs import Economy, Market, Shift, Structure, load_rule, load_structure, register_mechanism
from ruleshift.envs.mechanisms import MECHANISMS

ECONOMY = Economy(rounds=6)


def _actions(market: Market, number: int = 0) -> np.ndarray:
    shape = (market.markets, market.organizations, market.action_size)
    return np.random.default_rng(number).uniform(-1, 1, shape).astype(np.float32)


def _bits(market: Market) -> bytes:
    return pickle.dumps([(name, array.tobytes()) for name, array in market.snapshot().items()])


# What is set takes effect in the next episode


@pytest.mark.parametrize("by_reset", [True, False], ids=["reset", "truncation"])
def test_rule__what_is_set_is_played_from_the_next_episode_on(by_reset: bool) -> None:
    market, other = Market("price_board", economy=ECONOMY), Market("promoted_listing", economy=ECONOMY)
    played = 2 if by_reset else ECONOMY.rounds
    for each in (market, other):
        each.reset(seed=1)
    for number in range(played):
        market.rule = "promoted_listing"
        assert market.rule == load_rule("promoted_listing")
        assert market.rule_in_force() == load_rule("price_board")
        for each in (market, other):
            each.step(_actions(each, number))
    if by_reset:
        np.testing.assert_array_equal(market.reset(), other.reset())
    assert market.rule_in_force() == load_rule("promoted_listing")
    np.testing.assert_array_equal(market.step(_actions(market))[1], other.step(_actions(other))[1])


def test_rule__a_longer_delay_can_be_set_while_another_is_in_force() -> None:
    short = load_rule("reputation_ladder").replace(**{"disclosure.delay": 1})
    long = load_rule("reputation_ladder").replace(**{"disclosure.delay": 4})
    market, other = (
        Market(short, economy=ECONOMY),
        Market(short, economy=ECONOMY, schedule=(Shift(5, long, chance=0.0),)),
    )
    for each in (market, other):  # the other market has room for the longer delay from the start
        each.reset(seed=2)
    market.rule = long
    for number in range(ECONOMY.rounds):
        one, two = market.step(_actions(market, number)), other.step(_actions(other, number))
        np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(market.last_observations, other.last_observations)


def test_schedule__what_is_set_is_played_from_the_next_episode_on() -> None:
    market = Market("price_board", economy=ECONOMY)
    market.reset(seed=1)
    market.schedule = (Shift(2, "promoted_listing"),)
    for _ in range(ECONOMY.rounds):
        assert market.rule_in_force().name == "price_board"
        market.step(_actions(market))
    names = []
    for _ in range(ECONOMY.rounds):
        names.append(market.rule_in_force().name)
        market.step(_actions(market))
    assert names == ["price_board"] * 2 + ["promoted_listing"] * 4


@pytest.mark.parametrize("copied", [deepcopy, lambda market: pickle.loads(pickle.dumps(market))])
def test_rule__a_copy_knows_both_the_rule_in_force_and_the_one_that_was_set(copied: Any) -> None:
    market = Market("price_board", economy=ECONOMY, schedule=(Shift(3, "sealed_tender"),))
    market.reset(seed=1)
    market.step(_actions(market))
    market.rule, market.schedule = "promoted_listing", ()
    other = copied(market)
    for number in range(2 * ECONOMY.rounds):
        assert other.rule_in_force() == market.rule_in_force()
        np.testing.assert_array_equal(market.step(_actions(market, number))[0], other.step(_actions(other, number))[0])
    assert market.rule_in_force().name == "promoted_listing"


@pytest.mark.parametrize("name", ["economy", "markets", "threads", "organizations", "mechanisms", "state", "winners"])
def test_attribute__what_would_have_no_effect_cannot_be_set(name: str) -> None:
    market = Market(economy=ECONOMY)
    with pytest.raises(AttributeError, match=f"{name} of a Market cannot be changed"):
        setattr(market, name, getattr(market, name))


# Refused, and nothing changed


def _unplayable() -> Structure:
    parts = {"train": {"matching.mechanism": {"choice": ["serial", "top_trading_cycles"]}}}
    return Structure("torn", load_rule("price_board").replace(**{"payment.pricing": "second_price"}), parts)


def test_structure__every_rule_that_it_can_draw_is_checked_at_construction() -> None:
    with pytest.raises(ValueError, match=r"torn.*pricing is 'second_price'.*top_trading_cycles"):
        Market(_unplayable())
    parts = {"train": {"feedback.entry_rate": {"uniform": [0.0, 0.2]}}}
    entering = Structure("entering", load_rule("price_board"), parts)
    with pytest.raises(ValueError, match="'entering': expected shares need the mechanism serial"):
        Market(entering, economy=Economy(shares="expected", capacity=8))


REFUSED = [
    lambda market: market.reset(seed=9, rule=_unplayable()),
    lambda market: market.reset(seed=9, rule="none_such"),
    lambda market: market.reset(seed=9, rule=3),
    lambda market: market.reset(seed=-1, rule="sealed_tender"),
    lambda market: market.reset(seed=2**64),
    lambda market: market.reset(seed=True),
    lambda market: market.reset(seed=[1, 2, 3]),
    lambda market: market.reset(seed="12"),
    lambda market: market.step(np.full((2, 8, 6), np.nan)),
    lambda market: market.step(np.zeros((8, 2, 6))),
    lambda market: market.step("actions"),
    lambda market: market.restore({}),
    lambda market: market.restore(Market(economy=ECONOMY, markets=3).snapshot()),
    lambda market: market.restore(None),
    lambda market: setattr(market, "rule", _unplayable()),
    lambda market: setattr(market, "rule", None),
    lambda market: setattr(market, "schedule", (Shift(99, "sealed_tender"),)),
    lambda market: setattr(market, "schedule", (Shift(2, _unplayable()),)),
    lambda market: setattr(market, "economy", Economy()),
]


CALLS = st.lists(st.sampled_from(REFUSED), min_size=1, max_size=4)


@settings(deadline=None, max_examples=20)
@given(calls=CALLS, rounds=st.integers(0, 8), seed=st.integers(0, 99))
def test_market__a_refused_call_is_as_if_it_had_not_been_made(calls: list, rounds: int, seed: int) -> None:
    market = Market(load_structure("platforms"), markets=2, economy=ECONOMY, schedule=(Shift(3, "promoted_listing"),))
    other = deepcopy(market)
    for each in (market, other):
        each.reset(seed=seed)
        for number in range(rounds):
            each.step(_actions(each, number))
    before = _bits(market)
    for call in calls:
        with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
            call(market)
        assert "\n" not in str(caught.value)
    assert _bits(market) == before
    for number in range(ECONOMY.rounds + 1):
        for one, two in zip(market.step(_actions(market, number)), other.step(_actions(other, number)), strict=True):
            np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(market.reset(), other.reset())


# Broken off


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("threads", [1, 2])
def test_step__a_signal_never_leaves_a_torn_market(threads: int) -> None:
    """Either the round was played and counted, or the market is closed until it is reset."""
    market = Market(markets=64, economy=ECONOMY, threads=threads)
    other = Market(markets=64, economy=ECONOMY)
    actions, random = _actions(market), np.random.default_rng(0)
    market.reset(seed=0)
    market.step(actions)
    handler = signal.signal(signal.SIGALRM, _interrupt)
    closed = 0
    try:
        for number in range(60):
            market.reset(seed=number)
            with contextlib.suppress(KeyboardInterrupt):
                # Again after a second, since Python drops an exception that is raised while it frees an object.
                signal.setitimer(signal.ITIMER_REAL, float(random.uniform(1e-5, 2e-3)), 1.0)
                while True:  # the signal finds it here, and nowhere else
                    market.step(actions)
            signal.setitimer(signal.ITIMER_REAL, 0)
            try:
                snapshot = market.snapshot()
            except RuntimeError:
                closed += 1
                with pytest.raises(RuntimeError, match=r"a round was interrupted.*call reset"):
                    market.step(actions)
                continue
            other.reset(seed=number)
            for _ in range(market.episode * ECONOMY.rounds + market.round):
                other.step(actions)
            np.testing.assert_array_equal(snapshot["state"], other.snapshot()["state"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert closed > 0  # signals did arrive within rounds
    market.reset(seed=3)
    other.reset(seed=3)
    np.testing.assert_array_equal(market.step(actions)[0], other.step(actions)[0])


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def test_mechanism__one_that_raises_is_named_with_its_market() -> None:
    @register_mechanism("moody")
    def moody(problem, match, floats, integers):  # type: ignore[no-untyped-def]
        match.winner[:] = -1
        if problem.values[0] > 1.45:
            raise ValueError("a high value")

    try:
        rule = load_rule("price_board").replace(**{"matching.mechanism": "moody"})
        market = Market(rule, markets=40, first_market=100, economy=Economy(jobs=2, rounds=6))
        market.reset(seed=0)
        broken = int(np.flatnonzero(market.job_values[:, 0] > 1.45)[0])
        with pytest.raises(RuntimeError, match=f"mechanism 'moody' raised ValueError in market {100 + broken}"):
            market.step(_actions(market))
        with pytest.raises(RuntimeError, match=f"not open .*moody.*market {100 + broken}.*call reset"):
            market.step(_actions(market))
        with pytest.raises(RuntimeError, match="not open"):
            market.snapshot()
        assert market.reset().shape == (40, 8, 64)
    finally:
        del MECHANISMS["moody"]


# Length


@pytest.mark.parametrize("schedule", [(), (Shift(500_000, "promoted_listing", notice=3),)], ids=["none", "one shift"])
def test_rounds__memory_does_not_grow_with_their_number(schedule: tuple) -> None:
    peaks = []
    for rounds in (1_000_000, 100_000_000):
        tracemalloc.start()
        market = Market(markets=64, economy=Economy(rounds=rounds), schedule=schedule)
        market.reset(seed=0)
        market.step(_actions(market))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 30e6


# What is restored


def _mutated(snapshot: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, Any]:
    """Return a copy with one thing changed: a number, a bit, a shape, a type, or an array's presence."""
    changed: dict[str, Any] = {name: array.copy() for name, array in snapshot.items()}
    name = str(random.choice(sorted(changed)))
    array, kind = changed[name], random.integers(8)
    if kind == 0:
        del changed[name]
    elif kind == 1:
        changed[name] = random.choice([None, 3, "x"])  # type: ignore[arg-type]
    elif kind == 2:
        changed[name] = array.astype(np.float32)
    elif kind == 3:
        changed[name] = array[..., :-1]
    elif array.size and kind == 4:
        flat = array.view(np.uint8).reshape(-1)
        flat[random.integers(flat.size)] ^= np.uint8(1 << random.integers(8))
    elif array.size:
        extremes = (
            [-1, 0, 1, 8, 2**31, 2**62] if array.dtype.kind in "iu" else [np.nan, np.inf, -np.inf, 1e308, -1.0, 0.0]
        )
        array.reshape(-1)[random.integers(array.size)] = np.array(random.choice(extremes)).astype(array.dtype)
    return changed


def _fuzz(count: int) -> None:
    """Restore mutants, and play on from those that are taken; run in a process of its own, which a fault would end."""
    random = np.random.default_rng(7)
    rule = load_rule("reputation_ladder").replace(**{"disclosure.delay": 2, "feedback.entry": "replacement"})
    market = Market(rule, markets=2, economy=ECONOMY)
    market.reset(seed=1)
    actions = _actions(market)
    for _ in range(3):
        market.step(actions)
    good = market.snapshot()
    with np.errstate(all="ignore"):
        for _ in range(count):
            mutant = _mutated(good, random)
            try:
                market.restore(mutant)
            except ValueError:
                assert all(np.array_equal(array, good[name]) for name, array in market.snapshot().items())
                continue
            observations, rewards, _ = market.step(actions)
            assert np.isfinite(observations).all()
            assert np.isfinite(rewards).all()
            market.restore(good)


def test_restore__twenty_thousand_mutants() -> None:
    done = subprocess.run([sys.executable, "-c", "import test_open_market; test_open_market._fuzz(20_000)"],
                          capture_output=True, text=True, env=_with_tests())  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def _with_tests() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
