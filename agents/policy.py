"""What acts in a seat, and how a learned policy is kept: weights in safetensors, everything else in JSON.

Loading a policy runs none of its code, and neither saving nor acting needs the library that trained it.
"""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ruleshift.agents.history import History
from ruleshift.agents.lstm import Lstm, lstm_shapes
from ruleshift.agents.running_means import RunningMeans
from ruleshift.envs.fields import brief
from ruleshift.envs.files import parse_json, write_atomically
from ruleshift.envs.layout import FEATURES, action_layout

FORMAT = 4
WEIGHTS_FILE, CARD_FILE = "policy.safetensors", "policy.json"

Memory = np.ndarray | None
"""What a policy remembers, (n, M) float32, or None where it remembers nothing."""


class Policy(ABC):
    """What chooses the actions of organizations; a policy that remembers nothing overrides `act` alone.

    A memory is None or an array (n, M) float32: a row for each organization that the policy plays.
    """

    uses_noise = False
    """Whether `act` reads `noise`; where it does not, nobody need draw any."""

    def initial_memory(self, count: int) -> Memory:
        """The memory of `count` organizations when an episode starts."""
        return None

    @abstractmethod
    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        """Choose the actions of n organizations.

        Args:
            observations: (n, F) float32, as `observation_layout` names them.
            memory: what the last call returned, or `initial_memory(n)`.
            noise: (n, A) standard normal numbers, or None for the deterministic action.

        Returns:
            actions (n, A) float32 in [-1, 1], as `action_layout` names them, and the new memory.
        """

    def inputs(self, observations: np.ndarray, memory: Memory = None) -> np.ndarray:
        """What the policy reads when it acts, (n, I) float32: by default the observations, without any memory.

        Args:
            observations, memory: as in `act`.
        """
        return observations

    def hidden(self, inputs: np.ndarray) -> np.ndarray:
        """What the policy makes of its inputs (n, I) before it chooses, (n, W) float32: by default nothing but these.

        A probe that asks what a policy knows reads it here.
        """
        return inputs

    def named(self, inputs: np.ndarray) -> np.ndarray | None:
        """What the policy takes the rule's features to be, (n, len(FEATURES)); None where it names nothing.

        Args:
            inputs: (n, I), as `inputs` returns them.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """The policy in JSON: two with equal descriptions act alike. Only training beside it asks for it."""
        raise NotImplementedError(f"{type(self).__name__} has no `describe`, by which a training run knows its rivals")

    @classmethod
    def joined(cls, policies: "Sequence[Any]", counts: Sequence[int]) -> "Policy | None":
        """One policy that acts for several of this class to the same bits, or None where each must act for itself.

        For speed alone: markets of many economies hold as many policies that differ in a number or two.

        Args:
            policies: of this class, none of which remembers anything.
            counts: organizations that each plays: the first rows are the first's, and so on.
        """
        return None


@dataclass(frozen=True)
class Card:
    """Where a learned policy comes from, and the shape of what it reads and writes."""

    kinds: int
    """K, the number of kinds of job."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers, first to last."""
    activation: str = "tanh"
    """Activation of the hidden layers, always `tanh`; the last layer is linear."""
    history: int = 0
    """Rounds remembered: the outcome blocks of so many rounds are read beside the observation."""
    rates: tuple[float, ...] = ()
    """Rates of the running means of the outcome blocks that are read beside the observation, in place of a history."""
    units: int = 0
    """Width of the LSTM that reads the observations, in place of a history; 0 where there is none."""
    named: int = 0
    """F, how many features of the rule in force it names and acts on, the first of `envs.FEATURES`; 0 for none."""
    arm: str = ""
    """Name of the arm that it was trained as, such as `fixed` or `randomized+memory`; empty where unknown."""
    rule: str = ""
    """Name of the rule or structure that it learned on; of several, their names."""
    rule_hash: str = ""
    """Content hash of that rule or structure; of several, of their hashes."""
    economy: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the economy that it learned in; empty where they were several."""
    seed: int = 0
    """Seed of the training run."""
    steps: int = 0
    """Agent-steps of training so far."""

    @cached_property
    def observation_size(self) -> int:
        """F, how many numbers an observation of the market has."""
        return History(self.kinds, 0).observation_size

    @cached_property
    def input_size(self) -> int:
        """How many numbers the policy reads: those of an observation with its history, or of the LSTM's state."""
        return self.units or self.outcome_memory.input_size

    @property
    def outcome_memory(self) -> History | RunningMeans:
        """What is read beside the observation, where there is no LSTM: a history, or running means."""
        return RunningMeans(self.kinds, self.rates) if self.rates else History(self.kinds, self.history)

    @property
    def action_size(self) -> int:
        """A, how many numbers an action has."""
        return max(part.stop for part in action_layout(self.kinds).values())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight, by name; a matrix is (inputs, outputs)."""
        namer = self.network_shapes(self.named) if self.named else {}
        own = self.network_shapes(self.action_size, more=self.named)
        own |= {f"namer.{name}": shape for name, shape in namer.items()}
        return {**own, "log_std": (self.action_size,)}

    def network_shapes(self, outputs: int, more: int = 0) -> dict[str, tuple[int, ...]]:
        """The same for a network with the policy's inputs, so many `more`, and so many outputs, such as its critic."""
        lstm = lstm_shapes(self.observation_size, self.units) if self.units else {}
        return {**lstm, **layer_shapes((self.input_size + more, *self.hidden, outputs))}


