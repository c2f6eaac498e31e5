"""Checks of what an environment shares: with its caller, with other instances and with the process."""

import copy
import gc
import os
import pickle
import random
import sys
import threading
import tracemalloc
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from ruleshift.envs.checker.play import Actions, Call, Episode, Hands, arrays_in, freeze, same
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked, describe, shorten
from ruleshift.envs.checker.subject import LEDGER_KEYS, Found, Subject, compare

MARK = "__all__"
"""The key that a well-known trainer adds to the dicts that it receives."""


@check("shared-results")
def _shared_results(subject: Subject) -> Found:
    """No dict or array that is returned belongs to two agents, or to two calls."""
    owners: list[tuple[int, int, str]] = []
    dicts: dict[int, str] = {}
    for call in subject.plain.calls:
        for name, part in call.live.items():
            for agent, value in [(None, part), *part.items()]:
                where = call.where if agent is None else f"{call.where}, {agent}"
                if isinstance(value, dict):
                    first = dicts.setdefault(id(value), f"{name} ({where})")
                    if first != f"{name} ({where})":
                        yield where, f"the {name} hold the dict that was returned before as {first}, used again"
            for place, array in arrays_in(part):
                if array.size and not isinstance(array, np.memmap):
                    low, high = np.lib.array_utils.byte_bounds(array)
                    owners.append((low, high, f"{call.where}, {place} in the {name}"))
    owners.sort()
    for (_, end, where), (begin, _, elsewhere) in pairwise(owners):
        if begin < end:
            yield where, f"the array shares memory with that of {elsewhere}"


@check("late-changes")
def _late_changes(subject: Subject) -> Found:
    """What was returned never changes later."""
    for call in subject.plain.calls:
        for name, part in call.live.items():
            if not same(freeze(part), call.frozen[name]):
                agent = next((a for a in part if not same(freeze(part[a]), call.frozen[name].get(a))), "")
                what = "observation" if name == "observations" else name
                yield f"{call.where}, {agent}", f"the {what} changed after it had been returned"


@check("writing")
def _writing(subject: Subject) -> Found:
    """Whatever is written into what was returned changes nothing, as the caller owns it."""
    found: list[tuple[str, str]] = []

    def write(env: Any, call: Call) -> None:
        try:
            scribble(call)
        except Exception as error:
            found.append((call.where, f"what was returned cannot be written into: {describe(error)}"))

    play = subject.play(hands=Hands(before=write))
    yield from found[:1]
    yield from subject.compare(play, "writing into what was returned changed the environment")


def scribble(call: Call) -> None:
    """Write into everything that a call returned, as some trainers do."""
    for part in call.live.values():
        for _, array in arrays_in(part):
            array[...] = np.zeros_like(array) if array.dtype.kind not in "fi" else np.full_like(array, -1)
    for info in call.live["infos"].values():
        info.update(dict.fromkeys(LEDGER_KEYS, -1.0))
        info[MARK] = 0.0
    for part in call.live.values():
        for agent in part:
            if not isinstance(part[agent], dict | np.ndarray):
                part[agent] = 0
        part[MARK] = False


@check("actions-changed")
def _actions_changed(subject: Subject) -> Found:
    """Neither the dict of actions nor the arrays in it are written into, also where numbers lie outside the box."""
    found: list[tuple[str, str]] = []
    kept: list[tuple[str, Any, Any]] = []

    def look(env: Any, call: Call, handed: Any) -> None:
        kept.append((call.where, handed, freeze(call.actions)))
        if not same(freeze(handed), freeze(call.actions)):
            found.append((call.where, "the actions were changed by the step"))

    subject.play(hands=Hands(after=look))
    late = [where for where, handed, before in kept if not same(freeze(handed), before)]
    yield from found
    if late and not found:
        yield late[0], "the actions were changed after the step"


@check("actions-kept")
def _actions_kept(subject: Subject) -> Found:
    """What is handed in as actions may be overwritten after the step, as by trainers that reuse their arrays.

    A market does not even hold on to the arrays.
    """
    held: list[tuple[str, Any]] = []

    def overwrite(env: Any, call: Call, handed: Any) -> None:
        for agent, action in handed.items():
            if isinstance(action, np.ndarray):
                held.append((f"{call.where}, {agent}", weakref.ref(action)))
                action[...] = 0
        handed.clear()

    play = subject.play(hands=Hands(after=overwrite))
    yield from subject.compare(play, "overwriting the actions after a step changed the environment")
    if subject.economy is not None:
        for where, held_one in held:
            if held_one() is not None:
                yield where, "the environment still holds the array of the action after the play"
                return


