"""Markets that differ, seen as one VecEnv: every group is what it would be alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ruleshift.agents import Card, Constant, Follower, LearnedPolicy, Policy, RandomPolicy, RunningMeans, Seats
from ruleshift.envs import MEASURES, Economy, load_rule, load_structure
from ruleshift.train import MarketGroup, MarketPPO, MarketVecEnv, MemoryVecEnv, MixedVecEnv
from ruleshift.train.callbacks import MeasuresCallback

SMALL = Economy(organizations=4, jobs=4, rounds=5)
LARGE = Economy(organizations=6, jobs=8, rounds=3, capacity=1)


def _groups(*rivals: Policy) -> list[MarketGroup]:
    rivals = rivals or (Follower(), RandomPolicy())
    board, listing = load_rule("price_board"), load_structure("platforms")
    return [
        MarketGroup(board, SMALL, Seats.shared(4, rivals), markets=2),
        MarketGroup(listing, LARGE, Seats.shared(6, rivals[::-1], learning=1), markets=3, first_market=2),
        MarketGroup(board, replace(SMALL, base_cost=0.7), Seats.all_learn(4), markets=1, first_market=9),
    ]


def _alone(group: MarketGroup, seed: int) -> MarketVecEnv:
    return MarketVecEnv(group.rule, group.markets, group.first_market, seed, group.economy, group.seats)


def _actions(env: Any, count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, env.num_envs, 6)).astype(np.float32)


def test_mixed_vec_env__every_group_is_what_it_is_alone() -> None:
    groups = _groups()
    env, alone = MixedVecEnv(groups, seed=5), [_alone(group, 5) for group in groups]
    np.testing.assert_array_equal(env.row_group, np.repeat([0, 1, 2], [4, 3, 4]))
    np.testing.assert_array_equal(env.reset(), np.concatenate([each.reset() for each in alone]))
    ends = set()
    for actions in _actions(env, 16):
        observations, rewards, dones, infos = env.step(actions)
        for group, each in enumerate(alone):
            rows = env.row_group == group
            expected = each.step(actions[rows])
            for mixed, own in zip((observations, rewards, dones), expected, strict=False):
                np.testing.assert_array_equal(mixed[rows], own)
            told = [info for info, mine in zip(infos, rows, strict=True) if mine]
            for info, own in zip(told, expected[3], strict=True):
                assert info.keys() == own.keys()
                if info:
                    np.testing.assert_array_equal(info["terminal_observation"], own["terminal_observation"])
                    assert info["measures"] == own["measures"]
        ends.add(tuple(np.unique(env.row_group[dones])))
    assert ends == {(), (0, 2), (1,), (0, 1, 2)}


class _Counter(Policy):
    """Counts its calls, and asks more in each round that it remembers."""

    def __init__(self) -> None:
        self.calls = 0

    def initial_memory(self, count: int) -> np.ndarray:
        return np.zeros((count, 1), np.float32)

    def act(
        self, observations: np.ndarray, memory: Any = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Any]:
        self.calls += 1
        return np.repeat(memory / 10, 6, axis=1), memory + 1

    def describe(self) -> dict[str, Any]:
        return {"policy": "_Counter"}


def test_mixed_vec_env__a_policy_acts_once_for_all_groups_and_forgets_where_an_episode_ends() -> None:
    counter = _Counter()
    env = MixedVecEnv(_groups(counter))
    env.reset()
    for step, actions in enumerate(_actions(env, 11)):
        env.step(actions)
        assert counter.calls == step + 1
        for part, organizations, rounds in zip(env.parts[:2], (4, 6), (5, 3), strict=True):
            asks = part.market.outcomes[:, 0, organizations - 1]
            np.testing.assert_allclose(asks, (step % rounds / 10 + 1) / 2 * 1.25, rtol=1e-6)


def _native(history: int) -> LearnedPolicy:
    rng, card = np.random.default_rng(1), Card(kinds=3, hidden=(8,), history=history)
    return LearnedPolicy({n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}, card)


@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_mixed_vec_env__state_continues_with_the_same_bits(rounds: int) -> None:
    groups = _groups(_native(history=2), RandomPolicy())
    first, second = (MemoryVecEnv(MixedVecEnv(groups, seed=3, privileged=True), RunningMeans(3)) for _ in "ab")
    first.reset()
    actions = _actions(first, 12)
    for each in actions[:rounds]:
        first.step(each)
    second.load_state_dict(first.state_dict())
    for each in actions[rounds:]:
        for one, other in zip(first.step(each)[:3], second.step(each)[:3], strict=True):
            np.testing.assert_array_equal(one, other)


def test_mixed_vec_env__seeds_and_options_are_for_all_groups() -> None:
    env = MixedVecEnv(_groups())
    first = env.reset()
    env.seed(11)
    env.set_options({"rule": "sealed_tender"})
    seeded = env.reset()
    assert not np.array_equal(seeded, first)
    assert env.env_method("rule_in_force") == [load_rule("sealed_tender")] * env.num_envs
    assert env.get_attr("organizations") == [4] * 4 + [6] * 3 + [4] * 4
    env.step(_actions(env, 1)[0])
    assert not np.array_equal(env.reset(), seeded)
    env.seed(11)
    np.testing.assert_array_equal(env.reset(), seeded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_market": 1}, r"groups share markets: range\(0, 2\) and range\(1, 4\)"),
        ({"economy": replace(LARGE, kinds=2)}, r"groups have \[2, 3\] kinds of job"),
    ],
)
def test_mixed_vec_env__refuses_groups_that_do_not_go_together(change: Any, message: str) -> None:
    groups = _groups()
    with pytest.raises(ValueError, match=message):
        MixedVecEnv([groups[0], replace(groups[1], **change)])
    with pytest.raises(ValueError, match="there are no groups"):
        MixedVecEnv([])
    with pytest.raises(ValueError, match=r"seats are \[0, 1, 2, 3\]; 6 organizations"):
        replace(groups[0], economy=LARGE)
    with pytest.raises(ValueError, match="a group's markets is 0; it must be at least 1"):
        replace(groups[0], markets=0)
    with pytest.raises(TypeError, match="a group's rule is 'price_board'; it must be a Rule"):
        replace(groups[0], rule="price_board")  # type: ignore[arg-type]


def test_measures__are_means_over_the_markets_whose_episodes_end() -> None:
    env = MixedVecEnv([replace(group, markets=1) for group in _groups(Constant())])
    logged: list[dict[str, float]] = []

    class _Spy(MeasuresCallback):
        def _on_step(self) -> bool:
            super()._on_step()
            values = self.model.logger.name_to_value
            ended = [np.asarray(part.market.episode_measures) for part in env.parts if part.market.round == 0]
            if ended:
                expected = np.concatenate(ended).mean(axis=0)
                logged.append({name: values[f"market/{name}"] for name in MEASURES})
                assert list(logged[-1].values()) == pytest.approx(expected.tolist())
            self.model.logger.name_to_value.clear()
            self.model.logger.name_to_count.clear()
            return True

    MarketPPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu", seed=0).learn(
        16 * env.num_envs, callback=_Spy(env)
    )
    assert len(logged) == 7  # of 15 rounds, after 3, 5, 6, 9, 10, 12 and 15
