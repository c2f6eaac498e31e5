"""The gradient in closed form is that of autograd, and the learner that uses it is stock PPO up to rounding."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger

from ruleshift.agents import Constant, Seats
from ruleshift.envs import Economy
from ruleshift.train import AsymmetricPolicy, MarketPPO, MarketVecEnv
from ruleshift.train.closed_form import ClosedForm, has_closed_form

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SEATS = Seats.shared(4, [Constant()])


def _learner(kind: Any = MarketPPO, *, privileged: bool = False, **options: Any) -> Any:
    env = MarketVecEnv("promoted_listing", markets=3, economy=ECONOMY, seats=SEATS, privileged=privileged)
    policy: Any = AsymmetricPolicy if privileged else "MlpPolicy"
    own = {"privileged": env.privileged_size, "predicted": options.pop("predicted", 0)} if privileged else {}
    own |= options.pop("policy_kwargs", {})
    sizes = {"n_steps": 10, "batch_size": 20, "n_epochs": 2} | options
    model = kind(policy, env, seed=1, device="cpu", policy_kwargs=own, **sizes)
    model.set_logger(Logger(None, []))
    return model


@settings(max_examples=20, deadline=None)
@given(
    widths=st.lists(st.integers(1, 9), max_size=3),
    count=st.integers(1, 12),
    predicted=st.none() | st.integers(0, 9),
    ent_coef=st.floats(0, 1),
    vf_coef=st.floats(0, 2),
    aux_coef=st.floats(0, 2),
    seed=st.integers(0, 99),
)
def test_gradient__is_that_of_autograd(
    widths: list[int],
    count: int,
    predicted: int | None,
    ent_coef: float,
    vf_coef: float,
    aux_coef: float,
    seed: int,
) -> None:
    """Of a policy without privileged numbers, and of one that predicts so many of them."""
    own: dict[str, Any] = {} if predicted is None else {"privileged": True, "predicted": predicted}
    policy = _learner(**own, policy_kwargs={"net_arch": widths}).policy
    th.manual_seed(seed)
    size = policy.observation_space.shape[0]
    inputs, actions = th.randn(count, size), th.randn(count, 6)
    old, advantages, returns = th.randn(count) - 6, th.randn(count), th.randn(count)
    values, log_prob, entropy = policy.evaluate_actions(inputs, actions)
    ratio = th.exp(log_prob - old)
    gain = th.min(advantages * ratio, advantages * ratio.clamp(0.8, 1.2)).mean()
    loss = -gain - ent_coef * entropy.mean() + vf_coef * th.nn.functional.mse_loss(values.flatten(), returns)
    if predicted:
        th.nn.init.normal_(policy.predictor.weight)
        found = policy.predictor(policy.mlp_extractor.forward_actor(inputs))
        loss += aux_coef * (found - inputs[:, policy.mlp_extractor.own :][:, :predicted]).square().sum(1).mean()
    expected = th.autograd.grad(loss, list(policy.parameters()))
    closed_form = ClosedForm(policy)
    with th.no_grad():
        losses = closed_form.accumulate(
            inputs, actions, old, advantages, returns,
            clip_range=0.2, ent_coef=ent_coef, vf_coef=vf_coef, aux_coef=aux_coef,
        )  # fmt: skip
    for (name, weight), wanted in zip(policy.named_parameters(), expected, strict=True):
        scale = max(float(wanted.abs().max()), 1.0)
        np.testing.assert_allclose(weight.grad / scale, wanted / scale, atol=2e-5, err_msg=name)
    assert float(losses["policy_gradient_loss"]) == pytest.approx(-gain.item(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("privileged", [False, True])
def test_market_ppo__learns_the_weights_of_stock_ppo(privileged: bool) -> None:
    """Rollouts and minibatches are the same, too: both draw from the same generators in the same order."""
    stock, ours = (_learner(kind, privileged=privileged).learn(240) for kind in (PPO, MarketPPO))
    assert ours.closed_form() is not None
    for name, weight in stock.policy.state_dict().items():
        np.testing.assert_allclose(ours.policy.state_dict()[name], weight, atol=2e-5, err_msg=name)
    logged = ("train/value_loss", "train/clip_fraction", "train/entropy_loss", "train/std", "train/explained_variance")
    for name in logged:
        assert ours.logger.name_to_value[name] == pytest.approx(stock.logger.name_to_value[name], rel=0.05, abs=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"policy_kwargs": {"activation_fn": th.nn.ReLU}},
        {"use_sde": True},
        {"clip_range_vf": 0.2},
        {"target_kl": 0.01},
    ],
    ids=str,
)
def test_market_ppo__leaves_what_it_cannot_differentiate_to_stock_ppo(options: dict[str, Any]) -> None:
    stock, ours = (_learner(kind, **options).learn(90) for kind in (PPO, MarketPPO))
    assert ours.closed_form() is None
    assert has_closed_form(ours.policy) == (options.keys() <= {"clip_range_vf", "target_kl"})
    for name, weight in stock.policy.state_dict().items():
        np.testing.assert_array_equal(ours.policy.state_dict()[name], weight, err_msg=name)


def test_market_ppo__refuses_to_leave_a_predictor_to_stock_ppo() -> None:
    model = _learner(privileged=True, predicted=3, aux_coef=0.1, target_kl=0.01)
    with pytest.raises(ValueError, match=r"aux_coef is 0\.1; a predictor is only trained with tanh layers"):
        model.learn(30)


def test_market_ppo__learns_to_predict_what_it_does_not_read() -> None:
    """The features of a rule that never changes are a constant, which the bias of the predictor finds."""
    model = _learner(privileged=True, predicted=4, aux_coef=1.0, learning_rate=3e-3).learn(1_800)
    seen = th.from_numpy(model.env.reset())
    with th.no_grad():
        found = model.policy.predictor(model.policy.mlp_extractor.forward_actor(seen)).numpy()
    own = model.policy.mlp_extractor.own
    np.testing.assert_allclose(found, seen[:, own : own + 4], atol=0.1)
    assert model.logger.name_to_value["train/auxiliary_loss"] < 0.05


def test_market_ppo__is_saved_loaded_and_goes_on(tmp_path: Path) -> None:
    model = _learner(privileged=True, predicted=2, aux_coef=0.5).learn(60)
    model.save(tmp_path / "model")
    loaded = MarketPPO.load(tmp_path / "model", env=model.env, device="cpu")
    seen = model.env.reset()
    np.testing.assert_array_equal(
        loaded.predict(seen, deterministic=True)[0], model.predict(seen, deterministic=True)[0]
    )
    assert loaded.aux_coef == 0.5
    before = [weight.clone() for weight in loaded.policy.parameters()]
    loaded.learn(60)
    assert any(not th.equal(was, weight) for was, weight in zip(before, loaded.policy.parameters(), strict=True))


def test_market_ppo__goes_on_with_a_copy_of_its_policy() -> None:
    """Nothing of the gradient is kept between updates that copying could tear from the weights."""
    model = _learner().learn(60)
    model.policy = copy.deepcopy(model.policy)
    model.policy.optimizer.zero_grad()
    before = [weight.clone() for weight in model.policy.parameters()]
    model.train()
    assert all(not th.equal(was, weight) for was, weight in zip(before, model.policy.parameters(), strict=True))
