"""The native VecEnv is the batched market seen by rows: nothing added, nothing lost."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor

from ruleshift.agents import Constant, RandomPolicy, Seats
from ruleshift.envs import MEASURES, Economy, Market, Shift, load_rule
from ruleshift.envs.layout import state_view
from ruleshift.train import MarketVecEnv

ECONOMY = Economy(organizations=4, jobs=4, rounds=5)
SEATS = Seats((0, 2), ((Constant(), (1,)), (RandomPolicy(), (3,))))


def _actions(env: Any, count: int = 1) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.uniform(-1, 1, (count, env.num_envs, *env.action_space.shape)).astype(np.float32)


def test_vec_env__is_the_market_by_rows() -> None:
    env = MarketVecEnv("promoted_listing", markets=3, seed=9, economy=ECONOMY)
    market = Market("promoted_listing", markets=3, economy=ECONOMY)
    np.testing.assert_array_equal(env.reset().reshape(3, 4, -1), market.reset(seed=9))
    assert env.num_envs == 12
    for actions in _actions(env, 7):
        seen, rewards, dones, _ = env.step(actions)
        expected, earned, truncated = market.step(actions.reshape(3, 4, -1))
        np.testing.assert_array_equal(seen.reshape(3, 4, -1), expected)
        np.testing.assert_array_equal(rewards.reshape(3, 4), earned)
        assert (dones == truncated).all()
        assert env.observation_space.contains(seen[0])


def test_vec_env__background_seats_play_in_the_same_market() -> None:
    env = MarketVecEnv(markets=2, economy=ECONOMY, seats=SEATS)
    seen = env.reset()
    assert seen.shape == (4, env.market.observation_size)
    for actions in _actions(env, 6):
        seen, rewards, dones, _ = env.step(actions)
        asks = env.market.outcomes[:, 0]
        np.testing.assert_allclose(asks[:, [0, 2]], (actions[:, 0].reshape(2, 2) + 1) / 2 * 1.25, rtol=1e-6)
        np.testing.assert_allclose(asks[:, 1], 0.6, rtol=1e-6)
        assert len(rewards) == len(dones) == 4


def test_vec_env__background_noise_does_not_depend_on_the_batch() -> None:
    asks = []
    for markets, first in ((3, 0), (1, 2)):
        env = MarketVecEnv(markets=markets, first_market=first, seed=4, economy=ECONOMY, seats=SEATS)
        env.reset()
        for _ in range(7):
            env.step(np.zeros((env.num_envs, 6), np.float32))
        asks.append(env.market.outcomes[-1])
    np.testing.assert_array_equal(*asks)


def test_vec_env__truncation_tells_the_learner_everything() -> None:
    env = MarketVecEnv(markets=2, economy=ECONOMY, seats=SEATS)
    env.reset()
    total = np.zeros(4)
    for step, actions in enumerate(_actions(env, 10)):
        seen, rewards, dones, infos = env.step(actions)
        total += rewards
        assert dones.all() == (step in (4, 9))
        if not dones[0]:
            assert not any(infos)
            continue
        for row, info in enumerate(infos):
            assert info["TimeLimit.truncated"] is True
            assert info["episode"]["l"] == 5
            assert info["episode"]["r"] == pytest.approx(total[row])
            assert tuple(info["measures"]) == MEASURES
            assert env.market.last_observations is not None
            last = env.market.last_observations[row // 2, SEATS.learning[row % 2]]
            np.testing.assert_array_equal(info["terminal_observation"], last)
            assert not np.array_equal(info["terminal_observation"], seen[row])
        total[:] = 0


def test_vec_env__infos_are_ordinary_dicts_unless_the_caller_only_reads() -> None:
    env = MarketVecEnv(markets=1, economy=ECONOMY)
    env.reset()
    *_, infos = env.step(_actions(env)[0])
    infos[0]["note"] = 1
    assert pickle.loads(pickle.dumps(copy.deepcopy(infos))) == [{"note": 1}, {}, {}, {}]
    env = MarketVecEnv(markets=1, economy=ECONOMY, read_only=True)
    env.reset()
    *_, infos = env.step(_actions(env)[0])
    with pytest.raises(TypeError):
        infos[0]["leak"] = 1


def test_vec_env__hands_out_fresh_arrays() -> None:
    env = MarketVecEnv(markets=1, economy=ECONOMY)
    handed = [env.reset()]
    for actions in _actions(env, 6):
        handed += env.step(actions)[:3]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(handed) for b in handed[:i])


def test_vec_env__seed_and_options_are_used_once() -> None:
    env = MarketVecEnv(markets=2, economy=ECONOMY)
    first = env.reset()
    assert env.seed(11) == [11] * env.num_envs
    env.set_options({"rule": "sealed_tender"})
    seeded = env.reset()
    assert not np.array_equal(seeded, first)
    assert env.market.rule_in_force(0) == load_rule("sealed_tender")
    env.step(_actions(env)[0])
    following = env.reset()
    assert not np.array_equal(following, seeded)
    env.seed(11)
    np.testing.assert_array_equal(env.reset(), seeded)
    env.set_options([{"rule": "sealed_tender"}] + [{}] * (env.num_envs - 1))
    with pytest.raises(ValueError, match="plays one rule"):
        env.reset()


def test_vec_env__attributes_and_methods_are_those_of_the_whole() -> None:
    env = MarketVecEnv(markets=2, economy=ECONOMY)
    env.reset()
    assert env.get_attr("round") == [0] * 8
    assert env.get_attr("render_mode", indices=[0, 1]) == [None, None]
    assert env.env_method("rule_in_force", 1, indices=0) == [load_rule("price_board")]
    assert env.env_is_wrapped(Monitor) == [True] * 8  # episodes are recorded
    assert env.env_is_wrapped(VecMonitor) == [False] * 8
    assert not env.has_attr("nonsense")


def test_vec_env__state_continues_with_the_same_bits() -> None:
    env, other = (MarketVecEnv(markets=2, economy=ECONOMY, seats=SEATS) for _ in range(2))
    env.reset()
    actions = _actions(env, 12)
    for row in actions[:3]:
        env.step(row)
    other.load_state_dict(env.state_dict())
    for row in actions[3:]:
        for one, two in zip(env.step(row)[:3], other.step(row)[:3], strict=True):
            np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(env.state_dict()["returns"], other.state_dict()["returns"])


def test_vec_env__refuses_seats_of_another_market() -> None:
    with pytest.raises(ValueError, match="8 organizations have seats 0 to 7"):
        MarketVecEnv(markets=1, seats=SEATS)
    with pytest.raises(ValueError, match="no learning seat"):
        MarketVecEnv(markets=1, economy=ECONOMY, seats=Seats((), ((Constant(), (0, 1, 2, 3)),)))


POOR = Economy(organizations=4, jobs=4, kinds=2, rounds=9, initial_cash=0.2, effort_cost=0.8)
REPLACING = load_rule("price_board").replace(**{"feedback.entry": "replacement"})
MIXED = Seats((0, 2, 3), ((Constant(ask=0.3, effort=1.0), (1,)),))


@pytest.mark.parametrize("rule", ["replacing", "shifted"])
def test_vec_env__cuts_the_value_of_the_bankrupt(rule: str) -> None:
    """Its row ends with the return and length of the bankrupt, and then continues with the newcomer."""
    schedule = (Shift(4, REPLACING),) if rule == "shifted" else ()
    env = MarketVecEnv(
        "price_board" if rule == "shifted" else REPLACING, markets=8, economy=POOR, seats=MIXED, schedule=schedule
    )
    before, total, length, cut = env.reset(), np.zeros(24), np.zeros(24, int), 0
    for step, actions in enumerate(_actions(env, 18)):
        seen, rewards, dones, infos = env.step(actions)
        total, length = total + rewards, length + 1
        ended = step % 9 == 8
        newcomers = np.stack([state_view(each, 2).newcomer for each in env.market.state])
        if ended:
            assert env.market.last_observations is not None
            newcomers = env.market.last_observations[..., env.market.layout["newcomer"].start]
        gone = newcomers[:, [0, 2, 3]].reshape(24) == 1
        np.testing.assert_array_equal(dones, gone | ended)
        for row in np.flatnonzero(dones):
            info = infos[row]
            assert info["TimeLimit.truncated"] == (not gone[row])
            assert info["episode"]["r"] == pytest.approx(total[row])
            assert info["episode"]["l"] == length[row]
            assert ("measures" in info) == ended
            if gone[row]:
                np.testing.assert_array_equal(info["terminal_observation"], before[row])
                assert ended or seen[row, env.market.layout["newcomer"]] == 1
        assert not any(infos[row] for row in np.flatnonzero(~dones))
        total[dones], length[dones] = 0, 0
        cut += gone.sum()
        before = seen.copy()
    assert cut > 20


def test_vec_env__state_continues_with_newcomers() -> None:
    env, other = (MarketVecEnv(REPLACING, markets=2, economy=POOR) for _ in range(2))
    env.reset()
    actions = _actions(env, 15)
    for row in actions[:5]:
        env.step(row)
    other.load_state_dict(env.state_dict())
    for row in actions[5:]:
        *arrays, infos = env.step(row)
        *expected, infos_expected = other.step(row)
        for one, two in zip(arrays, expected, strict=True):
            np.testing.assert_array_equal(one, two)
        for one, two in zip(infos, infos_expected, strict=True):
            assert (one or {"episode": {"l": 0}})["episode"]["l"] == (two or {"episode": {"l": 0}})["episode"]["l"]


def test_vec_env__a_rule_given_at_a_reset_may_replace_the_bankrupt() -> None:
    env = MarketVecEnv(markets=8, economy=POOR)
    env.reset()
    assert not any(env.step(actions)[2].any() for actions in _actions(env, 8))
    env.set_options({"rule": REPLACING})
    env.reset()
    assert any(env.step(actions)[2].any() for actions in _actions(env, 8))
