"""A recurrent memory: torch's LSTM, without torch, where a policy plays; RecurrentPPO where it learns."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.agents import Card, Constant, LearnedPolicy, Lstm, Seats, load_policy, rival_population
from ruleshift.envs import Economy, load_rule
from ruleshift.envs.layout import observation_layout
from ruleshift.eval import load_preset, study
from ruleshift.train import MarketVecEnv, PPOSettings, TrainingPlan, train
from ruleshift.train.arms import LSTM_UNITS
from ruleshift.train.networks import critic_weights, policy_weights
from ruleshift.train.ppo import make_learner

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SETTINGS = PPOSettings(markets=4, rollout_size=40, batch_size=20, n_epochs=2, net_arch=(8,))
QUIET: dict[str, Any] = {"tensorboard": False, "quiet": True}


def _plan(rule: str, **fields: Any) -> TrainingPlan:
    return TrainingPlan(rule, **{"economy": ECONOMY, "settings": SETTINGS, "steps": 80, **fields})


@settings(max_examples=30)
@given(
    kinds=st.integers(1, 4),
    units=st.integers(1, 5),
    entries=st.lists(st.booleans(), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_lstm__is_that_of_torch_from_the_entry_of_an_organization_on(
    kinds: int, units: int, entries: list[bool], seed: int
) -> None:
    """One seat changes hands, another never does; each has read exactly what its organization has seen."""
    card, rng = Card(kinds=kinds, units=units), np.random.default_rng(seed)
    size = card.observation_size
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in card.shapes().items()}
    lstm, torchs = Lstm(kinds, weights), th.nn.LSTM(size, units)
    torchs.weight_ih_l0.data = th.tensor(weights["lstm.input.weight"].T)
    torchs.weight_hh_l0.data = th.tensor(weights["lstm.state.weight"].T)
    torchs.bias_ih_l0.data, torchs.bias_hh_l0.data = th.tensor(weights["lstm.bias"]), th.zeros(4 * units)
    rounds = rng.normal(size=(len(entries), 2, size)).astype(np.float32)
    rounds[:, :, observation_layout(kinds)["newcomer"].start] = 0.0
    rounds[:, 0, observation_layout(kinds)["newcomer"].start] = entries
    memory, since = lstm.empty(2), 0
    for now, entry in enumerate(entries):
        inputs, memory = lstm.read(rounds[now], memory)
        since = now if entry else since
        for seat, first in ((0, since), (1, 0)):
            output, (hidden, cell) = torchs(th.tensor(rounds[first : now + 1, seat]))
            np.testing.assert_allclose(inputs[seat], output[-1].detach(), atol=2e-5)
            np.testing.assert_allclose(memory[seat], th.cat([hidden[0], cell[0]]).detach(), atol=2e-5)


@pytest.mark.parametrize("entry", ["closed", "replacement"])
def test_learned_policy__acts_as_recurrent_ppo_predicts(entry: str) -> None:
    """It does so over episodes in which organizations go bankrupt and newcomers take their seats."""
    economy = Economy(organizations=4, jobs=4, rounds=7, initial_cash=0.1, effort_cost=0.8)
    rule = load_rule("price_board").replace(**{"feedback.entry": entry})
    env = MarketVecEnv(rule, markets=3, economy=economy, seats=Seats.shared(4, [Constant()]))
    model: Any = make_learner(env, SETTINGS, seed=1, units=6)
    assert any(kind.__name__ == "RecurrentPPO" for kind in type(model).__mro__)
    model.learn(120)
    with th.no_grad():
        model.policy.action_net.weight *= 30.0  # so that what is remembered shows in what is done
    policy = LearnedPolicy(policy_weights(model), Card(kinds=3, hidden=(8,), units=6))
    seen, state, start, left = env.reset(), None, np.ones(env.num_envs, bool), 0
    memory, spread = policy.initial_memory(env.num_envs), []
    for _ in range(20):
        expected, state = model.predict(seen, state, start, deterministic=True)
        actions, memory = policy.act(seen, memory)
        np.testing.assert_allclose(actions, expected, atol=2e-5)
        spread.append(np.abs(actions - policy.act(seen)[0]).max())
        seen, _, start, infos = env.step(actions)
        left += sum(start[row] and not infos[row]["TimeLimit.truncated"] for row in range(env.num_envs))
        if env.market.round == 0:
            memory = policy.initial_memory(env.num_envs)
    assert (left > 0) == (entry == "replacement")
    assert max(spread) > 0.1


def test_train__an_lstm_begins_with_policy_and_critic_of_the_start(tmp_path: Path) -> None:
    """Torch has two biases where we have one: the networks are the same functions, and the files the same weights."""
    ended: list[Any] = []
    begun: list[dict[str, np.ndarray]] = []
    train(_plan("price_board", units=6), tmp_path / "a", on_rollout=ended.append, **QUIET)
    train(
        _plan("sealed_tender", start=tmp_path / "a"),
        tmp_path / "b",
        on_rollout=lambda model: begun.extend([policy_weights(model), critic_weights(model)]),
        **QUIET,
    )
    for found, expected in zip(begun, (policy_weights(ended[-1]), critic_weights(ended[-1])), strict=False):
        assert {"lstm.input.weight", "lstm.state.weight", "lstm.bias"} <= set(found)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert load_policy(tmp_path / "b").card.units == 6
    with pytest.raises(ValueError, match="start: units is 6 there, but this run has 3"):
        _plan("price_board", start=tmp_path / "a", units=3)
    with pytest.raises(ValueError, match="start: history is 0 there, but this run has 2"):
        _plan("price_board", start=tmp_path / "a", history=2)


def test_training_plan__a_policy_has_one_memory() -> None:
    with pytest.raises(ValueError, match="history is 2 and units is 6; a policy has one memory"):
        _plan("price_board", history=2, units=6)
    with pytest.raises(ValueError, match="units is -1; it must be a whole number from 0"):
        _plan("price_board", units=-1)


def test_recurrent_arms__name_what_to_install_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error comes before anything is written, and before a study trains its references."""
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    told = r"^arm randomized\+recurrent has an LSTM and needs sb3-contrib: pip install 'ruleshift\[recurrent\]'$"
    with pytest.raises(ValueError, match=told):
        TrainingPlan("platforms", arm="randomized+recurrent", steps=1)
    (tmp_path / "mine.toml").write_text('arms = ["fixed", "randomized+recurrent"]\n')
    with pytest.raises(ValueError, match=told):
        study(load_preset(tmp_path / "mine.toml"), tmp_path / "study")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def _earned(policy: LearnedPolicy) -> float:
    """Mean profit per round of one seat among scripted rivals, with sampled actions, in markets never trained on."""
    seats = Seats.shared(8, rival_population(Economy()), 1)
    env = MarketVecEnv("promoted_listing", markets=16, first_market=1000, seats=seats)
    seen, memory, total, rng = env.reset(), policy.initial_memory(16), 0.0, np.random.default_rng(0)
    for _ in range(100):
        actions, memory = policy.act(seen, memory, rng.standard_normal((16, 6)))
        seen, rewards, _, _ = env.step(actions)
        total += float(rewards.mean())
    return total / 100


def test_train__a_recurrent_arm_learns(tmp_path: Path) -> None:
    settings = PPOSettings(markets=32, rollout_size=3200, batch_size=800)
    plan = TrainingPlan("promoted_listing", arm="fixed+recurrent", steps=32_000, settings=settings, snapshots=1)
    policy = train(plan, tmp_path, **QUIET)
    assert (policy.card.arm, policy.card.units) == ("fixed+recurrent", LSTM_UNITS)
    before, after = _earned(load_policy(tmp_path / "curve" / "0")), _earned(policy)
    assert after > before + 0.1
