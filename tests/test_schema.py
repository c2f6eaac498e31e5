"""Schema induction: what is named is learned from the labels of training rules alone, and is all that they change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.logger import Logger

from ruleshift.agents import Constant, LearnedPolicy, RunningMeans, Seats, load_policy, save_policy
from ruleshift.envs import FEATURES, Economy, Shift, load_rule, load_structure
from ruleshift.envs.support import outside
from ruleshift.train import (
    Arm,
    MarketGroup,
    MarketPPO,
    MarketVecEnv,
    MemoryVecEnv,
    PPOSettings,
    SchemaPolicy,
    StandardizedExtractor,
    TrainingPlan,
    policy_of,
    train,
)
from ruleshift.train.closed_form import ClosedForm

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SEATS = Seats.shared(4, [Constant()])
SETTINGS = PPOSettings(markets=4, rollout_size=40, batch_size=20, n_epochs=2, net_arch=(8,))
QUIET: dict[str, Any] = {"tensorboard": False, "quiet": True}
NAMED = len(FEATURES)


def _plan(rule: Any = "platforms", **changes: Any) -> TrainingPlan:
    fields = {"arm": "schema+memory", "economy": ECONOMY, "settings": SETTINGS, "steps": 200, "seed": 5}
    return TrainingPlan(rule, **{**fields, "snapshots": 0, **changes})


def _learner(*, named: int = NAMED, **options: Any) -> Any:
    env = MarketVecEnv("promoted_listing", markets=3, economy=ECONOMY, seats=SEATS, privileged=True)
    own = {"privileged": env.privileged_size, "named": named, "features_extractor_class": StandardizedExtractor}
    own |= options.pop("policy_kwargs", {})
    sizes = {"n_steps": 10, "batch_size": 20, "n_epochs": 2} | options
    model = MarketPPO(
        SchemaPolicy, MemoryVecEnv(env, RunningMeans(3)), seed=1, device="cpu", policy_kwargs=own, **sizes
    )
    model.set_logger(Logger(None, []))
    return model


def _update(policy: Any, count: int, seed: int) -> tuple[dict[str, Any], th.Tensor]:
    """A minibatch at random, as `ClosedForm.accumulate` takes it, and the labels of what is named."""
    th.manual_seed(seed)
    inputs = th.randn(count, policy.observation_space.shape[0])
    batch = {"inputs": inputs, "actions": th.randn(count, 6), "old_log_prob": th.randn(count) - 6}
    batch |= {"advantages": th.randn(count), "returns": th.randn(count)}
    return batch, th.rand(count, policy.named)


def _ppo_loss(policy: Any, batch: dict[str, Any]) -> th.Tensor:
    values, log_prob, entropy = policy.evaluate_actions(batch["inputs"], batch["actions"])
    ratio = th.exp(log_prob - batch["old_log_prob"])
    gain = th.min(batch["advantages"] * ratio, batch["advantages"] * ratio.clamp(0.8, 1.2)).mean()
    return -gain - 0.1 * entropy.mean() + 0.5 * th.nn.functional.mse_loss(values.flatten(), batch["returns"])


COEFFICIENTS: dict[str, Any] = {"clip_range": 0.2, "ent_coef": 0.1, "vf_coef": 0.5}


@settings(max_examples=10, deadline=None)
@given(
    widths=st.lists(st.integers(1, 9), max_size=3),
    count=st.integers(1, 12),
    named=st.integers(1, NAMED),
    seed=st.integers(0, 99),
)
def test_gradient__is_that_of_autograd_for_the_policy_and_for_what_is_named(
    widths: list[int], count: int, named: int, seed: int
) -> None:
    policy = _learner(named=named, policy_kwargs={"net_arch": widths}).policy
    th.nn.init.normal_(policy.mlp_extractor.namer[-1].weight, std=0.05)
    batch, labels = _update(policy, count, seed)
    names = policy.mlp_extractor.namer(batch["inputs"][:, : policy.mlp_extractor.own])
    naming = th.nn.functional.binary_cross_entropy_with_logits(names, labels, reduction="sum") / count
    expected = th.autograd.grad(_ppo_loss(policy, batch) + naming, list(policy.parameters()))
    with th.no_grad():
        losses = ClosedForm(policy).accumulate(**batch, **COEFFICIENTS, labels=labels)
    for (name, weight), wanted in zip(policy.named_parameters(), expected, strict=True):
        scale = max(float(wanted.abs().max()), 1.0)
        np.testing.assert_allclose(weight.grad / scale, wanted / scale, atol=3e-5, err_msg=name)
    assert float(losses["naming_loss"]) == pytest.approx(naming.item(), rel=1e-4)


def test_gradient__of_the_policy_does_not_reach_the_namer() -> None:
    policy = _learner().policy
    batch, labels = _update(policy, 12, seed=3)
    namer = list(policy.mlp_extractor.namer.parameters())
    assert all(each is None for each in th.autograd.grad(_ppo_loss(policy, batch), namer, allow_unused=True))
    other = {**batch, "advantages": -5 * batch["advantages"], "actions": batch["actions"] + 1}
    found = []
    with th.no_grad():
        for each in (batch, other):
            ClosedForm(policy).accumulate(**each, **COEFFICIENTS, labels=labels)
            found.append([weight.grad.clone() for weight in namer])
    assert all(th.equal(one, two) for one, two in zip(*found, strict=True))
    assert any(each.abs().max() > 0 for each in found[0])


def test_namer__learns_planted_features() -> None:
    """Labels that follow from what is read are named for inputs that were never seen; noise is named by its mean."""
    policy = _learner(named=3, policy_kwargs={"net_arch": [16]}).policy
    closed_form, optimizer = ClosedForm(policy), th.optim.Adam(policy.parameters(), 1e-2)
    size, rng = policy.observation_space.shape[0], th.Generator().manual_seed(0)

    def planted(count: int) -> tuple[th.Tensor, th.Tensor]:
        inputs = th.randn(count, size, generator=rng)
        noise = (th.rand(count, generator=rng) < 0.3).float()
        return inputs, th.stack([(inputs[:, 0] > 0).float(), th.sigmoid(inputs[:, 1] - inputs[:, 2]), noise], 1)

    batch, _ = _update(policy, 200, seed=0)
    with th.no_grad():
        for _ in range(300):
            inputs, labels = planted(200)
            closed_form.accumulate(**{**batch, "inputs": inputs}, **COEFFICIENTS, labels=labels)
            optimizer.step()
        inputs, labels = planted(2_000)
        named = policy.mlp_extractor.namer(inputs[:, : policy.mlp_extractor.own]).sigmoid()
    assert ((named[:, 0] > 0.5) == (labels[:, 0] > 0.5)).float().mean() > 0.9
    assert (named[:, 1] - labels[:, 1]).abs().mean() < 0.07
    assert (named[:, 2] - 0.3).abs().mean() < 0.1


def test_policy__plays_without_torch_as_it_learned() -> None:
    model = _learner().learn(120)
    policy, seen = policy_of(model), model.env.reset()
    own = seen[:, : policy.card.input_size]
    assert policy.card.named == NAMED
    np.testing.assert_allclose(policy.mean(own).clip(-1, 1), model.predict(seen, deterministic=True)[0], atol=1e-5)
    with th.no_grad():
        features = model.policy.features_extractor(th.from_numpy(seen))
        expected = model.policy.mlp_extractor.namer(features[:, : policy.card.input_size]).sigmoid()
    named = policy.named(own)
    assert named is not None
    assert (named.dtype, named.shape) == (np.float32, (len(own), NAMED))
    np.testing.assert_allclose(named, expected, atol=1e-5)


def test_policy__acts_on_what_it_names() -> None:
    policy = policy_of(_learner().learn(60))
    inputs = np.random.default_rng(0).normal(size=(4, policy.card.input_size)).astype(np.float32)
    renamed = {**policy.weights, "namer.layer.2.bias": policy.weights["namer.layer.2.bias"] + np.float32(3)}
    other = LearnedPolicy(renamed, policy.card)
    held, moved = policy.named(inputs), other.named(inputs)
    assert held is not None
    assert moved is not None
    assert (moved > held).all()
    assert not np.allclose(other.mean(inputs), policy.mean(inputs), atol=1e-3)


def test_policy__survives_the_disk_and_a_wrong_card_is_refused(tmp_path: Path) -> None:
    policy = policy_of(_learner().learn(60))
    loaded = load_policy(save_policy(policy, tmp_path))
    inputs = np.ones((2, policy.card.input_size), np.float32)
    np.testing.assert_array_equal(loaded.named(inputs), policy.named(inputs))
    assert (loaded.card, loaded.describe()) == (policy.card, policy.describe())
    path = tmp_path / "policy.json"
    card = json.loads(path.read_text())
    for wrong, message in (
        ({"named": 24}, "named: 24, expected 0 to 23"),
        ({"named": "23"}, "named: '23' is not of type int"),
        ({"named": 0}, r"namer\.layer\.\d\.\w+: unknown weight"),
        ({"units": 4, "rates": []}, "units and named: a policy with an LSTM names nothing"),
    ):
        path.write_text(json.dumps({**card, **wrong}))
        with pytest.raises(ValueError, match=message):
            load_policy(tmp_path)


def test_policy__that_names_nothing_says_so(tmp_path: Path) -> None:
    """Its card is what it was before there were policies that name."""
    policy = train(_plan(arm="randomized+memory", steps=40), tmp_path, **QUIET)
    assert "named" not in json.loads((tmp_path / "policy.json").read_text())
    assert policy.named(np.zeros((1, policy.card.input_size), np.float32)) is None


def _held_out() -> list[MarketGroup]:
    rule = load_rule("price_board").replace(**{"matching.mechanism": "deferred_acceptance"})
    return [MarketGroup(rule, ECONOMY, SEATS, markets=4)]


def _adapting(start: Path, **changes: Any) -> TrainingPlan:
    return _plan(None, **{"groups": _held_out(), "economy": None, "start": start, "seed": 6, **changes})


class _Stop(Exception):
    pass


def _stop_after(rollouts: int) -> Callable[[Any], None]:
    def stop(learner: Any) -> None:
        if learner.num_timesteps == rollouts * 40:
            raise _Stop

    return stop


def test_train__after_the_shift_the_policy_learns_and_its_namer_keeps_every_bit(tmp_path: Path) -> None:
    """Also in a run that is stopped and goes on. No loss of naming is computed: its labels would be held out."""
    learned = train(_plan(), tmp_path / "start", **QUIET)
    logged: list[Any] = []
    plan = _adapting(tmp_path / "start")
    adapted = train(
        plan, tmp_path / "whole", on_rollout=lambda learner: logged.append(dict(learner.logger.name_to_value)), **QUIET
    )
    namer = [name for name in learned.weights if name.startswith("namer.")]
    assert len(namer) == 4
    for name in namer:
        np.testing.assert_array_equal(adapted.weights[name], learned.weights[name], err_msg=name)
    assert all(
        not np.array_equal(value, learned.weights[name]) for name, value in adapted.weights.items() if name not in namer
    )
    assert "train/value_loss" in logged[-1]
    assert "train/naming_loss" not in logged[-1]
    with pytest.raises(_Stop):
        train(plan, tmp_path / "killed", checkpoint_rollouts=1, on_rollout=_stop_after(3), **QUIET)
    assert train(plan, tmp_path / "killed", **QUIET).describe() == adapted.describe()


def test_train__names_are_learned_on_training_rules_alone(tmp_path: Path) -> None:
    structure = load_structure("platforms")
    labelled: set[str] = set()

    def check(learner: Any) -> None:
        own = learner.env.memory.input_size
        rules = [market.rule_in_force(b) for market in learner.env.all_markets for b in range(market.markets)]
        features = np.repeat([rule.features() for rule in rules], 2, axis=0)  # two seats of each market learn
        np.testing.assert_array_equal(learner._last_obs[:, own : own + NAMED], features)
        assert all(outside(structure, rule) == () for rule in rules)
        labelled.update(rule.hash for rule in rules)

    untrained = train(_plan(steps=40, seed=5), tmp_path / "one", **QUIET)
    trained = train(_plan(steps=200, seed=5), tmp_path / "two", on_rollout=check, **QUIET)
    assert len(labelled) >= 8
    assert not np.array_equal(trained.weights["namer.layer.0.weight"], untrained.weights["namer.layer.0.weight"])
    with pytest.raises(ValueError, match="learns to name rules from those of its structure alone; groups and a sche"):
        _plan(None, groups=_held_out(), economy=None)
    with pytest.raises(ValueError, match="learns to name rules from those of its structure alone"):
        _plan(schedule=[Shift(at=3, to="promoted_listing")])
    with pytest.raises(ValueError, match="arm own: it names features of rules, and only arms of a structure learn to"):
        Arm("own", "", "home", names=True)


def test_plan__a_start_has_to_name_what_the_arm_does(tmp_path: Path) -> None:
    train(_plan(arm="randomized+memory", steps=40), tmp_path / "plain", **QUIET)
    with pytest.raises(ValueError, match="start: named is 0 there, but this run has 23"):
        _adapting(tmp_path / "plain")
    train(_plan(steps=40), tmp_path / "naming", **QUIET)
    assert _adapting(tmp_path / "naming", arm=None).card.named == NAMED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy_kwargs": {"named": 200}}, "named is 200; it must be a whole number from 1 to 43"),
        ({"policy_kwargs": {"named": 0}}, "named is 0; it must be a whole number from 1"),
    ],
)
def test_schema_policy__names_some_of_what_is_privileged(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _learner(**changes)


def test_market_ppo__refuses_to_leave_a_namer_to_stock_ppo() -> None:
    with pytest.raises(ValueError, match="learns_names is True; a namer is only trained with tanh layers"):
        _learner(target_kl=0.01).learn(60)


def test_plan__an_lstm_names_nothing() -> None:
    with pytest.raises(ValueError, match=r"arm schema\+recurrent names features of the rule; it has no recurrent"):
        _plan(arm="schema+recurrent")