@check("actions-order")
def _actions_order(subject: Subject) -> Found:
    """The order of the agents in the dict of actions does not matter."""

    def reverse(actions: Actions) -> Actions:
        return {agent: copy.copy(actions[agent]) for agent in reversed(actions)}

    yield from subject.compare(
        subject.play(hands=Hands(offer=reverse)), "another order of the actions changes the result"
    )


@check("actions-forms")
def _actions_forms(subject: Subject) -> Found:
    """An action in a read-only array is the same action.

    In a market so is one in a list, in float64, in a strided array, in a foreign byte order or in a mapping.
    """
    forms: dict[str, Any] = {"read-only arrays": _read_only}
    if subject.economy is not None:
        forms |= {
            "lists": lambda action: [float(number) for number in action],
            "float64": np.float64,
            "strided arrays": lambda action: np.repeat(action, 2)[::2],
            "a foreign byte order": lambda action: action.astype(action.dtype.newbyteorder()),
        }
    plan = [Episode(subject.seed, min(subject.rounds, 12))]
    for name, form in forms.items():

        def offer(actions: Actions, form: Any = form) -> Any:
            return {
                agent: form(action) if isinstance(action, np.ndarray) else action for agent, action in actions.items()
            }

        play = subject.play(hands=Hands(offer=offer), plan=plan)
        yield from subject.compare(play, f"actions in {name} change the result")
    if subject.economy is not None:
        play = subject.play(hands=Hands(offer=lambda actions: MappingProxyType(freeze(actions))), plan=plan)
        yield from subject.compare(play, "actions in a read-only mapping change the result")


def _read_only(action: np.ndarray) -> np.ndarray:
    action = action.copy()
    action.flags.writeable = False
    return action


@check("options")
def _options(subject: Subject) -> Found:
    """The caller's options are not written into and not kept, and unknown options change nothing."""
    given: list[dict[str, Any]] = []
    before: list[Any] = []
    found: list[tuple[str, str]] = []

    def options() -> dict[str, Any]:
        given.append({"an unknown option": [1, {"deep": np.arange(3)}], "another": {"more": 2.5}})
        if hasattr(subject.env, "rule") and subject.economy is not None:
            given[-1]["rule"] = _rule_of(subject)
        before.append(freeze({key: value for key, value in given[-1].items() if key != "rule"}))
        return given[-1]

    def spoil(env: Any, call: Call) -> None:
        if given and before:
            now = {key: value for key, value in given[-1].items() if key != "rule"}
            if not same(freeze(now), before[-1]) or ("rule" in given[-1]) != ("rule" in given[0]):
                found.append((call.where, f"the options of the reset were changed to {shorten(given[-1])}"))
            before.clear()
            given[-1]["an unknown option"][1]["deep"][:] = 7
            given[-1].clear()
            given[-1]["rule"] = "no such rule"

    play = subject.play(hands=Hands(options=options, before=spoil))
    yield from found
    yield from subject.compare(play, "unknown options of a reset change the environment")
    yield from subject.compare(
        subject.play(hands=Hands(options=dict)), "empty options of a reset change the environment"
    )


def _rule_of(subject: Subject) -> Any:
    """Return the rule with which a market begins, as an option of its reset."""
    market = getattr(subject.env, "market", None)
    return getattr(market, "rule", subject.env.rule)


@contextmanager
def generators() -> Iterator[None]:
    """Put the global generators back when the block ends."""
    states = generator_states()
    try:
        yield
    finally:
        np.random.set_state(states["numpy"])  # noqa: NPY002 - the global generator itself
        random.setstate(states["python"])
        if "torch" in states:
            sys.modules["torch"].set_rng_state(states["torch"])


def generator_states() -> dict[str, Any]:
    """Return the states of the global generators of numpy, python and, if it is loaded, torch."""
    states: dict[str, Any] = {"numpy": np.random.get_state(), "python": random.getstate()}  # noqa: NPY002
    torch = sys.modules.get("torch")
    if hasattr(torch, "get_rng_state"):
        states["torch"] = torch.get_rng_state()  # type: ignore[union-attr]
    return states


def _comparable(states: dict[str, Any]) -> dict[str, Any]:
    return {name: state.numpy() if name == "torch" else list(state) for name, state in states.items()}


