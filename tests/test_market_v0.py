"""The PettingZoo views: official checkers, trainers' habits, bad input, shifts, twins, and the batch behind."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)

from ruleshift.envs import Economy, Market, Shift, load_rule, market_v0, twin
from ruleshift.envs.layout import observation_layout

SMALL: dict[str, Any] = {"organizations": 3, "jobs": 4, "kinds": 2, "rounds": 6}


def draw(env: Any, seed: int = 0) -> Iterator[dict[str, np.ndarray]]:
    """A stream of actions for all agents, the same for the same seed."""
    random = np.random.default_rng(seed)
    while True:
        yield {a: random.uniform(-1, 1, env.action_space(a).shape).astype(np.float32) for a in env.possible_agents}


def play(
    env: Any, seed: int | None = 5, rounds: int = 6, options: dict[str, Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Observations (rounds + 1, N, F) and rewards (rounds, N) of one episode."""
    observations, _ = env.reset(seed=seed, options=options)
    seen, rewards, actions = [list(observations.values())], [], draw(env)
    for _ in range(rounds):
        observations, reward, *_ = env.step(next(actions))
        seen.append(list(observations.values()))
        rewards.append(list(reward.values()))
    return np.array(seen), np.array(rewards)


def test_parallel_env__passes_the_official_checkers() -> None:
    parallel_api_test(market_v0.parallel_env(), num_cycles=30)
    parallel_seed_test(market_v0.parallel_env, num_cycles=5)
    max_cycles_test(market_v0)


def test_env__passes_the_official_checkers(capsys: pytest.CaptureFixture[str]) -> None:
    api_test(market_v0.env(rounds=20), num_cycles=30)
    seed_test(market_v0.env, num_cycles=30)
    render_test(lambda render_mode: market_v0.env(**SMALL, render_mode=render_mode))


def test_sizes__come_from_the_economy_unless_given() -> None:
    economy = Economy(organizations=5, jobs=7, kinds=2, rounds=9)
    env = market_v0.parallel_env(economy=economy, jobs=3, rounds=4, max_cycles=8)
    assert env.possible_agents == ["org_0", "org_1", "org_2", "org_3", "org_4"]
    assert (env.economy.jobs, env.economy.kinds, env.economy.rounds) == (3, 2, 8)
    assert env.action_space("org_0").shape == (5,)
    assert env.observation_space("org_4").shape == (observation_layout(2)["features"].stop,)


def test_reset__after_max_cycles_is_set_takes_the_new_length() -> None:
    env = market_v0.parallel_env(**SMALL)
    env.max_cycles = 2
    env.reset(seed=0)
    actions = draw(env)
    env.step(next(actions))
    assert set(env.step(next(actions))[3].values()) == {True}


def test_trajectory__is_that_of_the_market_in_a_batch() -> None:
    batch = Market("sealed_tender", markets=7, first_market=30, economy=Economy(**SMALL))
    alone = market_v0.parallel_env("sealed_tender", **SMALL, first_market=34)
    seen, rewards = play(alone)
    assert np.array_equal(batch.reset(seed=5)[4], seen[0])
    actions = draw(alone)
    for played in range(1, 7):
        own = np.stack(list(next(actions).values()))
        observations, reward, truncated = batch.step(np.repeat(own[None], 7, axis=0))
        if truncated:
            assert batch.last_observations is not None
            observations = batch.last_observations
        assert np.array_equal(observations[4], seen[played])
        assert np.array_equal(reward[4], rewards[played - 1])


def test_step__takes_strided_and_float64_actions_and_gives_the_same_bits() -> None:
    env, seen = market_v0.parallel_env(**SMALL), []
    for change in (lambda a: a, lambda a: a.astype(np.float64), lambda a: np.repeat(a, 2)[::2], lambda a: a.tolist()):
        env.reset(seed=1)
        seen.append(env.step({agent: change(action) for agent, action in next(draw(env)).items()})[0]["org_1"])
    assert all(np.array_equal(seen[0], other) for other in seen[1:])


