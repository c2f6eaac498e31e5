"""Schedules: when the rule changes within an episode.

A schedule is a tuple of shifts; `periodic`, `drift`, `switching` and `placebo` make such tuples. The market's own rule
is in force until the first shift. `Market.twin` is the same market without any shift.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np

from ruleshift.envs.blend import between
from ruleshift.envs.compile import jit
from ruleshift.envs.fields import (
    Count,
    Flag,
    Maybe,
    Number,
    brief,
    check_fields,
    check_keys,
    checked,
    listed,
    option,
)
from ruleshift.envs.numerics import SHIFT, uniform, words
from ruleshift.envs.rule import Rule, load_rule
from ruleshift.envs.structure import Structure, load_rule_or_structure
from ruleshift.envs.walk import flat_keys

_LATEST = 10**9


@dataclass(frozen=True)
class Shift:
    """A change of the rule within an episode.

    Raises:
        ValueError, TypeError, FileNotFoundError: if the round, the notice or the chance is out of range, or if the rule
            cannot be loaded.
    """

    at: int = field(metadata={"kind": Count(1, _LATEST)})
    """The first round, counted from 0, that is played under the new rule."""
    to: "str | Path | Rule | Structure"
    """The new rule; a structure is drawn anew in each market and episode."""
    notice: int | None = option(None, Maybe(Count(1, _LATEST)))
    """How many rounds before `at` the change is announced for certain, from 1; None leaves it to `disclosure.notice`
    and `disclosure.reliability` of the rule in force before the change."""
    placebo: bool = option(False, Flag())
    """Whether the change is only announced and shown while the rule stays the same."""
    chance: float = option(1.0, Number(0, 1))
    """Probability that the change takes place, drawn anew in each market and episode. A round may have several shifts
    if all but the first have a chance below 1; the last one that takes place decides."""

    def __post_init__(self) -> None:
        check_fields(self, "shift")
        if not isinstance(self.to, str | Path | Rule | Structure):
            raise TypeError(f"shift: to is {brief(self.to)}; it must be a name, a path, a Rule or a Structure")
        object.__setattr__(self, "to", load_rule_or_structure(self.to))


def periodic(rules: Sequence[Any], every: int, rounds: int) -> tuple[Shift, ...]:
    """Return a schedule that takes the rules in turn, each for `every` rounds, in an episode of `rounds` rounds.

    The market's own rule has the first `every` rounds; if it is also the last of `rules`, the cycle is complete.

    >>> [(shift.at, shift.to.name) for shift in periodic(["sealed_tender", "price_board"], every=30, rounds=100)]
    [(30, 'sealed_tender'), (60, 'price_board'), (90, 'sealed_tender')]
    """
    every, rounds = _count(every, "every"), _count(rounds, "rounds")
    rules = _check_rules(rules, 1)
    return tuple(Shift(at, rules[number % len(rules)]) for number, at in enumerate(range(every, rounds, every)))


def drift(
    start_rule: "str | Path | Rule", end_rule: "str | Path | Rule", begin: int, end: int, steps: int | None = None
) -> tuple[Shift, ...]:
    """Return a schedule by which a rule turns into another between two rounds, as described at `blend.between`.

    Round `begin` is the last one with `start_rule`, and round `end` the first one with `end_rule`. In between the rule
    moves in `steps` equal steps, by default one per round.

    Raises:
        ValueError: if `end` is not after `begin`, or if there are more steps than rounds.

    >>> [(shift.at, shift.to.payment.charge) for shift in drift("price_board", "promoted_listing", 10, 14)]
    [(11, 'if_matched'), (12, 'sunk'), (13, 'sunk'), (14, 'sunk')]
    """
    begin = checked(begin, Count(0, _LATEST), "schedule: begin")
    end = checked(end, Count(begin + 1, _LATEST + 1), "schedule: end")
    length = end - begin
    steps = length if steps is None else checked(steps, Count(1, length), "schedule: steps")
    first, last = load_rule(start_rule), load_rule(end_rule)
    return tuple(
        Shift(begin + -(-step * length // steps), between(first, last, step / steps)) for step in range(1, steps + 1)
    )


def switching(rules: Sequence[Any], rate: float, rounds: int) -> tuple[Shift, ...]:
    """Return a schedule that switches among n `rules` at random: a Markov chain in each market and episode.

    The market's own rule is one of `rules`. In each round but the first, another rule takes over with probability
    `rate`, each of the others being equally likely. So every round has a shift to every rule, each with probability
    rate / (n - 1), of which at most one takes place; one to the rule in force changes nothing.

    Raises:
        ValueError: if there are fewer than two rules, or if the rate is above (n - 1) / n, at which each round's rule
            is independent of the one before.
    """
    rounds = _count(rounds, "rounds")
    rules = _check_rules(rules, 2)
    most = (len(rules) - 1) / len(rules)
    each = checked(rate, Number(0, most), f"schedule: for {len(rules)} rules, rate") / (len(rules) - 1)
    # A shift decides only if no later one of its round takes place, and its chance is conditional on that.
    chances = [min(each / (1 - each * later), 1.0) for later in reversed(range(len(rules)))]
    return tuple(
        Shift(at, rule, chance=chance) for at in range(1, rounds) for rule, chance in zip(rules, chances, strict=True)
    )


def placebo(schedule: Sequence[Shift]) -> tuple[Shift, ...]:
    """Return the same schedule with placebos: every change is announced and shown, but the rule stays the same."""
    return tuple(replace(shift, placebo=True) for shift in schedule)


def read_schedule(tables: Any, where: str, rule: Rule | None = None) -> tuple[Shift, ...]:
    """Return the schedule that a file gives as a list of tables with the keys of `Shift`; `at` and `to` are required.

    If the market's own `rule` is given, `to` may also be a table of the fields that change relative to the rule of the
    shift above it, or to `rule` in the first shift.

    Raises:
        ValueError: if a key is missing or unknown, or if a value is wrong; names `where` and the number of the table.

    >>> read_schedule([{"at": 50, "to": "promoted_listing", "notice": 10}], "mine.toml")[0].at
    50
    >>> fee = {"at": 50, "to": {"payment": {"commission": 0.3}}}
    >>> read_schedule([fee], "mine.toml", load_rule("price_board"))[0].to.payment.commission
    0.3
    """
    if not isinstance(tables, list):
        raise ValueError(f"{where}: schedule is {brief(tables)}; it must be a list of tables, such as [[schedule]]")
    shifts: list[Shift] = []
    for i, table in enumerate(tables):
        here = f"{where}: schedule.{i}"
        check_keys(Shift, table, here)
        try:
            shifts.append(_read_shift(table, rule, shifts))
        except (ValueError, TypeError, FileNotFoundError) as error:
            raise ValueError(f"{here}: {error}") from None
    return tuple(shifts)


def _read_shift(table: dict[str, Any], rule: Rule | None, above: list[Shift]) -> Shift:
    if rule is None or not isinstance(table["to"], dict):
        return Shift(**table)
    before = cast(Rule, above[-1].to) if above else rule
    shift = Shift(**{**table, "to": before.replace(**flat_keys(table["to"]))})
    if above and shift.at < above[-1].at:
        raise ValueError(f"at is {shift.at}, after round {above[-1].at}; write shifts in order of time")
    return shift


def _count(value: Any, name: str) -> int:
    count: int = checked(value, Count(1, _LATEST), f"schedule: {name}")
    return count


def _check_rules(rules: Any, least: int) -> tuple[Any, ...]:
    loaded = tuple(
        load_rule_or_structure(each) for each in listed(rules, "schedule: rules", str, Path, Rule, Structure)
    )
    if len(loaded) < least:
        raise ValueError(f"schedule: there are {len(loaded)} rules; there must be at least {least}")
    return loaded


def check_schedule(schedule: tuple[Shift, ...], rounds: int) -> tuple[Shift, ...]:
    """Return the schedule as a tuple in order of time.

    Raises:
        TypeError: if something in it is not a Shift.
        ValueError: if a shift is after the end of the episode, or is always overruled by a later one of its round.
    """
    shifts = listed(schedule, "schedule", Shift)
    for shift in shifts:
        if shift.at >= rounds:
            raise ValueError(f"schedule: a shift at round {shift.at}; an episode has rounds 0 .. {rounds - 1}")
    ordered = tuple(sorted(shifts, key=lambda shift: shift.at))
    for first, second in pairwise(ordered):
        if first.at == second.at and second.chance == 1:
            raise ValueError(f"schedule: two shifts at round {first.at}; the later must have a chance below 1")
    return ordered


def draw_shifts(schedule: tuple[Shift, ...], keys: np.ndarray, episode: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw what chance decides about S shifts in B markets.

    A shift's draw depends on its round and its position in it, and not on other shifts. Of several shifts in one round
    the last decides, and a shift to the rule that is already in force does not take place.

    Returns:
        Whether each shift takes place, bool (B, S), and a uniform number in (0, 1) for its announcement, float64
        (B, S), which `Timetable.notices` reads.
    """
    rounds = np.array([shift.at for shift in schedule], np.int64)
    positions = np.array([index - np.searchsorted(rounds, at) for index, at in enumerate(rounds)], np.int64)
    chance, announcement = np.empty((2, len(keys), len(schedule)))
    _draw_chances(keys, rounds, positions, episode, chance, announcement)
    happens = chance < np.array([shift.chance for shift in schedule])
    _cancel_moot(schedule, happens)
    return happens, announcement


