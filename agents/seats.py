"""Who sits where: seats that learn, and policies that hold the others in the background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from ruleshift.agents.noise import action_uniforms
from ruleshift.agents.policy import LearnedPolicy, Memory, Policy
from ruleshift.agents.scripted import rival_population
from ruleshift.envs.economy import Economy


@dataclass(frozen=True)
class Seats:
    """A market's seats, the same in every market of a batch.

    Args:
        learning: seats whose actions come from outside, in the order in which their rows are handed out.
        background: policies, each with the seats that it plays.

    Raises:
        ValueError: a seat given twice, below 0, or none at all.

    >>> Seats.shared(4, [policy := Policy()]).background == ((policy, (2, 3)),)
    True
    """

    learning: tuple[int, ...]
    background: tuple[tuple[Policy, tuple[int, ...]], ...] = ()

    def __post_init__(self) -> None:
        taken = [*self.learning, *(seat for _, seats in self.background for seat in seats)]
        if not taken or min(taken) < 0:
            raise ValueError(f"seats are {taken}; they must be whole numbers from 0")
        for seat in taken:
            if taken.count(seat) > 1:
                raise ValueError(f"seat {seat} is given more than once")

    @classmethod
    def all_learn(cls, organizations: int) -> "Seats":
        """Every seat learns."""
        return cls(tuple(range(organizations)))

    @classmethod
    def shared(cls, organizations: int, rivals: Sequence[Policy], learning: int | None = None) -> "Seats":
        """The first `learning` seats (half by default) learn; `rivals` hold the others, in turn."""
        learning = (organizations + 1) // 2 if learning is None else learning
        places: dict[int, list[int]] = {}
        for place, seat in enumerate(range(learning, organizations)):
            places.setdefault(place % len(rivals), []).append(seat)
        return cls(tuple(range(learning)), tuple((rivals[i], tuple(seats)) for i, seats in places.items()))

    def check(self, organizations: int) -> None:
        """Refuse seats that are not exactly 0 .. N - 1."""
        taken = sorted([*self.learning, *(seat for _, seats in self.background for seat in seats)])
        if taken != list(range(organizations)):
            raise ValueError(f"seats are {taken}; {organizations} organizations have seats 0 to {organizations - 1}")

    def describe(self) -> dict[str, Any]:
        """Who sits where, in JSON."""
        background = [{"seats": list(seats), **policy.describe()} for policy, seats in self.background]
        return {"learning": list(self.learning), "background": background}


def seat_everyone(economy: Economy, policy: Policy | None = None) -> Seats:
    """Seats that nobody outside plays: `rival_population` in turn, or `policy` in the first half and they in the rest.

    Raises:
        ValueError: a learned policy of another number of kinds.
    """
    rivals = rival_population(economy)
    if policy is None:
        return Seats.shared(economy.organizations, rivals, learning=0)
    if isinstance(policy, LearnedPolicy) and policy.card.kinds != economy.kinds:
        raise ValueError(f"the policy knows {policy.card.kinds} kinds of job, not {economy.kinds}")
    seats = Seats.shared(economy.organizations, rivals)
    return Seats((), ((policy, seats.learning), *seats.background))


class Background:
    """The background policies of B markets: one call of each policy for all the seats that it plays.

    Args:
        seats: who sits where.
        markets: B.
    """

    def __init__(self, seats: Seats, markets: int) -> None:
        self._markets = markets
        self._groups = [(policy, as_index(places), len(places)) for policy, places in seats.background]
        self._uses_noise = any(policy.uses_noise for policy, _ in seats.background)
        self.memories: list[Memory] = []
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new episode begins."""
        self.memories = [policy.initial_memory(self._markets * count) for policy, _, count in self._groups]

    def act(self, observations: np.ndarray, out: np.ndarray, keys: np.ndarray, *, round: int, episode: int) -> None:
        """Write the background's actions into `out` (B, N, A) float32; other seats stay as they are.

        Args:
            observations: (B, N, F) float32.
            out: where the actions go.
            keys: (B, 2) uint64, the markets' generator keys: actions are sampled, with noise from
                (key, episode, round, seat).
            round: rounds already played in the episode.
            episode: number of the episode.
        """
        markets, organizations, actions = out.shape
        uniforms = None
        if self._uses_noise:
            uniforms = action_uniforms(keys, round=round, episode=episode, organizations=organizations, actions=actions)
        for group, (policy, places, count) in enumerate(self._groups):
            rows = markets * count
            noise = None
            if uniforms is not None and policy.uses_noise:
                noise = ndtri(uniforms[:, places].reshape(rows, actions)).astype(np.float32)
            seen = observations[:, places].reshape(rows, observations.shape[2])
            chosen, self.memories[group] = policy.act(seen, self.memories[group], noise)
            out[:, places] = chosen.reshape(markets, count, actions)


def as_index(places: Sequence[int]) -> slice | np.ndarray:
    """Seats as a slice where they are consecutive (indexing then copies nothing), else as an array."""
    if list(places) == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places)