def test_step__counts_numbers_outside_the_box() -> None:
    env = market_v0.parallel_env(**SMALL)
    env.reset(seed=0)
    inside = np.zeros(5, np.float32)
    actions = {"org_0": np.array([2, -3, 0, 1e300, 1]), "org_1": inside, "org_2": inside}
    infos = env.step(actions)[4]
    assert [infos[agent]["clipped"] for agent in env.possible_agents] == [3, 0, 0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda a: a | {"org_1": np.array([0, np.nan, 0, 0, 0])}, ValueError, r"org_1: the action holds nan at \[1\]"),
        (lambda a: a | {"org_2": np.full(5, np.inf)}, ValueError, "org_2: the action holds inf"),
        (lambda a: a | {"org_0": np.zeros(6)}, ValueError, r"org_0: the action has shape \(6,\), expected \(5,\)"),
        (lambda a: a | {"org_0": np.zeros((5, 1))}, ValueError, "org_0: the action has shape"),
        (lambda a: a | {"org_0": [[0.0], [0.0, 1.0]]}, ValueError, "org_0: the action is ragged"),
        (lambda a: a | {"org_0": ["a"] * 5}, TypeError, "org_0: the action must hold real numbers"),
        (lambda a: a | {"org_0": np.zeros(5, complex)}, TypeError, "org_0: .* complex128"),
        (lambda a: a | {"org_2": None}, TypeError, "org_2: .* NoneType"),
        (lambda a: a | {"org_3": a["org_0"]}, ValueError, "org_3: no such agent"),
        (lambda a: {"org_0": a["org_0"], "org_2": a["org_2"]}, ValueError, "org_1: no action given"),
        (lambda a: list(a.values()), TypeError, "actions: expected a dict"),
    ],
)
def test_step__refuses_bad_actions_and_nothing_changes(change: Any, error: type[Exception], message: str) -> None:
    env = market_v0.parallel_env(**SMALL)
    env.reset(seed=0)
    good, state = next(draw(env)), env.state()
    with pytest.raises(error, match=message):
        env.step(change(good))
    assert np.array_equal(env.state(), state)
    after = env.step(good)[0]["org_0"]
    env.reset(seed=0)
    assert np.array_equal(after, env.step(good)[0]["org_0"])


def test_step__before_reset_and_after_the_end_says_so() -> None:
    env = market_v0.parallel_env(**SMALL)
    for method in (env.state, env.render, lambda: env.step({})):
        with pytest.raises(RuntimeError, match="call reset first"):
            method()
    play(env)
    assert env.agents == []
    with pytest.raises(RuntimeError, match="the episode is over"):
        env.step(next(draw(env)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"organizations": 0}, "organizations"),
        ({"max_cycles": 0}, "rounds"),
        ({"render_mode": "gif"}, "render_mode: 'gif' is none of human, ansi, rgb_array"),
        ({"rule": "no_such_rule"}, "no_such_rule"),
    ],
)
def test_parallel_env__names_the_argument_that_is_wrong(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        market_v0.parallel_env(**arguments)


def test_parallel_env__wants_an_economy() -> None:
    with pytest.raises(TypeError, match="economy: expected an Economy or None, got dict"):
        market_v0.parallel_env(economy={"jobs": 3})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 0.5, "1"])
def test_reset__refuses_what_is_no_seed(seed: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="seed"):
        market_v0.parallel_env(**SMALL).reset(seed=seed)


def test_observation_space__of_a_stranger_is_refused() -> None:
    with pytest.raises(ValueError, match="org_9: no such agent"):
        market_v0.parallel_env(**SMALL).observation_space("org_9")


def test_env__refuses_a_bad_action_when_it_is_handed_in() -> None:
    env = market_v0.env(**SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="org_0: the action holds nan"):
        env.step(np.full(5, np.nan))
    assert env.agent_selection == "org_0"
    env.step(np.zeros(5, np.float32))
    assert env.agent_selection == "org_1"


