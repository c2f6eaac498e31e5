"""Distillation: a student that does not see the rule learns from a teacher that does, within one budget of steps."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3.common.logger import Logger

from ruleshift.agents import Card, Constant, LearnedPolicy, RunningMeans, Seats, load_policy
from ruleshift.envs import Economy, Shift, Structure, load_rule, load_structure
from ruleshift.train import (
    ARMS,
    Arm,
    MarketGroup,
    MarketVecEnv,
    MemoryVecEnv,
    MixedVecEnv,
    PPOSettings,
    TrainingPlan,
    learning_curve,
    load_rewards,
    train,
    training_groups,
    variant,
)
from ruleshift.train.closed_form import ClosedForm, divergence
from ruleshift.train.distill import TaughtVecEnv, hidden_columns
from ruleshift.train.ppo import make_learner

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SEATS = Seats.shared(4, [Constant()])
SETTINGS = PPOSettings(markets=4, rollout_size=40, batch_size=20, n_epochs=2, net_arch=(8,))
QUIET: dict[str, Any] = {"tensorboard": False, "quiet": True}
PLATFORMS = load_structure("platforms")


def _plan(rule: Any = "platforms", **changes: Any) -> TrainingPlan:
    fields = {"arm": "distilled+memory", "economy": ECONOMY, "settings": SETTINGS, "steps": 270, "seed": 5}
    return TrainingPlan(rule, **{**fields, "snapshots": 2, **changes})


def _teacher(mean: float | None = None, log_std: float = -1.0) -> LearnedPolicy:
    """A teacher with weights at random, or one that always does the same."""
    card, rng = Card(kinds=3, hidden=(4,), rates=RunningMeans(3).rates), np.random.default_rng(0)
    weights = {n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}
    if mean is not None:
        weights = {name: np.zeros_like(value) for name, value in weights.items()}
        weights["layer.1.bias"] += np.float32(mean)
    return LearnedPolicy({**weights, "log_std": np.full(6, log_std, np.float32)}, card)


def _markets(arm: str) -> MemoryVecEnv:
    economies = [ECONOMY, replace(ECONOMY, rounds=5)]
    groups = training_groups(ARMS[arm], "platforms", 6, economies=economies, rivals=[Constant()])
    return MemoryVecEnv(MixedVecEnv(groups, seed=3, privileged=True), RunningMeans(3))


def test_taught__the_student_sees_what_it_would_without_a_teacher_and_the_teacher_sees_the_rule() -> None:
    """To the bit, over several episodes; nothing else in the markets depends on the disclosure."""
    plain, aware = _markets("randomized"), _markets("aware")
    taught = TaughtVecEnv(_markets("aware"), hidden_columns(PLATFORMS, 3))
    taught.teacher = _teacher()
    rng = np.random.default_rng(1)
    expected, told, seen = (env.reset() for env in (plain, aware, taught))
    for _ in range(16):
        np.testing.assert_array_equal(seen, expected)
        own = told[:, : taught.teacher.card.input_size]
        np.testing.assert_array_equal(taught.advice, taught.teacher.mean(own))
        assert (own[:, 40] == 1.0).all()  # the mask of the rule's features
        actions = rng.uniform(-1, 1, (plain.num_envs, 6)).astype(np.float32)
        (expected, rewards, _, infos), (told, *_), (seen, own_rewards, dones, own_infos) = (
            env.step(actions) for env in (plain, aware, taught)
        )
        np.testing.assert_array_equal(own_rewards, rewards)
        for row in np.flatnonzero(dones):
            np.testing.assert_array_equal(
                own_infos[row]["terminal_observation"], infos[row]["terminal_observation"], err_msg=str(row)
            )


def _structure(**changes: Any) -> Structure:
    base = load_rule("price_board").replace(**{"disclosure.level": changes.pop("level", "outcomes")})
    return Structure("own", base, {"train": {"payment.commission": {"uniform": [0.1, 0.2]}, **changes}})


def test_hidden_columns__are_what_disclosure_adds() -> None:
    assert hidden_columns(_structure(), 3) == slice(37, 64)  # scores and features with their masks
    assert hidden_columns(_structure(level="scores"), 3) == slice(40, 64)
    assert hidden_columns(_structure(level="full"), 3) == slice(64, 64)
    for structure in (_structure(level="opaque"), _structure(**{"disclosure.level": {"choice": ["scores", "full"]}})):
        with pytest.raises(ValueError, match="own: a student of a teacher to whom rules are disclosed needs training"):
            hidden_columns(structure, 3)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 9), seed=st.integers(0, 99))
def test_divergence__is_that_of_torch_and_its_gradient_that_of_autograd(count: int, seed: int) -> None:
    th.manual_seed(seed)
    means, log_std = th.randn(count, 6, requires_grad=True), (0.5 * th.randn(6)).requires_grad_()
    told, told_log_std = th.randn(count, 6), 0.5 * th.randn(6)
    student, teacher = th.distributions.Normal(means, log_std.exp()), th.distributions.Normal(told, told_log_std.exp())
    expected = th.distributions.kl_divergence(teacher, student).sum(1).mean()
    gradients = th.autograd.grad(expected, [means, log_std])
    with th.no_grad():
        found = divergence(means, log_std, told, told_log_std)
    for value, wanted in zip(found, (expected, *gradients), strict=True):
        np.testing.assert_allclose(value, wanted.detach(), rtol=1e-4, atol=1e-5)


def _learner(teacher: LearnedPolicy, **options: Any) -> Any:
    env = MarketVecEnv("promoted_listing", markets=3, economy=ECONOMY, seats=SEATS, privileged=True)
    taught = TaughtVecEnv(MemoryVecEnv(env, RunningMeans(3)), slice(37, 64))
    taught.teacher = teacher
    sizes: dict[str, Any] = {"rollout_size": 60, "batch_size": 20, "n_epochs": 2, "net_arch": (8,)} | options
    model = make_learner(taught, PPOSettings(**sizes), seed=1)
    model.set_logger(Logger(None, []))
    return model


def test_gradient__with_a_teacher_is_that_of_both_losses() -> None:
    policy = _learner(_teacher()).policy
    th.manual_seed(0)
    inputs, actions = th.randn(9, policy.observation_space.shape[0]), th.randn(9, 6)
    told, told_log_std = th.randn(9, 6), th.randn(6)
    batch = (inputs, actions, th.randn(9) - 6, th.randn(9), th.randn(9))
    coefficients: dict[str, Any] = {"clip_range": 0.2, "ent_coef": 0.1, "vf_coef": 0.5, "aux_coef": 0.3}
    means = policy.get_distribution(inputs).distribution.mean
    teacher = th.distributions.Normal(told, told_log_std.exp())
    student = th.distributions.Normal(means, policy.log_std.exp())
    loss = th.distributions.kl_divergence(teacher, student).sum(1).mean()
    wanted = th.autograd.grad(loss, list(policy.parameters()), allow_unused=True)
    found = []
    with th.no_grad():
        for coefficient in (0.0, 0.7):
            closed_form = ClosedForm(policy)
            closed_form.accumulate(*batch, **coefficients, teacher=(told, told_log_std), teacher_coef=coefficient)
            found.append([weight.grad.clone() for weight in policy.parameters()])
    for without, with_teacher, by_teacher in zip(*found, wanted, strict=True):
        expected = 0.7 * by_teacher if by_teacher is not None else th.zeros_like(without)
        np.testing.assert_allclose(with_teacher - without, expected, rtol=1e-3, atol=1e-3 * float(loss.detach()))


def test_student__comes_to_do_what_its_teacher_does() -> None:
    model = _learner(_teacher(mean=0.4), learning_rate=0.01, aux_coef=0.0)
    divergences: list[float] = []
    for _ in range(15):
        model.learn(60, reset_num_timesteps=False)
        divergences.append(model.logger.name_to_value["train/teacher_divergence"])
    assert divergences[-1] < 0.6 * divergences[0]


def test_market_ppo__refuses_to_leave_a_teacher_to_stock_ppo() -> None:
    model = _learner(_teacher(), aux_coef=0.0)
    model.target_kl = 0.01
    with pytest.raises(ValueError, match=r"teacher_coef is 0\.1; a teacher is only followed with tanh layers"):
        model.learn(60)


def test_train__the_steps_of_the_teacher_are_those_of_the_budget(tmp_path: Path) -> None:
    """270 steps are 7 rollouts: 3 for the teacher, 4 for the student, and every step in a market is one of them."""
    played: list[int] = []

    def play(self: MarketVecEnv, actions: np.ndarray) -> Any:
        played.append(self.num_envs)
        return MarketVecEnv.play(self, actions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ruleshift.train.groups.MarketVecEnv", type("_Spied", (MarketVecEnv,), {"play": play}))
        policy = train(_plan(), tmp_path / "taught", **QUIET)
        taught = sum(played)
        train(_plan(arm="randomized+memory"), tmp_path / "alone", **QUIET)
        alone = sum(played) - taught
    teacher = load_policy(tmp_path / "taught" / "teacher")
    assert (teacher.card.steps, policy.card.steps, taught, alone) == (120, 280, 280, 280)
    assert (teacher.card.arm, policy.card.arm) == ("aware+memory", "distilled+memory")
    assert policy.card.rule_hash == PLATFORMS.hash != teacher.card.rule_hash
    assert [steps for steps, _ in learning_curve(tmp_path / "taught")] == [160, 280]
    assert json.loads((tmp_path / "taught" / "config.json").read_text())["teacher"]["steps"] == 120


class _Stop(Exception):
    pass


def _stop_before(rollout: int) -> Callable[[Any], None]:
    left = iter(range(rollout))

    def stop(learner: Any) -> None:
        if next(left, None) is None:
            raise _Stop

    return stop


def test_train__stopped_in_the_teacher_and_in_the_student_ends_with_the_same_bits(tmp_path: Path) -> None:
    plan = _plan(record=True)
    whole = train(plan, tmp_path / "whole", **QUIET)
    for rollout in (2, 1, 2):  # in the teacher, between the two, in the student
        with pytest.raises(_Stop):
            train(plan, tmp_path / "killed", checkpoint_rollouts=1, on_rollout=_stop_before(rollout), **QUIET)
        assert not (tmp_path / "killed" / "policy.json").exists()
    assert train(plan, tmp_path / "killed", **QUIET).describe() == whole.describe()
    assert (
        load_policy(tmp_path / "killed" / "teacher").describe()
        == load_policy(tmp_path / "whole" / "teacher").describe()
    )
    np.testing.assert_array_equal(load_rewards(tmp_path / "killed"), load_rewards(tmp_path / "whole"))
    assert load_rewards(tmp_path / "killed").size == 160  # of the student


def test_train__student_and_teacher_have_the_whole_schedule_of_steps_each(tmp_path: Path) -> None:
    rates: dict[str, list[float]] = {"aware+memory": [], "distilled+memory": []}

    def note(learner: Any) -> None:
        arm = "distilled+memory" if learner.teacher_coef else "aware+memory"
        rates[arm].append(learner.lr_schedule(learner._current_progress_remaining))

    train(_plan(steps=240), tmp_path, on_rollout=note, **QUIET)
    assert rates["aware+memory"] == pytest.approx([1e-3, 7e-4, 4e-4])
    assert rates["distilled+memory"] == pytest.approx([1e-3, 7e-4, 4e-4])


def test_train__after_the_shift_nobody_teaches(tmp_path: Path) -> None:
    """What a distilled policy learns on then is, to the bit, what plain PPO makes of it under a held-out rule."""
    train(_plan(), tmp_path / "start", **QUIET)
    rule = load_rule("price_board").replace(**{"matching.mechanism": "deferred_acceptance"})
    groups = [MarketGroup(rule, ECONOMY, SEATS, markets=4)]
    adapting = {"groups": groups, "economy": None, "start": tmp_path / "start", "steps": 120, "snapshots": 0}
    plan = _plan(None, **adapting)
    assert plan.teacher is None
    ours = train(plan, tmp_path / "ours", **QUIET)
    plain = train(_plan(None, **adapting, arm="randomized+memory"), tmp_path / "plain", **QUIET)
    assert ours.describe() == plain.describe()
    assert not (tmp_path / "ours" / "teacher").exists()


def test_variant__a_teacher_has_the_breadth_and_the_memory_of_its_student() -> None:
    names = ("distilled", "distilled+memory", "distilled@4+memory", "randomized+memory")
    assert [variant(name).teacher for name in names] == ["aware", "aware+memory", "aware@4+memory", ""]
    teacher = _plan().teacher
    assert teacher is not None
    assert {group.rule for group in teacher.market_groups} == {PLATFORMS.disclosed()}
    with pytest.raises(ValueError, match="arm own: one with a teacher trains on a structure that is not disclosed"):
        Arm("own", "", "home", teacher="aware")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 40}, r"plan: steps is 40; arm distilled\+memory and its teacher need 41"),
        (
            {"schedule": [Shift(at=3, to="promoted_listing")]},
            "learns from a teacher of its structure's rules",
        ),
        ({"arm": "distilled+recurrent"}, r"arm distilled\+recurrent learns from a teacher; it has no recurrent memory"),
        ({"rule": _structure(level="opaque")}, "own: a student of a teacher"),
    ],
)
def test_plan__refuses_what_no_teacher_can_teach(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _plan(**changes)


def test_taught__needs_its_teacher() -> None:
    with pytest.raises(RuntimeError, match="there is no teacher; set one before the first reset"):
        _plan().make_env().reset()
