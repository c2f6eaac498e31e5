"""A memory stacks what was done and got in the rounds before, alike where a policy acts and where it learns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.agents import Card, Constant, History, LearnedPolicy, RandomPolicy, RunningMeans, Seats
from ruleshift.envs import Economy, Rule, load_rule
from ruleshift.envs.layout import observation_layout
from ruleshift.train import MarketVecEnv, MemoryVecEnv

ECONOMY = Economy(organizations=4, jobs=4, rounds=5)
SEATS = Seats((0, 2), ((Constant(), (1,)), (RandomPolicy(), (3,))))


def _rule(entry: str = "closed") -> Rule:
    return load_rule("price_board").replace(**{"feedback.entry": entry})


def _policy(history: int) -> LearnedPolicy:
    rng = np.random.default_rng(1)
    card = Card(kinds=3, hidden=(8,), history=history)
    return LearnedPolicy({n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}, card)


def test_history__keeps_the_outcome_block_and_no_more_than_twenty_numbers() -> None:
    layout, history = observation_layout(3), History(kinds=3, rounds=4)
    kept = [name for name, part in layout.items() if history.block.start <= part.start < history.block.stop]
    assert kept[0] == "last_ask"
    assert kept[-1] == "public_mask"
    assert {"won", "profit", "quality", "public"} <= set(kept)
    assert history.width == sum(layout[name].stop - layout[name].start for name in kept) == 19


@settings(max_examples=30)
@given(
    rounds=st.integers(0, 4),
    kinds=st.integers(1, 4),
    entries=st.lists(st.booleans(), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_history__stacks_the_rounds_before(rounds: int, kinds: int, entries: list[bool], seed: int) -> None:
    """The oracle is a list of everything that was seen since the organization entered its seat."""
    history, rng = History(kinds, rounds), np.random.default_rng(seed)
    seat, memory = observation_layout(kinds)["newcomer"].start, history.empty(2)
    seen: list[np.ndarray] = []
    for entry in entries:
        now = rng.normal(size=(2, history.observation_size)).astype(np.float32)
        now[:, seat] = [entry, 0.0]
        inputs, memory = history.read(now, memory)
        if entry:
            for one in seen:
                one[0] = 0.0
        padded = [np.zeros((2, history.width), np.float32)] * rounds + seen
        expected = np.concatenate([now, *padded[len(padded) - rounds :]], axis=1)
        np.testing.assert_array_equal(inputs, expected)
        seen.append(now[:, history.block].copy())


def test_policy__with_a_history_reads_it() -> None:
    policy = _policy(history=2)
    assert (policy.card.observation_size, policy.card.input_size) == (64, 64 + 2 * 19)
    rng, memory = np.random.default_rng(2), policy.initial_memory(3)
    rows = [rng.normal(size=(3, 64)).astype(np.float32) for _ in range(3)]
    for row in rows:
        row[:, observation_layout(3)["newcomer"]] = 0.0
        actions, memory = policy.act(row, memory)
    block = History(3, 2).block
    stacked = np.concatenate([rows[2], rows[0][:, block], rows[1][:, block]], axis=1)
    np.testing.assert_array_equal(actions, np.clip(policy.mean(stacked), -1, 1))
    alone, _ = policy.act(rows[2])
    assert not np.array_equal(actions, alone)


@pytest.mark.parametrize("history", [History(3, 3), RunningMeans(3)], ids=["history", "running means"])
@pytest.mark.parametrize("entry", ["closed", "replacement"])
def test_memory_vec_env__learner_and_policy_read_the_same(entry: str, history: History | RunningMeans) -> None:
    """They do so bit for bit, over episodes in which organizations go bankrupt and newcomers take their seats."""
    economy = Economy(organizations=4, jobs=4, rounds=7, initial_cash=0.1, effort_cost=0.8)
    rule, rng = _rule(entry), np.random.default_rng(3)
    env = MemoryVecEnv(MarketVecEnv(rule, markets=3, seed=4, economy=economy, seats=SEATS), history)
    plain = MarketVecEnv(rule, markets=3, seed=4, economy=economy, seats=SEATS)
    inputs, seen, left = env.reset(), plain.reset(), 0
    memory = history.empty(plain.num_envs)
    for _ in range(15):
        expected, memory = history.read(seen, memory)
        np.testing.assert_array_equal(inputs, expected)
        acted = rng.uniform(-1, 1, (plain.num_envs, 6)).astype(np.float32)
        inputs, rewards, dones, infos = env.step(acted)
        seen, plain_rewards, plain_dones, plain_infos = plain.step(acted)
        np.testing.assert_array_equal(rewards, plain_rewards)
        np.testing.assert_array_equal(dones, plain_dones)
        for row in np.flatnonzero(dones):
            last = plain_infos[row]["terminal_observation"]
            truncated = infos[row]["TimeLimit.truncated"]
            own = expected[row]
            if truncated:
                own = history.read(last[None], memory[row : row + 1])[0][0]
            np.testing.assert_array_equal(infos[row]["terminal_observation"], own)
            left += not truncated
        if plain.market.round == 0:
            memory = history.empty(plain.num_envs)
    assert (left > 0) == (entry == "replacement")


@pytest.mark.parametrize("memory", [History(3, 2), RunningMeans(3)], ids=["history", "running means"])
def test_memory_vec_env__state_continues_with_the_same_bits(memory: History | RunningMeans) -> None:
    first, second = (MemoryVecEnv(MarketVecEnv(_rule(), markets=2, economy=ECONOMY, seats=SEATS), memory) for _ in "ab")
    first.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (9, first.num_envs, 6)).astype(np.float32)
    for each in actions[:3]:
        first.step(each)
    second.load_state_dict(first.state_dict())
    for each in actions[3:]:
        seen, _, dones, infos = first.step(each)
        same, _, _, told = second.step(each)
        np.testing.assert_array_equal(seen, same)
        for row in np.flatnonzero(dones):
            np.testing.assert_array_equal(infos[row]["terminal_observation"], told[row]["terminal_observation"])
