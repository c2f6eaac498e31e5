"""The market: B markets of one economy, stepped together; its views (PettingZoo, Gymnasium, SB3) are thin wrappers."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs import round as round_
from ruleshift.envs.act import all_finite
from ruleshift.envs.buffers import Arrays, EpisodeRules, ThreadBuffers, handle, round_buffers, scratch_sizes
from ruleshift.envs.compile import address_of, freeze
from ruleshift.envs.disclose import TOGETHER
from ruleshift.envs.economy import Economy
from ruleshift.envs.enumerations import PRICINGS
from ruleshift.envs.mechanisms import find_mechanism, load_mechanisms
from ruleshift.envs.mechanisms.base import MECHANISM_SIGNATURE
from ruleshift.envs.numerics import market_key
from ruleshift.envs.rule import MAX_DELAY, Rule
from ruleshift.envs.schedule import Shift, check_schedule, draw_shifts, notices, stages
from ruleshift.envs.structure import Structure, load_rule_or_structure
from ruleshift.envs.workers import run_beside

_POOLED = 8
_ADDRESSES: dict[int, tuple[Any, int]] = {}
_COMPILED: dict[str, Any] = {}


def _address(name: str) -> int:
    """Return the machine address of a mechanism, which is compiled once per process."""
    function = find_mechanism(name).function
    if id(function) not in _ADDRESSES:
        try:
            _ADDRESSES[id(function)] = (function, address_of(function, MECHANISM_SIGNATURE))
        except Exception as error:
            summary = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise ValueError(f"mechanism {name!r} does not compile: {summary}") from error
    return _ADDRESSES[id(function)][1]


def check_rule(rule: Rule, economy: Economy) -> None:
    """Refuse a rule that cannot be played in an economy.

    Raises:
        ValueError: if it cannot; names the rule and the key.
    """
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


def _latest(rule: Any) -> int:
    """Return the longest delay of disclosure, in rounds, that a Rule or any rule of a Structure can have."""
    if isinstance(rule, Rule):
        return rule.disclosure.delay
    drawn = any("disclosure.delay" in draws for draws in rule.parts.values())
    return MAX_DELAY if drawn else rule.base.disclosure.delay


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

    def __init__(
        self,
        rule: str | Path | Rule | Structure = "price_board",
        *,
        markets: int = 1,
        first_market: int = 0,
        economy: Economy | None = None,
        schedule: tuple[Shift, ...] = (),
        mechanisms: tuple[str, ...] = (),
        threads: int = 1,
    ) -> None:
        for name, value, least in (("markets", markets, 1), ("first_market", first_market, 0), ("threads", threads, 1)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"{name} is {value!r}; it must be a whole number from {least}")
        if economy is not None and not isinstance(economy, Economy):
            raise TypeError(f"economy is {type(economy).__name__}; it must be an Economy")
        load_mechanisms(tuple(mechanisms))
        self.economy = economy or Economy()
        self.rule = load_rule_or_structure(rule)
        self.schedule = check_schedule(schedule, self.economy.rounds)
        self.markets, self.first_market, self.threads = int(markets), int(first_market), int(threads)
        self.mechanisms = tuple(mechanisms)
        for each in (self.rule, *(shift.to for shift in self.schedule)):
            assert isinstance(each, Rule | Structure)
            check_rule(each if isinstance(each, Rule) else each.base, self.economy)
        self.organizations, self.jobs, self.kinds = self.economy.organizations, self.economy.jobs, self.economy.kinds
        self.layout = at.observation_layout(self.kinds)
        self.observation_size = self.layout["features"].stop
        self.action_size = at.ACTION.focus + self.kinds
        self.seed: int | None = None
        self.round, self.episode = 0, 0
        self.last_observations: np.ndarray | None = None
        self.episode_measures: np.ndarray | None = None
        self._rules_laid_out: tuple[Any, ...] | None = None
        self._broken = False
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
        self._handles: list[np.ndarray] = []
        self._scratch: tuple[int, int] = (0, 0)
        shape = (-(-b // self.threads), n, j, self.kinds)
        staging = (TOGETHER, self.observation_size)
        self._buffers = [
            ThreadBuffers(
                self.arrays, round_buffers(*shape), np.empty(staging, np.float32), np.empty(0), np.empty(0, np.int64)
            )
            for _ in range(self.threads)
        ]
        self._fit_history()
        self._observations, self._rewards = _ArrayPool((b, n, self.observation_size)), _ArrayPool((b, n))

    def reset(self, seed: int | None = None, rule: str | Path | Rule | Structure | None = None) -> np.ndarray:
        """Open an episode: the first one of a seed if it is given, else the next one.

        Without any seed so far, the seed is 0. An episode of which no round was played is opened again.

        Args:
            seed: seed of the markets, 0 to 2**32 - 1, or None.
            rule: replaces the rule from now on; None keeps it.

        Returns:
            Observations, float32 (B, N, F), a fresh array.

        Raises:
            ValueError, TypeError: if the seed or the rule is wrong.
        """
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise TypeError(f"seed is {seed!r}; it must be a whole number or None")
        keys = None
        if seed is not None or self.seed is None:
            seed = int(seed or 0)
            numbers = range(self.first_market, self.first_market + self.markets)
            keys = np.array([market_key(seed, number) for number in numbers], np.uint64)
        if rule is not None:
            rule = load_rule_or_structure(rule)
            check_rule(rule if isinstance(rule, Rule) else rule.base, self.economy)
            self.rule = rule
        if keys is not None:
            self.arrays.keys[:] = keys
            self.seed, self.episode = seed, 0
        else:
            self.episode += self.round > 0 or self._broken
        self.round, self._broken = 0, False
        self._fit_history()
        self._lay_out_rules(self.episode)
        observations = np.empty((self.markets, self.organizations, self.observation_size), np.float32)
        round_.begin(self._handles[0], self._rules_handle, self.episode, observations)
        return observations

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
        """Play one round in every market.

        When an episode is truncated, the markets have already been reset: the observations are those of the next
        episode, and `last_observations` (B, N, F) and `episode_measures` (B, M) belong to the one that ended.

        Args:
            actions: float32 (B, N, 3 + K), C-contiguous. Finite numbers outside [-1, 1] are clipped and counted.

        Returns:
            Observations (B, N, F) float32, rewards (B, N) float32 in mean job values, and whether the episode was
            truncated. The arrays are fresh at each step.

        Raises:
            RuntimeError: before the first reset, or if a mechanism made an invalid assignment, after which a reset is
                needed.
            ValueError, TypeError: if actions have the wrong shape, dtype or memory order, or are not finite; nothing
                has changed.
        """
        if self.seed is None or self._broken:
            raise RuntimeError("the market is not open: call reset() first")
        self._check(actions)
        round_played, last = self.round, self.round + 1 == self.economy.rounds
        now, rules = self._stages[round_played], self._rules_handle
        in_force = self._episode_rules  # held until the kernel has read it
        if last:
            self._lay_out_rules(self.episode + 1)
        observations, rewards = self._observations.take(), self._rewards.take()
        ended = self._observations.take() if last else observations
        wrong = self._play(
            round_played, self.episode, last, rules, self._rules_handle, actions, observations, rewards, ended
        )
        del in_force
        self.round = round_played + 1
        if last:
            self.last_observations = ended
            self.episode_measures = self.arrays.totals / self.economy.rounds
            self.arrays.totals[:] = 0.0
            self.episode += 1
            self.round = 0
        if wrong:
            self._break_off(now, self.episode - int(last))
        return observations, rewards, last

    def _play(self, round_played: int, episode: int, last: bool, *arguments: Any) -> int:
        """Run the kernel on all threads; returns how many assignments of mechanisms were invalid."""
        self._next_market[0] = 0
        clock = (self._next_market, round_played, episode, last)
        kernel = _COMPILED.get("play")
        if kernel is None:
            kernel = _COMPILED["play"] = freeze(round_.play, *clock, self._handles[0], *arguments)
        calls = [(*clock, handle, *arguments) for handle in self._handles]
        return kernel(*calls[0]) if self.threads == 1 else run_beside(kernel, calls)

    def _check(self, actions: Any) -> None:
        shape = (self.markets, self.organizations, self.action_size)
        if not isinstance(actions, np.ndarray):
            raise TypeError(f"actions are {type(actions).__name__}; they must be a numpy array, float32 {shape}")
        if actions.dtype != np.float32:
            raise TypeError(f"actions are {actions.dtype}; they must be float32")
        if actions.shape != shape:
            raise ValueError(f"actions have shape {actions.shape}; they must have {shape}")
        if not actions.flags.c_contiguous:
            raise ValueError("actions are strided; they must be C-contiguous (numpy.ascontiguousarray)")
        if not all_finite(actions):
            b, i, a = np.argwhere(~np.isfinite(actions))[0]
            value = actions[b, i, a]
            raise ValueError(
                f"actions: org_{i} in market {self.first_market + b} has {value} at {a}; it must be finite"
            )

    def _break_off(self, stages_played: np.ndarray, episode: int) -> None:
        b = int(np.flatnonzero(self.arrays.faults)[0])
        name = self._rule_of(b, int(stages_played[b]), episode).matching.mechanism
        self.arrays.faults[:] = 0
        self._broken = True
        raise RuntimeError(
            f"mechanism {name!r} broke the market in market {self.first_market + b}: an assignment to no organization, "
            "to one that did not offer, beyond capacity, or with an impossible margin, price or bid; reset() to go on"
        )

    def rule_in_force(self, market: int = 0) -> Rule:
        """Return the rule under which the next round of a market is played."""
        return self._rule_of(market, int(self._stages[self.round, market]), self.episode)

    def _rule_of(self, market: int, stage: int, episode: int) -> Rule:
        rule = self.rule if stage == 0 else self.schedule[stage - 1].to
        if isinstance(rule, Structure):
            assert self.seed is not None
            return rule.draw(self.seed, self.first_market + market, episode, stage=stage)
        assert isinstance(rule, Rule)
        return rule

    def _fit_history(self) -> None:
        """Make room for as many rounds of past disclosure as any rule of this market can require."""
        latest = max(_latest(rule) for rule in (self.rule, *(shift.to for shift in self.schedule)))
        shape = (self.markets, latest + 1 if latest > 0 else 0, at.disclosed_size(self.organizations))
        if self.arrays.history.shape != shape:
            self.arrays = self.arrays._replace(history=np.zeros(shape))
            self._use([each._replace(arrays=self.arrays) for each in self._buffers])

    def _use(self, buffers: list[ThreadBuffers]) -> None:
        """Use other buffers from now on, and make handles to them."""
        self._buffers = buffers
        self._handles = [handle(each) for each in buffers]

    def _lay_out_rules(self, episode: int) -> None:
        """Lay out an episode for the kernel: the rule of each stage and market, the stage and notice of each round."""
        rules = [self.rule, *(shift.to for shift in self.schedule)]
        changes = self.schedule or isinstance(self.rule, Structure)
        laid_out = (self.rule, episode, self.seed) if changes else (self.rule,)
        if self._rules_laid_out == laid_out:
            return
        happens, announcement = draw_shifts(self.schedule, self.arrays.keys, episode)
        self._stages = stages(self.schedule, happens, self.economy.rounds)
        drawn = [self._drawn(stage, rule, episode) for stage, rule in enumerate(rules)]
        rows = np.stack([self._tiled([rule.row() for rule in each]) for each in drawn])
        in_force = rows[self._stages, np.arange(self.markets)]
        self._episode_rules = EpisodeRules(
            rows=rows,
            features=np.stack([self._tiled([rule.features() for rule in each]) for each in drawn]),
            addresses=np.stack(
                [self._tiled([np.int64(_address(rule.matching.mechanism)) for rule in each]) for each in drawn]
            ),
            stages=self._stages,
            notices=notices(
                self.schedule, happens, announcement, in_force[..., at.NOTICE], in_force[..., at.RELIABILITY]
            ),
        )
        self._rules_handle = handle(self._episode_rules)
        self._grow_scratch({rule.matching.mechanism for each in drawn for rule in each})
        self._rules_laid_out = laid_out

    def _drawn(self, stage: int, rule: Any, episode: int) -> list[Rule]:
        """Return the rules of one stage: one for all markets, or one per market, drawn if the stage occurs there."""
        if not isinstance(rule, Structure):
            return [rule]
        comes = (self._stages == stage).any(axis=0)
        rules = [self._rule_of(b, stage, episode) if comes[b] else rule.base for b in range(self.markets)]
        for each in rules:
            check_rule(each, self.economy)
        return rules

    def _tiled(self, rows: list[Any]) -> np.ndarray:
        table = np.array(rows)
        return np.repeat(table, self.markets, axis=0) if len(rows) < self.markets else table

    def _grow_scratch(self, names: set[str]) -> None:
        shape = (self.organizations, self.jobs, self.kinds, self.economy.capacity)
        sizes = [find_mechanism(name).scratch(*shape) for name in sorted(names)]
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
        """Return everything on which the market's future depends, as arrays; after `restore` it is the same bits."""
        arrays = {name: array.copy() for name, array in self.arrays._asdict().items()}
        seed = -1 if self.seed is None else self.seed
        return {**arrays, "clock": np.array([seed, self.round, self.episode], np.int64)}

    def restore(self, snapshot: dict[str, np.ndarray]) -> None:
        """Continue from where `snapshot` was taken, in a market built with the same arguments.

        Raises:
            ValueError: if the snapshot is of markets of another size; nothing has changed.
        """
        for name, array in self.arrays._asdict().items():
            if name not in snapshot or snapshot[name].shape != array.shape or snapshot[name].dtype != array.dtype:
                raise ValueError(f"snapshot: {name} is not that of {self.markets} markets of this economy")
        for name, array in self.arrays._asdict().items():
            array[:] = snapshot[name]
        seed, self.round, self.episode = (int(number) for number in snapshot["clock"])
        self.seed, self._broken = (None if seed < 0 else seed), False
        if self.seed is not None:
            self._lay_out_rules(self.episode)

    def __getstate__(self) -> dict[str, Any]:
        """Return what `__setstate__` rebuilds the market from; addresses of mechanisms hold in one process only."""
        arguments = {
            "rule": self.rule, "markets": self.markets, "first_market": self.first_market, "economy": self.economy,
            "schedule": self.schedule, "mechanisms": self.mechanisms, "threads": self.threads,
        }  # fmt: skip
        return {"arguments": arguments, "snapshot": self.snapshot()}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        self.__init__(**pickled["arguments"])  # type: ignore[misc]
        self.restore(pickled["snapshot"])

    def twin(self) -> "Market":
        """Return the same markets with the same noise but without the schedule, not yet reset."""
        return Market(
            self.rule, markets=self.markets, first_market=self.first_market, economy=self.economy,
            mechanisms=self.mechanisms, threads=self.threads,
        )  # fmt: skip
