"""The learner's two networks as arrays by name, and back: what a finished run leaves, another may start from.

The critic is kept beside the policy in `critic.safetensors`, whose header says to which policy it belongs. Loading it
runs no code.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch as th
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ruleshift.agents.policy import Card, LearnedPolicy, check_shapes, load_policy
from ruleshift.envs.files import write_atomically
from ruleshift.train.closed_form import linear_layers
from ruleshift.train.ppo import Learner
from ruleshift.train.recurrent import lstm_weights, put_lstm_weights
from ruleshift.train.standardized import scaled, unscaled
from ruleshift.train.vec_env import PRIVILEGED_SIZE, part_of

CRITIC_FILE = "critic.safetensors"


def policy_weights(model: Learner) -> dict[str, np.ndarray]:
    """The weights of the policy network, float32 by name, as `LearnedPolicy` takes them."""
    weights = _weights(_actor(model))
    if (namer := _namer(model)) is not None:
        weights |= {f"namer.{name}": value for name, value in _weights(namer).items()}
    return {**weights, "log_std": model.policy.log_std.detach().numpy().copy()}


def critic_weights(model: Learner) -> dict[str, np.ndarray]:
    """The weights of the value network, float32 by name; its one output is the discounted profit that it expects."""
    return _weights(_critic(model))


def critic_shapes(card: Card, privileged: int = 0) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of the critic beside a policy, by name; it reads so many numbers more."""
    shapes = card.network_shapes(1)
    inputs, units = shapes["layer.0.weight"]
    return {**shapes, "layer.0.weight": (inputs + privileged, units)}


def save_critic(model: Learner, policy: LearnedPolicy, folder: Path) -> None:
    """Write the critic of a policy into the policy's folder."""
    critic = critic_weights(model)
    header = json.dumps({"policy": policy.describe()["weights"], "sha256": _digest(critic)})
    write_atomically(
        folder / CRITIC_FILE, save(critic, metadata={"critic": header})
    )  # several keys have no fixed order


@dataclass(frozen=True)
class WarmStart:
    """The networks of a finished run, with which another may begin."""

    policy: LearnedPolicy
    """The policy network, with its card."""
    critic: Mapping[str, np.ndarray]
    """Weights of the value network, by name."""
    digest: str
    """SHA-256 of the weights of both, hexadecimal."""

    def check(self, card: Card) -> None:
        """Refuse to go on as a policy of another shape; ValueError names what differs."""
        for name in ("kinds", "hidden", "history", "rates", "units", "named"):
            here, there = getattr(card, name), getattr(self.policy.card, name)
            if here != there:
                raise ValueError(f"start: {name} is {there} there, but this run has {here}")
        here, there = 0 if card.units else PRIVILEGED_SIZE, _privileged(self.critic, card)
        if here != there:
            raise ValueError(f"start: its critic reads {there} privileged numbers, but that of this run reads {here}")

    def put_into(self, model: Learner) -> None:
        """Give a learner these weights. Its optimizer begins anew; a namer that does not learn keeps its own."""
        _put(_actor(model), self.policy.weights)
        _put(_critic(model), self.critic)
        if (namer := _namer(model)) is not None:
            _put(namer, part_of(self.policy.weights, "namer."))
            if not model.policy.learns_names:
                names = ("namer.layer.0.weight", "namer.layer.0.bias")
                kept = tuple(th.from_numpy(self.policy.weights[name].T.copy()) for name in names)
                model.policy.mlp_extractor.kept = kept  # type: ignore[assignment]
        with th.no_grad():
            model.policy.log_std.copy_(th.from_numpy(self.policy.weights["log_std"]))


def load_warm_start(folder: str | os.PathLike[str]) -> WarmStart:
    """Read the policy and the critic that a finished run left in `folder`.

    Raises:
        ValueError: a file missing, foreign or damaged; one line that names file and key.
    """
    policy, path = load_policy(folder), Path(folder) / CRITIC_FILE
    digest = policy.describe()["weights"]
    try:
        blob = path.read_bytes()
        critic, header = load(blob), _header(blob)
        check_shapes(critic, critic_shapes(policy.card, _privileged(critic, policy.card)))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a critic ({error})") from None
    if header.get("sha256", _digest(critic)) != _digest(critic):
        raise ValueError(f"{path}: sha256: not that of its weights; the file was changed")
    if header.get("policy") != digest:
        raise ValueError(f"{path}: policy: not that of the policy beside it; they are of two runs")
    return WarmStart(policy, critic, hashlib.sha256(digest.encode() + blob).hexdigest())