def layer_shapes(widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of a multilayer perceptron, by name; a matrix is (inputs, outputs)."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        shapes[f"layer.{layer}.weight"] = (inputs, outputs)
        shapes[f"layer.{layer}.bias"] = (outputs,)
    return shapes


class LearnedPolicy(Policy):
    """A Gaussian policy: a multilayer perceptron with tanh gives the mean, `log_std` the spread.

    The perceptron reads what `memory` makes of the observations: each beside its history, or the state of an LSTM. A
    policy that remembers nothing has a history of 0 rounds, and None is all that it hands on. Where the card says that
    it names features of the rule, another perceptron names them from the same inputs, and the first reads that as well.

    Args:
        weights: float32 arrays named and shaped as `card.shapes()`.
        card: origin and shape.

    Raises:
        ValueError: a weight missing, unknown, of the wrong shape or type, or not finite, by name.
    """

    uses_noise = True

    def __init__(self, weights: Mapping[str, np.ndarray], card: Card) -> None:
        check_shapes(weights, card.shapes())
        self.card = card
        self.weights = {name: np.ascontiguousarray(weights[name]) for name in card.shapes()}
        self._layers, self._namer = self._network(""), self._network("namer.") if card.named else []
        self._spread = np.exp(self.weights["log_std"])
        self.memory: History | RunningMeans | Lstm = (
            Lstm(card.kinds, self.weights) if card.units else card.outcome_memory
        )
        """How its observations become what the perceptron reads."""
        self._remembers = bool(card.units or card.history or card.rates)

    def _network(self, prefix: str) -> list[tuple[np.ndarray, np.ndarray]]:
        names = [f"{prefix}layer.{i}" for i in range(len(self.card.hidden) + 1)]
        return [(self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]) for name in names]

    def initial_memory(self, count: int) -> Memory:
        return self.memory.empty(count) if self._remembers else None

    def inputs(self, observations: np.ndarray, memory: Memory = None) -> np.ndarray:
        """What the perceptron reads, (n, `card.input_size`) float32: observations beside a history, or an LSTM's state.

        Args:
            observations, memory: as in `act`.
        """
        if not self._remembers:
            return observations
        return self.memory.read(observations, self.memory.empty(len(observations)) if memory is None else memory)[0]

    def hidden(self, inputs: np.ndarray) -> np.ndarray:
        """The last hidden layer, (n, W) float32 in [-1, 1], for inputs (n, `card.input_size`) float32."""
        named = self.named(inputs)
        signal = inputs if named is None else np.concatenate([inputs, named], axis=1)
        for weight, bias in self._layers[:-1]:
            signal = np.tanh(signal @ weight + bias)
        return signal

    def mean(self, inputs: np.ndarray) -> np.ndarray:
        """The mean (n, A) float32 of the Gaussian, not yet clipped, for inputs (n, `card.input_size`) float32."""
        weight, bias = self._layers[-1]
        return self.hidden(inputs) @ weight + bias

    def named(self, inputs: np.ndarray) -> np.ndarray | None:
        """What the policy names for inputs (n, `card.input_size`) float32: features of the rule, as it acts on them.

        Returns:
            (n, F) float32 from 0 to 1, F = `card.named`: what it expects of the first F of `envs.FEATURES`, in order;
            None if it names nothing.
        """
        if not self._namer:
            return None
        return np.float32(0.5) * (np.tanh(np.float32(0.5) * _outputs(self._namer, inputs)) + np.float32(1.0))

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        if observations.ndim != 2 or observations.shape[1] != self.card.observation_size:
            raise ValueError(
                f"observations have shape {observations.shape}; this policy reads (n, {self.card.observation_size})"
            )
        inputs = observations
        if self._remembers:
            memory = self.memory.empty(len(observations)) if memory is None else memory
            inputs, memory = self.memory.read(observations, memory)
        actions = self.mean(inputs)
        if noise is not None:
            actions = actions + self._spread * noise.astype(np.float32, copy=False)
        return np.clip(actions, -1.0, 1.0), memory

    def describe(self) -> dict[str, Any]:
        return {"policy": "LearnedPolicy", "weights": hashlib.sha256(save(self.weights)).hexdigest()}


