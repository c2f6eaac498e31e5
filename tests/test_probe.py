"""The probe: what planted organizations know of the rule is found, whatever they do with it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.agents import Constant, Policy
from ruleshift.agents.policy import Card, LearnedPolicy, Memory
from ruleshift.agents.running_means import MEAN_RATES
from ruleshift.envs import Economy, Market, load_structure
from ruleshift.envs.layout import observation_layout
from ruleshift.eval import load_preset
from ruleshift.eval.experiment.cell import Entry
from ruleshift.eval.experiment.deployment import Deployment
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.protocols import probe
from ruleshift.eval.experiment.ridge import NOMINAL, PENALTIES, fit_reading

KINDS = Economy().kinds
FEATURE_BLOCK = observation_layout(KINDS)["features"]
SMALL = replace(
    load_preset("testing"), homes=("train:0",), held_out=("composition:1", "family:1"), claims=("awareness",)
)


# The reading


def test_reading__leaves_out_each_row_as_fits_without_it_do() -> None:
    """The penalty that is chosen has the least error of refits by normal equations, each without one row."""
    rng = np.random.default_rng(0)
    carried, noise = rng.standard_normal((30, 8)), rng.standard_normal((30, 2))
    targets = np.clip(0.5 + 0.05 * (carried @ rng.standard_normal((8, 2)) + 2 * noise), 0, 1)
    errors = np.zeros((len(PENALTIES), 2))
    for index, penalty in enumerate(PENALTIES):
        for row in range(30):
            kept = np.arange(30) != row
            # The constant is not penalized, so that it does not matter about which point the rest is centred.
            inputs = np.column_stack([np.ones(29), carried[kept] - carried.mean(axis=0)])
            ridge = np.diag([0.0] + [30 * penalty] * 8)
            solved = np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ targets[kept])
            errors[index] += (targets[row] - np.r_[1.0, carried[row] - carried.mean(axis=0)] @ solved) ** 2
    reading = fit_reading(carried, targets)
    for column, best in enumerate(errors.argmin(axis=0)):
        centred = carried - carried.mean(axis=0)
        normal = centred.T @ centred + 30 * PENALTIES[best] * np.eye(8)
        expected = np.linalg.solve(normal, centred.T @ (targets[:, column] - targets[:, column].mean()))
        np.testing.assert_allclose(reading.weights[:, column], expected, atol=1e-10)


def test_reading__is_exact_where_what_is_carried_holds_the_target() -> None:
    rng = np.random.default_rng(1)
    targets = rng.random((200, 3))
    reading = fit_reading(np.column_stack([targets @ rng.standard_normal((3, 3)), rng.random((200, 5))]), targets)
    np.testing.assert_allclose(reading.high - reading.low, 0.0, atol=0.02)


def test_reading__of_noise_is_the_mean() -> None:
    rng = np.random.default_rng(2)
    targets, fresh = rng.random((400, 4)), rng.standard_normal((1000, 10))
    reading = fit_reading(rng.standard_normal((400, 10)), targets)
    assert np.abs(reading.read(fresh) - targets.mean(axis=0)).max() < 0.1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 0.5))
def test_reading__intervals_cover_what_they_are_said_to(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    carried = rng.uniform(-1, 1, (1500, 3))
    targets = np.clip(0.5 + 0.2 * carried + spread * rng.uniform(-1, 1, (1500, 3)), 0, 1)
    reading = fit_reading(carried[:500], targets[:500])
    missed = targets[500:] - reading.read(carried[500:])
    assert ((reading.low <= missed) & (missed <= reading.high)).mean() == pytest.approx(NOMINAL, abs=0.06)


def test_reading__of_what_never_varies_is_the_mean() -> None:
    targets = np.random.default_rng(3).random((20, 2))
    np.testing.assert_allclose(fit_reading(np.ones((20, 4)), targets).read(np.ones((1, 4))), [targets.mean(axis=0)])


# Planted organizations


class Planted(Policy):
    """An organization that carries what a function makes of its observations, and acts as a constant conduct.

    Args:
        carries: from observations (n, F) to a hidden layer (n, W).
        names: whether it also names that.
    """

    def __init__(self, carries: Any, names: bool = False) -> None:
        self._carries, self._names, self._conduct = carries, names, Constant(0.6, 0.3, 0.5)

    def hidden(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(self._carries(inputs))

    def named(self, inputs: np.ndarray) -> np.ndarray | None:
        return self.hidden(inputs) if self._names else None

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        return self._conduct.act(observations)


def the_rule(inputs: np.ndarray) -> np.ndarray:
    return inputs[:, FEATURE_BLOCK]


def nothing(inputs: np.ndarray) -> np.ndarray:
    return np.zeros((len(inputs), 4))


def noise(inputs: np.ndarray) -> np.ndarray:
    return np.random.default_rng(int(inputs.sum() * 1e3) % 2**32).standard_normal((len(inputs), 16))


def study(policy: Policy) -> Any:
    """What a cell of a small study reads, where every trained policy, native and arm is this one."""
    design = Design.of(SMALL)
    deployment = Deployment(design, lambda panel, rule: Constant())
    return SimpleNamespace(
        design=design, deployment=deployment, policy=lambda cell: policy, on_progress=lambda share: None
    )


def entries(policy: Policy, *, aware: bool = False) -> list[Entry]:
    return probe.knowledge(policy, study(policy), aware=aware)


def mean(found: list[Entry], measure: str, protocol: str = "probe") -> float:
    held = [e.values[measure] for e in found if e.protocol.startswith(protocol) and measure in e.values]
    assert held
    return float(np.mean(held))


def test_probe__finds_the_rule_where_the_hidden_layer_holds_it() -> None:
    """Known and ignored: nothing that it does depends on the rule, and all of the rule is read from it."""
    found = entries(Planted(the_rule), aware=True)
    assert mean(found, "r2") > 0.98
    assert mean(found, "slope") == pytest.approx(1.0, abs=0.05)
    assert all(min(each.profile) > 0.98 for each in found if each.profile)


def test_probe__finds_nothing_where_it_holds_noise() -> None:
    found = entries(Planted(noise))
    assert mean(found, "r2") == pytest.approx(mean(found, "r2_of_mean"), abs=0.08)


def test_probe__finds_nothing_where_it_holds_nothing() -> None:
    """One that hedges: the same conduct whatever the rule, and no trace of the rule in what it carries."""
    found = entries(Planted(nothing))
    assert mean(found, "r2") == pytest.approx(mean(found, "r2_of_mean"), abs=1e-6)
    assert mean(found, "slope") == mean(found, "spread") == 0.0


def test_probe__sees_the_rule_only_where_it_is_disclosed() -> None:
    assert mean(entries(Planted(the_rule)), "r2") < 0.5 < mean(entries(Planted(the_rule), aware=True), "r2")


def test_probe__what_is_named_is_scored_by_itself() -> None:
    right, wrong = Planted(the_rule, names=True), Planted(lambda x: 1.0 - the_rule(x), names=True)
    assert mean(entries(right, aware=True), "r2", "naming") == pytest.approx(1.0, abs=1e-6)
    found = entries(wrong, aware=True)
    assert mean(found, "r2", "probe") > 0.98  # it knows, and says the opposite
    assert mean(found, "r2", "naming") < 0.0
    assert not any(each.protocol.startswith("naming") for each in entries(Planted(the_rule)))


def test_probe__every_rule_has_its_own_r2_by_economy_and_by_round() -> None:
    found = entries(Planted(noise))
    design = Design.of(SMALL)
    by_economy = [(each.target, each.economy) for each in found if not each.profile]
    assert by_economy == [(rule.name, economy) for rule in design.held_out for economy in range(2)]
    profiles = [each.profile for each in found if each.profile]
    assert [len(each) for each in profiles] == [len(probe.ROUNDS) + 1] * 2
    for rule, profile in zip(design.held_out, profiles, strict=True):
        last = [each.values["r2"] for each in found if each.target == rule.name and "r2" in each.values]
        assert profile[-1] == pytest.approx(np.mean(last))


def test_probe__is_fitted_under_training_rules_that_are_those_of_the_markets() -> None:
    design = Design.of(SMALL)
    markets = probe.training_markets(design, aware=False)
    seed, held_out = design.preset.evaluation_seed, {rule.hash for rule in design.held_out}
    for each in markets:
        few = replace(each, markets=5)
        market = Market(few.rule, markets=5, first_market=few.first_market, economy=few.economy)
        market.reset(seed=seed)
        rules = [market.rule_in_force(number) for number in range(5)]
        np.testing.assert_array_equal(few.features(seed), [rule.features() for rule in rules])
        assert not held_out & {rule.hash for rule in rules}
    numbers = [number for each in markets for number in range(each.first_market, each.first_market + each.markets)]
    assert len(set(numbers)) == len(numbers) == probe.RULES
    scored = max(group.first_market for group in design.groups) + design.preset.markets
    assert min(numbers) >= scored


def test_probe__watching_changes_nothing() -> None:
    card = Card(kinds=KINDS, hidden=(8,), rates=MEAN_RATES)
    rng = np.random.default_rng(0)
    policy = LearnedPolicy({n: rng.standard_normal(s).astype(np.float32) for n, s in card.shapes().items()}, card)
    watched, memory, seen = probe.Watched(policy, (0, 2)), policy.initial_memory(3), policy.initial_memory(3)
    for round_ in range(4):
        observations = rng.uniform(-1, 1, (3, card.observation_size)).astype(np.float32)
        (actions, memory), (own, seen) = policy.act(observations, memory), watched.act(observations, seen)
        np.testing.assert_array_equal(own, actions)
        assert len(watched.hidden_layers) == 1 + (round_ >= 2)
    weight, bias = (policy.weights[f"layer.1.{name}"] for name in ("weight", "bias"))
    inputs = policy.inputs(observations, memory)
    np.testing.assert_array_equal(policy.hidden(inputs) @ weight + bias, policy.mean(inputs))


def test_probe__a_structure_of_one_rule_has_nothing_to_read() -> None:
    context = study(Planted(nothing))
    context.design = replace(context.design, structure=load_structure("platforms").narrowed(1, 0))
    with pytest.raises(ValueError, match="all rules that platforms@1 trains are alike"):
        probe.knowledge(Planted(nothing), context)


def test_probe__an_arm_that_is_aware_is_also_played_with_the_rule_hidden() -> None:
    policy = Planted(the_rule)
    cells = [cell for cell in plan(Design.of(SMALL)) if cell.protocol == "probe"]
    arms = {cell.arm for cell in cells}
    assert arms == {each for each in SMALL.arms if not each.startswith("scratch")}
    protocols = {}
    for arm in ("aware", "randomized"):
        cell = next(each for each in cells if each.arm == arm)
        protocols[arm] = {each.protocol for each in probe.compute(cell, study(policy))}
    assert protocols["aware"] - protocols["randomized"] == {"undisclosed"}
