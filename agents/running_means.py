"""What a policy with a memory of the whole episode remembers: running means of what it did and got in every round."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ruleshift.agents.history import History

MEAN_RATES = (0.25, 0.08, 0.03, 0.0)
"""Rates of the means that a learner reads unless it is told others: about the last 4, 12 and 33 rounds, and all."""


class RunningMeans:
    """How observations (n, F) become inputs (n, F + M * W): each with M running means of its outcome blocks.

    A rate a > 0 weights the outcome of a round by (1 - a)**age and divides by the sum of these weights, so that the
    mean is unbiased from the first outcome on (as in Kingma and Ba 2015, section 3); the rate 0 is the plain mean over
    the episode. An observation holds the outcome of the last round, which the means include. Before the first
    outcome they are 0. A newcomer remembers nothing: what the seat did before was somebody else's.

    A memory is (n, 1 + M * W) float32: how many observations were read, then the M weighted sums.

    Args:
        kinds: K.
        rates: M of them, from 0 to 1; by default `MEAN_RATES`.

    >>> RunningMeans(kinds=3, rates=(0.25, 0.0)).input_size
    102
    """

    def __init__(self, kinds: int, rates: Sequence[float] = MEAN_RATES) -> None:
        self._blocks = History(kinds, 0)
        self.rates = tuple(rates)
        self._keep = np.array([1.0 - rate for rate in rates], np.float32)
        self._weight = np.array([rate or 1.0 for rate in rates], np.float32)

    @cached_property
    def input_size(self) -> int:
        """F + M * W, how many numbers an input has."""
        return self._blocks.observation_size + len(self.rates) * self._blocks.width

    def empty(self, count: int) -> np.ndarray:
        """The memory (n, 1 + M * W) float32 of `count` organizations when an episode starts: zeros."""
        return np.zeros((count, 1 + len(self.rates) * self._blocks.width), np.float32)

    def read(self, observations: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Make inputs (n, F + M * W) float32, and the memory for the next call; both arrays are fresh.

        Args:
            observations: (n, F) float32.
            memory: what the last call returned or `empty(n)`.
        """
        size, width, count = self._blocks.observation_size, self._blocks.width, len(observations)
        after = memory.copy()
        newcomers = observations[:, self._blocks.newcomer] == 1.0
        if newcomers.any():
            after[newcomers] = 0.0
        outcomes = after[:, 0].copy()
        after[:, 0] += 1.0
        sums = after[:, 1:].reshape(count, len(self.rates), width)
        sums *= self._keep[:, None]
        block = observations[:, self._blocks.block]
        if (outcomes == 0.0).any():  # what is seen first is the outcome of nothing
            block = block * (outcomes > 0.0)[:, None]
        sums += block[:, None] * self._weight[:, None]
        inputs = np.empty((count, self.input_size), np.float32)
        inputs[:, :size] = observations
        np.multiply(sums, self._scales(outcomes)[:, :, None], out=inputs[:, size:].reshape(sums.shape))
        return inputs, after

    def _scales(self, outcomes: np.ndarray) -> np.ndarray:
        """One over the sum of the weights of so many outcomes (n,), (n, M) float32; 1 where there are none."""
        alike = len(outcomes) > 0 and bool((outcomes == outcomes[0]).all())
        counts = np.maximum(outcomes[:1] if alike else outcomes, 1.0)[:, None]
        return (1.0 / np.where(self._keep < 1.0, 1.0 - self._keep**counts, counts)).astype(np.float32)
