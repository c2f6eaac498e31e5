"""Scripted organizations do what their docstrings say, read off hand-written observations and real markets."""

from typing import Any

import numpy as np
import pytest

from ruleshift.agents import (
    Background,
    Constant,
    FirstPriceBidder,
    Follower,
    PostedPrice,
    RandomPolicy,
    Seats,
    SecondPriceBidder,
    action_noise,
    rival_population,
    unit_costs,
)
from ruleshift.envs import Economy, Market, observation_layout
from ruleshift.envs.layout import Outcome

ECONOMY = Economy(kinds=1, base_cost=0.4, effort_cost=0.2, infrastructure_gain=0.5)


def _observe(kinds: Any = 1, **parts: Any) -> np.ndarray:
    layout = observation_layout(kinds)
    seen = np.zeros((1, layout["features"].stop), np.float32)
    for name, value in parts.items():
        seen[:, layout[name]] = value
    return seen


def _units(actions: np.ndarray) -> Any:
    return (actions[0, 0] + 1) / 2 * 1.25, (actions[0, 1] + 1) / 2, (actions[0, 2] + 1) / 2


def test_unit_costs__are_the_economys() -> None:
    seen = _observe(capability=0.5, shock=0.1, infrastructure=3.0)
    np.testing.assert_allclose(unit_costs(seen, ECONOMY, 0.5), [[0.4 * 0.5 * 4**-0.5 + 0.2 * 0.5 + 0.1]], rtol=1e-6)


def test_unit_costs__are_what_serving_costs_in_the_market() -> None:
    economy = Economy(jobs=8, capacity=8, outside_share=0.0, value_spread=0.0, kinds=1)
    market = Market("dispatch_lottery", markets=4, economy=economy)
    seen = market.reset(seed=3)
    actions = np.stack([Constant(0.7, 0.4, 0.0).act(rows)[0] for rows in seen])
    market.step(actions)
    for rows, outcome in zip(seen, market.outcomes, strict=True):
        cost, served = (outcome[Outcome._fields.index(name)] for name in ("cost", "served"))
        assert served.sum() == 8
        np.testing.assert_allclose(cost, unit_costs(rows, economy, 0.4)[:, 0] * served, atol=1e-5)


def test_constant__never_changes() -> None:
    conduct = Constant(0.6, 0.3, 0.5, focus=(1.0, -1.0))
    one, two = (conduct.act(_observe(2, shock=shock))[0] for shock in (0.0, 5.0))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(_units(one), (0.6, 0.3, 0.5), rtol=1e-6)
    np.testing.assert_array_equal(one[0, 3:], [1, -1])
    with pytest.raises(ValueError, match="focus has 2 numbers; the market has 1 kinds"):
        conduct.act(_observe(1))


def test_posted_price__is_cost_times_markup() -> None:
    actions, _ = PostedPrice(1.5, 0.5, 0.25, ECONOMY).act(_observe(capability=0.5, shock=0.1))
    np.testing.assert_allclose(_units(actions), (1.5 * 0.4, 0.5, 0.25), rtol=1e-6)


def test_follower__moves_towards_winners_and_stays_where_nothing_is_disclosed() -> None:
    follower = Follower(0.5, ask=0.8, effort=0.4, promotion=0.2, economy=ECONOMY)
    np.testing.assert_allclose(_units(follower.act(_observe())[0]), (0.8, 0.4, 0.2), rtol=1e-6)
    last = {"last_ask": 0.7, "last_effort": 0.5, "last_promotion": 0.1, "last_focus": 1.0, "capability": 0.5}
    lead = [-0.2, 0.4, 0.3, 0, 0, 0]
    moved = follower.act(_observe(**last, public=lead, public_mask=1.0))[0]
    np.testing.assert_allclose(_units(moved), (0.6, 0.7, 0.25), rtol=1e-6)
    np.testing.assert_allclose(_units(follower.act(_observe(**last))[0]), (0.7, 0.5, 0.1), rtol=1e-6)
    fallen = follower.act(_observe(**last, public=[-5.0, 0, 0, 0, 0, 0], public_mask=1.0))[0]
    np.testing.assert_allclose(_units(fallen)[0], 0.4 * 0.5 + 0.2 * 0.5, rtol=1e-6)


def test_bidders__ask_the_equilibrium() -> None:
    seen = _observe(capability=0.5, shock=0.2)
    cost = 0.4
    first = FirstPriceBidder(4, commission=0.1, economy=ECONOMY).act(seen)[0]
    np.testing.assert_allclose(_units(first), ((cost + 0.6 / 4) / 0.9, 0, 0), rtol=1e-6)
    second = SecondPriceBidder(commission=0.1, economy=ECONOMY).act(seen)[0]
    np.testing.assert_allclose(_units(second), (cost / 0.9, 0, 0), rtol=1e-6)


