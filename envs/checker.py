"""`check_market`: check that a PettingZoo market keeps its promises in every round.

The official checkers read a single step, or check neither bounds nor NaN. This one plays whole episodes and checks
every round. The contract, which anybody's market can be held to:

- a ParallelEnv with Box spaces, float32, and an attribute `economy` with `organizations`, `jobs`, `capacity`, `rounds`;
- `reset(seed=s)` starts the first episode of s, `reset()` the next one; the same seed gives the same bits;
- the episode is truncated for all after exactly `economy.rounds` rounds, and nobody terminates;
- infos hold numbers under the same keys in every round, with at least `LEDGER_KEYS`, and the reward is
  paid - commission - cost - charge;
- no organization serves more than `capacity` jobs, and all of them together no more than `jobs`; these are whole
  numbers unless the economy has `shares="expected"`; no amount except the cost is negative;
- finite actions outside the box are clipped, and `clipped` counts them; anything else is refused with a ValueError or
  TypeError that names the agent, and a step after the end with a RuntimeError; neither changes the state;
- what a call returns belongs to the caller: it never changes later, and writing into it changes nothing.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from pettingzoo import AECEnv

LEDGER_KEYS = ("paid", "commission", "cost", "charge", "served", "clipped")
_NOT_NEGATIVE = ("paid", "commission", "charge", "served", "clipped")
_TOLERANCE = 1e-5


class MarketError(AssertionError):
    """Raised if a market breaks the contract; names the episode, the round, the agent and what is wrong."""


@dataclass
class Step:
    """What one call of `reset` (round 0) or `step` returned, with copies of observations and infos made at once."""

    where: str
    round: int
    observations: dict[str, np.ndarray]
    rewards: dict[str, float]
    terminations: dict[str, bool]
    truncations: dict[str, bool]
    infos: dict[str, dict[str, Any]]
    copies: dict[str, np.ndarray]
    copied_infos: dict[str, dict[str, Any]]
    outside: dict[str, int]  # how many numbers of each agent's action lay outside the box


def check_market(market: Any, *, episodes: int = 2, seed: int = 0) -> None:
    """Play a market several times and check every round.

    Args:
        market: a ParallelEnv, or a function that makes one (then separate instances are compared as well).
        episodes: number of episodes in each run.
        seed: seed of the market and of the actions.

    Raises:
        TypeError: if the market is not a parallel environment with an attribute `economy`.
        MarketError: if the market breaks the contract; says where it first does.
    """
    if isinstance(market, AECEnv):
        raise TypeError("check_market: give the parallel market, not its AEC view")
    is_factory = isinstance(market, type) or (callable(market) and not hasattr(market, "step"))
    make: Callable[[], Any] = market if is_factory else lambda: market
    first = make()
    if not hasattr(first, "possible_agents") or not hasattr(first, "economy"):
        raise TypeError(f"check_market: {type(first).__name__} is no ParallelEnv with an attribute economy")
    _check_spaces(first)
    if is_factory:
        _check_refused(first, "before the first reset", _any_actions(first), RuntimeError)
    plain = _play(first, seed, episodes)
    _check_same(plain, _play(make(), seed, episodes), "two runs of the same seed differ")
    scribbled = _play(make(), seed, episodes, before=_scribble)
    _check_same(plain, scribbled, "writing into what was returned changed the market")
    provoked = _play(make(), seed, episodes, before=_provoke)
    _check_same(plain, provoked, "a refused action changed the market")
    other = _play(make(), seed + 1, 1, actions=seed)
    _check_different(plain, other, f"seeds {seed} and {seed + 1} give the same trajectory")
    if episodes > 1:
        length = first.economy.rounds + 1
        _check_different(plain[:length], plain[length:], "reset() without a seed repeats the episode")


def _play(
    env: Any, seed: int, episodes: int, before: Callable[[Any, Step], None] | None = None, actions: int | None = None
) -> list[Step]:
    """Play the episodes, check each step and return them all; `before` is called ahead of each step with the last one.

    Every episode has the same actions, drawn from the seed `actions`, or from `seed` if that is None.
    """
    steps: list[Step] = []
    for step in _steps(env, seed, episodes, before, seed if actions is None else actions):
        _check_step(env, step, steps[-1] if steps else None)
        steps.append(step)
    for step in steps:
        for agent, copies in step.copies.items():
            if before is not _scribble and not np.array_equal(step.observations[agent], copies):
                raise MarketError(f"{step.where}, {agent}: the observation changed after it had been returned")
    return steps


def _steps(
    env: Any, seed: int, episodes: int, before: Callable[[Any, Step], None] | None, actions_seed: int
) -> Iterator[Step]:
    for episode in range(episodes):
        random = np.random.default_rng(actions_seed)
        observations, infos = env.reset(seed=seed if episode == 0 else None, options={"an unknown option": 1})
        step = _record(f"episode {episode}, reset", 0, (observations, {}, {}, {}, infos), {})
        yield step
        for played in range(1, env.economy.rounds + 1):
            if before is not None:
                before(env, step)
            actions = _draw_actions(env, random, reach=1.5 if played % 3 == 2 else 1.0)
            outside = {agent: int(np.sum(np.abs(action) > 1)) for agent, action in actions.items()}
            step = _record(f"episode {episode}, round {played}", played, env.step(actions), outside)
            yield step
        _check_refused(env, f"episode {episode}, after the end", _any_actions(env), RuntimeError)


def _record(where: str, played: int, returned: tuple[Any, ...], outside: dict[str, int]) -> Step:
    if len(returned) != 5:
        raise MarketError(f"{where}: step returned {len(returned)} things, not 5 dicts")
    observations, rewards, terminations, truncations, infos = returned
    for name, given in (
        ("observations", observations), ("rewards", rewards), ("terminations", terminations),
        ("truncations", truncations), ("infos", infos),
    ):  # fmt: skip
        if not isinstance(given, dict):
            raise MarketError(f"{where}: {name} are of type {type(given).__name__}, not a dict")
    return Step(
        where, played, observations, rewards, terminations, truncations, infos,
        {agent: np.array(value) for agent, value in observations.items()}, copy.deepcopy(infos), outside,
    )  # fmt: skip


def _check_step(env: Any, step: Step, last: Step | None) -> None:
    _check_agents(env, step)
    for agent in env.possible_agents:
        _check_observation(f"{step.where}, {agent}", env.observation_space(agent), step.observations[agent])
        _check_info(f"{step.where}, {agent}", step.infos[agent], last.infos[agent] if last else None)
    _check_fresh(step, last)
    if step.round:
        _check_ledger(env, step)
        _check_end(env, step)


def _check_agents(env: Any, step: Step) -> None:
    expected = list(env.possible_agents)
    parts: dict[str, dict[str, Any]] = {"observations": step.observations, "infos": step.infos}
    if step.round:
        parts |= {"rewards": step.rewards, "terminations": step.terminations, "truncations": step.truncations}
    for name, given in parts.items():
        if list(given) != expected:
            odd = sorted(set(given) ^ set(expected), key=str)
            what = f"are wrong about {', '.join(map(str, odd))}" if odd else "are in another order than possible_agents"
            raise MarketError(f"{step.where}: the {name} {what}")
    ended = step.round == env.economy.rounds
    if list(env.agents) != ([] if ended else expected):
        raise MarketError(f"{step.where}: agents is {env.agents}, expected {'none' if ended else 'all'}")


def _check_observation(where: str, space: Box, given: Any) -> None:
    if not isinstance(given, np.ndarray) or given.dtype != np.float32:
        kind = given.dtype if isinstance(given, np.ndarray) else type(given).__name__
        raise MarketError(f"{where}: the observation is {kind}, not a float32 array")
    if given.shape != space.shape:
        raise MarketError(f"{where}: the observation has shape {given.shape}, expected {space.shape}")
    outside = (given < space.low) | (given > space.high)
    for what, bad in (("not finite", ~np.isfinite(given)), ("outside the space", outside)):
        if bad.any():
            raise MarketError(f"{where}: the observation is {what}: {given[bad][0]} at {np.flatnonzero(bad)[0]}")


def _check_info(where: str, info: Any, last: dict[str, Any] | None) -> None:
    if not isinstance(info, dict):
        raise MarketError(f"{where}: the info is of type {type(info).__name__}, not a dict")
    for key, value in info.items():
        if not isinstance(key, str) or isinstance(value, str) or np.asarray(value).dtype.kind not in "biuf":
            raise MarketError(f"{where}: info {key!r} is not a number: {value!r}")
        if not np.isfinite(value).all():
            raise MarketError(f"{where}: info {key!r} is {value}")
    missing = [key for key in LEDGER_KEYS if key not in info]
    if missing:
        raise MarketError(f"{where}: the info lacks {', '.join(missing)}")
    if last is not None and list(info) != [key for key in last if key != _MARK]:
        raise MarketError(f"{where}: the info has other keys than in the round before")


def _check_fresh(step: Step, last: Step | None) -> None:
    """Check that no container is handed out twice and no observations of this and the last round share memory."""
    owners = [(step.where, agent, array) for agent, array in step.observations.items()]
    if last is not None:
        for name in ("observations", "rewards", "terminations", "truncations", "infos"):
            if getattr(step, name) is getattr(last, name):
                raise MarketError(f"{step.where}: the {name} are the dict returned before, used again")
        for agent, info in step.infos.items():
            if info is last.infos.get(agent):
                raise MarketError(f"{step.where}, {agent}: the info is the dict returned before, used again")
        owners += [(last.where, agent, last.observations[agent]) for agent in step.observations]
    owners.sort(key=lambda owner: np.lib.array_utils.byte_bounds(owner[2])[0])
    for (where, agent, array), (elsewhere, other, following) in pairwise(owners):
        if np.shares_memory(array, following):
            raise MarketError(f"{where}, {agent}: the observation shares memory with that of {other} ({elsewhere})")


def _check_ledger(env: Any, step: Step) -> None:
    divisible = getattr(env.economy, "shares", "sampled") == "expected"
    room = _TOLERANCE if divisible else 0.0
    for agent, info in step.infos.items():
        where = f"{step.where}, {agent}"
        for key in _NOT_NEGATIVE:
            if info[key] < 0:
                raise MarketError(f"{where}: {key} is negative: {info[key]}")
        whole = divisible or info["served"] == int(info["served"])
        if info["served"] > env.economy.capacity + room or not whole:
            raise MarketError(f"{where}: served {info['served']} jobs at a capacity of {env.economy.capacity}")
        reward, profit = step.rewards[agent], info["paid"] - info["commission"] - info["cost"] - info["charge"]
        size = 1 + info["paid"] + info["commission"] + abs(info["cost"]) + info["charge"]
        if not np.isfinite(reward) or abs(reward - profit) > _TOLERANCE * size:
            raise MarketError(f"{where}: the reward is {reward}, but paid - commission - cost - charge is {profit}")
        if info["clipped"] != step.outside[agent]:
            raise MarketError(f"{where}: clipped is {info['clipped']}, but {step.outside[agent]} were outside the box")
    total = sum(info["served"] for info in step.infos.values())
    if total > env.economy.jobs + room:
        raise MarketError(f"{step.where}: {total} jobs served, but {env.economy.jobs} posted")


def _check_end(env: Any, step: Step) -> None:
    ended = step.round == env.economy.rounds
    for agent in env.possible_agents:
        for name, value, expected in (
            ("termination", step.terminations[agent], False), ("truncation", step.truncations[agent], ended)
        ):  # fmt: skip
            if not isinstance(value, bool):
                raise MarketError(f"{step.where}, {agent}: the {name} is of type {type(value).__name__}, not bool")
            if value != expected:
                raise MarketError(f"{step.where}, {agent}: the {name} is {value} in an episode of {env.economy.rounds}")


def _check_same(first: list[Step], second: list[Step], what: str) -> None:
    for a, b in zip(first, second, strict=True):
        for agent, copies in a.copies.items():
            same = np.array_equal(copies, b.copies[agent]) and a.copied_infos[agent] == b.copied_infos[agent]
            if not same or (a.round and a.rewards[agent] != b.rewards[agent]):
                raise MarketError(f"{a.where}, {agent}: {what}")


def _check_different(first: list[Step], second: list[Step], what: str) -> None:
    pairs = [(a.copies[agent], b.copies[agent]) for a, b in zip(first, second, strict=False) for agent in a.copies]
    if all(np.array_equal(a, b) for a, b in pairs):
        raise MarketError(what)


def _check_spaces(env: Any) -> None:
    count = env.economy.organizations
    if len(env.possible_agents) != count or len(set(env.possible_agents)) != count:
        raise MarketError(f"possible_agents: expected {count} names, got {env.possible_agents}")
    for agent in env.possible_agents:
        for name, space_of in (("observation", env.observation_space), ("action", env.action_space)):
            space = space_of(agent)
            if space is not space_of(agent):
                raise MarketError(f"{agent}: {name}_space gives another object at each call")
            if not isinstance(space, Box) or space.dtype != np.float32 or not space.is_bounded():
                raise MarketError(f"{agent}: the {name} space is {space}, not a bounded float32 Box")


def _check_refused(env: Any, where: str, actions: Any, errors: Any, naming: str = "") -> None:
    kinds = errors if isinstance(errors, tuple) else (errors,)
    wanted = " or ".join(kind.__name__ for kind in kinds)
    try:
        env.step(actions)
    except kinds as error:
        if naming not in str(error):
            raise MarketError(f"{where}: the {type(error).__name__} does not name {naming}: {error}") from error
    except Exception as error:
        raise MarketError(f"{where}: raised {type(error).__name__}, expected {wanted}") from error
    else:
        raise MarketError(f"{where}: step was not refused, expected {wanted}")


_MARK = "__all__"  # the key that a well-known trainer adds to the dicts that it receives


def _scribble(env: Any, step: Step) -> None:
    """Write into everything that was returned, as some trainers do."""
    for agent in env.possible_agents:
        step.observations[agent][:] = -1.0
        step.infos[agent][_MARK] = 0.0
        step.infos[agent].update(dict.fromkeys(LEDGER_KEYS, -1.0))
    given: tuple[dict[str, Any], ...] = (
        step.observations, step.rewards, step.terminations, step.truncations, step.infos
    )  # fmt: skip
    for part in given:
        part[_MARK] = False


def _provoke(env: Any, step: Step) -> None:
    """Hand in actions that must be refused: all kinds of them after a reset, then one kind per round."""
    agent = env.possible_agents[-1]
    good = _any_actions(env)
    size = len(good[agent])
    bad: list[tuple[str, Any, str]] = [
        ("an action with NaN", good | {agent: np.full(size, np.nan, np.float32)}, agent),
        ("an infinite action", good | {agent: np.full(size, np.inf, np.float32)}, agent),
        ("an action too long", good | {agent: np.zeros(size + 1, np.float32)}, agent),
        ("an action of strings", good | {agent: np.full(size, "0")}, agent),
        ("None for an action", good | {agent: None}, agent),
        ("no action of one agent", {name: action for name, action in good.items() if name != agent}, agent),
        ("an action of a stranger", good | {"stranger_0": good[agent]}, "stranger_0"),
        ("a list of actions", list(good.values()), ""),
    ]
    cases = bad if step.round == 0 else [bad[step.round % len(bad)]]
    for name, actions, naming in cases:
        _check_refused(env, f"{step.where}, then {name}", actions, (ValueError, TypeError), naming)


def _any_actions(env: Any) -> dict[str, np.ndarray]:
    return {agent: np.zeros(env.action_space(agent).shape, np.float32) for agent in env.possible_agents}


def _draw_actions(env: Any, random: np.random.Generator, reach: float) -> dict[str, np.ndarray]:
    """Draw actions uniformly from `reach` times the box, which is -1 .. 1."""
    return {
        agent: random.uniform(-reach, reach, env.action_space(agent).shape).astype(np.float32)
        for agent in env.possible_agents
    }
