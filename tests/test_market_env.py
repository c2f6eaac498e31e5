"""The Gymnasium views: official checkers, one focal organization among background policies, alone and in a batch."""

import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from ruleshift.agents.market_env import MarketEnv, MarketVectorEnv
from ruleshift.agents.scripted import Constant
from ruleshift.envs import Economy, Shift, market_v0, twin

ID = "ruleshift:ruleshift/Market-v0"
SMALL: dict[str, Any] = {"organizations": 3, "jobs": 4, "kinds": 2, "rounds": 6}


def actions(count: int, size: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, size)).astype(np.float32)


def play(env: Any, seed: int | None = 5, rounds: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Observations (rounds + 1, F) and rewards (rounds,) of one episode of a single environment."""
    observation, _ = env.reset(seed=seed)
    seen, rewards = [observation], []
    for action in actions(rounds):
        observation, reward, *_ = env.step(action)
        seen.append(observation)
        rewards.append(reward)
    return np.array(seen), np.array(rewards)


def test_make__needs_no_import_and_passes_the_official_checkers(capsys: pytest.CaptureFixture[str]) -> None:
    env = gymnasium.make(ID)
    check_env(env.unwrapped)
    check_env_of_sb3(gymnasium.make(ID, rounds=20).unwrapped)
    check_env_of_sb3(MarketEnv(render_mode="rgb_array"), skip_render_check=False)


def test_make_vec__uses_the_batch_and_says_how_it_resets() -> None:
    envs = gymnasium.make_vec(ID, num_envs=4, **SMALL)
    assert isinstance(envs, MarketVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.observation_space.shape == (4, envs.market.observation_size)
    observations, infos = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    assert infos["paid"].shape == (4,)
    envs.close()


def test_make_vec__behaves_as_the_single_environments_one_by_one() -> None:
    envs = gymnasium.make_vec(ID, num_envs=3, **SMALL, first_market=8)
    singles = [MarketEnv(**SMALL, first_market=8 + b) for b in range(3)]
    observations, _ = envs.reset(seed=5)
    for b, env in enumerate(singles):
        assert np.array_equal(observations[b], env.reset(seed=5)[0])
    for batch in np.split(actions(24), 8):  # 8 rounds: the first episode and two rounds of the next
        observations, rewards, terminations, truncations, infos = envs.step(batch)
        for b, env in enumerate(singles):
            observation, reward, terminated, truncated, info = env.step(batch[b])
            assert (reward, terminated, truncated) == (rewards[b], terminations[b], truncations[b])
            if truncated:
                assert np.array_equal(infos["final_obs"][b], observation)
                assert info == {name: infos["final_info"][name][b] for name in market_v0.LEDGER}
                observation, info = env.reset()
            assert np.array_equal(observations[b], observation)
            assert info == {name: infos[name][b] for name in market_v0.LEDGER}


def test_make_vec__infos_are_shaped_as_gymnasiums_own() -> None:
    ours = gymnasium.make_vec(ID, num_envs=2, **SMALL)
    mode: dict[str, Any] = {"vector_kwargs": {"autoreset_mode": AutoresetMode.SAME_STEP}, "vectorization_mode": "sync"}
    theirs = gymnasium.make_vec(ID, num_envs=2, **SMALL, **mode)
    ours.reset(seed=0)
    theirs.reset(seed=0)
    for batch in np.split(actions(12), 6):
        mine, reference = ours.step(batch), theirs.step(batch)
    for part, other in zip(mine[:4], reference[:4], strict=True):
        assert (part.shape, part.dtype) == (other.shape, other.dtype)
    assert set(mine[4]) == set(reference[4])
    assert set(mine[4]["final_info"]) == set(reference[4]["final_info"])
    assert mine[4]["final_obs"].dtype == reference[4]["final_obs"].dtype == object


def test_make_vec__works_under_a_statistics_wrapper() -> None:
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(gymnasium.make_vec(ID, num_envs=2, **SMALL))
    envs.reset(seed=0)
    for batch in np.split(actions(12), 6):
        infos = envs.step(batch)[4]
    assert infos["episode"]["l"].tolist() == [6, 6]


def test_step__hands_out_arrays_that_never_change() -> None:
    envs = MarketVectorEnv(2, **SMALL)
    kept = [envs.reset(seed=0)[0]]
    copies = [kept[0].copy()]
    for batch in np.split(actions(16), 8):
        kept.append(envs.step(batch)[0])
        copies.append(kept[-1].copy())
    assert all(np.array_equal(a, b) for a, b in zip(kept, copies, strict=True))


def test_background__holds_the_other_seats() -> None:
    policy = Constant(ask=0.4, effort=1.0, promotion=0.0)
    env = MarketEnv(**SMALL, background=policy)
    env.reset(seed=0)
    env.step(np.ones(5, np.float32))
    asks, efforts = env.market.outcomes[0, 0], env.market.outcomes[0, 1]
    assert asks == pytest.approx([1.25, 0.4, 0.4], abs=1e-6)
    assert efforts == pytest.approx([1, 1, 1])


def test_background__by_default_is_varied_and_the_same_for_the_same_seed() -> None:
    seen, rewards = play(MarketEnv(rounds=6, kinds=2))
    again, rewards_again = play(MarketEnv(rounds=6, kinds=2))
    assert np.array_equal(seen, again)
    assert np.array_equal(rewards, rewards_again)
    env = MarketEnv(rounds=6, kinds=2)
    play(env)
    assert len(np.unique(env.market.outcomes[0, 0])) >= 4


def test_background__of_anything_but_policies_is_refused() -> None:
    wrong: tuple[Any, ...] = ((), [3], "posted")
    for background in wrong:
        with pytest.raises(TypeError, match="background: expected a policy, or several"):
            MarketEnv(background=background)


def test_reset__unseeded_copies_differ_and_seeded_ones_do_not() -> None:
    one, other = MarketEnv(**SMALL), MarketEnv(**SMALL)
    assert not np.array_equal(one.reset()[0], other.reset()[0])
    assert np.array_equal(one.reset(seed=4)[0], other.reset(seed=4)[0])
    assert np.array_equal(one.reset()[0], other.reset()[0])


@pytest.mark.parametrize("make", [MarketEnv, lambda **given: MarketVectorEnv(2, **given)])
def test_reset__option_rule_changes_the_rule_from_then_on(make: Callable[..., Any]) -> None:
    env = make(**SMALL)
    env.reset(seed=0, options={"rule": "promoted_listing", "unknown": 1})
    assert env.market.rule_in_force(0).name == "promoted_listing"
    env.reset()
    assert env.market.rule_in_force(0).name == "promoted_listing"


def test_twin__shares_everything_before_the_shift() -> None:
    env = gymnasium.make(ID, **SMALL, schedule=(Shift(at=3, to="promoted_listing"),))
    _, rewards = play(env)
    _, calm = play(twin(env), seed=None)
    assert np.array_equal(rewards[:3], calm[:3])
    assert not np.array_equal(rewards[3:], calm[3:])
    envs = MarketVectorEnv(2, **SMALL, schedule=(Shift(at=3, to="promoted_listing"),))
    observations, _ = envs.reset(seed=1)
    assert np.array_equal(twin(envs).reset()[0], observations)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (np.full(5, np.nan), ValueError, r"org_0: the action holds nan at \[0\]"),
        (np.zeros(4), ValueError, r"org_0: the action has shape \(4,\), expected \(5,\)"),
        ("up", TypeError, "org_0: the action must hold real numbers, got str"),
    ],
)
def test_step__refuses_a_bad_action_and_nothing_changes(action: Any, error: type[Exception], message: str) -> None:
    env, calm = MarketEnv(**SMALL), MarketEnv(**SMALL)
    env.reset(seed=0)
    calm.reset(seed=0)
    with pytest.raises(error, match=message):
        env.step(action)
    good = actions(1)[0]
    assert np.array_equal(env.step(good.astype(np.float64))[0], calm.step(good)[0])


def test_step__before_reset_and_after_the_end_says_so() -> None:
    env, envs = MarketEnv(**SMALL), MarketVectorEnv(2, **SMALL)
    for call in (lambda: env.step(actions(1)[0]), env.render, lambda: envs.step(actions(2))):
        with pytest.raises(RuntimeError, match="call reset first"):
            call()
    play(env)
    with pytest.raises(RuntimeError, match="the episode is over"):
        env.step(actions(1)[0])
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=r"actions: the action holds inf at \[1, 2\]"):
        envs.step(np.array([[0, 0, 0, 0, 0], [0, 0, np.inf, 0, 0]]))


def test_render__after_the_end_shows_the_last_round() -> None:
    env = MarketEnv(rounds=3, render_mode="ansi")
    env.reset(seed=0)
    for action in actions(3, size=6):
        _, reward, *_ = env.step(action)
    assert "round 3 of 3   market 0, episode 0" in env.render()
    assert f"{reward:+.2f}" in env.render()
    env.reset()
    assert "round 0 of 3   market 0, episode 1" in env.render()


def test_make_vec__refuses_to_render() -> None:
    with pytest.raises(ValueError, match="a batch is not rendered"):
        MarketVectorEnv(2, render_mode="human")


def test_pickle__goes_on_with_the_same_bits() -> None:
    env = MarketEnv(economy=Economy(**SMALL))
    env.reset(seed=2, options={"rule": "sealed_tender"})
    first, *others = actions(6)
    env.step(first)
    copied = pickle.loads(pickle.dumps(env))
    for action in others:
        here, there = env.step(action), copied.step(action)
        assert np.array_equal(here[0], there[0])
        assert here[1:] == there[1:]
