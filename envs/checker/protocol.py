"""Checks of the calls: what they return, when an episode ends, and what is refused."""

import copy
import math
import pickle
import warnings
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np

from ruleshift.envs.checker.play import Actions, Call, Episode, Hands, Play, freeze, same
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked, describe, shorten, text
from ruleshift.envs.checker.subject import LEDGER_KEYS, Found, Subject, compare


@check("calls")
def _calls(subject: Subject) -> Found:
    """`reset` returns two dicts and `step` five, with exactly the agents that took part, in one order.

    Nothing is raised on the way.
    """
    if subject.plain.broken:
        yield subject.plain.broken
    for call in subject.plain.calls:
        expected = call.before if call.round else call.agents
        for name, part in call.frozen.items():
            if list(part) != expected:
                odd = sorted(set(part) ^ set(expected), key=str)
                wrong = f"are wrong about {', '.join(map(str, odd))}" if odd else "are in another order than agents"
                yield call.where, f"the {name} {wrong}"


@check("rewards")
def _rewards(subject: Subject) -> Found:
    """Every reward is a finite number, not an array."""
    for call in subject.plain.calls:
        for agent, reward in call.frozen.get("rewards", {}).items():
            if not isinstance(reward, Real) or isinstance(reward, bool):
                yield (
                    f"{call.where}, {agent}",
                    f"the reward is {shorten(reward)} of type {type(reward).__name__}, not a number",
                )
            elif not math.isfinite(float(reward)):
                yield f"{call.where}, {agent}", f"the reward is {reward}"


@check("infos")
def _infos(subject: Subject) -> Found:
    """Infos are dicts of finite numbers, or arrays of them, with the same keys in every round of an episode."""
    for call in subject.plain.calls:
        for agent, info in call.frozen["infos"].items():
            yield from _info(subject, f"{call.where}, {agent}", info)
    for first, second in pairwise(subject.plain.calls):
        if second.round > (0 if subject.economy is not None else 1):
            for agent, info in second.frozen["infos"].items():
                before = first.frozen["infos"].get(agent)
                if isinstance(info, dict) and isinstance(before, dict) and list(info) != list(before):
                    odd = shorten(sorted(map(str, set(info) ^ set(before))) or "in another order")
                    yield f"{second.where}, {agent}", f"the info has other keys than in the round before: {odd}"


def _info(subject: Subject, where: str, info: Any) -> Found:
    if not isinstance(info, dict):
        yield where, f"the info is of type {type(info).__name__}, not a dict"
        return
    for key, value in info.items():
        numeric = not isinstance(value, str | bytes | dict) and np.asarray(value).dtype.kind in "biuf"
        if not isinstance(key, str) or not numeric:
            yield where, f"info {shorten(key)} is not a number: {shorten(value)}"
        elif not np.isfinite(value).all():
            yield where, f"info {shorten(key)} is {shorten(value)}"
    if subject.economy is not None:
        missing = [key for key in LEDGER_KEYS if key not in info]
        if missing:
            yield where, f"the info lacks {', '.join(missing)}"


@check("flags")
def _flags(subject: Subject) -> Found:
    """Terminations and truncations are bools; an agent leaves `agents` exactly when one of its flags is true."""
    kinds = (bool,) if subject.economy is not None else (bool, np.bool_)
    for call in subject.plain.calls:
        flags = {name: call.frozen.get(name, {}) for name in ("terminations", "truncations")}
        for name, given in flags.items():
            for agent, value in given.items():
                if not isinstance(value, kinds):
                    yield f"{call.where}, {agent}", f"the {name[:-1]} is of type {type(value).__name__}, not bool"
        if call.round:
            stay = [a for a in call.before if not any(bool(given.get(a, False)) for given in flags.values())]
            if call.agents != stay:
                yield (
                    call.where,
                    f"agents is {shorten(call.agents)}, expected {shorten(stay) if stay else 'none'} by the flags",
                )
        elif subject.economy is not None and call.agents != subject.agents:
            yield call.where, f"agents is {shorten(call.agents)}, expected all"
        elif not call.agents:
            yield call.where, "agents is empty after a reset"


