"""The environment under examination: how it is made and played, and what is known about it."""

import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ruleshift.envs.checker.play import Actions, Call, Episode, Hands, Play, Player, difference, draw_actions
from ruleshift.envs.checker.report import EnvironmentFailed
from ruleshift.envs.layout import action_layout, observation_layout

LEDGER_KEYS = ("paid", "commission", "cost", "charge", "served", "clipped")
"""Keys that the infos of a market must have."""
Found = Iterator[tuple[str, str]]
"""What a check yields: where, and what."""
_SIZES = ("organizations", "jobs", "capacity", "rounds")


class Subject:
    """An environment under examination.

    Args:
        make: makes an environment, or returns the one that was given.
        is_factory: whether each call of `make` makes a new one.
        seed: seed of the environment and of the actions.
        episodes: number of episodes of the plain play.
        rounds: number of rounds after which an episode is left, if it has not ended before.
        processes: whether the environment may be played in other processes.
        process: the settings of the process before anything was made, see `isolation.process_state`.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        is_factory: bool,
        seed: int,
        episodes: int,
        rounds: int,
        processes: bool,
        process: dict[str, Any] | None = None,
    ) -> None:
        self.make, self.is_factory, self.processes = make, is_factory, processes
        self.seed, self.rounds = seed, rounds
        self.process = process or {}
        self.plan = [Episode(seed if number == 0 else None, rounds) for number in range(episodes)]
        self._drawn: dict[tuple[int, int], Actions] = {}
        self._env: Any = None

    @cached_property
    def env(self) -> Any:
        """The environment of which agents, spaces and economy are read, and which plays the plain play."""
        return self.fresh()

    def fresh(self, **options: Any) -> Any:
        """Return a new environment or, if an instance was given, that one."""
        try:
            return self.make(**options)
        except (Exception, SystemExit) as error:
            raise EnvironmentFailed("making the environment", error) from None

    def ask(self, where: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call something of the environment that must not raise."""
        try:
            return function(*arguments, **options)
        except (Exception, SystemExit) as error:
            raise EnvironmentFailed(where, error) from None

    @cached_property
    def agents(self) -> list[Any]:
        """All agents that there can be."""
        return list(self.env.possible_agents)

    @cached_property
    def spaces(self) -> dict[str, dict[Any, Any]]:
        """Copies of the spaces, made at first sight: `observation` and `action`, by agent."""
        ask = self.ask
        return {
            "observation": {a: copy.deepcopy(ask(str(a), self.env.observation_space, a)) for a in self.agents},
            "action": {a: copy.deepcopy(ask(str(a), self.env.action_space, a)) for a in self.agents},
        }

    @cached_property
    def economy(self) -> Any:
        """The attribute `economy`, if it has the sizes of a market, else None."""
        economy = getattr(self.env, "economy", None)
        return economy if all(isinstance(getattr(economy, name, None), int) for name in _SIZES) else None

    @cached_property
    def layout(self) -> dict[str, slice] | None:
        """The layout of the observations, if they and the actions are laid out as in `market_v0`, else None."""
        kinds = getattr(self.economy, "kinds", None)
        if not isinstance(kinds, int):
            return None
        layout = observation_layout(kinds)
        shapes = {space.shape for space in self.spaces["observation"].values()}
        actions = {space.shape for space in self.spaces["action"].values()}
        fits = shapes == {(layout["features"].stop,)} and actions == {(action_layout(kinds)["focus"].stop,)}
        return layout if fits else None

    @cached_property
    def has_ledger(self) -> bool:
        """Whether the infos of the first round are a ledger."""
        calls = [call for call in self.plain.calls if call.round]
        infos = list(calls[0].frozen["infos"].values()) if calls else []
        return bool(infos) and all(isinstance(info, dict) and set(LEDGER_KEYS) <= set(info) for info in infos)

    @cached_property
    def plain(self) -> Play:
        """The play without any disturbance, with which the others are compared."""
        return self.play(self.env)

    @cached_property
    def random(self) -> bool:
        """Whether anything random was seen: other seeds or episodes have other trajectories."""
        economy = self.economy
        if economy is not None and max(getattr(economy, "shock_sd", 0), getattr(economy, "value_spread", 0)) > 0.01:
            return True
        episodes = self.plain.episodes()
        if len(episodes) > 1 and difference(episodes[0], episodes[1]):
            return True
        others = [self.play(plan=[Episode(self.seed + i, self.rounds)]) for i in (1, 2)]
        return any(difference(self.plain.calls, other.calls) for other in others)

    def draw(self, round_: int, seed: int | None = None) -> Actions:
        """Return the actions of a round, of which some lie outside the box in every third round of a market."""
        key = (self.seed if seed is None else seed, round_)
        if key not in self._drawn:
            reach = 1.5 if self.economy is not None and round_ % 3 == 1 else 1.0
            self._drawn[key] = draw_actions(self.spaces["action"], *key, reach)
        return self._drawn[key]

    def player(
        self, env: Any = None, hands: Hands | None = None, plan: Sequence[Episode] | None = None,
        actions: int | None = None,
    ) -> Player:  # fmt: skip
        """Return a player of an environment, by default a fresh one, by a plan, by default that of the plain play.

        `actions` is the seed of the actions, by default that of the environment.
        """
        env = self.fresh() if env is None else env
        return Player(env, self.plan if plan is None else plan, lambda round_: self.draw(round_, actions), hands)

    def play(self, env: Any = None, hands: Hands | None = None, **options: Any) -> Play:
        """Play to the end; the arguments are those of `player`."""
        return self.player(env, hands, **options).to_end()

    def compare(self, play: Play, what: str, parts: Sequence[str] | None = None, **options: Any) -> Found:
        """Yield where a play differs from the plain one."""
        yield from compare(
            self.plain.calls, play, what, self.plain.broken, **({"parts": parts} if parts else {}), **options
        )

    def accepts(self, name: str) -> bool:
        """Whether the factory takes an argument of this name."""
        try:
            return self.is_factory and name in inspect.signature(self.make).parameters
        except (TypeError, ValueError):
            return False

    def part(self, observation: np.ndarray, name: str) -> np.ndarray:
        """Return one part of an observation that is laid out as in `market_v0`."""
        assert self.layout is not None
        return observation[self.layout[name]]


def compare(
    calls: Sequence[Call], play: Play, what: str, known: tuple[str, str] | None = None, **options: Any
) -> Found:
    """Yield where a play differs from these calls, or where it breaks off and they do not."""
    differs = difference(calls, play.calls, **options)
    if differs:
        yield differs[0], f"{what}: {differs[1]}"
    elif play.broken and play.broken[1] != (known or ("", ""))[1] and len(play.calls) < len(calls):
        yield play.broken[0], f"{what}: it {play.broken[1]}"