@check("generators")
def _generators(subject: Subject) -> Found:
    """The global generators of numpy, python and torch are neither drawn from nor seeded."""
    found: dict[str, tuple[str, str]] = {}

    def watch(where: str, before: dict[str, Any]) -> dict[str, Any]:
        after = _comparable(generator_states())
        for name in before:
            if not same(before[name], after.get(name)):
                found.setdefault(name, (where, f"the global generator of {name} was used"))
        return after

    with generators():
        _seed_generators(20_011)  # a state in which no play has left them
        states = _comparable(generator_states())
        env = subject.fresh()
        states = watch("making the environment", states)
        player = subject.player(env)
        while not player.over:
            player.advance()
            states = watch(player.play.calls[-1].where if player.play.calls else "", states)
            if len(found) == len(states):
                break
        subject.ask("close", subject.fresh().close if subject.is_factory else (lambda: None))
        watch("close", states)
    yield from found.values()
    for number in (1, 2):
        with generators():
            _seed_generators(number)
            play = subject.play()
        yield from subject.compare(play, "the global generators change the environment")


def _seed_generators(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002 - the global generator itself
    random.seed(seed)
    if hasattr(sys.modules.get("torch"), "manual_seed"):
        sys.modules["torch"].manual_seed(seed)


@check("process")
def _process(subject: Subject) -> Found:
    """The process is left as it was: environment variables, working directory, settings, threads.

    What an import changes once is not counted.
    """
    _ = subject.plain
    now = process_state()
    before = {**subject.process, "number of threads": now["number of threads"]}
    try:
        put_back(before)
        subject.play()
        subject.ask("close", subject.fresh().close if subject.is_factory else (lambda: None))
        after = process_state()
    finally:
        put_back(now)
    for name, value in before.items():
        if after[name] != value:
            yield "", f"the {name} changed from {_part(value, after[name])} to {_part(after[name], value)}"


def _part(value: Any, other: Any) -> str:
    """Return what distinguishes a value from another one, as a short text."""
    if isinstance(value, dict) and isinstance(other, dict):
        return shorten({key: each for key, each in value.items() if other.get(key) != each})
    if isinstance(value, list) and isinstance(other, list):
        return shorten([each for each in value if each not in other])
    return shorten(value)


def process_state() -> dict[str, Any]:
    """Return settings of the process that an environment must leave alone."""
    return {
        "environment variables": dict(os.environ),
        "working directory": os.getcwd(),
        "handling of floating-point errors": np.geterr(),
        "print options of numpy": np.get_printoptions(),
        "filters of warnings": list(warnings.filters),
        "recursion limit": sys.getrecursionlimit(),
        "search path": list(sys.path),
        "state of the garbage collector": gc.isenabled(),
        "number of threads": threading.active_count(),
    }


def put_back(state: dict[str, Any]) -> None:
    """Give the process settings that `process_state` returned; threads cannot be put back."""
    for name in set(os.environ) - set(state["environment variables"]):
        del os.environ[name]
    os.environ.update(state["environment variables"])
    os.chdir(state["working directory"])
    np.seterr(**state["handling of floating-point errors"])
    np.set_printoptions(**state["print options of numpy"])
    warnings.filters[:] = state["filters of warnings"]  # type: ignore[index]
    sys.setrecursionlimit(state["recursion limit"])
    sys.path[:] = state["search path"]
    (gc.enable if state["state of the garbage collector"] else gc.disable)()


@check("instances", "factory")
def _instances(subject: Subject) -> Found:
    """Other instances that are made, reset, stepped, copied and closed meanwhile change nothing."""
    first = subject.player()
    second = subject.player(
        plan=[Episode(subject.seed + 1, subject.rounds), *subject.plan[1:]], actions=subject.seed + 1
    )
    alone = subject.play(plan=[Episode(subject.seed + 1, subject.rounds), *subject.plan[1:]], actions=subject.seed + 1)
    while not (first.over and second.over):
        first.advance()
        second.advance()
    yield from subject.compare(first.play, "another instance that is stepped meanwhile changes the environment")
    yield from compare(
        alone.calls, second.play, "another instance that is stepped meanwhile changes the environment", alone.broken
    )

    def disturb(env: Any, call: Call) -> None:
        if call.round % 5 == 1 or call.round == 0:
            other = subject.fresh()
            subject.player(other, plan=[Episode(None, 2)], actions=subject.seed + 2).to_end()
            other.close()

    yield from subject.compare(
        subject.play(hands=Hands(before=disturb)), "another instance that is made and closed meanwhile changes it"
    )


@check("threads", "factory")
def _threads(subject: Subject) -> Found:
    """In another thread, and in two threads at once, an environment plays as in one."""
    players = [subject.player() for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=player.to_end, daemon=True) for player in players]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    for player in players:
        yield from subject.compare(player.play, "in threads the environment plays otherwise")


