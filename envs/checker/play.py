"""Playing an environment and recording every call, so that checks can look at it and compare it with another play."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

from ruleshift.envs.checker.report import EnvironmentFailed, describe, shorten

PARTS = ("observations", "rewards", "terminations", "truncations", "infos")
"""What `step` returns, in order; `reset` returns the first and the last of them."""
Actions = dict[Any, Any]


class Episode(NamedTuple):
    """How an episode is to be played."""

    seed: int | None
    """Seed of its reset."""
    rounds: int
    """Number of rounds after which it is left, if it has not ended before."""


@dataclass
class Call:
    """One call of `reset` (round 0) or `step` and what it returned."""

    where: str
    round: int
    before: list[Any]  # agents before the call
    agents: list[Any]  # agents after the call
    live: dict[str, dict[Any, Any]]  # what was returned, by the names in PARTS
    frozen: dict[str, dict[Any, Any]]  # the same, copied at once
    actions: Actions  # what was played
    state: Any = None  # a copy of `state()`, if it was asked for


@dataclass
class Play:
    """The calls of a play, and why it broke off, if it did."""

    calls: list[Call] = field(default_factory=list)
    broken: tuple[str, str] | None = None
    """Where and how the play broke off, or None."""

    def episodes(self) -> list[list[Call]]:
        """Return the calls by episode."""
        starts = [i for i, call in enumerate(self.calls) if call.round == 0]
        return [self.calls[a:b] for a, b in zip(starts, [*starts[1:], len(self.calls)], strict=True)]


def _leave_alone(*_: Any) -> None:
    """Do nothing."""


def _copied(actions: Actions) -> Any:
    return {agent: copy.copy(action) for agent, action in actions.items()}


@dataclass
class Hands:
    """What a caller does besides playing; each variant of a play changes one of these."""

    before: Callable[[Any, Call], None] = _leave_alone
    """Called before each step with the environment and the last call."""
    offer: Callable[[Actions], Any] = _copied
    """Returns what is handed in as actions."""
    after: Callable[[Any, Call, Any], None] = _leave_alone
    """Called after each step with the environment, the call and what was handed in."""
    options: Callable[[], Any] = _leave_alone
    """Returns the options of a reset."""
    scale: Callable[[Actions, int], Actions] = lambda actions, round_: actions
    """Returns the actions to be played instead of those drawn, given the round."""


class Player:
    """Plays one environment by a plan, one call at a time."""

    def __init__(
        self, env: Any, plan: Sequence[Episode], draw: Callable[[int], Actions], hands: Hands | None = None
    ) -> None:
        self.env, self.draw, self.hands = env, draw, hands or Hands()
        self._plan = list(plan)
        self._episode, self._left = -1, 0
        self.play = Play()

    @property
    def over(self) -> bool:
        """Whether the plan is fulfilled or the play broke off."""
        return self.play.broken is not None or (not self._more_rounds and self._episode + 1 >= len(self._plan))

    @property
    def _more_rounds(self) -> bool:
        return self._left > 0 and bool(self.play.calls) and len(self.play.calls[-1].agents) > 0

    def to_end(self) -> Play:
        """Play on to the end and return the play."""
        while not self.over:
            self.advance()
        return self.play

    def advance(self, calls: int = 1) -> None:
        """Make the next calls, if there are any left; an exception breaks the play off."""
        for _ in range(calls):
            if self.over:
                return
            where = self._next_place()
            try:
                self.play.calls.append(self._step(where) if self._more_rounds else self._reset(where))
            except EnvironmentFailed as failed:
                self.play.broken = failed.where, failed.what
            except Wrong as wrong:
                self.play.broken = where, str(wrong)
            except (Exception, SystemExit) as error:
                self.play.broken = where, f"raised {describe(error)}"

    def with_environment(self, env: Any) -> "Player":
        """Return a player at the same place of the plan with another environment, such as a copy."""
        other = Player(env, self._plan, self.draw, self.hands)
        other._episode, other._left = self._episode, self._left
        other.play = Play(list(self.play.calls))
        return other

    def _next_place(self) -> str:
        if self._more_rounds:
            return f"episode {self._episode}, round {self.play.calls[-1].round + 1}"
        return f"episode {self._episode + 1}, reset"

    def _reset(self, where: str) -> Call:
        self._episode += 1
        seed, self._left = self._plan[self._episode]
        options = self.hands.options()
        arguments = {"seed": seed} if options is None else {"seed": seed, "options": options}
        returned = self.env.reset(**arguments)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise Wrong(f"reset returned {_kind(returned)}, expected observations and infos")
        parts = dict(zip((PARTS[0], PARTS[4]), returned, strict=True))
        return self._record(Call(where, 0, [], _agents(self.env), parts, {}, {}))

    def _step(self, where: str) -> Call:
        last = self.play.calls[-1]
        self._left -= 1
        self.hands.before(self.env, last)
        drawn = self.hands.scale(self.draw(last.round), last.round + 1)
        actions = {agent: drawn[agent] for agent in last.agents}
        handed = self.hands.offer(actions)
        returned = self.env.step(handed)
        if not isinstance(returned, tuple) or len(returned) != 5:
            raise Wrong(f"step returned {_kind(returned)}, not 5 dicts")
        parts = dict(zip(PARTS, returned, strict=True))
        call = Call(where, last.round + 1, list(last.agents), _agents(self.env), parts, {}, actions)
        self._record(call)
        self.hands.after(self.env, call, handed)
        return call

    def _record(self, call: Call) -> Call:
        for name, part in call.live.items():
            if not isinstance(part, dict):
                raise Wrong(f"the {name} are of type {type(part).__name__}, not a dict")
        call.frozen = {name: freeze(part) for name, part in call.live.items()}
        return call


class Wrong(Exception):
    """Raised if an environment returns something with which nobody can play on."""


def _agents(env: Any) -> list[Any]:
    agents = env.agents
    if not isinstance(agents, list):
        raise Wrong(f"agents is {shorten(agents)}, not a list")
    return list(agents)


def _kind(returned: Any) -> str:
    if isinstance(returned, tuple | list):
        return f"{len(returned)} things" if isinstance(returned, tuple) else f"a list of {len(returned)}"
    return f"something of type {type(returned).__name__}"


def freeze(value: Any) -> Any:
    """Return a copy of what an environment returned, down to the last array."""
    if isinstance(value, np.ndarray):
        return np.array(value)
    if isinstance(value, dict):
        return {key: freeze(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [freeze(each) for each in value]
    return value if isinstance(value, int | float | str | bytes | np.generic | None) else copy.deepcopy(value)


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal in type, shape and all numbers; NaN equals NaN."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        if first.dtype != second.dtype or first.shape != second.shape:
            return False
        return first.tobytes() == second.tobytes() or bool(np.all((first == second) | (first != first)))
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return False
    return bool(first == second or (first != first and second != second))


def difference(
    first: Sequence[Call],
    second: Sequence[Call],
    parts: Sequence[str] = PARTS,
    keep: Callable[[Any], Any] | None = None,
) -> tuple[str, str] | None:
    """Return where two plays first differ, and how, or None; `keep` reduces what is compared of a part."""
    for a, b in zip(first, second, strict=False):
        if a.agents != b.agents:
            return b.where, f"agents is {shorten(b.agents)}, not {shorten(a.agents)}"
        for part in parts:
            if part in a.frozen and part in b.frozen:
                one, other = a.frozen[part], b.frozen[part]
                if keep is not None:
                    one, other = keep(one), keep(other)
                if not same(one, other):
                    return _first_difference(b.where, part, one, other)
    return None


def _first_difference(where: str, part: str, first: dict[Any, Any], second: dict[Any, Any]) -> tuple[str, str]:
    if list(first) != list(second):
        return where, f"the {part} are of {shorten(list(second))}, not of {shorten(list(first))}"
    agent = next(agent for agent in first if not same(first[agent], second[agent]))
    return f"{where}, {agent}", f"the {part.removesuffix('s')} {how(first[agent], second[agent])}"


def how(first: Any, second: Any) -> str:
    """Say how two values differ that are not the same."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and first.shape == second.shape:
        for place, (a, b) in enumerate(zip(first.ravel(), second.ravel(), strict=True)):
            if not same(a, b):
                return f"is {shorten(b.item())} at {place}, not {shorten(a.item())}"
    if isinstance(first, Mapping) and isinstance(second, Mapping) and list(first) == list(second):
        key = next(key for key in first if not same(first[key], second[key]))
        return f"has {shorten(key)}: {shorten(second[key])}, not {shorten(first[key])}"
    return f"is {shorten(second)}, not {shorten(first)}"


