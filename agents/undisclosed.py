"""A policy that is not told the rule, in a market that discloses it."""

from typing import Any

import numpy as np

from ruleshift.agents.policy import Memory, Policy
from ruleshift.envs.layout import FEATURES


class Undisclosed(Policy):
    """Another policy, shown every observation with the rule's features and their mask at 0.

    So the background can play where the rule is disclosed to the focal organization as it was trained where it is not.

    Args:
        policy: what plays.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.uses_noise = policy.uses_noise

    def initial_memory(self, count: int) -> Memory:
        return self.policy.initial_memory(count)

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        seen = observations.copy()
        seen[:, -1 - len(FEATURES) :] = 0.0  # the mask and the features are the last parts of an observation
        return self.policy.act(seen, memory, noise)

    def describe(self) -> dict[str, Any]:
        return {"policy": "Undisclosed", "of": self.policy.describe()}
