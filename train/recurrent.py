"""The option of a recurrent memory: RecurrentPPO of sb3-contrib as it is, imported only where an arm asks for it.

It clips actions before the markets see them, so that they count none as clipped; its minibatches are whole stretches of
rows, padded to the longest. Actor and critic have an LSTM each. It learns from about a quarter of the agent-steps a
second that `MarketPPO` does with a history; the time goes into the gradient through the LSTM, little into padding.
"""

from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
import torch as th

from ruleshift.train.ppo import Learner

_WHO = ("pi", "vf")


def check_installed(arm: str) -> None:
    """Refuse an arm with an LSTM where it could not learn: ValueError says what to install."""
    if find_spec("sb3_contrib") is None:
        who = f"arm {arm}" if arm else "the learner"
        raise ValueError(f"{who} has an LSTM and needs sb3-contrib: pip install 'ruleshift[recurrent]'")


def lstm_states(model: Learner) -> dict[str, np.ndarray]:
    """What a recurrent learner remembers of every row between two rollouts, by name; nothing of another learner."""
    states = getattr(model, "_last_lstm_states", None)
    if states is None:
        return {}
    return {f"{who}.{n}": state.numpy() for who in _WHO for n, state in enumerate(getattr(states, who))}


def put_lstm_states(model: Learner, arrays: Mapping[str, np.ndarray]) -> None:
    """Put back what `lstm_states` gave."""
    if arrays:
        states = {who: tuple(th.tensor(arrays[f"{who}.{n}"]) for n in range(2)) for who in _WHO}
        model._last_lstm_states = model._last_lstm_states._replace(**states)  # type: ignore[attr-defined]


def lstm_weights(lstm: th.nn.LSTM) -> dict[str, np.ndarray]:
    """The weights of torch's layer as `lstm_shapes` names them. Its two biases are one: only their sum matters."""
    own = {name: value.numpy() for name, value in lstm.state_dict().items()}
    return {
        "lstm.input.weight": own["weight_ih_l0"].T.copy(),
        "lstm.state.weight": own["weight_hh_l0"].T.copy(),
        "lstm.bias": own["bias_ih_l0"] + own["bias_hh_l0"],
    }


def put_lstm_weights(lstm: th.nn.LSTM, weights: Mapping[str, np.ndarray]) -> None:
    """Give torch's layer these weights; its second bias becomes 0."""
    own = {
        "weight_ih_l0": weights["lstm.input.weight"].T,
        "weight_hh_l0": weights["lstm.state.weight"].T,
        "bias_ih_l0": weights["lstm.bias"],
        "bias_hh_l0": np.zeros_like(weights["lstm.bias"]),
    }
    lstm.load_state_dict({name: th.tensor(value) for name, value in own.items()})
