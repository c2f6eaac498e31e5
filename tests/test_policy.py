"""A learned policy is numbers and a card: what is saved acts the same when loaded, and a wrong file is named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ruleshift.agents import Card, LearnedPolicy, load_policy, save_policy


def _policy(kinds: int = 3, hidden: tuple[int, ...] = (8, 8), history: int = 0, units: int = 0) -> LearnedPolicy:
    rng = np.random.default_rng(1)
    card = Card(
        kinds=kinds, hidden=hidden, history=history, units=units, arm="fixed", rule="price_board", seed=7, steps=100
    )
    return LearnedPolicy({n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}, card)


def _observations(policy: LearnedPolicy, count: int = 5) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, policy.card.observation_size)).astype(np.float32)


def test_policy__acts_as_its_network_says() -> None:
    policy = _policy(hidden=(4,))
    seen, noise = _observations(policy), np.full((5, 6), 0.5, np.float32)
    weights = {name: value.astype(float) for name, value in policy.weights.items()}
    hidden = np.tanh(seen @ weights["layer.0.weight"] + weights["layer.0.bias"])
    mean = hidden @ weights["layer.1.weight"] + weights["layer.1.bias"]
    np.testing.assert_allclose(policy.act(seen)[0], np.clip(mean, -1, 1), atol=1e-6)
    sampled = np.clip(mean + 0.5 * np.exp(weights["log_std"]), -1, 1)
    np.testing.assert_allclose(policy.act(seen, None, noise)[0], sampled, atol=1e-6)


@pytest.mark.parametrize("memory", [{}, {"history": 4}, {"units": 5}], ids=str)
def test_policy__survives_the_disk(tmp_path: Path, memory: dict[str, Any]) -> None:
    policy = _policy(**memory)
    folder = tmp_path / "deep" / "folder"
    loaded = load_policy(save_policy(policy, folder))
    seen = _observations(policy)
    np.testing.assert_array_equal(loaded.act(seen)[0], policy.act(seen)[0])
    assert loaded.card == policy.card
    assert loaded.describe() == policy.describe()
    assert sorted(path.name for path in folder.iterdir()) == ["policy.json", "policy.safetensors"]


@pytest.mark.parametrize("memory", [{}, {"history": 4}, {"units": 5}], ids=str)
def test_policy__acts_on_its_hidden_layer_whatever_it_remembers(memory: dict[str, Any]) -> None:
    policy = _policy(**memory)
    seen, remembered = _observations(policy), policy.initial_memory(5)
    for _ in range(3):
        hidden = policy.hidden(policy.inputs(seen, remembered))
        mean = hidden @ policy.weights["layer.2.weight"] + policy.weights["layer.2.bias"]
        actions, remembered = policy.act(seen, remembered)
        np.testing.assert_array_equal(actions, np.clip(mean, -1, 1))
    assert policy.named(policy.inputs(seen, remembered)) is None


def test_policy__needs_no_torch() -> None:
    code = "import sys, ruleshift.agents; assert 'torch' not in sys.modules and 'stable_baselines3' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_policy__refuses_observations_of_another_market() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 50\); this policy reads \(n, 64\)"):
        _policy().act(np.zeros((2, 50), np.float32))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 99, "format: 99"),
        ("history", -1, "history: -1"),
        ("history", "4", "history: '4' is not of type int"),
        ("units", 70000, "units: 70000, expected 0 to 65536"),
        ("hidden", [8, "8"], "hidden"),
        ("kinds", 0, "kinds: 0"),
        ("steps", "many", "steps: 'many' is not of type int"),
        ("activation", "__import__('os')", "activation"),
        ("observation_size", 63, "observation_size: 63"),
        ("weights_sha256", "0", "weights_sha256"),
        ("arm", None, "arm: None"),
        ("extra", 1, "extra: unknown key"),
    ],
)
def test_load_policy__names_the_wrong_key(tmp_path: Path, key: str, value: Any, message: str) -> None:
    path = save_policy(_policy(), tmp_path) / "policy.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=r"policy\.json") as caught:
        load_policy(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("older", "unknown"), [(1, ["history", "units"]), (2, ["units"])])
def test_load_policy__reads_older_formats(tmp_path: Path, older: int, unknown: list[str]) -> None:
    """The first format had no history, and the second no LSTM."""
    policy = _policy()
    path = save_policy(policy, tmp_path) / "policy.json"
    card = {key: value for key, value in json.loads(path.read_text()).items() if key not in unknown}
    path.write_text(json.dumps({**card, "format": older}))
    assert load_policy(tmp_path).card == policy.card
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=rf"policy\.json: {unknown[0]}: missing"):
        load_policy(tmp_path)


def test_load_policy__refuses_two_memories(tmp_path: Path) -> None:
    path = save_policy(_policy(history=2), tmp_path) / "policy.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "units": 4}))
    with pytest.raises(ValueError, match=r"policy\.json: units, history and rates: a policy has one memory"):
        load_policy(tmp_path)


def _damage(weights: dict[str, np.ndarray], how: str) -> None:
    name = "layer.1.weight"
    if how == "missing":
        del weights[name]
    elif how == "unknown":
        weights["payload"] = weights[name]
    elif how == "shape":
        weights[name] = weights[name][:, :3].copy()
    elif how == "dtype":
        weights[name] = weights[name].astype(np.float64)
    else:
        weights[name][0, 0] = np.nan


@pytest.mark.parametrize("how", ["missing", "unknown", "shape", "dtype", "nan"])
def test_load_policy__names_the_wrong_weight(tmp_path: Path, how: str) -> None:
    path = save_policy(_policy(), tmp_path) / "policy.safetensors"
    weights = load_file(path)
    _damage(weights, how)
    save_file(weights, path)
    with pytest.raises(ValueError, match=r"policy\.safetensors: (layer\.1\.weight|payload): "):
        load_policy(tmp_path)


def test_load_policy__refuses_what_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"policy\.json: cannot be read"):
        load_policy(tmp_path)
    save_policy(_policy(), tmp_path)
    (tmp_path / "policy.safetensors").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match=r"policy\.safetensors: not a safetensors file"):
        load_policy(tmp_path)
    (tmp_path / "policy.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match=r"policy\.json: not JSON"):
        load_policy(tmp_path)
