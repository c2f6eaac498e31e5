"""Checks of a market's rule: that it is the one asked for, and changes when the schedule says so."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ruleshift.envs.checker.play import Call, Episode, Hands, difference, same
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked, describe, shorten
from ruleshift.envs.checker.subject import Found, Subject
from ruleshift.envs.rule import Rule, list_rules, load_rule
from ruleshift.envs.schedule import Shift

_TRIED = 6


def _rules(subject: Subject) -> list[Rule]:
    """Return other rules than the one with which the environment begins."""
    if not isinstance(getattr(subject.env, "rule", None), Rule):
        raise NotChecked("the environment has no attribute rule")
    return [rule for rule in map(load_rule, list_rules()) if rule != subject.env.rule]


@check("rule-option", "economy")
def _rule_option(subject: Subject) -> Found:
    """`reset(options={"rule": ...})` changes the rule from now on, in this episode and the next."""
    changed, tried = False, 0
    for rule in _rules(subject):
        env = subject.fresh()
        before = env.market.rule if hasattr(env, "market") else subject.env.rule
        in_force: list[Any] = []

        def look(env: Any, call: Call, in_force: list[Any] = in_force) -> None:
            if call.round == 0:
                in_force.append(env.rule)

        asked: list[Any] = [{"rule": rule}, None]
        hands = Hands(options=iter(asked).__next__, before=look)
        play = subject.play(env, hands, plan=[Episode(subject.seed, subject.rounds), Episode(None, subject.rounds)])
        if not subject.is_factory:
            env.reset(options={"rule": before})
        if play.broken and not play.calls:
            continue  # refused: it cannot be played in this economy
        for when, held in zip(("the reset", "the next reset"), in_force, strict=False):
            if held != rule:
                yield (
                    f"options={{'rule': {rule.name!r}}}",
                    f"after {when} the rule in force is {shorten(getattr(held, 'name', held))}",
                )
                return
        tried += 1
        changed = changed or difference(subject.plain.calls, play.calls) is not None
        if changed or tried == _TRIED:
            break
    served = any(
        info.get("served")
        for call in subject.plain.calls
        for info in call.frozen["infos"].values()
        if isinstance(info, dict)
    )
    if tried and served and not changed and subject.plain.calls[-1].round > 3:
        yield "options={'rule': ...}", f"{tried} other rules change nothing"


@check("schedule", "economy")
def _schedule(subject: Subject) -> Found:
    """Before its first shift a market and its twin are the same; the rule changes in the round that the schedule says.

    A market with placebos only pays as its twin does.
    """
    schedule = getattr(getattr(subject.env, "market", None), "schedule", ())
    if not schedule or not hasattr(subject.env, "twin"):
        raise NotChecked("the environment has no schedule, or no twin")
    twin = subject.ask("twin", subject.env.twin)
    first = min(shift.at for shift in schedule)
    plan = [Episode(subject.seed, subject.rounds)]
    other = subject.play(twin, plan=plan)
    only_placebos = all(shift.placebo for shift in schedule)
    before = other.calls if only_placebos else other.calls[: first + 1]
    differs = difference(before, subject.plain.calls[: len(before)], ("rewards",)) or difference(
        other.calls[:first], subject.plain.calls[:first], keep=_without_notice(subject, schedule)
    )
    if differs:
        yield differs[0], f"before the first shift, in round {first + 1}, it differs from its twin: {differs[1]}"
    yield from _in_force(subject, schedule, plan)


def _without_notice(subject: Subject, schedule: Any) -> Callable[[Any], Any]:
    """Return a function that takes the announcement out of observations, if one may be due."""
    rule = subject.env.market.rule
    announced = not isinstance(rule, Rule) or rule.disclosure.notice > 0 or any(shift.notice for shift in schedule)

    def without(part: Any) -> Any:
        if not announced:
            return part
        return {
            agent: _blank(subject, value) if isinstance(value, np.ndarray) else value for agent, value in part.items()
        }

    return without


def _blank(subject: Subject, observation: np.ndarray) -> np.ndarray:
    if subject.layout is None:
        return np.zeros(0)  # nobody knows where the announcement is
    observation = observation.copy()
    observation[subject.layout["notice"]] = 0
    return observation


def _in_force(subject: Subject, schedule: Any, plan: list[Episode]) -> Found:
    """Yield rounds in which the attribute `rule` is not what a certain shift to a fixed rule makes it."""
    certain = all(shift.chance == 1 and not shift.placebo and isinstance(shift.to, Rule) for shift in schedule)
    if not certain or not isinstance(getattr(subject.env, "rule", None), Rule):
        return
    found: list[tuple[str, str]] = []

    def look(env: Any, call: Call) -> None:
        due = [shift.to for shift in schedule if shift.at <= call.round]
        expected = due[-1] if due else env.market.rule
        if not same(env.rule, expected):
            found.append((call.where, f"the rule in force next is {env.rule.name!r}, expected {expected.name!r}"))

    subject.play(hands=Hands(before=look), plan=plan)
    yield from found


@check("shifts", "factory", "economy")
def _shifts(subject: Subject) -> Found:
    """A factory that takes a schedule makes an environment whose rule changes in that round and not before."""
    rounds = min(subject.rounds, subject.economy.rounds)
    if not subject.accepts("schedule") or rounds < 2:
        raise NotChecked("the factory takes no schedule, or an episode has a single round")
    at, changed = rounds // 2, False
    for rule in _rules(subject)[:_TRIED]:
        try:
            env = subject.make(schedule=(Shift(at, rule),))
        except ValueError:
            continue
        except Exception as error:
            yield "schedule", f"making the environment with a schedule raised {describe(error)}"
            return
        play = subject.play(env, plan=[Episode(subject.seed, subject.rounds)])
        early = difference(subject.plain.calls[: at + 1], play.calls[: at + 1], ("rewards",))
        if early:
            yield early[0], f"a shift in round {at + 1} is felt before: {early[1]}"
            return
        changed = changed or difference(subject.plain.calls, play.calls) is not None
        if changed:
            return
    yield "schedule", f"shifts in round {at + 1} to {_TRIED} other rules change nothing"
