"""The market: B markets of one economy, stepped together; its views (PettingZoo, Gymnasium, SB3) are thin wrappers."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs import round as round_
from ruleshift.envs.act import read_actions
from ruleshift.envs.buffers import Arrays, ThreadBuffers, handle, round_buffers, scratch_sizes
from ruleshift.envs.compile import freeze
from ruleshift.envs.disclose import TOGETHER
from ruleshift.envs.economy import Economy
from ruleshift.envs.episode import Episode, check_playable, longest_delay
from ruleshift.envs.fields import Count, checked
from ruleshift.envs.fixed import Fixed
from ruleshift.envs.mechanisms import find_mechanism, load_mechanisms
from ruleshift.envs.numerics import market_key
from ruleshift.envs.rule import Rule
from ruleshift.envs.schedule import Shift, check_schedule
from ruleshift.envs.seeds import read_seeds
from ruleshift.envs.snapshot import bounded, check_snapshot, lengthened
from ruleshift.envs.structure import Structure, load_rule_or_structure
from ruleshift.envs.workers import run_beside

_POOLED = 8
_COMPILED: dict[str, Any] = {}
_ANOTHER = "make another market, or set its rule or its schedule, which take effect in the next episode"
_INSIDE = "write into the array instead"
_INTERRUPTED = "a round was interrupted before it was complete"


@lru_cache(maxsize=8)
def _keys(seeds: tuple[int, ...], first_market: int) -> np.ndarray:
    """Return the keys of the generators of markets from a number on, uint64 (B, 2), which cannot be written to."""
    keys = np.array([market_key(seed, first_market + b) for b, seed in enumerate(seeds)], np.uint64)
    keys.flags.writeable = False
    return keys


def _history_length(rule: Rule | Structure, schedule: tuple[Shift, ...]) -> int:
    """Return for how many rounds past disclosure is kept, which is 0 where none is delayed."""
    delay = longest_delay([rule, *(shift.to for shift in schedule)])  # type: ignore[list-item]
    return delay + 1 if delay else 0


class _ArrayPool:
    """A pool that gives fresh arrays at each step without allocating: an array is reused once nobody else holds it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._pool = [np.empty(shape, np.float32)]
        self._unshared = sys.getrefcount(self._pool[0])

    def take(self) -> np.ndarray:
        """Return a float32 array to which neither a caller nor a view still refers."""
        for index in range(len(self._pool)):
            if sys.getrefcount(self._pool[index]) == self._unshared:
                return self._pool[index]
        fresh = np.empty(self._shape, np.float32)
        if len(self._pool) < _POOLED:
            self._pool.append(fresh)
        return fresh


