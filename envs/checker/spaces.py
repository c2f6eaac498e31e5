"""Checks of agents, spaces, observations and the global state."""

import copy
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space

from ruleshift.envs.checker.play import Call, Hands, freeze, same
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked, shorten
from ruleshift.envs.checker.subject import Found, Subject


@check("agents")
def _agents(subject: Subject) -> Found:
    """`possible_agents` is a list of distinct names that never changes, and `agents` is another list."""
    env = subject.fresh()
    names = env.possible_agents
    if not isinstance(names, list) or len(set(names)) != len(names) or not names:
        yield "", f"possible_agents is {shorten(names)}, expected a list of distinct names"
        return
    if subject.economy is not None and len(names) != subject.economy.organizations:
        yield "", f"possible_agents: expected {subject.economy.organizations} names, got {shorten(names)}"
    player = subject.player(env)
    before = list(names)
    while not player.over:
        player.advance()
        where = player.play.calls[-1].where if player.play.calls else ""
        if env.agents is env.possible_agents:
            yield where, "agents is the list possible_agents itself; it must be a list of its own"
            return
        if list(env.possible_agents) != before:
            yield where, f"possible_agents changed from {shorten(before)} to {shorten(env.possible_agents)}"
            return
        counted = subject.ask(where, lambda: (env.num_agents, env.max_num_agents))
        if counted != (len(env.agents), len(before)):
            yield where, f"num_agents and max_num_agents are {counted}, expected {(len(env.agents), len(before))}"
            return


@check("spaces")
def _spaces(subject: Subject) -> Found:
    """Each agent has a space of observations and one of actions, the same object at every call, which never changes.

    In a market they are bounded boxes of float32.
    """
    env = subject.fresh()
    first = _given(subject, env)
    for (name, agent), space in first.items():
        if not isinstance(space, Space):
            yield str(agent), f"the {name} space is of type {type(space).__name__}, not a gymnasium space"
        elif subject.economy is not None and not _is_bounded_box(space):
            yield str(agent), f"the {name} space is {shorten(space)}, not a bounded float32 Box"
    copies = copy.deepcopy(first)
    again = [("the first call", _given(subject, env))]
    subject.play(env)
    again.append(("an episode", _given(subject, env)))
    for when, spaces in again:
        for (name, agent), space in spaces.items():
            if space is not first[name, agent]:
                yield str(agent), f"{name}_space gives another object at each call (here after {when})"
            elif space != copies[name, agent]:
                yield str(agent), f"the {name} space changed from {shorten(copies[name, agent])} to {shorten(space)}"
    if subject.is_factory:
        for (name, agent), space in _given(subject, subject.fresh()).items():
            if space != copies.get((name, agent)):
                yield str(agent), f"the {name} space of another instance is {shorten(space)}"
    if subject.economy is not None:
        yield from _other_names(subject, env)


def _given(subject: Subject, env: Any) -> dict[tuple[str, Any], Any]:
    given = {}
    for agent in list(env.possible_agents):
        given["observation", agent] = subject.ask(str(agent), env.observation_space, agent)
        given["action", agent] = subject.ask(str(agent), env.action_space, agent)
    return given


def _is_bounded_box(space: Any) -> bool:
    return isinstance(space, Box) and space.dtype == np.float32 and space.is_bounded()


def _other_names(subject: Subject, env: Any) -> Found:
    for name, function in (("observation", env.observation_space), ("action", env.action_space)):
        try:
            function("stranger_0")
        except Exception:
            continue
        yield "stranger_0", f"{name}_space gives a space for an agent that does not exist"


@check("observations")
def _observations(subject: Subject) -> Found:
    """Every observation is an array of the space's shape and dtype, is finite and lies inside the space."""
    for call in subject.plain.calls:
        for agent, given in call.live["observations"].items():
            space = subject.spaces["observation"].get(agent)
            if space is not None:
                fault = _fault(space, given, call.frozen["observations"][agent])
                if fault:
                    yield f"{call.where}, {agent}", f"the observation {fault}"


def _fault(space: Any, live: Any, given: Any) -> str | None:
    if not isinstance(space, Box):
        return None if space.contains(given) else f"is not in {shorten(space)}: {shorten(given)}"
    if type(live) is not np.ndarray or live.dtype != space.dtype:
        kind = live.dtype if type(live) is np.ndarray else type(live).__name__
        return f"is {kind}, not a {space.dtype} array"
    if live.shape != space.shape:
        return f"has shape {live.shape}, expected {space.shape}"
    if not (live.flags.c_contiguous and live.flags.writeable and live.flags.aligned and live.dtype.isnative):
        return "is strided, read-only or in a foreign byte order; it must be an ordinary array"
    for what, bad in (
        ("not finite", ~np.isfinite(given)),
        ("outside the space", (given < space.low) | (given > space.high)),
    ):
        if bad.any():
            return f"is {what}: {given[bad][0]} at {np.flatnonzero(bad)[0]}"
    return None


