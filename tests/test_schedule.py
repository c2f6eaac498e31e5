"""Shifts: when the rule changes, what is announced, and the twin without them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.envs import (
    Economy,
    Market,
    Rule,
    Shift,
    drift,
    list_rules,
    load_rule,
    load_structure,
    periodic,
    placebo,
    read_schedule,
    switching,
)  # fmt: skip
from ruleshift.envs.blend import between
from ruleshift.envs.numerics import market_key
from ruleshift.envs.render import Renderer
from ruleshift.envs.schedule import Timetable, draw_shifts

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


def test_shift__to_the_structure_of_the_opening_draws_anew() -> None:
    structure = load_structure("platforms")
    market = Market(structure, economy=ECONOMY, markets=3, schedule=(Shift(4, structure),))
    market.reset(seed=0)
    opening = [market.rule_in_force(b).hash for b in range(3)]
    _play(market, 4)
    assert all(market.rule_in_force(b).hash != opening[b] for b in range(3))


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


def _telling(notice: int, reliability: float = 1.0) -> Rule:
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


# Periodic


def test_periodic__rules_take_turns_from_the_market_s_own_on() -> None:
    schedule = periodic(["popularity_feed", "price_board"], every=3, rounds=12)
    market = Market("price_board", economy=ECONOMY, schedule=schedule)
    market.reset(seed=0)
    names = []
    for _ in range(12):
        names.append(market.rule_in_force().name)
        _play(market, 1)
    assert names == (["price_board"] * 3 + ["popularity_feed"] * 3) * 2


# Drift


def test_drift__moves_every_round_and_arrives() -> None:
    schedule = drift("price_board", "promoted_listing", begin=2, end=7)
    market = Market("price_board", economy=ECONOMY, schedule=schedule)
    market.reset(seed=0)
    rules = []
    for _ in range(12):
        rules.append(market.rule_in_force())
        _play(market, 1)
    first, last = load_rule("price_board"), load_rule("promoted_listing")
    assert [rule.hash for rule in rules[:3]] == [first.hash] * 3
    assert [rule.hash for rule in rules[7:]] == [last.hash] * 5
    shares = [rule.scoring.weights.promotion / last.scoring.weights.promotion for rule in rules[2:8]]
    np.testing.assert_allclose(shares, np.linspace(0, 1, 6))
    commission = [rule.payment.commission for rule in rules[2:8]]
    np.testing.assert_allclose(commission, np.linspace(0.1, 0.15, 6))
    assert [rule.payment.charge for rule in rules[2:8]] == ["if_matched"] * 3 + ["sunk"] * 3


EACH = list(range(21, 31))


@pytest.mark.parametrize(("steps", "rounds"), [(1, [30]), (2, [25, 30]), (3, [24, 27, 30]), (10, EACH), (None, EACH)])
def test_drift__in_equal_steps(steps: int | None, rounds: list[int]) -> None:
    schedule = drift("price_board", "sealed_tender", 20, 30, steps)
    assert [shift.at for shift in schedule] == rounds
    assert schedule[-1].to == load_rule("sealed_tender")


def test_between__amplification_moves_as_a_share_of_a_ranking() -> None:
    lottery, ranking = load_rule("dispatch_lottery"), load_rule("sealed_tender")
    passed = [between(lottery, ranking, share).scoring.amplification for share in (0, 0.25, 0.5, 0.75, 1)]
    np.testing.assert_allclose(passed, [0, 1 / 3, 1, 3, math.inf])


def test_between__words_and_unlike_lists_switch_in_the_middle() -> None:
    first = load_rule("price_board").replace(**{"payment.tiers": ((2.0, 0.2), (10.0, 0.1)), "disclosure.delay": 1})
    last = load_rule("clearing_house").replace(**{"payment.tiers": ((4.0, 0.1), (20.0, 0.0)), "disclosure.delay": 4})
    early, late = between(first, last, 0.25), between(first, last, 0.5)
    assert (early.matching.mechanism, late.matching.mechanism) == ("serial", "deferred_acceptance")
    assert (early.disclosure.level, late.disclosure.level) == ("outcomes", "scores")
    np.testing.assert_allclose(early.payment.tiers, ((2.5, 0.175), (12.5, 0.075)))
    assert (early.disclosure.delay, late.disclosure.delay) == (2, 3)
    flat = last.replace(**{"payment.tiers": ()})
    assert between(first, flat, 0.4).payment.tiers == first.payment.tiers
    assert between(first, flat, 0.6).payment.tiers == ()


RULES = st.sampled_from(list_rules()).map(load_rule)


@settings(max_examples=60, deadline=None)
@given(RULES, RULES, st.floats(0, 1), st.floats(0, 1))
def test_between__is_a_rule_and_every_feature_moves_one_way(first: Rule, last: Rule, one: float, other: float) -> None:
    near, far = sorted((one, other))
    passed = [between(first, last, share) for share in (0, near, far, 1)]
    assert all(Rule.from_toml(rule.to_toml()).hash == rule.hash for rule in passed)
    assert (passed[0], passed[3]) == (first, last)
    steps = np.diff([rule.features().astype(float) for rule in passed], axis=0) * np.sign(
        last.features().astype(float) - first.features()
    )
    assert steps.min() >= -1e-6


# Random switching


def _in_force(schedule: tuple, markets: int, rounds: int, episode: int = 0) -> np.ndarray:
    """Index of the rule in force among those named in a schedule, (rounds, markets); 0 is the market's first rule."""
    keys = np.array([market_key(3, market) for market in range(markets)])
    timetable = Timetable(schedule, keys, episode)
    hashes = ["", *(shift.to.hash for shift in schedule)]
    number = {digest: index for index, digest in enumerate(dict.fromkeys(hashes))}
    return np.array([number[digest] for digest in hashes])[[timetable.stages(round_) for round_ in range(rounds)]]


