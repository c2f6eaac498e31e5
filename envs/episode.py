"""An episode's rules: which rule each market is under in each round, and the same as the kernel reads it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.buffers import EpisodeRules, handle
from ruleshift.envs.compile import address_of
from ruleshift.envs.economy import Economy
from ruleshift.envs.enumerations import PRICINGS
from ruleshift.envs.mechanisms import find_mechanism
from ruleshift.envs.mechanisms.base import MECHANISM_SIGNATURE
from ruleshift.envs.rule import MAX_DELAY, Rule
from ruleshift.envs.schedule import Shift, Timetable
from ruleshift.envs.structure import Structure

_ADDRESSES: dict[int, tuple[Any, int]] = {}


def mechanism_address(name: str) -> int:
    """Return the machine address of a mechanism, which is compiled once per process.

    Raises:
        ValueError: if it does not compile; names it.
    """
    function = find_mechanism(name).function
    if id(function) not in _ADDRESSES:
        try:
            _ADDRESSES[id(function)] = (function, address_of(function, MECHANISM_SIGNATURE))
        except Exception as error:
            summary = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise ValueError(f"mechanism {name!r} does not compile: {summary}") from error
    return _ADDRESSES[id(function)][1]


def check_playable(rule: Rule | Structure, economy: Economy) -> None:
    """Refuse a rule that cannot be played in an economy, or a structure that can draw one.

    Raises:
        ValueError: if it cannot; names the rule and the key.
    """
    for each in rule.extremes() if isinstance(rule, Structure) else (rule,):
        _check_rule(each, economy)


def _check_rule(rule: Rule, economy: Economy) -> None:
    mechanism = rule.check_mechanism()
    size = economy.organizations * economy.jobs
    if mechanism.largest is not None and size > mechanism.largest:
        raise ValueError(
            f"rule {rule.name!r}: the mechanism {mechanism.name!r} takes at most {mechanism.largest:,} pairs of "
            f"organization and job; they are {size:,}"
        )
    if economy.shares == "expected":
        divisible = mechanism.name == "serial" and rule.feedback.entry_rate == 0
        if not divisible or PRICINGS[rule.payment.pricing].needs is not None:
            raise ValueError(
                f"rule {rule.name!r}: expected shares need the mechanism serial, pricing as_asked or posted, and "
                "entry_rate 0"
            )
    mechanism.scratch_sizes(economy.organizations, economy.jobs, economy.kinds, economy.capacity)
    mechanism_address(mechanism.name)


def _address(rule: Rule) -> np.int64:
    return np.int64(mechanism_address(rule.matching.mechanism))


def longest_delay(rules: Sequence[Rule | Structure]) -> int:
    """Return the longest delay of disclosure, in rounds, that any of the rules can have."""
    return max(_delay(rule) for rule in rules)


def _delay(rule: Rule | Structure) -> int:
    if isinstance(rule, Rule):
        return rule.disclosure.delay
    drawn = any("disclosure.delay" in part for part in rule.parts.values())
    return MAX_DELAY if drawn else rule.base.disclosure.delay


class Episode:
    """The rules of one episode of B markets: drawn when it is made, and unchanged afterwards.

    Args:
        rule: the rule at the beginning.
        schedule: the shifts.
        keys: the markets' generator keys, uint64 (B, 2).
        seeds: the markets' seeds (B,).
        first_market: number of the first market.
        number: number of the episode.
    """

    def __init__(
        self,
        rule: Rule | Structure,
        schedule: tuple[Shift, ...],
        keys: np.ndarray,
        seeds: Sequence[int],
        first_market: int,
        number: int,
    ) -> None:
        self.rule, self.schedule, self.number = rule, schedule, number
        self._seeds, self._first_market = seeds, first_market
        self._timetable = Timetable(schedule, keys, number) if schedule else None
        self._stages, self._notices = np.zeros((2, len(keys)), np.int64), np.zeros(len(keys))
        drawn = [self._drawn(stage) for stage in range(len(schedule) + 1)]
        self.mechanisms = {each.matching.mechanism for stage in drawn for each in stage}
        self._rows = np.stack([self._tiled([each.row() for each in stage]) for stage in drawn])
        self._rules = EpisodeRules(
            rows=self._rows,
            features=np.stack([self._tiled([each.features() for each in stage]) for stage in drawn]),
            addresses=np.stack(
                [
                    self._tiled([np.int64(mechanism_address(each.matching.mechanism)) for each in stage])
                    for stage in drawn
                ]
            ),
            stages=self._stages,
            notices=self._notices,
        )
        self.handle = handle(self._rules)
        self.move_to(-1)

    def holds_for(self, rule: Rule | Structure, schedule: tuple[Shift, ...]) -> bool:
        """Return whether any other episode under this rule and schedule would have the same rules."""
        return self.rule is rule and not schedule and not self.schedule and isinstance(rule, Rule)

    def move_to(self, round_: int) -> None:
        """Lay out what the kernel reads to play a round; -1 lays out what it reads to open the episode."""
        if self._timetable is None:
            return
        markets = np.arange(len(self._notices))
        self._stages[0], self._stages[1] = self._timetable.stages(round_), self._timetable.stages(round_ + 1)
        in_force = self._rows[self._stages[1], markets]
        self._notices[:] = self._timetable.notices(round_ + 1, in_force[:, at.NOTICE], in_force[:, at.RELIABILITY])

    def rule_in(self, round_: int, market: int) -> Rule:
        """Return the rule under which a market plays a round."""
        stage = 0 if self._timetable is None else int(self._timetable.stages(round_)[market])
        return self._draw(stage, market)

    def features(self, round_: int) -> np.ndarray:
        """Return the features of the rule in force in a round, float32 (B, len(FEATURES))."""
        stages = self._stages[0] if self._timetable is None else self._timetable.stages(round_)
        return self._rules.features[stages, np.arange(len(stages))]

    def _draw(self, stage: int, market: int) -> Rule:
        rule = self._of_stage(stage)
        if isinstance(rule, Structure):
            return rule.draw(self._seeds[market], self._first_market + market, self.number, stage=stage)
        return rule

    def _of_stage(self, stage: int) -> Rule | Structure:
        rule = self.rule if stage == 0 else self.schedule[stage - 1].to
        assert isinstance(rule, Rule | Structure)
        return rule

    def _drawn(self, stage: int) -> list[Rule]:
        """Return the rules of one stage: one for all markets, or one per market, drawn if the stage occurs there."""
        rule, markets = self._of_stage(stage), range(len(self._notices))
        if isinstance(rule, Rule):
            return [rule]
        comes = np.ones(len(markets), bool) if self._timetable is None else self._timetable.comes(stage)
        return [self._draw(stage, market) if comes[market] else rule.base for market in markets]

    def _tiled(self, rows: list[Any]) -> np.ndarray:
        table = np.array(rows)
        return np.repeat(table, len(self._notices), axis=0) if len(rows) < len(self._notices) else table