def _outputs(layers: Sequence[tuple[np.ndarray, np.ndarray]], inputs: np.ndarray) -> np.ndarray:
    """What linear layers with tanh between them make of inputs (n, I): (n, O)."""
    signal = inputs
    for weight, bias in layers[:-1]:
        signal = np.tanh(signal @ weight + bias)
    weight, bias = layers[-1]
    return signal @ weight + bias


def check_shapes(weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse arrays that are not finite float32 numbers of these names and shapes: ValueError names the first."""
    for name in weights:
        if name not in shapes:
            raise ValueError(f"{name}: unknown weight")
    for name, shape in shapes.items():
        if name not in weights:
            raise ValueError(f"{name}: missing weight")
        weight = weights[name]
        if weight.shape != shape or weight.dtype != np.float32:
            raise ValueError(f"{name}: {weight.dtype} {weight.shape}, expected float32 {shape}")
        if not np.isfinite(weight).all():
            raise ValueError(f"{name}: holds NaN or infinity")


def save_policy(policy: LearnedPolicy, folder: str | os.PathLike[str]) -> Path:
    """Write `policy.safetensors` and `policy.json` into `folder`, each whole or not at all; returns the folder."""
    folder = Path(folder)
    blob = save(policy.weights)
    card = {
        "format": FORMAT,
        "observation_size": policy.card.observation_size,
        "action_size": policy.card.action_size,
        **asdict(policy.card),
        "weights_sha256": hashlib.sha256(blob).hexdigest(),
    }
    if not policy.card.named:
        del card["named"]
    write_atomically(folder / WEIGHTS_FILE, blob)
    write_atomically(folder / CARD_FILE, json.dumps(card, indent=2) + "\n")
    return folder


def load_policy(folder: str | os.PathLike[str]) -> LearnedPolicy:
    """Read what `save_policy` wrote. Runs no code of the files.

    Raises:
        ValueError: a file missing, foreign or damaged; one line that names file and key.
    """
    card_file, weights_file = Path(folder) / CARD_FILE, Path(folder) / WEIGHTS_FILE
    card, digest = _read_card(card_file)
    blob = _read(weights_file)
    try:
        weights = load(blob)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{weights_file}: not a safetensors file ({error})") from None
    try:
        policy = LearnedPolicy(weights, card)
    except ValueError as error:
        raise ValueError(f"{weights_file}: {error}") from None
    if hashlib.sha256(blob).hexdigest() != digest:
        raise ValueError(f"{card_file}: weights_sha256: not that of {WEIGHTS_FILE}; they are of two policies")
    return policy


def as_policy(given: "Policy | str | os.PathLike[str]") -> Policy:
    """Return a policy as it is, or the one that is saved in a folder.

    Raises:
        TypeError: it is neither.
        ValueError: as `load_policy`.
    """
    if isinstance(given, Policy):
        return given
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"policy is {brief(given)}; it must be a Policy or the folder of one")
    return load_policy(given)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None


def _read_card(path: Path) -> tuple[Card, str]:
    values = parse_json(_read(path), str(path))
    if not isinstance(values, dict):
        raise ValueError(f"{path}: not a policy's card")
    if values.get("format") == 1:
        values = {**values, "format": 2, "history": 0}  # the first format knew no history
    if values.get("format") == 2:
        values = {**values, "format": 3, "units": 0}  # the second knew no LSTM
    if values.get("format") == 3:
        values = {**values, "format": FORMAT, "rates": []}  # the third knew no running means
    values = {"named": 0, **values}  # the card of a policy that names nothing does not say so
    expected = {**_CARD_TYPES, "format": int, "observation_size": int, "action_size": int, "weights_sha256": str}
    for key in values:
        if key not in expected:
            raise ValueError(f"{path}: {key}: unknown key")
    for key, kind in expected.items():
        if key not in values:
            raise ValueError(f"{path}: {key}: missing")
        if not isinstance(values[key], kind) or isinstance(values[key], bool):
            raise ValueError(f"{path}: {key}: {values[key]!r} is not of type {kind.__name__}")
    return _checked_card(values, path), values["weights_sha256"]


_CARD_TYPES: dict[str, type] = {
    "kinds": int, "hidden": list, "activation": str, "history": int, "rates": list, "units": int, "named": int,
    "arm": str, "rule": str, "rule_hash": str, "economy": dict, "seed": int, "steps": int,
}  # fmt: skip


def _checked_card(values: dict[str, Any], path: Path) -> Card:
    if values["format"] != FORMAT:
        raise ValueError(f"{path}: format: {values['format']}, this version reads 1 to {FORMAT}")
    if values["activation"] != "tanh":
        raise ValueError(f"{path}: activation: {values['activation']!r}, only 'tanh' is known")
    for key, low, high in (("kinds", 1, 1000), ("history", 0, 1000), ("units", 0, 65536), ("named", 0, len(FEATURES))):
        if not low <= values[key] <= high:
            raise ValueError(f"{path}: {key}: {values[key]}, expected {low} to {high}")
    _check_memory(values, path)
    widths = values["hidden"]
    if any(not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= 65536 for width in widths):
        raise ValueError(f"{path}: hidden: {widths}, expected whole numbers from 1 to 65536")
    lists = {name: tuple(values[name]) for name in ("hidden", "rates")}
    card = Card(**{name: values[name] for name in _CARD_TYPES} | lists)
    for key, size in (("observation_size", card.observation_size), ("action_size", card.action_size)):
        if values[key] != size:
            raise ValueError(f"{path}: {key}: {values[key]}, but this version has {size} at {card.kinds} kinds")
    return card


def _check_memory(values: dict[str, Any], path: Path) -> None:
    rates = values["rates"]
    if any(isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1 for rate in rates):
        raise ValueError(f"{path}: rates: {rates}, expected numbers from 0 to 1")
    if values["units"] and values["named"]:
        raise ValueError(f"{path}: units and named: a policy with an LSTM names nothing")
    if (values["units"] > 0) + (values["history"] > 0) + (len(rates) > 0) > 1:
        raise ValueError(f"{path}: units, history and rates: a policy has one memory")
