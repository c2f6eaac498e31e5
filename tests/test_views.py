"""All views: a refused call changes nothing, what is set is played, and what is handed out is the caller's own."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from ruleshift.agents import RunningMeans, Seats
from ruleshift.agents.market_env import MarketEnv, MarketVectorEnv
from ruleshift.agents.policy import Card, LearnedPolicy
from ruleshift.envs import Economy, Shift, load_rule, market_v0
from ruleshift.train import MarketGroup, MarketVecEnv, MemoryVecEnv
from ruleshift.train.groups import MixedVecEnv

ECONOMY = Economy(organizations=4, jobs=4, rounds=5)


def _native() -> LearnedPolicy:
    card, rng = Card(kinds=3, hidden=(4,), history=1), np.random.default_rng(0)
    return LearnedPolicy({n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}, card)


SEATS = Seats((0, 2), ((_native(), (1, 3)),))  # rivals with a memory, which must not move when a call is refused


def _mixed() -> MixedVecEnv:
    groups = [
        MarketGroup(load_rule("price_board"), ECONOMY, SEATS, 2),
        MarketGroup(load_rule("price_board"), ECONOMY, SEATS, 2, 2),
    ]
    return MixedVecEnv(groups)


VIEWS: dict[str, Callable[[], Any]] = {
    "parallel": lambda: market_v0.parallel_env(economy=ECONOMY),
    "gymnasium": lambda: MarketEnv(economy=ECONOMY, background=_native()),
    "vector": lambda: MarketVectorEnv(3, economy=ECONOMY, background=_native()),
    "vec_env": lambda: MarketVecEnv(markets=2, economy=ECONOMY, seats=SEATS),
    "vec_env, all learn": lambda: MarketVecEnv(markets=2, economy=ECONOMY),
    "memory": lambda: MemoryVecEnv(MarketVecEnv(markets=2, economy=ECONOMY, seats=SEATS), RunningMeans(3)),
    "mixed": _mixed,
}


def _good(env: Any, name: str, number: int) -> Any:
    rng = np.random.default_rng(number)
    if name == "parallel":
        return {agent: rng.uniform(-1, 1, 6).astype(np.float32) for agent in env.possible_agents}
    shape = env.action_space.shape if not hasattr(env, "seats") and not hasattr(env, "venv") else None
    rows = () if name == "gymnasium" else (env.num_envs,)
    return rng.uniform(-1, 1, shape if name in ("gymnasium", "vector") else (*rows, 6)).astype(np.float32)


def _reset(env: Any, name: str) -> Any:
    if name in ("parallel", "gymnasium", "vector"):
        return env.reset(seed=4)[0]
    env.seed(4)
    return env.reset()


def _seen(step: Any, name: str) -> list[np.ndarray]:
    values = step[0].values() if name == "parallel" else [step[0]]
    rewards = list(step[1].values()) if name == "parallel" else [step[1]]
    return [np.array(each) for each in (*values, *rewards)]


def _refused(env: Any, name: str) -> None:
    """Make every kind of call that must be refused."""
    good = _good(env, name, 0)
    if name == "parallel":
        bad = [good | {"org_1": np.full(6, np.nan)}, good | {"org_1": np.zeros(5)}, {}, None, good | {"org_9": 1}]
        resets: list[dict[str, Any]] = [
            {"seed": -1}, {"seed": 1.5}, {"options": {"rule": "none_such"}}, {"options": 3},
        ]  # fmt: skip
    else:
        bad = [np.full_like(good, np.nan), np.zeros((*good.shape, 1)), good[..., :-1], "x", None, good.astype(complex)]
        if good.ndim == 2:
            bad.append(good.T)
        resets = [{"seed": -1}, {"seed": 1.5}, {"options": {"rule": "none_such"}}]
    for actions in bad:
        with pytest.raises((ValueError, TypeError)):
            env.step(actions)
    if name in ("parallel", "gymnasium", "vector"):
        for given in resets:
            with pytest.raises((ValueError, TypeError)):
                env.reset(**given)
    for key, value in (("rule", "none_such"), ("rule", 3), ("schedule", (Shift(99, "price_board"),)), ("economy", 3)):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            env.set_attr(key, value) if hasattr(env, "set_attr") else setattr(env, key, value)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("played", [0, 3])
def test_view__a_refused_call_is_as_if_it_had_not_been_made(name: str, played: int) -> None:
    env, other = VIEWS[name](), VIEWS[name]()
    for each in (env, other):
        _reset(each, name)
        for number in range(played):
            each.step(_good(each, name, number))
    _refused(env, name)
    for number in range(2):
        one, two = (_seen(each.step(_good(each, name, 9 + number)), name) for each in (env, other))
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", VIEWS)
def test_view__what_is_set_is_played_from_the_next_episode_on(name: str) -> None:
    env = VIEWS[name]()
    _reset(env, name)
    env.step(_good(env, name, 0))
    env.set_attr("rule", "promoted_listing") if hasattr(env, "set_attr") else setattr(env, "rule", "promoted_listing")
    markets = env.all_markets if hasattr(env, "all_markets") else (env.market,)
    assert {market.rule_in_force().name for market in markets} == {"price_board"}
    if name in ("parallel", "gymnasium"):
        env.reset()
    else:
        for number in range(4):  # the markets begin their next episode by themselves
            env.step(_good(env, name, number))
    assert {market.rule_in_force().name for market in markets} == {"promoted_listing"}


@pytest.mark.parametrize("name", VIEWS)
def test_view__what_was_handed_out_can_be_edited_and_pickled(name: str) -> None:
    env, other = VIEWS[name](), VIEWS[name]()
    handed = [_reset(env, name)]
    _reset(other, name)
    for number in range(12):
        if name in ("parallel", "gymnasium") and number % 5 == 0 and number:
            handed.append(env.reset()[0])
            other.reset()
        for each in handed:
            for array in each.values() if isinstance(each, dict) else [each]:
                array[...] = -7.0
        actions = _good(env, name, number)
        step, expected = env.step(actions), other.step(_good(other, name, number))
        for array in actions.values() if name == "parallel" else [actions]:
            array[...] = 0.5
        for a, b in zip(_seen(step, name), _seen(expected, name), strict=True):
            np.testing.assert_array_equal(a, b)
        assert str(pickle.loads(pickle.dumps(step[-1]))) == str(deepcopy(step[-1]))
        if name in ("vec_env", "memory", "mixed", "vec_env, all learn"):
            for a, b in zip(step[-1], expected[-1], strict=True):
                if "terminal_observation" in b:
                    np.testing.assert_array_equal(a["terminal_observation"], b["terminal_observation"])
                a["mine"] = 1
        handed.append(step[0])


class _Curriculum(BaseCallback):
    def _on_step(self) -> bool:
        if self.n_calls == 3:
            self.training_env.set_attr("rule", "promoted_listing")
        return True


@pytest.mark.filterwarnings("ignore:The environment is already wrapped")  # by what records episodes, as ours does
@pytest.mark.parametrize("wrap", [lambda env: env, VecMonitor, lambda env: VecNormalize(VecMonitor(env))])
def test_rule__is_changed_from_a_callback_while_sb3_learns(wrap: Callable[[Any], Any]) -> None:
    env = MarketVecEnv("price_board", markets=2, economy=ECONOMY)
    model = PPO("MlpPolicy", wrap(env), n_steps=8, batch_size=32, n_epochs=1, device="cpu")
    model.learn(8 * env.num_envs, callback=_Curriculum())
    assert env.market.rule_in_force().name == "promoted_listing"
    assert env.get_attr("rule")[0] == load_rule("promoted_listing")


def test_vec_env__evaluation_by_sb3_takes_its_episodes_as_recorded() -> None:
    env = MarketVecEnv("price_board", markets=2, economy=ECONOMY)
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=32, device="cpu")
    returns, lengths = evaluate_policy(model, env, n_eval_episodes=2, return_episode_rewards=True)
    assert lengths == [ECONOMY.rounds] * 2  # and a warning that nobody records them would be an error here
    assert np.isfinite(returns).all()


@pytest.mark.parametrize("mode", ["next_step", "same_step", "disabled"])
def test_make_vec__resets_as_the_mode_says(mode: str) -> None:
    env = gymnasium.make_vec(
        "ruleshift:ruleshift/Market-v0", num_envs=2, economy=ECONOMY, vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
    )  # fmt: skip
    env.reset(seed=[3, 2**63])  # type: ignore[arg-type]
    actions = np.zeros((2, 6), np.float32)
    for _ in range(5):
        _, _, _, truncated, infos = env.step(actions)
    assert truncated.all()
    assert ("final_obs" in infos) == (mode == "same_step")
    if mode == "disabled":
        with pytest.raises(RuntimeError, match="reset"):
            env.step(actions)
        with pytest.raises(ValueError, match="reset_mask"):
            env.reset(options={"reset_mask": np.array([True, False])})
        env.reset(options={"reset_mask": np.array([True, True])})
    else:
        _, rewards, _, truncated, _ = env.step(actions)
        assert not truncated.any()
        assert (rewards == 0).all() == (mode == "next_step")


def test_seeds__of_a_list_are_those_of_single_environments() -> None:
    batch = MarketVectorEnv(2, economy=ECONOMY)
    seen, _ = batch.reset(seed=[7, 2**63])
    for index, seed in enumerate((7, 2**63)):
        single = MarketEnv(economy=ECONOMY, first_market=index)
        np.testing.assert_array_equal(seen[index], single.reset(seed=seed)[0])


def _spoiled(state: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """States with one array missing, unknown, of another shape or type, or with a NaN in it."""
    found: list[dict[str, Any]] = [{**state, "unknown": np.zeros(1)}]
    for name, array in state.items():
        found += [
            {key: value for key, value in state.items() if key != name},
            {**state, name: array[..., :-1]}, {**state, name: array.astype(complex)}, {**state, name: None},
        ]  # fmt: skip
        if array.dtype.kind == "f" and "market.history" not in name:
            found.append({**state, name: np.full_like(array, np.nan)})
    return [each for each in found if any(each.get(name) is not state.get(name) for name in each | state)]


@pytest.mark.parametrize("name", ["vec_env", "vec_env, all learn", "memory", "mixed"])
def test_vec_env__a_state_that_is_refused_changes_nothing(name: str) -> None:
    env, other = VIEWS[name](), VIEWS[name]()
    for each in (env, other):
        _reset(each, name)
        each.step(_good(each, name, 0))
    for state in _spoiled(env.state_dict()):
        with pytest.raises(ValueError, match=r"state|snapshot"):
            env.load_state_dict(state)
    for number in range(1, 7):
        for a, b in zip(*(_seen(each.step(_good(each, name, number)), name) for each in (env, other)), strict=True):
            np.testing.assert_array_equal(a, b)
