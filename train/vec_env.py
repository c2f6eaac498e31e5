"""A native VecEnv of stable-baselines3 over B markets x their learning seats, with nothing in between."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

from ruleshift.agents.background import Backgrounds
from ruleshift.agents.seats import Seats, as_index
from ruleshift.envs import FEATURES, MEASURES, Economy, Market, Rule, Shift, Structure
from ruleshift.envs.fields import Flag, Maybe, Of, checked
from ruleshift.envs.seeds import fresh_seed, read_seed
from ruleshift.envs.views import cannot_be_set, read_action, rule_option, settable

SETTABLE = ("rule", "schedule")
"""What `set_attr` takes."""
PRIVILEGED_SIZE = len(FEATURES) + len(Economy().features())
"""How many numbers only a critic reads, where a VecEnv is asked for them."""
_EMPTY: Any = MappingProxyType({})


class MarketVecEnv(VecEnv):
    """B markets in lock-step as one VecEnv; row b * L + l is learning seat l of market b.

    Observations are float32 (B * L, F) in [-10, 10], actions Box(-1, 1, (3 + K,)), rewards float32 profits. Every
    episode is truncated after the economy's rounds: its last infos hold `terminal_observation`, `TimeLimit.truncated`,
    `episode` (r, l, t) and `measures` (means of the ended episode by market). Where a rule replaces the bankrupt, a row
    is done in mid-episode when its organization goes bankrupt: `TimeLimit.truncated` is False, for nothing follows for
    it; `terminal_observation` is the last that it saw, `episode` counts from its entry, and the observation returned is
    the newcomer's. The rows share the markets: attributes and methods are those of the whole, and seeds, options and
    attributes are set for all rows.

    `rule` and `schedule` may be set at any time, also by `set_attr` and from a callback: the value is checked at once,
    and the next episode is played by it.

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
        read_only: the caller only reads what it is handed, as SB3's learners do. Observations may then be those that
            the environment goes on with, and the infos of rows whose episodes go on are one read-only mapping, which
            cannot be pickled. By default, everything is the caller's to keep and to edit, which costs time at each
            step (docs/speed.md).
        privileged: observations go on with what a critic may know in training but no policy that plays: the features
            of the rule in force, disclosed or not, then those of the economy. `privileged_size` says how many numbers.

    >>> env = MarketVecEnv("price_board", markets=2)
    >>> env.reset().shape, env.num_envs
    ((16, 64), 16)
    """

    clips_actions = True
    """Actions outside the box are clipped and counted by the market itself: a learner need not clip them first."""
    rule = settable("market", "rule", "The rule or structure that the next episode is played by; it may be set.")
    schedule = settable("market", "schedule", "The shifts of the rule within an episode, a tuple; it may be set.")

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
        read_only: bool = False,
        privileged: bool = False,
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
        self.seats = checked(seats, Maybe(Of(Seats)), "seats") or Seats.all_learn(organizations)
        self.seats.check(organizations)
        if not self.seats.learning:
            raise ValueError("seats has no learning seat; a VecEnv needs at least one")
        self.render_mode, self.read_only = None, checked(read_only, Flag(), "read_only")
        self._shape = (markets, organizations, self.market.action_size)
        self._learning = as_index(self.seats.learning)
        self._all_learn = self.seats.learning == tuple(range(organizations))
        self._background, self._group = Backgrounds([(self.seats, markets)]), 0
        self._first_seed: int | None = read_seed(seed)
        self._observations = np.zeros((markets, organizations, self.market.observation_size), np.float32)
        self._handed_in: np.ndarray | None = None  # the learning seats' actions, (B * L, A) float32
        self.rewards = np.zeros((markets, organizations), np.float32)
        """What every seat earned in the last round, learning or not, (B, N)."""
        self._economy_features = self.market.economy.features()
        self.privileged_size = PRIVILEGED_SIZE if checked(privileged, Flag(), "privileged") else 0
        """How many numbers at the end of an observation are for a critic alone."""
        super().__init__(
            markets * len(self.seats.learning),
            spaces.Box(-10.0, 10.0, (self.market.observation_size + self.privileged_size,), np.float32),
            spaces.Box(-1.0, 1.0, (self.market.action_size,), np.float32),
        )
        self._privileged = np.empty((self.num_envs, self.privileged_size), np.float32)
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

        Raises:
            TypeError, ValueError: if the options or their rule are wrong; nothing has changed.
        """
        seed = self._seeds[0] if self._seeds[0] is not None else self._first_seed
        rule = self.rule_of_options()
        self._observations = self.market.reset(seed=seed, rule=rule)
        self._first_seed = self._handed_in = None
        self._reset_seeds()
        self._begin()
        self._update_privileged()
        return self._learners_see()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """`step_async` and `step_wait` in one."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions of the learning seats, real numbers (B * L, 3 + K).

        Raises:
            TypeError, ValueError: if they are of another shape or type, or not finite; nothing has changed.
        """
        self._handed_in = read_action(actions, (self.num_envs, self._shape[2]), "actions")

    @property
    def clock(self) -> tuple[np.ndarray, int, int]:
        """The generator keys (B, 2) uint64, the rounds played in the episode, and the number of the episode."""
        return self.market.key, self.market.round, self.market.episode

    @property
    def observations(self) -> np.ndarray:
        """What every seat sees now, learning or not, (B, N, F) float32, which cannot be written to."""
        seen = self._observations.view()
        seen.flags.writeable = False
        return seen

    def share_background(self, background: Backgrounds, group: int) -> None:
        """Let this VecEnv's background be a group of one that several share.

        Whoever owns that background asks it for actions, and plays the round with those of every seat by `play`.
        """
        self._background, self._group = background, group

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """The background policies choose, and the round is played.

        Returns:
            Observations, rewards, dones, infos, a row for each learning seat.

        Raises:
            RuntimeError: if no actions were handed in, or if the markets are not open.
        """
        if self._handed_in is None:
            raise RuntimeError("step_wait: call step_async first")
        actions, self._handed_in = self._handed_in, None
        if self._all_learn:
            return self.play(actions.reshape(self._shape))
        joint = np.empty(self._shape, np.float32)
        joint[:, self._learning] = actions.reshape(len(joint), -1, self._shape[2])
        seen = self._observations.reshape(-1, self._observations.shape[2])
        self._background.act(seen, joint.reshape(-1, self._shape[2]), [self.clock])
        return self.play(joint)

    def play(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """Play the round with the actions of every seat, (B, N, 3 + K) float32; returns what `step_wait` does."""
        seen = self._observations
        self._observations, rewards, truncated = self.market.step(actions)
        self.rewards = rewards
        earned = rewards[:, self._learning].reshape(-1)
        self._returns += earned
        if truncated:
            infos = self._end_episode(seen)
            self._update_privileged()
            return self._learners_see(), earned, np.ones(self.num_envs, bool), infos
        if self.market.schedule_in_force:
            self._update_privileged()
        rows = self._learners_see()
        infos = [_EMPTY] * self.num_envs if self.read_only else [{} for _ in range(self.num_envs)]
        if not self._has_replacement:
            return rows, earned, np.zeros(self.num_envs, bool), infos
        bankrupt = rows[:, self._newcomer] == 1.0
        for row in np.flatnonzero(bankrupt).tolist():
            infos[row] = self._bankruptcy_info(row, self.market.round, seen)
        return rows, earned, bankrupt, infos

    def _rows(self, observations: np.ndarray) -> np.ndarray:
        """The learning seats' rows (B * L, F): a copy, unless the caller only reads."""
        rows = observations[:, self._learning].reshape(self.num_envs, -1)
        return rows if self.read_only or not self._all_learn else rows.copy()

    def _learners_see(self) -> np.ndarray:
        """What the learning seats see now, (B * L, F), with what is for the critic alone."""
        rows = self._rows(self._observations)
        return np.concatenate([rows, self._privileged], axis=1) if self.privileged_size else rows

    def _update_privileged(self) -> None:
        """Lay out anew what is for the critic alone."""
        if self.privileged_size:
            rules = np.repeat(self.market.rule_features, len(self.seats.learning), axis=0)
            self._privileged = np.concatenate([rules, np.tile(self._economy_features, (self.num_envs, 1))], axis=1)

    def _begin(self) -> None:
        """Forget the episode that has ended or was left."""
        self._returns[:] = 0.0
        self._entered[:] = 0
        self._has_replacement = _has_replacement(self.market)
        self._background.reset(self._group)

    def rule_of_options(self) -> Any:
        """Return the rule in the options of the next reset, or None. They are used up, even if they are refused.

        Raises:
            TypeError, ValueError: if rows have different ones.
        """
        rules = [rule_option(options) for options in self._options]
        self._reset_options()
        if any(rule is not rules[0] and rule != rules[0] for rule in rules):
            raise ValueError("options give different rules to rows; a MarketVecEnv plays one rule or structure")
        return rules[0]

    def _bankruptcy_info(self, row: int, played: int, seen: np.ndarray) -> dict[str, Any]:
        """The info of a row whose organization has gone bankrupt; its newcomer enters after `played` rounds."""
        market, seat = divmod(row, len(self.seats.learning))
        elapsed = round(time.time() - self._started, 6)
        length = played - int(self._entered[row])
        episode = {"r": float(self._returns[row]), "l": length, "t": elapsed}
        self._returns[row], self._entered[row] = 0.0, played
        last = np.concatenate([seen[market, self.seats.learning[seat]], self._privileged[row]])
        return {"terminal_observation": last, "TimeLimit.truncated": False, "episode": episode}

    def _end_episode(self, seen: np.ndarray) -> list[dict[str, Any]]:
        market = self.market
        assert market.last_observations is not None
        assert market.episode_measures is not None
        last = np.concatenate([self._rows(market.last_observations), self._privileged], axis=1)
        measures = [dict(zip(MEASURES, row.tolist(), strict=True)) for row in market.episode_measures]
        rounds, elapsed = market.economy.rounds, round(time.time() - self._started, 6)
        seats = len(self.seats.learning)
        infos = [
            {
                "terminal_observation": last[row],
                "TimeLimit.truncated": True,
                "episode": {"r": total, "l": rounds - entered, "t": elapsed},
                "measures": measures[row // seats].copy(),
            }
            for row, (total, entered) in enumerate(zip(self._returns.tolist(), self._entered.tolist(), strict=True))
        ]
        for row in np.flatnonzero(last[:, self._newcomer]).tolist():
            infos[row] |= self._bankruptcy_info(row, rounds, seen)
        self._begin()
        return infos

    def close(self) -> None:
        """Do nothing: no resource is held."""

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Set the seed of all markets (their numbers tell them apart) for the next reset; None draws one."""
        self._seeds = [fresh_seed() if seed is None else read_seed(seed)] * self.num_envs
        return self._seeds

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the attribute of this VecEnv, or else of its market, once for each row."""
        owner = self if hasattr(self, attr_name) else self.market
        return [getattr(owner, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set `rule` or `schedule`, which takes effect at the next episode.

        Raises:
            TypeError, ValueError: if the name is another one, `indices` leaves rows out, or the value is wrong; nothing
                has changed.
        """
        if attr_name not in SETTABLE:
            raise ValueError(cannot_be_set(attr_name))
        if len(set(self._indices(indices))) != self.num_envs:
            raise ValueError(f"{attr_name} cannot be set for some rows only; the rows of a market share it")
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of this VecEnv, or else of its market, once, and return its result once for each row."""
        owner = self if hasattr(self, method_name) else self.market
        return [getattr(owner, method_name)(*method_args, **method_kwargs)] * len(self._indices(indices))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say for each row whether it does what the wrapper does: it does for SB3's Monitor, which records episodes."""
        return [wrapper_class is Monitor] * len(self._indices(indices))

    def _indices(self, indices: Any) -> Sequence[int]:
        return list(self._get_indices(indices))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next steps depend on, as arrays: `load_state_dict` continues with the same bits."""
        return {f"market.{name}": array for name, array in self.market.snapshot().items()} | self._own_state()

    def _own_state(self) -> dict[str, np.ndarray]:
        """Return what the next steps depend on beside the market."""
        own: dict[str, np.ndarray] = {
            "observations": self._observations.copy(), "returns": self._returns.copy(), "entered": self._entered.copy(),
        }  # fmt: skip
        return own | {f"memory.{name}": each for name, each in self._background.memories(self._group).items()}

    def check_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Refuse a state that `load_state_dict` could not load; errors as there."""
        self.market.check_snapshot(part_of(state, "market."))
        check_alike({name: each for name, each in state.items() if not name.startswith("market.")}, self._own_state())

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken, on a VecEnv made with the same arguments.

        Raises:
            ValueError: an array is missing, unknown, or cannot be one of these markets; nothing has changed.
        """
        self.check_state(state)
        self.market.restore(part_of(state, "market."))
        self._observations = state["observations"].copy()
        self._returns = state["returns"].copy()
        self._entered = state["entered"].copy()
        self._background.remember(self._group, part_of(state, "memory."))
        self._has_replacement = _has_replacement(self.market)
        self._first_seed = self._handed_in = None
        self._reset_seeds()
        self._update_privileged()


def part_of(state: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


def check_alike(state: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays that differ from others in their names, types or shapes, or are not finite.

    Raises:
        ValueError: naming the array.
    """
    for name in own.keys() | state.keys():
        if name not in own or name not in state:
            raise ValueError(f"state: {name} is {'unknown' if name in state else 'missing'}")
        given, wanted = state[name], own[name]
        if not isinstance(given, np.ndarray) or (given.dtype, given.shape) != (wanted.dtype, wanted.shape):
            raise ValueError(f"state: {name} is not {wanted.dtype} {wanted.shape}")
        if not np.isfinite(given).all():
            raise ValueError(f"state: {name} holds NaN or infinity")


def _has_replacement(market: Market) -> bool:
    """Whether any rule that this market may play puts newcomers into the seats of the bankrupt."""
    for rule in (market.rule, *(shift.to for shift in market.schedule)):
        if isinstance(rule, Structure) and any("feedback.entry" in draws for draws in rule.parts.values()):
            return True
        base = rule.base if isinstance(rule, Structure) else rule
        if isinstance(base, Rule) and base.feedback.entry == "replacement":
            return True
    return False