@check("state")
def _state(subject: Subject) -> Found:
    """`state()` is in `state_space`, is a fresh array, is up to date, and depends on nothing but the play.

    Where it begins with the observations of all agents, it does so in every round.
    """
    env = subject.fresh()
    if not _has_state(subject, env):
        raise NotChecked("the environment has no state()")
    kept: list[tuple[str, Any, Any]] = []
    player = subject.player(env)
    others = subject.player() if subject.is_factory else None
    leads = None
    while not player.over:
        player.advance()
        if player.play.broken:
            return
        call = player.play.calls[-1]
        state, again = subject.ask(call.where, env.state), subject.ask(call.where, env.state)
        yield from _single_state(subject, env, call, state, again)
        joined = _joined(call)
        leads = _begins(state, joined) if leads is None else leads
        if leads and not _begins(state, joined):
            yield call.where, "the state no longer begins with the observations of all agents"
            return
        if others is not None:
            others.advance()
            if others.play.calls and not same(freeze(state), freeze(subject.ask(call.where, others.env.state))):
                yield call.where, "the same seed gives another state in another instance"
                return
        kept.append((call.where, state, freeze(state)))
    yield from _kept_states(kept, player.play.calls)


def _has_state(subject: Subject, env: Any) -> bool:
    subject.ask("episode 0, reset", env.reset, seed=subject.seed)
    try:
        env.state()
    except (NotImplementedError, AttributeError):
        return getattr(env, "state_space", None) is not None
    except Exception:
        return True
    return True


def _single_state(subject: Subject, env: Any, call: Call, state: Any, again: Any) -> Found:
    space = getattr(env, "state_space", None)
    fault = _fault(space, state, freeze(state)) if isinstance(space, Space) else None
    if fault:
        yield call.where, f"the state {fault}"
    if not same(freeze(state), freeze(again)):
        yield call.where, "state() gives something else when it is called again"
    if isinstance(state, np.ndarray):
        if state is again or np.shares_memory(state, again):
            yield call.where, "state() returns the same array twice"
        for agent, observation in call.live["observations"].items():
            if isinstance(observation, np.ndarray) and np.shares_memory(state, observation):
                yield call.where, f"the state shares memory with the observation of {agent}"
        again[...] = 0  # what is written into one state must not reach the next
        if not same(freeze(state), freeze(subject.ask(call.where, env.state))):
            yield call.where, "writing into what state() returned changes the state"


def _joined(call: Call) -> Any:
    observations = [each for each in call.frozen["observations"].values() if isinstance(each, np.ndarray)]
    return np.concatenate([each.ravel() for each in observations]) if observations else np.zeros(0)


def _begins(state: Any, joined: Any) -> bool:
    return isinstance(state, np.ndarray) and len(joined) > 0 and same(state.ravel()[: len(joined)], joined)


def _kept_states(kept: list[tuple[str, Any, Any]], calls: list[Call]) -> Found:
    for where, state, frozen in kept:
        if not same(freeze(state), frozen):
            yield where, "the state changed after it had been returned"
            return
    moves = any(not same(a.frozen["observations"], b.frozen["observations"]) for a, b in pairwise(calls))
    if moves and len(kept) > 1 and all(same(frozen, kept[0][2]) for _, _, frozen in kept):
        yield "", "the state is the same in every round although observations change"


@check("looking")
def _looking(subject: Subject) -> Found:
    """Calling `state()`, `render()`, spaces, `repr` and properties, and sampling from spaces, changes nothing."""

    def look(env: Any, call: Call) -> None:
        look_at(env)

    yield from subject.compare(subject.play(hands=Hands(before=look)), "looking at the environment changed it")


def look_at(env: Any) -> None:
    """Call everything of an environment that only looks; what raises is a matter of other checks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for agent in list(env.possible_agents):
            env.observation_space(agent).contains(None)
            env.action_space(agent).sample()
            env.observation_space(agent).sample()
        for name in ("state", "render"):
            try:
                getattr(env, name)()
            except Exception:
                continue
        for name in ("agents", "num_agents", "max_num_agents", "unwrapped", "metadata", "economy", "rule"):
            getattr(env, name, None)
        repr(env), str(env)
