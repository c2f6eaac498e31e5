"""Markets of several rules, economies and populations as one VecEnv: a learner's rows need not be alike."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from ruleshift.agents.background import Backgrounds
from ruleshift.agents.seats import Seats
from ruleshift.envs import Economy, Market, Rule, Shift, Structure
from ruleshift.envs.views import cannot_be_set, read_action
from ruleshift.train.vec_env import SETTABLE, MarketVecEnv, part_of


@dataclass(frozen=True)
class MarketGroup:
    """Markets that are alike: what a learner trains in is a list of groups.

    Raises:
        ValueError, TypeError: no rule, no markets, or seats that are not those of the economy.
    """

    rule: Rule | Structure
    """A rule, or a structure to draw one from, anew for each market and episode."""
    economy: Economy
    """The economy of each of its markets."""
    seats: Seats
    """Which seats learn, and which policies hold the others."""
    markets: int
    """Number of markets, B."""
    first_market: int = 0
    """Number of the first market: noise belongs to the number, so that groups of one learner have none in common."""
    schedule: tuple[Shift, ...] = ()
    """Shifts of the rule in mid-episode."""

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Rule | Structure):
            raise TypeError(f"a group's rule is {self.rule!r}; it must be a Rule or a Structure")
        for name, value, least in (("markets", self.markets, 1), ("first_market", self.first_market, 0)):
            if value < least:
                raise ValueError(f"a group's {name} is {value}; it must be at least {least}")
        self.seats.check(self.economy.organizations)

    @property
    def numbers(self) -> range:
        """Numbers of its markets, which their noise belongs to."""
        return range(self.first_market, self.first_market + self.markets)

    def describe(self) -> dict[str, Any]:
        """The group in JSON: two groups with equal descriptions are alike."""
        return {
            "rule": self.rule.name,
            "rule_hash": self.rule.hash,
            "economy": asdict(self.economy),
            "seats": self.seats.describe(),
            "markets": self.markets,
            "first_market": self.first_market,
            "schedule": [repr(shift) for shift in self.schedule],
        }

    def make_env(
        self,
        seed: int,
        mechanisms: Sequence[str] = (),
        threads: int = 1,
        read_only: bool = False,
        privileged: bool = False,
    ) -> MarketVecEnv:
        """The markets of the group alone, not yet begun; arguments as of `MarketVecEnv`."""
        return MarketVecEnv(
            self.rule, self.markets, self.first_market, seed, self.economy, self.seats, self.schedule, mechanisms,
            threads, read_only, privileged,
        )  # fmt: skip


def check_groups(groups: Sequence[MarketGroup]) -> None:
    """Refuse groups that no one learner can learn in.

    Raises:
        ValueError: no group, groups that share a market's number, or that differ in the number of kinds.
    """
    if not groups:
        raise ValueError("there are no groups; a learner needs at least one")
    kinds = {group.economy.kinds for group in groups}
    if len(kinds) > 1:
        raise ValueError(f"groups have {sorted(kinds)} kinds of job; a learner reads one number of kinds")
    for one, other in combinations(groups, 2):
        if set(one.numbers) & set(other.numbers):
            raise ValueError(f"groups share markets: {one.numbers} and {other.numbers}; noise belongs to the number")


class MixedVecEnv(VecEnv):
    """Groups of markets as one VecEnv: the rows of the first group, then of the second, and so on.

    A group's rows are those of a `MarketVecEnv` of its own, to the bit where its background is scripted. Economies may
    differ in sizes and in rounds, so that episodes end at different times. A background policy that is one object in
    several groups acts once a step for all of them. Methods, seeds and options are those of all rows; `rule` and
    `schedule` may be set by `set_attr`, for all groups or for some, and the next episode is played by it.

    Args:
        groups: what is played where.
        seed: of all markets, used at the first reset, until `seed()` gives another.
        mechanisms: users' mechanisms, as `module:function`.
        threads: markets of each group are stepped on so many threads.
        read_only: as for `MarketVecEnv`, of the infos; observations are fresh in any case.
        privileged: as for `MarketVecEnv`.

    Raises:
        ValueError: as `check_groups`.
    """

    clips_actions = True
    """Actions outside the box are clipped and counted by the markets themselves."""

    def __init__(
        self,
        groups: Sequence[MarketGroup],
        seed: int = 0,
        mechanisms: Sequence[str] = (),
        threads: int = 1,
        read_only: bool = False,
        privileged: bool = False,
    ) -> None:
        check_groups(groups)
        self.groups = tuple(groups)
        self.parts = [group.make_env(seed, mechanisms, threads, read_only, privileged) for group in groups]
        """The markets of each group as a VecEnv of its own."""
        self._background = Backgrounds([(group.seats, group.markets) for group in groups])
        for index, part in enumerate(self.parts):
            part.share_background(self._background, index)
        self.row_group = np.repeat(np.arange(len(groups)), [part.num_envs for part in self.parts])
        """The group of each row, (num_envs,) int64."""
        first, self.render_mode, self.read_only = self.parts[0], None, read_only
        self.privileged_size = first.privileged_size
        """How many numbers at the end of an observation are for a critic alone."""
        super().__init__(len(self.row_group), first.observation_space, first.action_space)
        self._handed_in: np.ndarray | None = None  # the learning seats' actions, (num_envs, A) float32
        self._row_slices = _slices([part.num_envs for part in self.parts])
        self._seat_slices = _slices([group.markets * group.economy.organizations for group in groups])
        own = zip(self._seat_slices, groups, strict=True)
        self._learning = np.concatenate([part.start + _learning_seats(group) for part, group in own])
        size = first.market.action_size
        self._shapes = [(group.markets, group.economy.organizations, size) for group in groups]

    @property
    def all_markets(self) -> tuple[Market, ...]:
        """The batched markets that this VecEnv plays, one of each group."""
        return tuple(part.market for part in self.parts)

    def reset(self) -> np.ndarray:
        """Begin an episode everywhere and return observations (num_envs, F).

        Raises:
            TypeError, ValueError: if the options or their rule are wrong; nothing has changed.
        """
        for part, rows in zip(self.parts, self._row_slices, strict=True):
            part._seeds, part._options = self._seeds[rows], self._options[rows]
        self._reset_options()
        rules = [part.rule_of_options() for part in self.parts]
        self._set("rule", {part: rule for part, rule in zip(self.parts, rules, strict=True) if rule is not None})
        self._handed_in = None
        self._reset_seeds()
        return np.concatenate([part.reset() for part in self.parts])

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """`step_async` and `step_wait` in one."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: np.ndarray) -> None:
        """Take the actions of the learning seats, real numbers (num_envs, 3 + K).

        Raises:
            TypeError, ValueError: if they are of another shape or type, or not finite; nothing has changed.
        """
        self._handed_in = read_action(actions, (self.num_envs, self._shapes[0][2]), "actions")

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Any]]:
        """The background policies choose, and the round is played.

        Returns:
            Observations, rewards, dones, infos, a row for each learning seat, all fresh.

        Raises:
            RuntimeError: if no actions were handed in, or if the markets are not open.
        """
        if self._handed_in is None:
            raise RuntimeError("step_wait: call step_async first")
        size = self.parts[0].observations.shape[2]
        seen = np.concatenate([part.observations.reshape(-1, size) for part in self.parts])
        joint = np.empty((len(seen), self._shapes[0][2]), np.float32)
        joint[self._learning], self._handed_in = self._handed_in, None
        self._background.act(seen, joint, [part.clock for part in self.parts])
        own = zip(self.parts, self._seat_slices, self._shapes, strict=True)
        played = [part.play(joint[seats].reshape(shape)) for part, seats, shape in own]
        observations, rewards, dones, infos = zip(*played, strict=True)
        all_infos: list[Any] = [info for part in infos for info in part]
        return np.concatenate(observations), np.concatenate(rewards), np.concatenate(dones), all_infos

    def close(self) -> None:
        """Do nothing: no resource is held."""

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Set the seed of all markets (their numbers tell them apart) for the next reset; None draws one."""
        self._seeds = self.parts[0].seed(seed)[:1] * self.num_envs
        return self._seeds

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the attribute of this VecEnv, or else of each row's market."""
        rows = list(self._get_indices(indices))
        if hasattr(self, attr_name):
            return [getattr(self, attr_name)] * len(rows)
        return [self.parts[self.row_group[row]].get_attr(attr_name, 0)[0] for row in rows]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set `rule` or `schedule` of all groups or, by `indices`, of some, each of which is named with all its rows.

        Raises:
            TypeError, ValueError: if the name is another one, `indices` leaves rows of a group out, or the value is
                wrong for one of the groups; nothing has changed.
        """
        if attr_name not in SETTABLE:
            raise ValueError(cannot_be_set(attr_name))
        chosen = np.zeros(self.num_envs, bool)
        chosen[list(self._get_indices(indices))] = True
        groups = np.unique(self.row_group[chosen])
        if not chosen[np.isin(self.row_group, groups)].all():
            raise ValueError(f"{attr_name} cannot be set for some rows of a group only; its rows share the markets")
        self._set(attr_name, {self.parts[group]: value for group in groups.tolist()})

    def _set(self, name: str, values: Mapping[MarketVecEnv, Any]) -> None:
        """Set an attribute of parts; where one of them refuses its value, all keep theirs."""
        before = {part: getattr(part, name) for part in values}
        try:
            for part, value in values.items():
                setattr(part, name, value)
        except (TypeError, ValueError):
            for part, value in before.items():
                setattr(part, name, value)
            raise

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of this VecEnv once, or else of each group's market once, and return results by row."""
        rows = list(self._get_indices(indices))
        if hasattr(self, method_name):
            return [getattr(self, method_name)(*method_args, **method_kwargs)] * len(rows)
        asked = sorted({int(self.row_group[row]) for row in rows})
        results = {
            group: self.parts[group].env_method(method_name, *method_args, indices=0, **method_kwargs)[0]
            for group in asked
        }
        return [results[int(self.row_group[row])] for row in rows]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say for each row whether it does what the wrapper does: it does for SB3's Monitor, which records episodes."""
        return self.parts[0].env_is_wrapped(wrapper_class, 0) * len(list(self._get_indices(indices)))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all that the next steps depend on, as arrays: `load_state_dict` continues with the same bits."""
        states = enumerate(part.state_dict() for part in self.parts)
        return {f"group.{index}.{name}": value for index, state in states for name, value in state.items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Continue where `state_dict` was taken, on a VecEnv made with the same arguments.

        Raises:
            ValueError: as `MarketVecEnv.load_state_dict`; nothing has changed in any group.
        """
        prefixes = tuple(f"group.{index}." for index in range(len(self.parts)))
        for name in state:
            if not name.startswith(prefixes):
                raise ValueError(f"state: {name} is unknown")
        for prefix, part in zip(prefixes, self.parts, strict=True):
            part.check_state(part_of(state, prefix))
        for index, part in enumerate(self.parts):
            part.load_state_dict(part_of(state, f"group.{index}."))
        self._handed_in = None
        self._reset_seeds()


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def _learning_seats(group: MarketGroup) -> np.ndarray:
    """Indices (B * L,) of a group's learning seats among all of its B * N seats."""
    indices = np.arange(group.markets)[:, None] * group.economy.organizations + np.array(group.seats.learning)
    return indices.ravel()
