"""What a policy with a recurrent memory remembers: the state of an LSTM, which reads every observation."""

from collections.abc import Mapping

import numpy as np

from ruleshift.envs.layout import observation_layout


class Lstm:
    """A long short-term memory (Hochreiter and Schmidhuber 1997; with the forget gate of Gers and others 2000).

    It reads observations x (n, F), and its hidden state h (n, U) is what the layers after it read. With the state h, c
    of the round before, s the logistic function and products by element:

        i, f, g, o = x W + h V + b,   c' = s(f) c + s(i) tanh(g),   h' = s(o) tanh(c').

    A newcomer's state is 0 before it acts: what the seat did before was somebody else's.

    Args:
        kinds: K.
        weights: at least those of `lstm_shapes`; the four gates lie side by side, in the order above.
    """

    def __init__(self, kinds: int, weights: Mapping[str, np.ndarray]) -> None:
        self._newcomer = observation_layout(kinds)["newcomer"].start
        self._input, self._state, self._bias = (weights[name] for name in _NAMES)
        self.units = len(self._state)
        """U, the width of the hidden state."""

    @property
    def input_size(self) -> int:
        """U, how many numbers the layers after the LSTM read."""
        return self.units

    def empty(self, count: int) -> np.ndarray:
        """The memory (n, 2 U) float32 of `count` organizations when an episode starts: h and c side by side, zeros."""
        return np.zeros((count, 2 * self.units), np.float32)

    def read(self, observations: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Make inputs (n, U) float32, and the memory (n, 2 U) for the next call; both arrays are fresh.

        Args:
            observations: (n, F) float32.
            memory: (n, 2 U) float32, what the last call returned or `empty(n)`.
        """
        newcomers = observations[:, self._newcomer] == 1.0
        before = np.where(newcomers[:, None], np.float32(0.0), memory)
        hidden, cell = before[:, : self.units], before[:, self.units :]
        gates = observations @ self._input + hidden @ self._state + self._bias
        enter, keep, new, leave = np.split(gates, 4, axis=1)
        cell = _logistic(keep) * cell + _logistic(enter) * np.tanh(new)
        hidden = _logistic(leave) * np.tanh(cell)
        return hidden, np.concatenate([hidden, cell], axis=1)


_NAMES = ("lstm.input.weight", "lstm.state.weight", "lstm.bias")


def lstm_shapes(inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    """Weights W, V and b of an `Lstm` by name, with their shapes; a matrix is (inputs, outputs)."""
    return dict(zip(_NAMES, ((inputs, 4 * units), (units, 4 * units), (4 * units,)), strict=True))


def _logistic(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), by the tangent, which cannot overflow."""
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * values) + np.float32(1.0))
