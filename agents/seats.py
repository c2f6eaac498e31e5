"""Who sits where: seats that learn, and those that policies hold in the background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruleshift.agents.policy import LearnedPolicy, Policy
from ruleshift.agents.scripted import rival_population
from ruleshift.envs.economy import Economy
from ruleshift.envs.fields import Sizes, brief, checked

_SEATS = Sizes(0, 999_999, 1_000_000)


@dataclass(frozen=True)
class Seats:
    """A market's seats, the same in every market of a batch.

    Args:
        learning: seats whose actions come from outside, in the order in which their rows are handed out.
        background: policies, each with the seats that it plays.

    Raises:
        ValueError, TypeError: a seat given twice, below 0, or none at all, or a policy that is none; names it.

    >>> from ruleshift.agents import Constant
    >>> Seats.shared(4, [rival := Constant()]).background == ((rival, (2, 3)),)
    True
    """

    learning: tuple[int, ...]
    background: tuple[tuple[Policy, tuple[int, ...]], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "learning", checked(self.learning, _SEATS, "seats: learning"))
        object.__setattr__(self, "background", _read_background(self.background))
        taken = [*self.learning, *(seat for _, seats in self.background for seat in seats)]
        if not taken:
            raise ValueError("seats: there are none; name those that learn or that policies hold")
        for seat in taken:
            if taken.count(seat) > 1:
                raise ValueError(f"seats: learning and background give seat {seat} more than once")

    @classmethod
    def all_learn(cls, organizations: int) -> "Seats":
        """The seats of a market in which everybody learns."""
        return cls(tuple(range(organizations)))

    @classmethod
    def shared(cls, organizations: int, rivals: Sequence[Policy], learning: int | None = None) -> "Seats":
        """Let the first `learning` seats learn (half of them by default); `rivals` hold the others, in turn."""
        learning = (organizations + 1) // 2 if learning is None else learning
        held: dict[int, list[int]] = {}
        for index, seat in enumerate(range(learning, organizations)):
            held.setdefault(index % len(rivals), []).append(seat)
        return cls(tuple(range(learning)), tuple((rivals[rival], tuple(seats)) for rival, seats in held.items()))

    def check(self, organizations: int) -> None:
        """Refuse seats that are not exactly 0 .. N - 1: ValueError."""
        taken = sorted([*self.learning, *(seat for _, seats in self.background for seat in seats)])
        if taken != list(range(organizations)):
            raise ValueError(f"seats are {taken}; {organizations} organizations have seats 0 to {organizations - 1}")

    def describe(self) -> dict[str, Any]:
        """The seats in JSON, with the description of each policy."""
        background = [{"seats": list(seats), **policy.describe()} for policy, seats in self.background]
        return {"learning": list(self.learning), "background": background}


def _read_background(given: Any) -> tuple[tuple[Policy, tuple[int, ...]], ...]:
    if not isinstance(given, list | tuple):
        raise TypeError(f"seats: background is {brief(given)}; it must be a list of pairs (policy, seats)")
    pairs = []
    for each in given:
        if not isinstance(each, list | tuple) or len(each) != 2 or not isinstance(each[0], Policy):
            raise TypeError(f"seats: background holds {brief(each)}; each must be a pair (policy, seats)")
        pairs.append((each[0], checked(each[1], _SEATS, "seats: background")))
    return tuple(pairs)


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


def as_index(seats: Sequence[int]) -> slice | np.ndarray:
    """Seats as a slice where they are consecutive (indexing then copies nothing), else as an array (n,) int64."""
    if list(seats) == list(range(seats[0], seats[0] + len(seats))):
        return slice(seats[0], seats[0] + len(seats))
    return np.array(seats)