@jit
def _draw_chances(keys, rounds, positions, episode, chance, announcement):  # type: ignore[no-untyped-def]
    for b in range(len(keys)):
        for s in range(len(rounds)):
            one, other, _, _ = words(keys[b, 0], keys[b, 1], positions[s], rounds[s], episode, SHIFT)
            chance[b, s], announcement[b, s] = uniform(one), uniform(other)


def _cancel_moot(schedule: tuple[Shift, ...], happens: np.ndarray) -> None:
    """Cancel the shifts that a later one of their round overrules and those that change nothing."""
    for earlier in range(len(schedule) - 1):
        later = earlier + 1
        while later < len(schedule) and schedule[later].at == schedule[earlier].at:
            happens[:, earlier] &= ~happens[:, later] | schedule[later].placebo
            later += 1
    targets = {shift.to: number for number, shift in enumerate(schedule)}
    in_force = np.full(len(happens), -1)
    for index, shift in enumerate(schedule):
        if not shift.placebo:
            happens[:, index] &= in_force != targets[shift.to]
            in_force[happens[:, index]] = targets[shift.to]


class Timetable:
    """Which rule is in force, and what is announced, in every round of one episode of B markets.

    Its memory grows with the number of shifts, and not with the number of rounds.

    Args:
        schedule: the S shifts, in order of time.
        keys: the markets' generator keys, uint64 (B, 2).
        episode: number of the episode.
    """

    def __init__(self, schedule: tuple[Shift, ...], keys: np.ndarray, episode: int) -> None:
        self._schedule = schedule
        self._happens, self._announcement = draw_shifts(schedule, keys, episode)
        self._rounds = [shift.at for shift in schedule]
        self._notice = max((shift.notice or 0 for shift in schedule), default=0)
        self._starts = sorted(set(self._rounds))
        self._stages = np.zeros((len(self._starts) + 1, len(keys)), np.int64)
        for index, shift in enumerate(schedule):
            if not shift.placebo:
                self._stages[bisect_right(self._starts, shift.at) :, self._happens[:, index]] = index + 1

    def stages(self, round_: int) -> np.ndarray:
        """Return which rule is in force, int64 (B,): 0 is the first rule, and s the rule of shift s - 1."""
        return self._stages[bisect_right(self._starts, round_)]

    def comes(self, stage: int) -> np.ndarray:
        """Return in which markets a stage is ever in force, bool (B,)."""
        return (self._stages == stage).any(axis=0)

    def notices(self, round_: int, lead_time: np.ndarray, reliability: np.ndarray) -> np.ndarray:
        """Return how near an announced shift is, float64 (B,): 0 for none, rising linearly to 1 in the round before it.

        `lead_time` (in rounds) and `reliability`, both (B,), are those of the rule in force in the round. A platform
        announces a shift that takes place with the probability `reliability`, and one that does not with the
        probability 1 - `reliability`.
        """
        nearest = np.zeros(len(lead_time))
        farthest = round_ + max(self._notice, int(lead_time.max()))
        for index in range(bisect_right(self._rounds, round_), bisect_right(self._rounds, farthest)):
            shift = self._schedule[index]
            left = shift.at - round_
            number, true = self._announcement[:, index], self._happens[:, index] & (not shift.placebo)
            announced = np.where(true, number < reliability, number >= reliability)
            ahead = np.where(announced, lead_time, 0.0)
            if shift.notice is not None:
                ahead = np.full(ahead.shape, shift.notice)
            near = np.where(left <= ahead, 1 - (left - 1) / np.maximum(ahead, 1), 0.0)
            nearest = np.maximum(nearest, near)
        return nearest
