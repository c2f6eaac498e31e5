"""What a policy with a memory remembers: what it did and got in the rounds before, stacked onto its observation."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ruleshift.envs.layout import observation_layout

OUTCOME_PARTS = (
    "last_ask", "last_effort", "last_promotion", "last_focus", "won", "paid", "profit", "quality", "public",
    "public_mask",
)  # fmt: skip
"""Names of the consecutive parts of an observation that a history keeps, the outcome block: 19 numbers at K = 3."""


@dataclass(frozen=True)
class History:
    """How observations (n, F) become inputs (n, F + h * W): each with the outcome blocks of the h rounds before it.

    An observation holds the outcome of the last round itself; its history holds those of the h observations before,
    the oldest first. Rounds that were not played read 0, and a newcomer's history is empty: what the seat did before
    was somebody else's.

    Args:
        kinds: K.
        rounds: h, from 0.

    >>> History(kinds=3, rounds=4).width, History(kinds=3, rounds=4).input_size
    (19, 140)
    """

    kinds: int
    rounds: int

    @cached_property
    def block(self) -> slice:
        """The slice of an observation that holds the outcome block."""
        layout = observation_layout(self.kinds)
        return slice(layout[OUTCOME_PARTS[0]].start, layout[OUTCOME_PARTS[-1]].stop)

    @property
    def width(self) -> int:
        """W, how many numbers an outcome block has."""
        return self.block.stop - self.block.start

    @cached_property
    def observation_size(self) -> int:
        """F, how many numbers an observation has."""
        return max(part.stop for part in observation_layout(self.kinds).values())

    @property
    def input_size(self) -> int:
        """F + h * W, how many numbers an input has."""
        return self.observation_size + self.rounds * self.width

    @cached_property
    def newcomer(self) -> int:
        """Where an observation says that the organization has just entered the seat."""
        return observation_layout(self.kinds)["newcomer"].start

    def empty(self, count: int) -> np.ndarray:
        """The memory (n, h * W) float32 of `count` organizations when an episode starts: zeros."""
        return np.zeros((count, self.rounds * self.width), np.float32)

    def read(self, observations: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Make inputs (n, F + h * W) float32, and the memory (n, h * W) for the next call; both arrays are fresh.

        Args:
            observations: (n, F) float32.
            memory: (n, h * W) float32, what the last call returned or `empty(n)`.
        """
        size, width = self.observation_size, self.width
        inputs = np.empty((len(observations), self.input_size), np.float32)
        inputs[:, :size] = observations
        inputs[:, size:] = memory
        newcomers = observations[:, self.newcomer] == 1.0
        if newcomers.any():
            inputs[newcomers, size:] = 0.0
        after = np.empty((len(observations), self.rounds * width), np.float32)
        if self.rounds:
            after[:, :-width] = inputs[:, size + width :]
            after[:, -width:] = observations[:, self.block]
        return inputs, after
