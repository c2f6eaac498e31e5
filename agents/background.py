"""The policies that play in the background: in every round, one call of each for all the seats that it holds."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtri

from ruleshift.agents.noise import action_uniforms
from ruleshift.agents.policy import Policy
from ruleshift.agents.seats import Seats


class Background:
    """The background policies of B markets: one call of each policy for all the seats that it plays.

    Args:
        seats: who sits where.
        markets: B.
    """

    def __init__(self, seats: Seats, markets: int) -> None:
        self._all = Backgrounds([(seats, markets)])

    def reset(self) -> None:
        """Begin a new episode: policies forget everything."""
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


class Backgrounds:
    """The background policies of groups of markets: one call of each policy for all the seats that it plays anywhere.

    Rows are the seats of all groups, one after the other: row (b * N + i) of a group is seat i of its market b. A
    policy is one object: two that are equal are called apart, unless their class knows how to act for both.

    Args:
        groups: who sits where, and the number of markets B, of each group.
    """

    def __init__(self, groups: Sequence[tuple[Seats, int]]) -> None:
        policies: dict[int, Policy] = {}
        rows: dict[int, dict[int, list[np.ndarray]]] = {}
        self._organizations, start = [], 0
        for group, (seats, markets) in enumerate(groups):
            organizations = len(seats.learning) + sum(len(held) for _, held in seats.background)
            first = start + np.arange(markets)[:, None] * organizations
            for policy, held in seats.background:
                policies[id(policy)] = policy
                rows.setdefault(id(policy), {}).setdefault(group, []).append((first + np.array(held)).ravel())
            self._organizations.append(organizations)
            start += markets * organizations
        self._seated = _joined([_SeatedPolicy(policies[key], own) for key, own in rows.items()])
        self._uses_noise = any(each.policy.uses_noise for each in self._seated)

    def reset(self, group: int) -> None:
        """Begin a new episode in one group: policies forget everything of it."""
        for each in self._seated:
            each.reset(group)

    def act(self, observations: np.ndarray, out: np.ndarray, clocks: Sequence[tuple[np.ndarray, int, int]]) -> None:
        """Write the background's actions into `out` (R, A) float32; other rows stay as they are.

        Args:
            observations: (R, F) float32, a row for every seat.
            out: where the actions go.
            clocks: of each group, the generator keys of its markets (B, 2) uint64, the rounds already played in the
                episode, and the episode's number: actions are sampled, with noise from (key, episode, round, seat).
        """
        uniforms = self._uniforms(clocks, out.shape[1]) if self._uses_noise else None
        for each in self._seated:
            noise = None
            if uniforms is not None and each.policy.uses_noise:
                noise = ndtri(uniforms[each.rows]).astype(np.float32)
            out[each.rows], each.memory = each.policy.act(observations[each.rows], each.memory, noise)

    def _uniforms(self, clocks: Sequence[tuple[np.ndarray, int, int]], actions: int) -> np.ndarray:
        drawn = [
            action_uniforms(
                keys, round=round, episode=episode, organizations=organizations, actions=actions
            ).reshape(-1, actions)
            for (keys, round, episode), organizations in zip(clocks, self._organizations, strict=True)
        ]  # fmt: skip
        return drawn[0] if len(drawn) == 1 else np.concatenate(drawn)

    def inherit(self, before: "Backgrounds") -> None:
        """Take over the memories of those policies that held the same seats in another background."""
        for each in self._seated:
            for other in before._seated:
                if each.policy is other.policy and np.array_equal(each.rows, other.rows):
                    each.memory = other.memory

    def memories(self, group: int) -> dict[str, np.ndarray]:
        """The memories (n, M) float32 of a group's policies, by their index there; those without one are left out."""
        own = [each for each in self._seated if group in each.slices]
        return {
            str(index): each.memory[each.slices[group]].copy()
            for index, each in enumerate(own)
            if each.memory is not None
        }

    def remember(self, group: int, memories: Mapping[str, np.ndarray]) -> None:
        """Put back the memories of a group that `memories` gave."""
        for index, each in enumerate(each for each in self._seated if group in each.slices):
            if each.memory is not None:
                each.memory = each.memory.copy()
                each.memory[each.slices[group]] = memories[str(index)]


class _SeatedPolicy:
    """A policy, the rows that it plays, and what it remembers of them."""

    def __init__(self, policy: Policy, groups: Mapping[int, Sequence[np.ndarray]]) -> None:
        self.policy = policy
        self.slices: dict[int, slice] = {}
        """By group, which of the rows are seats of that group."""
        start = 0
        for group, rows in groups.items():
            count = sum(len(each) for each in rows)
            self.slices[group] = slice(start, start + count)
            start += count
        self.rows = np.concatenate([each for rows in groups.values() for each in rows])
        self.memory = policy.initial_memory(len(self.rows))

    def reset(self, group: int) -> None:
        """Begin a new episode in a group: what is remembered of it is as at the start."""
        if self.memory is not None and group in self.slices:
            rows = self.slices[group]
            self.memory = self.memory.copy()  # a policy may have kept what it returned
            self.memory[rows] = self.policy.initial_memory(rows.stop - rows.start)


def _joined(seated: list[_SeatedPolicy]) -> list[_SeatedPolicy]:
    """The same policies, those without a memory made one where their class can act for all of them at once."""
    classes: dict[type[Policy], list[_SeatedPolicy]] = {}
    for each in seated:
        classes.setdefault(type(each.policy), []).append(each)
    result = []
    for kind, own in classes.items():
        joint = None
        if len(own) > 1 and all(each.memory is None for each in own):
            joint = kind.joined([each.policy for each in own], [len(each.rows) for each in own])
        result += own if joint is None else [_SeatedPolicy(joint, {-1: [each.rows for each in own]})]
    return result