class Market:
    """B markets of N organizations in lock-step: all of them start together and are truncated together after T rounds.

    A market's trajectory depends only on its seed, its number (`first_market` + its index) and the actions, and not on
    B, the other markets, the threads or the process.

    `rule` and `schedule` can be set at any time. They are checked at once and take effect in the next episode, whether
    it is begun by `reset` or by the truncation of the one before. All other attributes are fixed.

    Args:
        rule: a `Rule`, or a `Structure`, which is drawn anew in each market and episode; or the name of either, or the
            path of its TOML file.
        markets: B, the number of markets.
        first_market: number of the first market; the others follow it.
        economy: sizes, costs, demand and shocks; None means `Economy()`.
        schedule: the `Shift`s of the rule within an episode.
        mechanisms: mechanisms of your own to load, each as `module:function`.
        threads: number of threads that share the markets of a step.

    Raises:
        ValueError, TypeError: if the rule, the economy, the schedule or a size is wrong; says which.
    """

    economy = Fixed[Economy](_ANOTHER)
    markets, first_market, threads = Fixed[int](_ANOTHER), Fixed[int](_ANOTHER), Fixed[int](_ANOTHER)
    mechanisms = Fixed[tuple[str, ...]](_ANOTHER)
    organizations, jobs, kinds = Fixed[int](_ANOTHER), Fixed[int](_ANOTHER), Fixed[int](_ANOTHER)
    layout = Fixed[dict[str, slice]](_ANOTHER)
    observation_size, action_size = Fixed[int](_ANOTHER), Fixed[int](_ANOTHER)
    key, state, outcomes = Fixed[np.ndarray](_INSIDE), Fixed[np.ndarray](_INSIDE), Fixed[np.ndarray](_INSIDE)
    job_kinds, job_values = Fixed[np.ndarray](_INSIDE), Fixed[np.ndarray](_INSIDE)
    served_kinds, served_values = Fixed[np.ndarray](_INSIDE), Fixed[np.ndarray](_INSIDE)
    winners, payments, measures = Fixed[np.ndarray](_INSIDE), Fixed[np.ndarray](_INSIDE), Fixed[np.ndarray](_INSIDE)

    def __init__(
        self,
        rule: str | Path | Rule | Structure = "price_board",
        *,
        markets: int = 1,
        first_market: int = 0,
        economy: Economy | None = None,
        schedule: Iterable[Shift] = (),
        mechanisms: Iterable[str] = (),
        threads: int = 1,
    ) -> None:
        markets = checked(markets, Count(1, 1_000_000), "markets")
        first_market = checked(first_market, Count(0, 2**32 - 1), "first_market")
        threads = checked(threads, Count(1, 1_024), "threads")
        if economy is not None and not isinstance(economy, Economy):
            raise TypeError(f"economy is {type(economy).__name__}; it must be an Economy")
        self.mechanisms = tuple(mechanisms)
        load_mechanisms(self.mechanisms)
        self.economy = economy or Economy()
        self.markets, self.first_market, self.threads = markets, first_market, threads
        self.organizations, self.jobs, self.kinds = self.economy.organizations, self.economy.jobs, self.economy.kinds
        self.layout = at.observation_layout(self.kinds)
        self.observation_size = self.layout["features"].stop
        self.action_size = at.ACTION.focus + self.kinds
        self._rule, self._schedule = self._checked_rule(rule), self._checked_schedule(schedule)
        self._seeds: tuple[int, ...] | None = None
        self._round, self._number = 0, 0
        self._closed = "no episode has been opened yet"
        self.last_observations: np.ndarray | None = None
        self.episode_measures: np.ndarray | None = None
        self._allocate()

    def _allocate(self) -> None:
        b, n, j, m = self.markets, self.organizations, self.jobs, len(at.MEASURES)
        self.arrays = Arrays(
            keys=np.zeros((b, 2), np.uint64),
            economy=self.economy.row(),
            calendar=self.economy.calendar(),
            state=np.zeros((b, at.state_rows(self.kinds), n)),
            outcomes=np.zeros((b, at.outcome_rows(self.kinds), n)),
            job_kinds=np.zeros((b, j), np.int64),
            job_values=np.zeros((b, j)),
            served_kinds=np.zeros((b, j), np.int64),
            served_values=np.zeros((b, j)),
            winners=np.full((b, j), -1, np.int64),
            payments=np.zeros((b, j)),
            measures=np.zeros((b, m)),
            totals=np.zeros((b, m)),
            faults=np.zeros(b, np.int64),
            history=np.zeros((b, 0, at.disclosed_size(n))),
        )
        self.key, self.state, self.outcomes = self.arrays.keys, self.arrays.state, self.arrays.outcomes
        self.job_kinds, self.job_values = self.arrays.job_kinds, self.arrays.job_values
        self.served_kinds, self.served_values = self.arrays.served_kinds, self.arrays.served_values
        self.winners, self.payments, self.measures = self.arrays.winners, self.arrays.payments, self.arrays.measures
        self._next_market = np.zeros(1, np.int64)
        self._scratch: tuple[int, int] = (0, 0)
        shape = (-(-b // self.threads), n, j, self.kinds)
        staging = (TOGETHER, self.observation_size)
        self._use(
            [
                ThreadBuffers(
                    self.arrays, round_buffers(*shape), np.empty(staging, np.float32), np.empty(0),
                    np.empty(0, np.int64),
                )
                for _ in range(self.threads)
            ]
        )  # fmt: skip
        self._observations, self._rewards = _ArrayPool((b, n, self.observation_size)), _ArrayPool((b, n))

    @property
    def rule(self) -> Rule | Structure:
        """The rule or structure of the next episode, and of this one unless it was set since this one began.

        It can be set to what `Market` takes as its rule. `rule_in_force` tells what a market plays now.
        """
        return self._rule

    @rule.setter
    def rule(self, rule: str | Path | Rule | Structure) -> None:
        self._rule = self._checked_rule(rule)

    @property
    def schedule(self) -> tuple[Shift, ...]:
        """The shifts of the next episode, and of this one unless they were set since this one began; can be set."""
        return self._schedule

    @schedule.setter
    def schedule(self, schedule: Iterable[Shift]) -> None:
        self._schedule = self._checked_schedule(schedule)

    @property
    def seed(self) -> int | tuple[int, ...] | None:
        """The seed of the markets, a tuple of B if they were given one each, or None before the first reset."""
        if self._seeds is None:
            return None
        return self._seeds[0] if len(set(self._seeds)) == 1 else self._seeds

    @property
    def round(self) -> int:
        """How many rounds of the episode have been played."""
        return self._round

    @property
    def episode(self) -> int:
        """The number of the episode, 0 for the first one of a seed."""
        return self._number

    def _checked_rule(self, rule: Any) -> Rule | Structure:
        loaded = load_rule_or_structure(rule)
        check_playable(loaded, self.economy)
        return loaded

    def _checked_schedule(self, schedule: Any) -> tuple[Shift, ...]:
        shifts = check_schedule(schedule, self.economy.rounds)
        for shift in shifts:
            assert isinstance(shift.to, Rule | Structure)
            check_playable(shift.to, self.economy)
        return shifts

    def reset(
        self, seed: int | Sequence[int] | None = None, rule: str | Path | Rule | Structure | None = None
    ) -> np.ndarray:
        """Open an episode: the first one of a seed if it is given, else the next one.

        Without any seed so far, the seed is 0. An episode of which no round was played is opened again. If the call is
        refused, nothing has changed.

        Args:
            seed: seed of the markets, 0 to 2**64 - 1, or a sequence of B seeds, or None.
            rule: replaces the rule from now on; None keeps it.

        Returns:
            Observations, float32 (B, N, F), a fresh array.

        Raises:
            ValueError, TypeError: if the seed or the rule is wrong.
        """
        given = read_seeds(seed, self.markets)
        if given is None and self._seeds is None:
            given = 0
        seeds = (given,) * self.markets if isinstance(given, int) else given
        new_rule = self._rule if rule is None else self._checked_rule(rule)
        if seeds is None:
            number = self._number + (self._round > 0 or bool(self._closed))
            seeds, keys = self._seeds, self.arrays.keys
        else:
            number, keys = 0, _keys(seeds, self.first_market)
        assert seeds is not None
        episode = self._plan(new_rule, self._schedule, keys, seeds, number)
        observations = np.empty((self.markets, self.organizations, self.observation_size), np.float32)
        self._closed = _INTERRUPTED
        self._make_room(episode)
        self._rule, self._seeds, self._number, self._round = new_rule, seeds, number, 0
        self.arrays.keys[:] = keys
        self.arrays.faults[:] = 0
        round_.begin(self._handles[0], episode.handle, number, observations)
        self._plan_in_force = episode
        self._closed = ""
        return observations

    def _plan(
        self,
        rule: Rule | Structure,
        schedule: tuple[Shift, ...],
        keys: np.ndarray,
        seeds: tuple[int, ...],
        number: int,
    ) -> Episode:
        """Return an episode's rules; those of the episode in force if they would be the same."""
        in_force: Episode | None = getattr(self, "_plan_in_force", None)
        if in_force is not None and in_force.holds_for(rule, schedule):
            return in_force
        return Episode(rule, schedule, keys, seeds, self.first_market, number)

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        """Play one round in every market.

        When an episode is truncated, the markets have already been reset: the observations are those of the next
        episode, and `last_observations` (B, N, F) and `episode_measures` (B, M) belong to the one that ended.

        Args:
            actions: real numbers (B, N, 3 + K), best a C-contiguous float32 array, as which they are otherwise copied.
                Finite numbers outside [-1, 1] are clipped and counted.

        Returns:
            Observations (B, N, F) float32, rewards (B, N) float32 in mean job values, and whether the episode was
            truncated. The arrays are fresh at each step.

        Raises:
            RuntimeError: if the market is not open, which it is after a reset, until a mechanism breaks it or an
                exception such as KeyboardInterrupt interrupts a round.
            ValueError, TypeError: if actions have the wrong shape, are not real numbers, or are not finite; nothing has
                changed.
        """
        if self._closed:
            raise RuntimeError(f"the market is not open ({self._closed}); call reset()")
        actions = read_actions(actions, (self.markets, self.organizations, self.action_size))
        episode, last = self._plan_in_force, self._round + 1 == self.economy.rounds
        following = episode
        if last:
            assert self._seeds is not None
            following = self._plan(self._rule, self._schedule, self.arrays.keys, self._seeds, self._number + 1)
        observations, rewards = self._observations.take(), self._rewards.take()
        ended = self._observations.take() if last else observations
        episode.move_to(self._round)
        self._closed = _INTERRUPTED
        if last:
            self._make_room(following)
        wrong = self._play(last, episode.handle, following.handle, actions, observations, rewards, ended)
        if wrong:
            self._break_off("made an invalid assignment", "")
        if last:
            self.last_observations = ended
            self.episode_measures = self.arrays.totals / self.economy.rounds
            self.arrays.totals[:] = 0.0
            self._plan_in_force = following
        self._number += last
        self._round = 0 if last else self._round + 1
        self._closed = ""
        return observations, rewards, last

    def _play(self, last: bool, *arguments: Any) -> int:
        """Run the kernel on all threads; returns how many assignments of mechanisms were invalid."""
        self._next_market[0] = 0
        clock = (self._next_market, self._round, self._number, last)
        kernel = _COMPILED.get("play")
        if kernel is None:
            kernel = _COMPILED["play"] = freeze(round_.play, *clock, self._handles[0], *arguments)
        calls = [(*clock, handle, *arguments) for handle in self._handles]
        try:
            return kernel(*calls[0]) if self.threads == 1 else run_beside(kernel, calls)
        except Exception as error:
            self._break_off(f"raised {type(error).__name__}", f" ({error})" if str(error) else "", error)
            raise

    def _break_off(self, did: str, detail: str, cause: Exception | None = None) -> None:
        """Leave the market closed, and raise an error that names the mechanism that broke it, and in which market."""
        broken = np.flatnonzero(self.arrays.faults)
        if not len(broken):
            return
        b = int(broken[0])
        name = self.rule_in_force(b).matching.mechanism
        where = f"in market {self.first_market + b}"
        self._closed = f"mechanism {name!r} broke off a round {where}"
        meaning = (
            ": an assignment to no organization, to one that did not offer, beyond capacity, or with an impossible "
            "margin, price or bid"
        )
        text = detail or ("" if cause else meaning)
        raise RuntimeError(f"mechanism {name!r} {did} {where}{text}; reset() to go on") from cause

    def rule_in_force(self, market: int = 0) -> Rule:
        """Return the rule under which the next round of a market is played.

        Raises:
            RuntimeError: before the first reset.
        """
        if self._seeds is None:
            raise RuntimeError(f"the market is not open ({self._closed}); call reset()")
        return self._plan_in_force.rule_in(self._round, market)

    @property
    def rule_features(self) -> np.ndarray:
        """The features of the rules in force, float32 (B, len(FEATURES)), whether or not they are disclosed.

        Raises:
            RuntimeError: before the first reset.
        """
        if self._seeds is None:
            raise RuntimeError(f"the market is not open ({self._closed}); call reset()")
        return self._plan_in_force.features(self._round)

    @property
    def schedule_in_force(self) -> tuple[Shift, ...]:
        """The shifts of the episode that is being played."""
        return self._plan_in_force.schedule

    def _make_room(self, episode: Episode) -> None:
        """Make room for past disclosure and for the scratch memory of the mechanisms of an episode."""
        length = _history_length(episode.rule, episode.schedule)
        if self.arrays.history.shape[1] < length:
            self._put_history(lengthened(self.arrays.history, length, self._round))
        self._grow_scratch(episode.mechanisms)

    def _put_history(self, history: np.ndarray) -> None:
        self.arrays = self.arrays._replace(history=history)
        self._use([each._replace(arrays=self.arrays) for each in self._buffers])

    def _use(self, buffers: list[ThreadBuffers]) -> None:
        """Use other buffers from now on, and make handles to them."""
        self._buffers = buffers
        self._handles = [handle(each) for each in buffers]

    def _grow_scratch(self, names: set[str]) -> None:
        shape = (self.organizations, self.jobs, self.kinds, self.economy.capacity)
        sizes = [find_mechanism(name).scratch_sizes(*shape) for name in sorted(names)]
        floats, integers = scratch_sizes(
            self.organizations, self.jobs, self.kinds, max(s[0] for s in sizes), max(s[1] for s in sizes)
        )
        before = self._scratch  # never shrink: other stages need what is there
        self._scratch = max(floats, before[0]), max(integers, before[1])
        if self._scratch != before:
            floats, integers = self._scratch
            self._use(
                [
                    each._replace(floats=np.empty(floats), integers=np.empty(integers, np.int64))
                    for each in self._buffers
                ]
            )

    def snapshot(self) -> dict[str, np.ndarray]:
        """Return everything on which the market's future depends, as arrays; after `restore` it is the same bits.

        A rule or a schedule that was set for the next episode is not part of it.

        Raises:
            RuntimeError: if a round was broken off.
        """
        if self._closed and self._seeds is not None:
            raise RuntimeError(f"the market is not open ({self._closed}); call reset()")
        arrays = {name: array.copy() for name, array in self.arrays._asdict().items()}
        seeds = np.array(self._seeds or [0] * self.markets, np.uint64)
        clock = np.array([self._seeds is not None, self._round, self._number], np.int64)
        return {**arrays, "seeds": seeds, "clock": clock}

    def check_snapshot(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Refuse a snapshot that `restore` could not take; errors as there."""
        check_snapshot(snapshot, self.arrays, self.economy)
        seeds = tuple(snapshot["seeds"].tolist())
        if snapshot["clock"][0] and not np.array_equal(snapshot["keys"], _keys(seeds, self.first_market)):
            raise ValueError(f"snapshot: keys are not those of the markets from {self.first_market} on")

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Continue from where `snapshot` was taken, in a market built with the same arguments.

        Raises:
            ValueError, TypeError: if the snapshot is of other markets, or holds what no market can hold; names the
                array. Nothing has changed.
        """
        self.check_snapshot(snapshot)
        opened, played, number = (int(each) for each in snapshot["clock"])
        seeds = tuple(snapshot["seeds"].tolist())
        episode = self._plan(self._rule, self._schedule, snapshot["keys"], seeds, number) if opened else None
        self._closed = _INTERRUPTED
        self._put_history(bounded(snapshot["history"]))
        for name, array in self.arrays._asdict().items():
            if name != "history":
                array[:] = snapshot[name]
        if episode is not None:
            self._round = played
            self._make_room(episode)
            self._plan_in_force = episode
        self._seeds, self._round, self._number = (seeds if opened else None), played, number
        self._closed = "" if opened else "no episode has been opened yet"

    def __getstate__(self) -> dict[str, Any]:
        """Return what `__setstate__` rebuilds the market from; addresses of mechanisms hold in one process only."""
        opened = self._seeds is not None
        arguments = {
            "rule": self._plan_in_force.rule if opened else self._rule,
            "schedule": self._plan_in_force.schedule if opened else self._schedule,
            "markets": self.markets, "first_market": self.first_market, "economy": self.economy,
            "mechanisms": self.mechanisms, "threads": self.threads,
        }  # fmt: skip
        return {"arguments": arguments, "snapshot": self.snapshot(), "next": (self._rule, self._schedule)}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__init__(**pickled["arguments"])  # type: ignore[misc]
        self.restore(pickled["snapshot"])
        self._rule, self._schedule = pickled["next"]

    def twin(self) -> "Market":
        """Return the same markets with the same noise but without the schedule, not yet reset."""
        return Market(
            self.rule, markets=self.markets, first_market=self.first_market, economy=self.economy,
            mechanisms=self.mechanisms, threads=self.threads,
        )  # fmt: skip
