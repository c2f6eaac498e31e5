"""Schedules: when, in an episode, the rule changes."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ruleshift.envs.numerics import SHIFT, uniforms
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
    """Rounds before `at` from which the change is announced, without fail; None leaves it to the `disclosure.notice`
    and `reliability` of the rule then in force."""
    placebo: bool = False
    """Whether the event fires (notice and picture) while the rule stays."""
    chance: float = 1.0
    """Probability that the change comes about, drawn anew in each market and episode."""

    def __post_init__(self) -> None:
        if isinstance(self.at, bool) or not isinstance(self.at, int) or self.at < 1:
            raise ValueError(f"shift: at is {self.at!r}; it must be a round, a whole number from 1")
        whole = isinstance(self.notice, int) and not isinstance(self.notice, bool)
        if self.notice is not None and (not whole or self.notice < 1):
            raise ValueError(f"shift: notice is {self.notice!r}; it must be None or a whole number of rounds from 1")
        number = isinstance(self.chance, int | float) and not isinstance(self.chance, bool)
        if not number or not 0 <= self.chance <= 1:
            raise ValueError(f"shift: chance is {self.chance!r}; it must be a number from 0 to 1")
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


def fates(schedule: tuple[Shift, ...], keys: np.ndarray, episode: int) -> tuple[np.ndarray, np.ndarray]:
    """What chance decides: whether each shift comes about, and a uniform number for its announcement, both (B, S).

    A shift's chance belongs to its round: other shifts do not change it.
    """
    happens = np.ones((len(keys), len(schedule)), bool)
    luck = np.zeros((len(keys), len(schedule)))
    for b, key in enumerate(keys):
        for s, shift in enumerate(schedule):
            chance, luck[b, s] = uniforms(key, 2, round=shift.at, episode=episode, purpose=SHIFT)
            happens[b, s] = chance < shift.chance
    return happens, luck


def stages(schedule: tuple[Shift, ...], happens: np.ndarray, rounds: int) -> np.ndarray:
    """Which rule is in force: int64 (T, B), 0 the first rule, s the rule of shift s - 1; a placebo changes nothing."""
    table = np.zeros((rounds, len(happens)), np.int64)
    for index, shift in enumerate(schedule):
        if not shift.placebo:
            table[shift.at :, happens[:, index]] = index + 1
    return table


def notices(
    schedule: tuple[Shift, ...], happens: np.ndarray, luck: np.ndarray, lead: np.ndarray, reliability: np.ndarray
) -> np.ndarray:
    """How near an announced shift is: float64 (T, B), 0 none, rising linearly to 1 in the round before it.

    `lead` and `reliability` (T, B) are those of the rule in force, which speaks while it is. A platform announces a
    change with the probability of its reliability, and what is none with the rest of it.
    """
    table = np.zeros(lead.shape)
    for index, shift in enumerate(schedule):
        left = shift.at - np.arange(shift.at)[:, None]
        lucky, true = luck[:, index], happens[:, index] & (not shift.placebo)
        announced = np.where(true, lucky < reliability[: shift.at], lucky >= reliability[: shift.at])
        ahead = np.where(announced, lead[: shift.at], 0.0)
        if shift.notice is not None:
            ahead = np.full(ahead.shape, shift.notice)
        near = np.where(left <= ahead, 1 - (left - 1) / np.maximum(ahead, 1), 0.0)
        table[: shift.at] = np.maximum(table[: shift.at], near)
    return table