@pytest.mark.parametrize(("names", "rate"), [(["sealed_tender", "price_board"], 0.1),
                                             (["sealed_tender", "price_board", "clearing_house"], 0.3)])  # fmt: skip
def test_switching__is_the_markov_chain_of_its_rate(names: list[str], rate: float) -> None:
    count, markets, rounds = len(names), 400, 60
    rules = _in_force(switching(names, rate, rounds), markets, rounds)
    settled = rules[10:]
    moves = [(a, b) for a, b in zip(settled[:-1].ravel(), settled[1:].ravel(), strict=True) if a > 0]
    for one in range(1, count + 1):
        left = np.array([b for a, b in moves if a == one])
        for other in range(1, count + 1):
            expected = 1 - rate if one == other else rate / (count - 1)
            error = np.sqrt(expected * (1 - expected) / len(left))
            assert abs((left == other).mean() - expected) < 4 * error


def test_switching__differs_by_market_and_episode_and_not_by_batch() -> None:
    schedule = switching(["sealed_tender", "price_board"], 0.2, 40)
    rules = _in_force(schedule, 5, 40)
    assert len({tuple(column) for column in rules.T}) == 5
    np.testing.assert_array_equal(rules[:, :2], _in_force(schedule, 2, 40))
    assert (rules != _in_force(schedule, 5, 40, episode=1)).any()


def test_switching__a_market_plays_it() -> None:
    schedule = switching(["price_board", "dispatch_lottery"], 0.3, ECONOMY.rounds)
    market = Market("price_board", economy=ECONOMY, markets=4, schedule=schedule)
    market.reset(seed=3)
    expected = _in_force(schedule, 4, ECONOMY.rounds)
    seen = []
    for _ in range(ECONOMY.rounds):
        seen.append([market.rule_in_force(b).name == "dispatch_lottery" for b in range(4)])
        _play(market, 1)
    np.testing.assert_array_equal(seen, expected == 2)
    assert 0 < np.sum(seen) < 4 * ECONOMY.rounds


def test_switching__the_picture_shows_what_came_about() -> None:
    schedule = switching(["price_board", "dispatch_lottery"], 0.3, ECONOMY.rounds)
    market = Market("price_board", economy=ECONOMY, schedule=schedule)
    market.reset(seed=3)
    comes = draw_shifts(market.schedule, market.key, 0)[0][0]
    text = Renderer("ansi").draw(market)
    for shift, there in zip(market.schedule, comes, strict=True):
        assert isinstance(shift.to, Rule)
        assert (f"round {shift.at}: {shift.to.name}" in text) == there


def test_shift__of_several_in_a_round_the_last_that_comes_about_decides() -> None:
    schedule = (Shift(4, "sealed_tender"), Shift(4, "popularity_feed", chance=0.5))
    market = Market(economy=ECONOMY, markets=40, schedule=schedule)
    market.reset(seed=0)
    _play(market, 4)
    names = [market.rule_in_force(b).name for b in range(40)]
    assert set(names) == {"sealed_tender", "popularity_feed"}
    assert abs(names.count("popularity_feed") - 20) < 4 * np.sqrt(10)


def test_shift__to_the_rule_in_force_is_none_and_not_announced() -> None:
    warned = load_rule("popularity_feed").replace(**{"disclosure.notice": 3})
    schedule = (Shift(2, warned), Shift(6, warned), Shift(9, "price_board"))
    market = Market(economy=ECONOMY, schedule=schedule)
    notice = market.layout["notice"].start
    seen = [market.reset(seed=0)[0, 0, notice]]
    seen += [market.step(np.zeros((1, 8, 6), np.float32))[0][0, 0, notice] for _ in range(11)]
    np.testing.assert_allclose(seen, [0] * 6 + [1 / 3, 2 / 3, 1] + [0] * 3, atol=1e-6)