@check("copies")
def _copies(subject: Subject) -> Found:
    """A copy and a pickle, made before a reset, in mid-episode or after its end, go on like the original.

    Neither changes the other.
    """
    longest = max(len(episode) for episode in subject.plain.episodes())

    def overwrite(env: Any, call: Call, handed: Any) -> None:  # a copy that replays must not rely on these
        for action in handed.values():
            if isinstance(action, np.ndarray):
                action[...] = 0
        handed.clear()

    for name, function in (("a deep copy", copy.deepcopy), ("a pickle", lambda env: pickle.loads(pickle.dumps(env)))):
        for made in dict.fromkeys((0, 1, max(2, longest // 2), longest)) if subject.is_factory else (2,):
            player = subject.player(hands=Hands(after=overwrite))
            player.advance(made)
            where = f"{name} after {made} calls"
            try:
                copied = function(player.env)
            except Exception as error:
                _cannot_copy(subject, name, error)
                yield where, f"it cannot be made: {describe(error)}"
                break
            other = player.with_environment(copied)
            yield from _side_by_side(subject, player, other, where)


def _cannot_copy(subject: Subject, name: str, error: Exception) -> None:
    local = "local object" in str(error) or "not the same object" in str(error) or "attribute lookup" in str(error)
    if subject.economy is None or local:
        raise NotChecked(f"{name} cannot be made: {describe(error)}")


def _side_by_side(subject: Subject, player: Any, other: Any, where: str) -> Found:
    while not other.over and not player.over:
        other.advance()
        player.advance()
        if player.play.calls[-1].where != other.play.calls[-1].where:
            break
    player.to_end()
    other.to_end()
    yield from subject.compare(other.play, f"{where} goes on otherwise")
    yield from subject.compare(player.play, f"the original goes on otherwise beside {where}")


@check("memory")
def _memory(subject: Subject) -> Found:
    """Memory does not grow with the episodes played, and an environment that nobody holds is freed."""
    if tracemalloc.is_tracing() or gc.get_freeze_count():
        raise NotChecked("tracemalloc or gc.freeze is in use")
    gc.freeze()  # what is there now is not searched again
    try:
        yield from _growth(subject)
        if subject.is_factory:
            kept = [weakref.ref(subject.fresh()) for _ in range(2)]
            gc.collect()
            if all(each() is not None for each in kept):
                yield "", "an environment that nobody holds any more is not freed"
    finally:
        gc.unfreeze()


def _growth(subject: Subject) -> Found:
    """Yield a finding if none of many equal blocks of episodes gets by without more memory."""
    episodes = subject.plain.episodes()
    rounds = min(_BLOCK, max(1, len(episodes[0]) - 1))
    in_a_block = -(-_BLOCK // rounds)
    env = subject.fresh()
    grown: list[int] = []
    tracemalloc.start()
    try:
        size = 0
        for block in range(_MOST_BLOCKS):
            for number in range(in_a_block):
                _run_through(subject, env, rounds, subject.seed if block == number == 0 else None)
            gc.collect()
            before, size = size, tracemalloc.get_traced_memory()[0]
            grown.append(size - before)
            if block > 1 and grown[-1] <= _LEAST_GROWTH + 100 * in_a_block:
                return  # what grew before was on its way to a steady state
    except (Exception, SystemExit):
        raise NotChecked("the environment does not play an episode") from None
    finally:
        tracemalloc.stop()
    yield "", f"{in_a_block} episodes of {rounds} rounds leave at least {min(grown):,} bytes behind"


_MOST_BLOCKS = 25
"""Blocks of which each must leave memory behind; a sound environment is done after three."""
_BLOCK = 60
"""Rounds that are played between two measurements of memory."""
_LEAST_GROWTH = 1000
"""Bytes in a block beside 100 for each episode, which are less than one number for each round and agent."""


def _run_through(subject: Subject, env: Any, rounds: int, seed: int | None) -> None:
    env.reset(seed=seed)
    for round_ in range(rounds):
        if not env.agents:
            return
        drawn = subject.draw(round_)
        env.step({agent: copy.copy(drawn[agent]) for agent in env.agents})
