"""Schedules: when, in an episode, the rule changes."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ruleshift.envs.rule import Rule, load_rule
from ruleshift.envs.structure import Structure


@dataclass(frozen=True)
class Shift:
    """A change of the rule in mid-episode.

    Raises:
        ValueError, TypeError: a round before 1, a notice that is no positive number of rounds, an unknown rule.
    """

    at: int
    """The first round, counted from 0, that is played under the new rule."""
    to: "str | Path | Rule | Structure"
    """The new rule; a structure is drawn from anew in each market and episode."""
    notice: int | None = None
    """Rounds before `at` from which the change is announced; None for no announcement."""
    placebo: bool = False
    """Whether the event fires (notice and picture) while the rule stays."""

    def __post_init__(self) -> None:
        if isinstance(self.at, bool) or not isinstance(self.at, int) or self.at < 1:
            raise ValueError(f"shift: at is {self.at!r}; it must be a round, a whole number from 1")
        if self.notice is not None and (not isinstance(self.notice, int) or self.notice < 1):
            raise ValueError(f"shift: notice is {self.notice!r}; it must be None or a whole number of rounds from 1")
        if not isinstance(self.to, Structure):
            object.__setattr__(self, "to", load_rule(self.to))


def check_schedule(schedule: tuple[Shift, ...], rounds: int) -> tuple[Shift, ...]:
    """The schedule as a tuple, in order of time.

    Raises:
        TypeError: something that is no Shift.
        ValueError: two shifts in one round, or one after the episode's end.
    """
    shifts = (schedule,) if isinstance(schedule, Shift) else tuple(schedule)
    for shift in shifts:
        if not isinstance(shift, Shift):
            raise TypeError(f"schedule holds {shift!r}; it must hold Shift(at=..., to=...)")
        if shift.at >= rounds:
            raise ValueError(f"schedule: a shift at round {shift.at}; an episode has rounds 0 .. {rounds - 1}")
    ordered = tuple(sorted(shifts, key=lambda shift: shift.at))
    for first, second in pairwise(ordered):
        if first.at == second.at:
            raise ValueError(f"schedule: two shifts at round {first.at}; one round can have one")
    return ordered


def stages(schedule: tuple[Shift, ...], rounds: int) -> np.ndarray:
    """Which rule is in force: int64 (T,), 0 the first rule, s the rule of shift s - 1; a placebo changes nothing."""
    table = np.zeros(rounds, np.int64)
    for index, shift in enumerate(schedule):
        if not shift.placebo:
            table[shift.at :] = index + 1
    return table


def notices(schedule: tuple[Shift, ...], rounds: int) -> np.ndarray:
    """How near an announced shift is: float64 (T,), 0 none, rising linearly to 1 in the round before it."""
    table = np.zeros(rounds)
    for shift in schedule:
        for ahead in range(1, min(shift.notice or 0, shift.at) + 1):
            table[shift.at - ahead] = 1 - (ahead - 1) / (shift.notice or 1)
    return table