def draw_actions(spaces: Mapping[Any, Any], seed: int, round_: int, reach: float = 1.0) -> Actions:
    """Draw an action of each agent; they depend on nothing but the seed, the round and the spaces.

    `reach` times its width is how far an action may lie from the middle of a bounded box.
    """
    random = np.random.default_rng((seed, round_))
    return {agent: _draw(space, random, reach) for agent, space in spaces.items()}


def _draw(space: Any, random: np.random.Generator, reach: float) -> Any:
    if isinstance(space, Box) and space.is_bounded() and space.dtype.kind == "f":
        low, high = np.float64(space.low), np.float64(space.high)
        drawn = (low + high) / 2 + reach * (high - low) / 2 * random.uniform(-1, 1, space.shape)
        return drawn.astype(space.dtype)
    if isinstance(space, Discrete):
        return int(space.start + random.integers(space.n))
    if isinstance(space, MultiBinary | MultiDiscrete):
        return random.integers(space.nvec if isinstance(space, MultiDiscrete) else np.full(space.shape, 2)).astype(
            space.dtype
        )
    own = copy.deepcopy(space)
    own.seed(int(random.integers(2**31)))
    return own.sample()


def arrays_in(value: Any, where: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array in nested dicts, lists and tuples, with its place."""
    if isinstance(value, np.ndarray):
        yield where, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from arrays_in(each, f"{where}, {key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from arrays_in(each, f"{where}, {i}")
