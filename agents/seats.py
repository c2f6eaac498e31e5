"""Who sits where: seats that learn, and policies that hold the others in the background."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from ruleshift.agents.noise import action_uniforms
from ruleshift.agents.policy import LearnedPolicy, Policy
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


class Backgrounds:
    """The background policies of groups of markets: one call of each policy for all the seats that it plays anywhere.

    Rows are the seats of all groups, one after the other: row (b * N + i) of a group is seat i of its market b. A
    policy is one object: two that are equal are called apart.

    Args:
        groups: who sits where, and the number of markets B, of each group.
    """

    def __init__(self, groups: Sequence[tuple[Seats, int]]) -> None:
        self._turns: list[_Turn] = []
        found: dict[int, dict[int, np.ndarray]] = {}
        policies: dict[int, Policy] = {}
        start, self._sizes = 0, []
        for group, (seats, markets) in enumerate(groups):
            organizations = len(seats.learning) + sum(len(places) for _, places in seats.background)
            for policy, places in seats.background:
                rows = start + np.arange(markets)[:, None] * organizations + np.array(places)
                own = found.setdefault(id(policy), {})
                own[group] = np.concatenate([own.get(group, np.zeros(0, np.int64)), rows.ravel()])
                policies[id(policy)] = policy
            self._sizes.append((markets, organizations))
            start += markets * organizations
        self._turns = [_Turn(policies[key], rows) for key, rows in found.items()]
        self._uses_noise = any(turn.policy.uses_noise for turn in self._turns)

    def reset(self, group: int) -> None:
        """Forget everything of one group: a new episode begins there."""
        for turn in self._turns:
            turn.reset(group)

    def act(self, observations: np.ndarray, out: np.ndarray, clocks: Sequence[tuple[np.ndarray, int, int]]) -> None:
        """Write the background's actions into `out` (R, A) float32; other rows stay as they are.

        Args:
            observations: (R, F) float32, a row for every seat.
            out: where the actions go.
            clocks: of each group, the generator keys of its markets (B, 2) uint64, the rounds already played in the
                episode, and the episode's number: actions are sampled, with noise from (key, episode, round, seat).
        """
        uniforms = self._uniforms(clocks, out.shape[1]) if self._uses_noise else None
        for turn in self._turns:
            noise = None
            if uniforms is not None and turn.policy.uses_noise:
                noise = ndtri(uniforms[turn.rows]).astype(np.float32)
            out[turn.rows], turn.memory = turn.policy.act(observations[turn.rows], turn.memory, noise)

    def _uniforms(self, clocks: Sequence[tuple[np.ndarray, int, int]], actions: int) -> np.ndarray:
        drawn = [
            action_uniforms(
                keys, round=round, episode=episode, organizations=organizations, actions=actions
            ).reshape(-1, actions)
            for (keys, round, episode), (_, organizations) in zip(clocks, self._sizes, strict=True)
        ]  # fmt: skip
        return drawn[0] if len(drawn) == 1 else np.concatenate(drawn)

    def memories(self, group: int) -> dict[str, np.ndarray]:
        """What the policies of a group remember, by their order in it; those that remember nothing are left out."""
        own = [turn for turn in self._turns if group in turn.places]
        return {
            str(place): turn.memory[turn.places[group]].copy()
            for place, turn in enumerate(own)
            if turn.memory is not None
        }

    def remember(self, group: int, memories: Mapping[str, np.ndarray]) -> None:
        """Put back what `memories` gave."""
        for place, turn in enumerate(turn for turn in self._turns if group in turn.places):
            if turn.memory is not None:
                turn.memory[turn.places[group]] = memories[str(place)]


class _Turn:
    """A policy, the rows that it plays, and what it remembers of them."""

    def __init__(self, policy: Policy, rows: Mapping[int, np.ndarray]) -> None:
        self.policy, self.rows = policy, np.concatenate(list(rows.values()))
        self.places: dict[int, slice] = {}
        """Of each group, its part of the rows."""
        start = 0
        for group, own in rows.items():
            self.places[group] = slice(start, start + len(own))
            start += len(own)
        self.memory = policy.initial_memory(len(self.rows))

    def reset(self, group: int) -> None:
        """Forget a group."""
        if self.memory is not None and group in self.places:
            place = self.places[group]
            self.memory = self.memory.copy()  # a policy may have kept what it returned
            self.memory[place] = self.policy.initial_memory(place.stop - place.start)


class Background:
    """The background policies of B markets: one call of each policy for all the seats that it plays.

    Args:
        seats: who sits where.
        markets: B.
    """

    def __init__(self, seats: Seats, markets: int) -> None:
        self._all = Backgrounds([(seats, markets)])

    def reset(self) -> None:
        """Forget everything: a new episode begins."""
        self._all.reset(0)

    def act(self, observations: np.ndarray, out: np.ndarray, keys: np.ndarray, *, round: int, episode: int) -> None:
        """Write the background's actions into `out` (B, N, A) float32; other seats stay as they are.

        Args:
            observations: (B, N, F) float32.
            out: where the actions go, C-contiguous.
            keys: (B, 2) uint64, the markets' generator keys: actions are sampled, with noise from
                (key, episode, round, seat).
            round: rounds already played in the episode.
            episode: number of the episode.
        """
        seen = observations.reshape(-1, observations.shape[2])
        self._all.act(seen, out.reshape(-1, out.shape[2]), [(keys, round, episode)])


def as_index(places: Sequence[int]) -> slice | np.ndarray:
    """Seats as a slice where they are consecutive (indexing then copies nothing), else as an array."""
    if list(places) == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places)