def test_reset__without_a_seed_goes_on_to_the_next_episode_and_a_seed_starts_over() -> None:
    env = market_v0.parallel_env(**SMALL)
    first, _ = play(env, seed=3)
    second, _ = play(env, seed=None)
    again, _ = play(env, seed=3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_reset__unseeded_copies_differ() -> None:
    one, other = (market_v0.parallel_env(**SMALL).reset()[0]["org_0"] for _ in range(2))
    assert not np.array_equal(one, other)


def test_reset__option_rule_changes_the_rule_from_then_on() -> None:
    env = market_v0.parallel_env("price_board", **SMALL)
    env.reset(seed=0, options={"rule": "promoted_listing", "unknown": 1})
    assert env.rule.name == "promoted_listing"
    changed, _ = play(env)
    direct, _ = play(market_v0.parallel_env("promoted_listing", **SMALL))
    assert np.array_equal(changed, direct)
    with pytest.raises(TypeError, match="options: expected a dict"):
        env.reset(options=["rule"])  # type: ignore[arg-type]


def test_schedule__changes_the_rule_in_mid_episode_and_its_twin_shares_everything_before() -> None:
    shifted = market_v0.parallel_env(**SMALL, schedule=[Shift(at=3, to="promoted_listing")])
    seen, rewards = play(shifted, seed=11)
    other = twin(shifted)
    calm, calm_rewards = play(other, seed=None)  # the twin takes the seed of the original
    assert shifted.rule.name == "promoted_listing"
    assert other.rule.name == "price_board"
    assert np.array_equal(rewards[:3], calm_rewards[:3])
    assert np.array_equal(seen[:3], calm[:3])
    assert not np.array_equal(rewards[3:], calm_rewards[3:])


def test_twin__of_the_aec_view_is_an_aec_view() -> None:
    env = market_v0.env(**SMALL, schedule=[Shift(at=2, to="promoted_listing")])
    other = twin(env)
    other.reset(seed=0)
    assert other.agent_selection == "org_0"
    with pytest.raises(TypeError, match="int is no market"):
        twin(3)


def test_infos__are_floats_under_the_same_keys_from_the_reset_on() -> None:
    env = market_v0.parallel_env(**SMALL)
    _, before = env.reset(seed=0)
    after = env.step(next(draw(env)))[4]
    for info in (*before.values(), *after.values()):
        assert tuple(info) == market_v0.LEDGER
        assert all(type(value) is float for value in info.values())


def test_state__holds_everyones_observation_and_the_rule() -> None:
    env = market_v0.parallel_env(**SMALL)
    observations, _ = env.reset(seed=0)
    state = env.state()
    assert env.state_space.contains(state)
    assert np.array_equal(state[:-23].reshape(3, -1), np.stack(list(observations.values())))
    assert np.array_equal(state[-23:], load_rule("price_board").features())


def test_step__survives_what_trainers_do_to_the_dicts() -> None:
    env, calm = market_v0.parallel_env(**SMALL), market_v0.parallel_env(**SMALL)
    expected, _ = play(calm)
    env.reset()  # some do so in their constructor
    observations, infos = env.reset(seed=5)
    seen, actions = [list(map(np.copy, observations.values()))], draw(env)
    for _ in range(6):
        observations, rewards, ends, truncations, infos = env.step(next(actions))
        seen.append([np.copy(observations[agent]) for agent in env.possible_agents])
        given: list[dict[str, Any]] = [observations, rewards, ends, truncations, infos]
        for part in given:
            part["__all__"] = False
        for agent in env.possible_agents:
            observations[agent] *= 0
            infos[agent].clear()
    assert np.array_equal(seen, expected)


@pytest.mark.parametrize("make", [market_v0.parallel_env, lambda **k: market_v0.env(**k).unwrapped])
def test_pickle__goes_on_with_the_same_bits(make: Callable[..., Any]) -> None:
    env = make(**SMALL, schedule=[Shift(at=4, to="sealed_tender")])
    env.reset(seed=2, options={"rule": "promoted_listing"})
    actions = draw(env)
    env.step(next(actions))
    copied = pickle.loads(pickle.dumps(env))
    assert copied.agents == env.agents
    for batch in (next(actions) for _ in range(5)):
        here, there = env.step(batch), copied.step(batch)
        assert np.array_equal(here[0]["org_0"], there[0]["org_0"])
        assert here[1] == there[1]
    assert np.array_equal(env.reset()[0]["org_2"], copied.reset()[0]["org_2"])


def test_pickle__of_an_unstarted_environment_and_of_the_aec_view() -> None:
    fresh = pickle.loads(pickle.dumps(market_v0.parallel_env(**SMALL)))
    assert np.array_equal(play(fresh)[0], play(market_v0.parallel_env(**SMALL))[0])
    env = market_v0.env(**SMALL)
    env.reset(seed=0)
    assert pickle.loads(pickle.dumps(env)).agent_selection == "org_0"


def test_render__gives_text_and_pictures_and_warns_without_a_mode(capsys: pytest.CaptureFixture[str]) -> None:
    text, picture = (market_v0.parallel_env(**SMALL, render_mode=mode) for mode in ("ansi", "rgb_array"))
    for env in (text, picture):
        env.reset(seed=0)
        env.step(next(draw(env)))
    assert "price_board" in text.render()
    assert picture.render().dtype == np.uint8
    human = market_v0.parallel_env(**SMALL, render_mode="human")
    human.reset(seed=0)
    assert human.render() is None
    assert "price_board" in capsys.readouterr().out
    for env in (text, picture, human):
        env.close()
        env.close()
    silent = market_v0.parallel_env(**SMALL)
    silent.reset()
    with pytest.warns(UserWarning, match="without a render_mode"):
        assert silent.render() is None


def test_render__after_the_end_shows_the_last_round(capsys: pytest.CaptureFixture[str]) -> None:
    """Not the opening of the next episode; nor does a copy."""
    text, human = (market_v0.parallel_env(**SMALL, render_mode=each) for each in ("ansi", "human"))
    for env in (text, human):
        env.reset(seed=0)
        for actions, _ in zip(draw(env), range(6), strict=False):
            _, rewards, *_ = env.step(actions)
    shown = text.render()
    assert "price_board   round 6 of 6   market 0, episode 0" in shown
    assert all(f"{reward:+.2f}" in shown for reward in rewards.values())
    assert pickle.loads(pickle.dumps(text)).render() == shown
    assert shown in capsys.readouterr().out
    text.reset()
    assert "round 0 of 6   market 0, episode 1" in text.render()


def test_agents__keep_their_order_and_bits_in_another_process() -> None:
    program = (
        "from ruleshift.envs import market_v0\n"
        "env = market_v0.parallel_env(organizations=12)\n"
        "o, i = env.reset(seed=9)\n"
        "print(','.join(o), ','.join(i), sum(x.astype(float).sum() for x in o.values()).hex())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    observations, infos = market_v0.parallel_env(organizations=12).reset(seed=9)
    total = sum(x.astype(float).sum() for x in observations.values())
    assert ran.stdout.split() == [",".join(observations), ",".join(infos), float(total).hex()]