# Placebo, files, mistakes


@pytest.mark.parametrize("schedule", [periodic(["sealed_tender"], 4, 12), drift("price_board", "sealed_tender", 2, 9)])
def test_placebo__of_a_schedule_changes_no_rule(schedule: tuple) -> None:
    events = placebo(schedule)
    assert [shift.at for shift in events] == [shift.at for shift in schedule]
    market = Market(economy=ECONOMY, markets=2, schedule=events)
    plain = market.twin()
    market.reset(seed=1)
    plain.reset(seed=1)
    for a, b in zip(_play(market, 12), _play(plain, 12), strict=True):
        np.testing.assert_array_equal(a, b)


def test_read_schedule__tables_with_the_keys_of_a_shift() -> None:
    rare = {"at": 5, "to": "price_board", "notice": 2, "placebo": True, "chance": 0.5}
    tables = [{"at": 3, "to": "sealed_tender"}, rare]
    expected = (Shift(3, "sealed_tender"), Shift(5, "price_board", notice=2, placebo=True, chance=0.5))
    assert read_schedule(tables, "mine.toml") == expected
    assert read_schedule([], "mine.toml") == ()


def test_read_schedule__a_table_holds_what_changes_in_the_rule_before() -> None:
    """The first table changes the market's own rule, the next one changes the result; a name replaces the rule."""
    board, tender = load_rule("price_board"), load_rule("sealed_tender")
    tables = [
        {"at": 3, "to": {"name": "dear", "payment": {"commission": 0.3}}},
        {"at": 5, "to": {"scoring": {"amplification": 2.0}}},
        {"at": 7, "to": "sealed_tender"},
        {"at": 9, "to": {"payment": {"commission": 0.3}}},
    ]
    rules = [shift.to for shift in read_schedule(tables, "mine.toml", board)]
    dear = board.replace(**{"name": "dear", "payment.commission": 0.3})
    expected = [dear, dear.replace(**{"scoring.amplification": 2.0}), tender]
    assert rules == [*expected, tender.replace(**{"payment.commission": 0.3})]
    with pytest.raises(ValueError, match=r"mine\.toml: schedule\.1: at is 5, after round 7; write shifts in order"):
        read_schedule([tables[2], tables[1]], "mine.toml", board)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"at": 3}, "schedule is .* must be a list of tables"),
        ([{"at": 3, "to": "price_board"}, {"at": 5}], "schedule.1: the key 'to' is missing"),
        ([{"to": "price_board"}], "schedule.0: the key 'at' is missing"),
        ([{"at": 3, "to": "price_board", "when": 5}], "schedule.0: unknown key 'when'; there are at, to, notice"),
        ([{"at": 0, "to": "price_board"}], "schedule.0: shift: at is 0"),
        ([{"at": 3, "to": "nowhere"}], "schedule.0: no rule is named 'nowhere'"),
        ([{"at": 3, "to": "nowhere.toml"}], "schedule.0: nowhere.toml: no such rule file"),
        ([{"at": 3, "to": 4}], "schedule.0: shift: to is 4"),
        (
            [{"at": 3, "to": {"payment": {"reserve": 0.5}}}],
            "schedule.0: shift: to is {'payment': {'reserve': 0.5}}; it must be a name, a path",
        ),
        (["price_board"], "schedule.0 is 'price_board'; it must be a table"),
    ],
)
def test_read_schedule__mistakes_name_the_file_and_the_table(tables: list, message: str) -> None:
    with pytest.raises(ValueError, match=f"^mine.toml: .*{message}"):
        read_schedule(tables, "mine.toml")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: periodic([], 5, 10), "there are 0 rules; there must be at least 1"),
        (lambda: periodic(["price_board"], 0, 10), "every is 0"),
        (lambda: periodic(["nowhere"], 5, 10), "nowhere"),
        (lambda: drift("price_board", "sealed_tender", -1, 10), "begin is -1"),
        (lambda: drift("price_board", "sealed_tender", 10, 10), "end is 10; it must be a whole number from 11"),
        (lambda: drift("price_board", "sealed_tender", 5, 10, 6), "steps is 6; it must be a whole number from 1 to 5"),
        (lambda: switching(["price_board"], 0.1, 10), "at least 2"),
        (lambda: switching("price_board", 0.1, 10), "at least 2"),
        (
            lambda: switching(["price_board", "sealed_tender"], 0.6, 10),
            "for 2 rules, rate is 0.6; it must be from 0 to 0.5",
        ),
    ],
)
def test_constructors__mistakes(make: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


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