def test_random__is_uniform_and_only_its_noise() -> None:
    noise = np.random.default_rng(0).normal(size=(20_000, 4))
    seen = np.repeat(_observe(), 20_000, axis=0)
    actions = RandomPolicy().act(seen, None, noise)[0]
    np.testing.assert_array_equal(actions, RandomPolicy().act(seen, None, noise)[0])
    tenths = np.quantile(actions, [0.1, 0.5, 0.9], axis=0)
    np.testing.assert_allclose(tenths.T, np.tile([-0.8, 0, 0.8], (4, 1)), atol=0.03)
    assert not RandomPolicy().act(seen)[0].any()


def test_policies__refuse_an_observation_of_no_market() -> None:
    with pytest.raises(ValueError, match="observations have 63 numbers"):
        Constant().act(np.zeros((1, 63), np.float32))


def test_action_noise__belongs_to_market_round_and_seat() -> None:
    market = Market(markets=3)
    market.reset(seed=5)

    def draw(keys: np.ndarray = market.key, round: int = 2, episode: int = 1, organizations: int = 8) -> np.ndarray:
        return action_noise(keys, round=round, episode=episode, organizations=organizations, actions=6)

    noise = draw()
    np.testing.assert_array_equal(draw(market.key[1:2])[0], noise[1])
    np.testing.assert_array_equal(draw(organizations=5), noise[:, :5])
    for other in (draw(round=3), draw(episode=2), noise[::-1]):
        assert (noise[0] != other[0]).all()
    many = draw(organizations=2000)
    np.testing.assert_allclose([many.mean(), many.std(), (many**3).mean()], [0, 1, 0], atol=0.03)


def test_seats__every_seat_once() -> None:
    with pytest.raises(ValueError, match="learning and background give seat 1 more than once"):
        Seats((0, 1), ((Constant(), (1,)),))
    with pytest.raises(ValueError, match=r"seats are \[0, 2\]"):
        Seats((0, 2)).check(3)
    shared = Seats.shared(7, [Constant(), RandomPolicy()])
    assert shared.learning == (0, 1, 2, 3)
    assert [seats for _, seats in shared.background] == [(4, 6), (5,)]


@pytest.mark.parametrize("kind", [PostedPrice, Follower, Constant, RandomPolicy])
def test_joined__acts_to_the_same_bits_as_each_alone(kind: Any) -> None:
    """One call serves the rivals of many economies, round after round."""
    economies = [Economy(base_cost=0.3 + 0.01 * e, effort_cost=0.1 * e, infrastructure=(0, 3)) for e in range(5)]
    rivals = [next(each for each in rival_population(e, s) if type(each) is kind) for s, e in enumerate(economies)]
    markets = [Market("price_board", markets=2, economy=economy) for economy in economies]
    seen = [market.reset(seed=1) for market in markets]
    joint = kind.joined(rivals, [16] * 5)
    for _ in range(4):
        noise = np.random.default_rng(0).normal(size=(5, 16, 6)).astype(np.float32)
        rows = [each.reshape(16, -1) for each in seen]
        alone = [rival.act(row, None, own)[0] for rival, row, own in zip(rivals, rows, noise, strict=True)]
        together, _ = joint.act(np.concatenate(rows), None, noise.reshape(80, 6))
        np.testing.assert_array_equal(together, np.concatenate(alone))
        seen = [market.step(own.reshape(2, 8, 6))[0] for market, own in zip(markets, alone, strict=True)]


def test_joined__only_where_a_class_says_that_it_can() -> None:
    class _Own(Constant):
        """A user's policy."""

    assert _Own.joined([_Own(), _Own(0.5)], [1, 1]) is None
    assert Constant.joined([Constant(focus=(1.0, 0.0, 0.0)), Constant()], [1, 1]) is None
    assert FirstPriceBidder.joined([FirstPriceBidder(), FirstPriceBidder(3)], [1, 1]) is None


def test_background__plays_its_seats_and_no_other() -> None:
    seats = Seats((1, 2), ((Constant(0.5, 0.1, 0.9), (0, 3)), (RandomPolicy(), (4,))))
    market = Market(markets=2, economy=Economy(organizations=5))
    seen = market.reset(seed=1)
    out = np.full((2, 5, 6), 9.0, np.float32)
    Background(seats, 2).act(seen, out, market.key, round=0, episode=0)
    assert (out[:, [1, 2]] == 9.0).all()
    np.testing.assert_array_equal(out[:, 3], Constant(0.5, 0.1, 0.9).act(seen[:, 3])[0])
    noise = action_noise(market.key, round=0, episode=0, organizations=5, actions=6)
    np.testing.assert_array_equal(out[:, 4], RandomPolicy().act(seen[:, 4], None, noise[:, 4])[0])