@check("length", "economy")
def _length(subject: Subject) -> Found:
    """Nobody terminates, and all agents are truncated after exactly `economy.rounds` rounds.

    This holds in every episode, also in one that begins before the last has ended.
    """
    rounds = subject.economy.rounds
    for call in subject.plain.calls:
        yield from _end(subject, call, rounds)
    if rounds > subject.rounds:
        raise NotChecked(f"episodes have {rounds} rounds, of which {subject.rounds} were played")
    short = [Episode(subject.seed, rounds // 2), Episode(None, rounds), Episode(None, rounds)]
    for episode in subject.play(plan=short).episodes()[1:]:
        for call in episode:
            yield from _end(subject, call, rounds, " after a reset in mid-episode")


def _end(subject: Subject, call: Call, rounds: int, when: str = "") -> Found:
    ended = call.round == rounds
    if call.round > rounds or (ended and call.agents):
        yield call.where, f"agents is {shorten(call.agents)}, expected none after {rounds} rounds{when}"
    for agent in call.before:
        for name, expected in (("terminations", False), ("truncations", ended)):
            value = call.frozen[name].get(agent, expected)
            if value != expected:
                yield f"{call.where}, {agent}", f"the {name[:-1]} is {value} in an episode of {rounds}{when}"


@check("reset")
def _reset(subject: Subject) -> Found:
    """A reset with a seed in mid-episode begins the same episode as any other reset with that seed."""
    for played in {min(3, subject.rounds), 1}:
        plan = [Episode(subject.seed + 7, played), *subject.plan]
        episodes = subject.play(plan=plan).episodes()[1:]
        calls = [call for episode in episodes for call in episode]
        if len(calls) < len(subject.plain.calls) and not subject.plain.broken:
            yield (
                calls[-1].where if calls else "episode 1, reset",
                "a reset in mid-episode does not begin a whole episode",
            )
            continue
        yield from compare(
            subject.plain.calls, Play(calls), "a reset in mid-episode with a seed begins another episode"
        )


@check("order-of-calls")
def _order_of_calls(subject: Subject) -> Found:
    """A step before the first reset or after the end of an episode is refused and changes nothing.

    In a market it is a RuntimeError.
    """
    wanted: Any = RuntimeError if subject.economy is not None else Exception
    if subject.is_factory:
        env = subject.fresh()
        yield from refused(env, "before the first reset", subject.draw(0), wanted)
        yield from subject.compare(subject.play(env), "a step before the first reset changed the environment")
    if subject.economy is None:
        return
    player = subject.player()
    while not player.over:
        player.advance()
        last = player.play.calls[-1] if player.play.calls else None
        if last is not None and not last.agents:
            yield from refused(player.env, f"{last.where}, after the end", subject.draw(0), wanted)
    yield from subject.compare(player.play, "a step after the end changed the environment")


def refused(env: Any, where: str, actions: Any, errors: Any, naming: str = "") -> Found:
    """Yield a finding if a step is not refused with one of these errors, or if the error does not name the agent."""
    kinds = errors if isinstance(errors, tuple) else (errors,)
    wanted = " or ".join(kind.__name__ for kind in kinds)
    try:
        env.step(actions)
    except kinds as error:
        if naming not in text(error):
            yield where, f"the {type(error).__name__} does not name {naming}: {shorten(text(error))}"
    except (Exception, SystemExit) as error:
        yield where, f"raised {describe(error)}, expected {wanted}"
    else:
        yield where, f"step was not refused, expected {wanted}"


@check("bad-actions", "economy")
def _bad_actions(subject: Subject) -> Found:
    """Bad actions are refused with a ValueError or TypeError that names the agent, and change nothing.

    Bad are NaN or infinity in any number of any agent, a wrong shape, strings, None, a missing agent or a stranger.
    """
    found: list[tuple[str, str]] = []

    def provoke(env: Any, call: Call) -> None:
        cases = list(_bad(subject.draw(call.round), subject.agents, call.round))
        for name, actions, naming in cases if call.round == 0 else [cases[call.round % len(cases)]]:
            given = freeze(actions)
            found.extend(refused(env, f"{call.where}, then {name}", actions, (ValueError, TypeError), naming))
            if not same(freeze(actions), given):
                found.append((call.where, f"{name} was written into"))

    play = subject.play(hands=Hands(before=provoke))
    yield from found
    yield from subject.compare(play, "a refused action changed the market")


def _bad(good: Actions, agents: list[Any], round_: int) -> Any:
    """Yield cases of bad actions with the name that the error must give; the agent and the number vary by round."""
    agent = agents[(round_ - 1) % len(agents)]
    size = len(good[agent])

    def with_(value: Any) -> Actions:
        return {**{name: np.array(action) for name, action in good.items()}, agent: value}

    for which, number in ((agent, np.nan), (agent, np.inf), (agent, -np.inf)):
        spoiled = np.array(good[which])
        spoiled[round_ % size] = number
        yield f"an action with {number}", with_(spoiled), str(which)
    for each in agents if round_ == 0 else ():
        for place in range(size):
            spoiled = np.array(good[each])
            spoiled[place] = np.nan
            yield "an action with NaN", {**good, each: spoiled}, str(each)
    yield "an action of NaN", with_(np.full(size, np.nan, np.float32)), str(agent)
    yield "an action too long", with_(np.zeros(size + 1, np.float32)), str(agent)
    yield "an action too short", with_(np.zeros(size - 1, np.float32)), str(agent)
    yield "an action with an axis too many", with_(np.zeros((1, size), np.float32)), str(agent)
    yield "a single number", with_(0.5), str(agent)
    yield "an action of strings", with_(np.full(size, "0")), str(agent)
    yield "complex numbers", with_(np.zeros(size, np.complex64)), str(agent)
    yield "None for an action", with_(None), str(agent)
    yield "no action of one agent", {name: action for name, action in good.items() if name != agent}, str(agent)
    yield "an action of a stranger", {**good, "stranger_0": good[agent]}, "stranger_0"
    yield "a list of actions", list(good.values()), ""
    yield "None", None, ""


@check("bad-resets", "economy")
def _bad_resets(subject: Subject) -> Found:
    """A reset with a bad seed, bad options or an unknown rule is refused with a ValueError or TypeError.

    It changes nothing.
    """
    found: list[tuple[str, str]] = []
    cases: list[dict[str, Any]] = [
        {"seed": -1}, {"seed": 1.5}, {"seed": "1"}, {"options": 3}, {"options": [1]}, {"seed": -1, "options": {}},
    ]  # fmt: skip
    if hasattr(subject.env, "rule"):
        cases += [{"options": {"rule": "no such rule"}}, {"seed": 5, "options": {"rule": 3.5}}]

    def provoke(env: Any, call: Call) -> None:
        for case in cases if call.round in (0, 2) else ():
            where = f"{call.where}, then reset({', '.join(f'{k}={v!r}' for k, v in case.items())})"
            try:
                env.reset(**case)
            except (ValueError, TypeError):
                continue
            except FileNotFoundError:
                continue
            except Exception as error:
                found.append((where, f"raised {describe(error)}, expected ValueError or TypeError"))
            else:
                found.append((where, "it was not refused, expected ValueError or TypeError"))

    play = subject.play(hands=Hands(before=provoke))
    yield from found
    if not any("not refused" in what for _, what in found):
        yield from subject.compare(play, "a refused reset changed the market")


@check("pickled-results")
def _pickled_results(subject: Subject) -> Found:
    """What a call returns can be pickled and copied."""
    for call in subject.plain.calls[:3]:
        for name, part in call.live.items():
            try:
                back = pickle.loads(pickle.dumps(part))
                copied = copy.deepcopy(part)
            except Exception as error:
                yield call.where, f"the {name} cannot be pickled or copied: {describe(error)}"
                continue
            if not (same(freeze(back), call.frozen[name]) and same(freeze(copied), call.frozen[name])):
                yield call.where, f"the {name} are not the same after pickling or copying"


@check("metadata")
def _metadata(subject: Subject) -> Found:
    """`metadata` is a dict with a name and the render modes, and is left as it is."""
    before = copy.deepcopy(subject.env.metadata)
    if not isinstance(before, dict) or not isinstance(before.get("name"), str):
        yield "", f"metadata has no name: {shorten(before)}"
    if not isinstance(before, dict) or not isinstance(before.get("render_modes", []), list | tuple):
        yield "", f"metadata has no list of render_modes: {shorten(before)}"
    _ = subject.plain
    if subject.env.metadata != before:
        yield "", f"metadata changed to {shorten(subject.env.metadata)}"


@check("rendering", "factory")
def _rendering(subject: Subject) -> Found:
    """In every render mode but `human` the play is the same and `render()` returns a fresh picture or a text."""
    modes = subject.env.metadata.get("render_modes") or []
    if not modes or not subject.accepts("render_mode"):
        raise NotChecked("the factory takes no render_mode, or there are no modes")
    plan = [Episode(subject.seed, min(subject.rounds, 3))]
    for mode in (mode for mode in modes if mode != "human"):
        env = subject.fresh(render_mode=mode)
        player = subject.player(env, plan=plan)
        while not player.over:
            player.advance()
            where = player.play.calls[-1].where if player.play.calls else ""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shown = subject.ask(f"{where}, render", env.render)
                again = subject.ask(f"{where}, render", env.render)
            yield from _picture(where, mode, shown, again)
        yield from subject.compare(player.play, f"the market is another with render_mode={mode!r}")
        subject.ask(f"close with render_mode={mode!r}", env.close)


def _picture(where: str, mode: str, shown: Any, again: Any) -> Found:
    if mode == "rgb_array":
        fits = isinstance(shown, np.ndarray) and shown.dtype == np.uint8 and shown.ndim == 3 and shown.shape[2] == 3
        if not fits:
            yield where, f"render() gives {shorten(getattr(shown, 'shape', shown))}, not uint8 (H, W, 3)"
        elif np.shares_memory(shown, again):
            yield where, "render() returns the same array twice"
    elif mode == "ansi" and not hasattr(shown, "getvalue") and not isinstance(shown, str):
        yield where, f"render() gives {type(shown).__name__}, not a text"
    if not same(
        freeze(shown) if isinstance(shown, np.ndarray | str) else None,
        again if isinstance(again, np.ndarray | str) else None,
    ):
        yield where, "render() shows something else when it is called again"


@check("close", "factory")
def _close(subject: Subject) -> Found:
    """`close()` may be called before a reset, in mid-episode and twice."""
    env = subject.fresh()
    subject.ask("close before a reset", env.close)
    env = subject.fresh()
    subject.player(env).advance(3)
    subject.ask("close in mid-episode", env.close)
    subject.ask("close a second time", env.close)
    yield from ()
