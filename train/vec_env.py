"""A native VecEnv of stable-baselines3 over B markets x their learning seats, with nothing in between."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from ruleshift.agents.background import Backgrounds
from ruleshift.agents.seats import Seats, as_index
from ruleshift.envs import MEASURES, Economy, Market, Rule, Shift, Structure

# The info of a row whose episode goes on. One read-only value for all of them: hundreds of fresh dicts a step would
# cost more than the markets themselves, and one shared writable dict would leak whatever a caller wrote into it.
EMPTY: Any = MappingProxyType({})


class MarketVecEnv(VecEnv):
    """B markets in lock-step as one VecEnv; row b * L + l is learning seat l of market b.

    Observations are float32 (B * L, F) in [-10, 10], actions Box(-1, 1, (3 + K,)), rewards float32 profits. Every
    episode is truncated after the economy's rounds: its last infos hold `terminal_observation`, `TimeLimit.truncated`,
    `episode` (r, l, t) and `measures` (means of the ended episode by market). Where a rule replaces the bankrupt, a row
    is done in mid-episode when its organization goes bankrupt: `TimeLimit.truncated` is False, for nothing follows for
    it; `terminal_observation` is the last that it saw, `episode` counts from its entry, and the observation returned is
    the newcomer's. The rows share the markets: attributes and methods are those of the whole, and seeds, options and
    attributes are set for all rows.

    Args:
        rule: a Rule, or a Structure (a rule is then drawn anew for each market and episode); or the name of either, or
            the path of its file.
        markets: B.
        first_market: number of the first market; noise belongs to the number.
        seed: used at the first reset, until `seed()` gives another.
        economy: sizes, costs, demand; the default economy where None.
        seats: who sits where; every seat learns where None.
        schedule: shifts of the rule in mid-episode.
        mechanisms: users' mechanisms, as `module:function`.
        threads: markets are stepped on so many threads.

    >>> env = MarketVecEnv("price_board", markets=2)
    >>> env.reset().shape, env.num_envs
    ((16, 64), 16)
    """

    clips_actions = True
    """Actions outside the box are clipped and counted by the market itself: a learner need not clip them first."""

    def __init__(
        self,
        rule: "str | Path | Rule | Structure" = "price_board",
        markets: int = 64,
        first_market: int = 0,
        seed: int = 0,
        economy: Economy | None = None,
        seats: Seats | None = None,
        schedule: Sequence[Shift] = (),
        mechanisms: Sequence[str] = (),
        threads: int = 1,
    ) -> None:
        self.market = Market(
            rule,
            markets=markets,
            first_market=first_market,
            economy=economy,
            schedule=tuple(schedule),
            mechanisms=tuple(mechanisms),
            threads=threads,
        )
        organizations = self.market.organizations
        self.seats = seats if seats is not None else Seats.all_learn(organizations)
        self.seats.check(organizations)
        if not self.seats.learning:
            raise ValueError("seats has no learning seat; a VecEnv needs at least one")
        self.render_mode = None
        self._shape = (markets, organizations, self.market.action_size)
        self._joint = (markets, len(self.seats.learning), self.market.action_size)
        self._learning = as_index(self.seats.learning)
        self._all_learn = self.seats.learning == tuple(range(organizations))
        self._background, self._group = Backgrounds([(self.seats, markets)]), 0
        self._first_seed: int | None = seed
        self._observations = np.zeros((markets, organizations, self.market.observation_size), np.float32)
        self._actions = np.zeros(self._shape, np.float32)
        super().__init__(
            markets * len(self.seats.learning),
            spaces.Box(-10.0, 10.0, (self.market.observation_size,), np.float32),
            spaces.Box(-1.0, 1.0, (self.market.action_size,), np.float32),
        )
        self._returns = np.zeros(self.num_envs)
        self._entered = np.zeros(self.num_envs, np.int64)  # rounds played when the row's organization entered
        self._newcomer = self.market.layout["newcomer"].start
        self._has_replacement = _has_replacement(self.market)
        self._started = time.time()

    @property
    def all_markets(self) -> tuple[Market, ...]:
        """The batched markets that this VecEnv plays: one."""
        return (self.market,)

    def reset(self) -> np.ndarray:
        """Begin an episode and return observations (B * L, F).

        Uses up what `seed` and `set_options` left; without a seed the next episode begins. Options may hold `rule`.
        """
        seed = self._seeds[0] if self._seeds[0] is not None else self._first_seed
        rules = [options.get("rule") for options in self._options]
        if any(rule is not rules[0] and rule != rules[0] for rule in rules):
            raise ValueError("options give different rules to rows; a MarketVecEnv plays one rule or structure")
        self._observations = self.market.reset(seed=seed, rule=rules[0])
        self._has_replacement = _has_replacement(self.market)
        self._first_seed = None
        self._reset_seeds()
        self._reset_options()
        self._background.reset(self._group)
        self._returns[:] = 0.0
        self._entered[:] = 0
        return self._learning_rows(self._observations)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """`step_async` and `step_wait` in one."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: np.ndarray) -> None:
        """Take actions (B * L, 3 + K) float32; the background policies choose theirs."""
        if self._all_learn:
            self._actions = actions.reshape(self._shape)
            return
        joint = np.empty(self._shape, np.float32)
        joint[:, self._learning] = actions.reshape(self._joint)
        seen = self._observations.reshape(-1, self._observations.shape[2])
        self._background.act(seen, joint.reshape(-1, self._shape[2]), [self.clock])
        self._actions = joint

    @property
    def clock(self) -> tuple[np.ndarray, int, int]:
        """The generator keys (B, 2) uint64, the rounds played in the episode, and the number of the episode."""
        return self.market.key, self.market.round, self.market.episode

    @property
    def observations(self) -> np.ndarray:
        """What every seat sees now, learning or not, (B, N, F) float32, not to be written to."""
        return self._observations

    def share_background(self, background: Backgrounds, group: int) -> None:
        """Let this VecEnv's background be a group of one that several share.

        Whoever owns that background asks it for actions, and hands in those of every seat by `set_joint_actions`.
        """
        self._background, self._group = background, group

    def set_joint_actions(self, actions: np.ndarray) -> None:
        """Take actions of every seat, (B, N, 3 + K) float32, C-contiguous, in place of `step_async`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """Play the round: observations, rewards, dones, infos, a row for each learning seat, all fresh."""
        seen = self._observations
        observations, rewards, truncated = self.market.step(self._actions)
        self._observations = observations
        if self._all_learn:
            rows, earned = observations.reshape(self.num_envs, -1), rewards.reshape(-1)
        else:
            rows, earned = self._learning_rows(observations), rewards[:, self._learning].reshape(-1)
        self._returns += earned
        if truncated:
            return rows, earned, np.ones(self.num_envs, bool), self._end_episode(seen)
        infos = [EMPTY] * self.num_envs
        if not self._has_replacement:
            return rows, earned, np.zeros(self.num_envs, bool), infos
        bankrupt = rows[:, self._newcomer] == 1.0
        for row in np.flatnonzero(bankrupt).tolist():
            infos[row] = self._bankruptcy_info(row, self.market.round, seen)
        return rows, earned, bankrupt, infos

    def _learning_rows(self, observations: np.ndarray) -> np.ndarray:
        return observations[:, self._learning].reshape(self.num_envs, -1)

    def _bankruptcy_info(self, row: int, played: int, seen: np.ndarray) -> dict[str, Any]:
        """The info of a row whose organization has gone bankrupt; its newcomer enters after `played` rounds."""
        market, seat = divmod(row, len(self.seats.learning))
        elapsed = round(time.time() - self._started, 6)
        length = played - int(self._entered[row])
        episode = {"r": float(self._returns[row]), "l": length, "t": elapsed}
        self._returns[row], self._entered[row] = 0.0, played
        last = seen[market, self.seats.learning[seat]].copy()
        return {"terminal_observation": last, "TimeLimit.truncated": False, "episode": episode}

    def _end_episode(self, seen: np.ndarray) -> list[dict[str, Any]]:
        market = self.market
        assert market.last_observations is not None
        assert market.episode_measures is not None
        last = self._learning_rows(market.last_observations)
        measures = [dict(zip(MEASURES, row.tolist(), strict=True)) for row in market.episode_measures]
        rounds, elapsed = market.economy.rounds, round(time.time() - self._started, 6)
        seats = len(self.seats.learning)
        infos = [
            {
                "terminal_observation": last[row],
                "TimeLimit.truncated": True,
                "episode": {"r": total, "l": rounds - entered, "t": elapsed},
                "measures": measures[row // seats],
            }
            for row, (total, entered) in enumerate(zip(self._returns.tolist(), self._entered.tolist(), strict=True))
        ]
        for row in np.flatnonzero(last[:, self._newcomer]).tolist():
            infos[row] |= self._bankruptcy_info(row, rounds, seen)
        self._returns[:] = 0.0
        self._entered[:] = 0
        self._background.reset(self._group)
        return infos

    def close(self) -> None:
        """Do nothing: no resource is held."""

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Set the seed of all markets (their numbers tell them apart) for the next reset; None draws one."""
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self._seeds = [seed] * self.num_envs
        return self._seeds

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the attribute of this VecEnv, or else of its market, once for each row."""
        owner = self if hasattr(self, attr_name) else self.market
        return [getattr(owner, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of this VecEnv; ValueError where `indices` leaves rows out."""
        if len(self._indices(indices)) != self.num_envs:
            raise ValueError(f"{attr_name} cannot be set for some rows only; the rows of a market share it")
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of this VecEnv, or else of its market, once, and return its result once for each row."""
        owner = self if hasattr(self, method_name) else self.market
        return [getattr(owner, method_name)(*method_args, **method_kwargs)] * len(self._indices(indices))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say for each row that it is not wrapped."""
        return [False] * len(self._indices(indices))

    def _indices(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next steps depend on, as arrays: `load_state_dict` continues with the same bits."""
        state = {f"market.{name}": np.array(value) for name, value in self.market.snapshot().items()}
        state["observations"] = self._observations.copy()
        state["returns"] = self._returns.copy()
        state["entered"] = self._entered.copy()
        state |= {f"memory.{name}": each for name, each in self._background.memories(self._group).items()}
        return state

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken, on a VecEnv made with the same arguments."""
        self.market.restore(part_of(state, "market."))
        self._observations = state["observations"].copy()
        self._returns = state["returns"].copy()
        self._entered = state["entered"].copy()
        self._background.remember(self._group, part_of(state, "memory."))
        self._first_seed = None
        self._reset_seeds()


def part_of(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def _has_replacement(market: Market) -> bool:
    """Whether any rule that this market may play puts newcomers into the seats of the bankrupt."""
    for rule in (market.rule, *(shift.to for shift in market.schedule)):
        if isinstance(rule, Structure) and any("feedback.entry" in draws for draws in rule.parts.values()):
            return True
        base = rule.base if isinstance(rule, Structure) else rule
        if isinstance(base, Rule) and base.feedback.entry == "replacement":
            return True
    return False
