"""Shifts: when the rule changes, what is announced, and the twin without them."""

import numpy as np
import pytest

from ruleshift.envs import Economy, Market, Shift, load_rule, load_structure

ECONOMY = Economy(rounds=12)


def _play(market: Market, rounds: int) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    shape = (market.markets, market.organizations, market.action_size)
    rewards = []
    for _ in range(rounds):
        _, reward, _ = market.step(rng.uniform(-1, 1, shape).astype(np.float32))
        rewards.append(reward)
    return rewards


def test_shift__the_rule_in_force() -> None:
    market = Market(economy=ECONOMY, schedule=(Shift(8, "dispatch_lottery"), Shift(5, "popularity_feed")))
    market.reset(seed=0)
    names = []
    for _ in range(ECONOMY.rounds):
        names.append(market.rule_in_force().name)
        _play(market, 1)
    assert names == ["price_board"] * 5 + ["popularity_feed"] * 3 + ["dispatch_lottery"] * 4
    assert market.rule_in_force().name == "price_board"


def test_shift__acts_from_its_round_on() -> None:
    shifted = Market(economy=ECONOMY, markets=3, schedule=(Shift(5, "dispatch_lottery"),))
    twin = shifted.twin()
    shifted.reset(seed=2)
    twin.reset(seed=2)
    pairs = list(zip(_play(shifted, 12), _play(twin, 12), strict=True))
    assert all(np.array_equal(a, b) for a, b in pairs[:5])
    assert any(not np.array_equal(a, b) for a, b in pairs[5:])


def test_shift__the_twin_has_the_same_noise() -> None:
    shifted = Market(economy=ECONOMY, markets=2, schedule=(Shift(3, "clearing_house"),))
    twin = shifted.twin()
    seen, expected = shifted.reset(seed=9), twin.reset(seed=9)
    noise = [shifted.layout[name] for name in ("shock", "jobs", "values")]
    rng = np.random.default_rng(0)
    for _ in range(20):
        for place in noise:
            np.testing.assert_array_equal(seen[:, :, place], expected[:, :, place])
        actions = rng.uniform(-1, 1, (2, 8, 6)).astype(np.float32)
        seen, expected = shifted.step(actions)[0], twin.step(actions)[0]


def test_shift__a_placebo_only_announces() -> None:
    placebo = Market(economy=ECONOMY, schedule=(Shift(6, "dispatch_lottery", notice=4, placebo=True),))
    plain = placebo.twin()
    seen = [placebo.reset(seed=1)]
    expected = [plain.reset(seed=1)]
    actions = np.zeros((1, 8, 6), np.float32)
    for _ in range(11):
        seen.append(placebo.step(actions)[0])
        expected.append(plain.step(actions)[0])
    place = placebo.layout["notice"]
    np.testing.assert_allclose([each[0, 0, place.start] for each in seen], [0, 0, 0.25, 0.5, 0.75, 1] + [0] * 6)
    for array, other in zip(seen, expected, strict=True):
        array[:, :, place] = 0
        np.testing.assert_array_equal(array, other)


def test_shift__to_a_structure_draws_a_rule_for_each_market() -> None:
    market = Market(economy=ECONOMY, markets=3, schedule=(Shift(2, load_structure("platforms")),))
    market.reset(seed=0)
    _play(market, 2)
    assert len({market.rule_in_force(b).hash for b in range(3)}) == 3


def _notices(market: Market, seed: int = 0) -> np.ndarray:
    """What each market announces by round, (T, B)."""
    place = market.layout["notice"].start
    seen = [market.reset(seed=seed)[:, 0, place]]
    for _ in range(market.economy.rounds - 1):
        seen.append(market.step(np.zeros((market.markets, 8, 6), np.float32))[0][:, 0, place])
    return np.array(seen)


def _telling(notice: int, reliability: float = 1.0):
    return load_rule("price_board").replace(
        **{"disclosure.notice": notice, "disclosure.reliability": reliability}
    )  # fmt: skip


def _near(shares: float, expected: float, count: int) -> bool:
    return abs(shares - expected) <= 4 * np.sqrt(expected * (1 - expected) / count)


def test_notice__rises_to_1_in_the_round_before_the_change() -> None:
    market = Market(_telling(4), economy=ECONOMY, schedule=(Shift(6, "dispatch_lottery"),))
    np.testing.assert_allclose(_notices(market)[:, 0], [0, 0, 0.25, 0.5, 0.75, 1] + [0] * 6)
    market = Market(_telling(0), economy=ECONOMY, schedule=(Shift(6, "dispatch_lottery"),))
    assert not _notices(market).any()