def _privileged(critic: Mapping[str, np.ndarray], card: Card) -> int:
    """How many numbers a critic reads beside what its policy reads."""
    first = critic.get("layer.0.weight")
    return max(first.shape[0] - critic_shapes(card)["layer.0.weight"][0], 0) if first is not None and first.ndim else 0


def _digest(weights: Mapping[str, np.ndarray]) -> str:
    return hashlib.sha256(save(dict(weights))).hexdigest()


def _header(blob: bytes) -> dict[str, Any]:
    """What a safetensors file, of which the arrays were read already, says beside them."""
    size = int.from_bytes(blob[:8], "little")
    held = json.loads(blob[8 : 8 + size]).get("__metadata__", {})
    return json.loads(held["critic"]) if "critic" in held else held


@dataclass(frozen=True)
class _Network:
    """One of the two: an LSTM or none, then linear layers with tanh between them."""

    lstm: th.nn.LSTM | None
    layers: list[Any]
    extractor: Any
    named: int = 0
    """How many of its inputs, the last ones, are what a namer names."""
    kept: tuple[th.Tensor, th.Tensor] | None = None
    """Its first weights such that they read observations, where they are to stay the same to the bit."""


def _actor(model: Learner) -> _Network:
    policy = model.policy
    return _Network(
        getattr(policy, "lstm_actor", None),
        linear_layers(policy.mlp_extractor.policy_net, policy.action_net),
        policy.features_extractor,
        named=getattr(policy, "named", 0),
    )


def _namer(model: Learner) -> _Network | None:
    networks: Any = model.policy.mlp_extractor
    if not hasattr(networks, "namer"):
        return None
    *before, last = networks.namer
    return _Network(None, linear_layers(before, last), model.policy.features_extractor, kept=networks.kept)


def _critic(model: Learner) -> _Network:
    policy = model.policy
    return _Network(
        getattr(policy, "lstm_critic", None),
        linear_layers(policy.mlp_extractor.value_net, policy.value_net),
        policy.features_extractor,
    )


def _weights(network: _Network) -> dict[str, np.ndarray]:
    """Weights by name, the first of them such that they read observations."""
    weights = lstm_weights(network.lstm) if network.lstm is not None else {}
    for index, layer in enumerate(network.layers):
        weights[f"layer.{index}.weight"] = layer.weight.detach().numpy().T.copy()
        weights[f"layer.{index}.bias"] = layer.bias.detach().numpy().copy()
    if network.kept is None:
        _convert(weights, unscaled, network)
    else:
        weights["layer.0.weight"], weights["layer.0.bias"] = (each.numpy().T.copy() for each in network.kept)
    return weights


def _put(network: _Network, weights: Mapping[str, np.ndarray]) -> None:
    weights = dict(weights)
    _convert(weights, scaled, network)
    if network.lstm is not None:
        put_lstm_weights(network.lstm, weights)
    with th.no_grad():
        for index, layer in enumerate(network.layers):
            layer.weight.copy_(th.from_numpy(weights[f"layer.{index}.weight"].T.copy()))
            layer.bias.copy_(th.from_numpy(weights[f"layer.{index}.bias"]))


def _convert(weights: dict[str, np.ndarray], change: Any, network: _Network) -> None:
    """Let the first weights read the extractor's features in place of observations, or the reverse."""
    names = ("lstm.input.weight", "lstm.bias") if "lstm.bias" in weights else ("layer.0.weight", "layer.0.bias")
    weight, bias = (th.from_numpy(weights[name].T.copy()) for name in names)
    for name, value in zip(names, change(weight, bias, network.extractor, network.named), strict=True):
        weights[name] = value.numpy().T.copy()