@pytest.mark.parametrize("reliability", [0.0, 0.3, 1.0])
def test_notice__some_changes_are_missed_and_some_announcements_false(reliability: float) -> None:
    rule, count = _telling(2, reliability), 1000
    change = Market(rule, economy=ECONOMY, markets=count, schedule=(Shift(6, "dispatch_lottery"),))
    none = Market(rule, economy=ECONOMY, markets=count, schedule=(Shift(6, "dispatch_lottery", placebo=True),))
    for market, share in ((change, reliability), (none, 1 - reliability)):
        told = _notices(market)
        assert _near((told[5] == 1).mean(), share, count)
        np.testing.assert_array_equal(told[4], told[5] / 2)
        assert not np.delete(told, [4, 5], axis=0).any()


def test_notice__of_a_shift_itself_never_fails() -> None:
    rule = _telling(5, 0.0)
    for shift in (Shift(6, "dispatch_lottery", notice=1), Shift(6, "dispatch_lottery", notice=1, chance=0)):
        told = _notices(Market(rule, economy=ECONOMY, markets=50, schedule=(shift,)))
        np.testing.assert_array_equal(told[5], 1)
        assert not np.delete(told, 5, axis=0).any()


def test_notice__a_rule_announces_while_it_is_in_force() -> None:
    silent, telling = _telling(0), _telling(10)
    market = Market(silent, economy=ECONOMY, schedule=(Shift(5, telling), Shift(8, "dispatch_lottery")))
    np.testing.assert_allclose(_notices(market)[:, 0], [0] * 5 + [0.8, 0.9, 1] + [0] * 4)


def _changed(market: Market, episodes: int = 1) -> np.ndarray:
    """Whether the rule of round 6 is the lottery, by episode and market."""
    market.reset(seed=0)
    changed = []
    for _ in range(episodes):
        _play(market, 6)
        changed.append([market.rule_in_force(b).name == "dispatch_lottery" for b in range(market.markets)])
        _play(market, ECONOMY.rounds - 6)
    return np.array(changed)


def test_chance__is_drawn_for_each_market_and_episode() -> None:
    shift, count = Shift(6, "dispatch_lottery", chance=0.3), 500
    changed = _changed(Market(economy=ECONOMY, markets=count, schedule=(shift,)), episodes=2)
    assert _near(changed.mean(), 0.3, changed.size)
    assert _near((changed[0] & changed[1]).mean(), 0.09, count)
    alone = Market(economy=ECONOMY, first_market=7, schedule=(shift,))
    np.testing.assert_array_equal(_changed(alone, episodes=2)[:, 0], changed[:, 7])
    for chance, all_ in ((0, False), (1, True)):
        sure = Market(economy=ECONOMY, markets=50, schedule=(Shift(6, "dispatch_lottery", chance=chance),))
        assert (_changed(sure) == all_).all()


def test_chance__of_a_shift_is_not_changed_by_other_shifts() -> None:
    shift = Shift(6, "dispatch_lottery", chance=0.5)
    others = (Shift(2, "price_board", chance=0.5), Shift(4, "price_board", chance=0.5), Shift(9, "price_board"))
    few, many = (Market(economy=ECONOMY, markets=100, schedule=each) for each in ((shift,), (*others, shift)))
    np.testing.assert_array_equal(_changed(few), _changed(many))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at": 0}, "at"),
        ({"at": 2.5}, "at"),
        ({"at": 3, "notice": 0}, "notice"),
        ({"at": 3, "notice": True}, "notice"),
        ({"at": 3, "chance": 1.5}, "chance"),
        ({"at": 3, "chance": float("nan")}, "chance"),
        ({"at": 3, "to": "nowhere"}, "nowhere"),
    ],
)
def test_shift__mistakes(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shift(**{"to": "price_board", **arguments})


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ((Shift(12, "price_board"),), "rounds 0 .. 11"),
        ((Shift(3, "price_board"), Shift(3, load_rule("sealed_tender"))), "two shifts"),
    ],
)
def test_market__a_schedule_that_does_not_fit(schedule: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Market(economy=ECONOMY, schedule=schedule)


def test_market__something_that_is_no_shift() -> None:
    with pytest.raises(TypeError, match="Shift"):
        Market(economy=ECONOMY, schedule=("price_board",))  # type: ignore[arg-type]
