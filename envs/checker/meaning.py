"""Checks of what actions do and observations say: whose they are, and of which round."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ruleshift.envs.act import MAX_ASK
from ruleshift.envs.checker.ledger import TOLERANCE
from ruleshift.envs.checker.play import Actions, Call, Episode, Hands, same
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked, shorten
from ruleshift.envs.checker.subject import Found, Subject
from ruleshift.envs.views import OBSERVATION_BOUND

_MOST_AGENTS = 16
_SAMPLES = 80
_NEAR_ONE = 0.98


@check("actions-matter")
def _actions_matter(subject: Subject) -> Found:
    """Each agent's action changes what that agent receives; in a market, each number of it does."""
    plan = [Episode(subject.seed, min(subject.rounds, 5))]
    plain = subject.play(plan=plan)
    for agent in subject.agents[:_MOST_AGENTS]:
        other = subject.play(plan=plan, hands=Hands(scale=_with(agent, partial(_opposite, subject, agent))))
        if not _differs(plain.calls, other.calls, agent):
            yield str(agent), "its actions change nothing that it observes, is paid or is told"
        elif subject.layout is not None:
            yield from _single_numbers(subject, agent, plain.calls)


def _single_numbers(subject: Subject, agent: Any, plain: list[Call]) -> Found:
    assert subject.layout is not None
    size, kinds = len(subject.draw(0)[agent]), subject.economy.kinds
    for place in range(size if kinds > 1 else size - kinds):  # with a single kind there is nothing to focus on

        def turn(action: np.ndarray, place: int = place) -> np.ndarray:
            action = action.copy()
            action[place] = -np.clip(action[place], -1, 1) if abs(action[place]) > 0.1 else 1.0
            return action

        other = subject.play(plan=[Episode(subject.seed, 1)], hands=Hands(scale=_with(agent, turn)))
        calls = plain[:2]
        newcomer = len(calls) > 1 and subject.part(calls[1].frozen["observations"][agent], "newcomer")[0]
        if not newcomer and not _differs(calls, other.calls, agent):
            yield str(agent), f"number {place} of its actions changes nothing that it observes, is paid or is told"


def _with(agent: Any, change: Callable[[Any], Any]) -> Callable[[Actions, int], Actions]:
    return lambda actions, round_: {**actions, agent: change(actions[agent])} if agent in actions else actions


def _opposite(subject: Subject, agent: Any, action: Any) -> Any:
    """Return another action, as far away as the space allows."""
    space = subject.spaces["action"][agent]
    if isinstance(action, np.ndarray) and hasattr(space, "low"):
        middle = (np.float64(space.low) + np.float64(space.high)) / 2
        return np.where(action > middle, space.low, space.high).astype(action.dtype)
    if hasattr(space, "n") and hasattr(space, "start"):
        return int(space.start + (action - space.start + 1) % space.n)
    return action


def _differs(first: list[Call], second: list[Call], agent: Any) -> bool:
    return len(first) != len(second) or any(
        not same(a.frozen.get(part, {}).get(agent), b.frozen.get(part, {}).get(agent))
        for a, b in zip(first, second, strict=True)
        for part in ("observations", "rewards", "infos", "terminations")
    )


@check("own-outcome", "layout", "ledger")
def _own_outcome(subject: Subject) -> Found:
    """What an organization observes of its last round is what it did and what it was told, and nobody else's.

    Newcomers see zeros there.
    """
    for call in subject.plain.calls:
        for agent, observation in call.frozen["observations"].items():
            if subject.layout is None or observation.shape != subject.spaces["observation"][agent].shape:
                continue
            expected = _expected(subject, call, agent, float(subject.part(observation, "newcomer")[0]))
            for name, value in expected.items():
                seen = float(np.sum(subject.part(observation, name)))
                if not abs(seen - value) <= TOLERANCE * (1 + abs(value)):
                    yield f"{call.where}, {agent}", f"it observes {name} {seen:.6g}, expected {value:.6g}"


def _expected(subject: Subject, call: Call, agent: Any, newcomer: float) -> dict[str, float]:
    """Return what an organization must observe, by the parts of the layout, each of them summed."""
    parts = ("last_ask", "last_effort", "last_promotion", "last_focus", "won", "paid", "profit", "quality")
    if call.round == 0 or newcomer:
        return dict.fromkeys(parts, 0.0)
    info, capacity = call.frozen["infos"][agent], subject.economy.capacity
    ask, effort, promotion = _units(call.actions[agent])
    return {
        "last_ask": ask, "last_effort": effort, "last_promotion": promotion, "last_focus": 1.0,
        "won": info["served"] / capacity,
        "paid": min(info["paid"] / capacity, OBSERVATION_BOUND),
        "profit": float(np.clip(call.frozen["rewards"][agent], -OBSERVATION_BOUND, OBSERVATION_BOUND)),
        "quality": info["quality"] if "quality" in info else float("nan"),
    }  # fmt: skip


def _units(action: Any) -> tuple[float, float, float]:
    ask, effort, promotion = ((np.clip(np.asarray(action[:3], np.float64), -1, 1) + 1) / 2).tolist()
    return ask * MAX_ASK, effort, promotion


@check("own-action", "layout", "ledger")
def _own_action(subject: Subject) -> Found:
    """The infos `ask`, `effort` and `promotion`, where there are any, are those of the agent's own action."""
    for call in subject.plain.calls[1:]:
        for agent, info in call.frozen["infos"].items():
            if call.round:
                for name, value in zip(("ask", "effort", "promotion"), _units(call.actions[agent]), strict=True):
                    if name in info and not abs(info[name] - value) <= TOLERANCE:
                        yield f"{call.where}, {agent}", f"{name} is {info[name]:.6g}, but it played {value:.6g}"


@check("cash", "layout")
def _cash(subject: Subject) -> Found:
    """The cash that an organization observes changes by its rewards, until a newcomer takes its seat."""
    for episode in subject.plain.episodes():
        for before, after in pairwise(episode):
            for agent, observation in after.frozen["observations"].items():
                cash = [10 * float(subject.part(c.frozen["observations"][agent], "cash")[0]) for c in (before, after)]
                seen = not subject.part(observation, "newcomer")[0] and max(map(abs, cash)) < 10 * OBSERVATION_BOUND - 1
                expected = cash[0] + after.frozen["rewards"][agent]
                if seen and not abs(cash[1] - expected) <= 1e-4 * (1 + abs(expected)):
                    yield f"{after.where}, {agent}", f"it observes cash of {cash[1]:.6g}, expected {expected:.6g}"


@check("costs", "layout", "ledger")
def _costs(subject: Subject) -> Found:
    """Serving costs what follows from the capability, the cost shock and the job values that were observed before it.

    This is checked where an organization serves all the jobs of a kind or none of them.
    """
    economy = subject.economy
    if getattr(economy, "shares", "sampled") != "sampled" or economy.kinds > OBSERVATION_BOUND:
        raise NotChecked("single jobs cannot be told apart in this economy")
    for before, after in pairwise(subject.plain.calls):
        for agent in after.before if after.round else ():
            seen, told = before.frozen["observations"][agent], after.frozen["observations"][agent]
            part = subject.part
            posted = np.rint(part(seen, "jobs") * economy.jobs / economy.kinds)
            won = np.rint(part(told, "won") * economy.capacity)
            clear = np.all((won == 0) | (won == posted)) and np.all(np.abs(part(seen, "shock")) < OBSERVATION_BOUND)
            if not clear or part(told, "newcomer")[0]:
                continue
            relief = (1 + part(seen, "infrastructure")[0]) ** -economy.infrastructure_gain
            effort = economy.effort_cost * _units(after.actions[agent])[1]
            shares = economy.base_cost * (1 - part(seen, "capability")) * relief + effort + part(seen, "shock")
            expected = float(np.sum(won * part(seen, "values") * shares))
            cost = after.frozen["infos"][agent]["cost"]
            if not abs(cost - expected) <= 1e-4 * (1 + np.sum(won * np.abs(shares))):
                yield (
                    f"{after.where}, {agent}",
                    f"serving cost {cost:.6g}, but what it observed before makes {expected:.6g}",
                )


@check("board", "layout")
def _board(subject: Subject) -> Found:
    """All organizations see the same board, on which as many jobs are posted as the economy says."""
    kinds = subject.economy.kinds
    for call in subject.plain.calls:
        seen = [(agent, each) for agent, each in call.frozen["observations"].items()]
        for name in ("jobs", "values"):
            for agent, observation in seen[1:]:
                if not same(subject.part(observation, name), subject.part(seen[0][1], name)):
                    yield f"{call.where}, {agent}", f"it sees other {name} on the board than {seen[0][0]}"
        ended = call.round and not call.agents
        for agent, observation in seen[:1]:
            posted = float(subject.part(observation, "jobs").sum())
            if abs(posted - kinds) > 1e-3 * kinds and not ended and kinds <= OBSERVATION_BOUND:
                yield f"{call.where}, {agent}", f"the shares of jobs posted add up to {posted:.6g}, expected {kinds}"


@check("common-noise", "layout")
def _common_noise(subject: Subject) -> Found:
    """Jobs, values and cost shocks of a round are the same whatever was played before, as they depend on the seed."""
    other = subject.play(actions=subject.seed + 11)
    for a, b in zip(subject.plain.calls, other.calls, strict=False):
        for agent in a.frozen["observations"]:
            for name in ("jobs", "values", "shock"):
                first, second = (subject.part(call.frozen["observations"][agent], name) for call in (a, b))
                if a.where == b.where and not same(first, second):
                    yield f"{a.where}, {agent}", f"other actions lead to other {name}: {shorten(second)}"
                    return


@check("foresight", "layout")
def _foresight(subject: Subject) -> Found:
    """No observation tells the jobs, the values or the cost shocks of a later round."""
    economy = subject.economy
    names = ["shock"]
    if not getattr(economy, "demand_drift", 0) and not getattr(economy, "value_drift", 0):
        names += ["jobs", "values"]
    for ahead in (1, 2):
        now, later = [], []
        for episode in _long(subject, ahead):
            seen = [_table(call) for call in episode]
            now += seen[: len(seen) - ahead]
            later += seen[ahead:]
        if len(now) < _SAMPLES:
            raise NotChecked("episodes are too short to tell")
        columns = np.concatenate([np.arange(subject.layout[name].start, subject.layout[name].stop) for name in names])  # type: ignore[index]
        yield from _tells(subject, np.array(now), np.array(later)[:, :, columns], columns, f"{ahead} rounds ahead")


@check("private-numbers", "layout")
def _private_numbers(subject: Subject) -> Found:
    """No observation tells another organization's capability, cost shock or infrastructure."""
    assert subject.layout is not None
    if len(subject.agents) < 2:
        raise NotChecked("there is a single organization")
    seen = [_table(call) for episode in _long(subject, 0) for call in episode]
    shocks = np.arange(subject.layout["shock"].start, subject.layout["shock"].stop)
    if len(seen) >= _SAMPLES:
        table = np.array(seen)
        yield from _tells(subject, table, table[:, :, shocks], shocks, "by another organization", others=True)
    resets = subject.play(plan=[Episode(subject.seed + i, 0) for i in range(40)]).calls
    starts = np.array([_table(call) for call in resets])
    names = ("capability", "infrastructure", "shock")
    columns = np.concatenate([np.arange(subject.layout[name].start, subject.layout[name].stop) for name in names])
    yield from _tells(subject, starts, starts[:, :, columns], columns, "by another organization", others=True)


def _long(subject: Subject, ahead: int) -> list[list[Call]]:
    """Return enough episodes for a correlation, as far as 30 of them suffice."""
    rounds = max(1, min(subject.rounds, subject.economy.rounds) - ahead)
    count = min(30, -(-_SAMPLES // rounds) + 1)
    play = subject.play(plan=[Episode(subject.seed + 20 + number, subject.rounds) for number in range(count)])
    return [[call for call in episode if call.agents] for episode in play.episodes()]


def _table(call: Call) -> np.ndarray:
    return np.stack(list(call.frozen["observations"].values()))


def _tells(
    subject: Subject, seen: np.ndarray, hidden: np.ndarray, columns: np.ndarray, when: str, others: bool = False
) -> Found:
    """Yield what of `seen` (R, N, F) has the ranks of something `hidden` (R, N, H); `others` leaves out one's own."""
    assert subject.layout is not None
    agents = min(seen.shape[1], _MOST_AGENTS)
    left, right = _standardized(seen[:, :agents]), _standardized(hidden[:, :agents])
    for i in range(agents):
        for j in range(agents):
            if others and i == j:
                continue
            strong = np.argwhere(np.abs(left[:, i].T @ right[:, j]) > _NEAR_ONE)
            for place, column in strong[:1]:
                what = next(name for name, part in subject.layout.items() if part.start <= columns[column] < part.stop)
                yield (
                    f"{subject.agents[i]}, number {place}",
                    f"the observation tells {what} of {subject.agents[j]} {when}",
                )


def _standardized(values: np.ndarray) -> np.ndarray:
    """Return ranks along the first axis with mean 0 and norm 1, or zeros where most values are the same."""
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    norm = np.sqrt((ranks**2).sum(axis=0))
    ordered = np.sort(values, axis=0)
    varied = (np.diff(ordered, axis=0) != 0).sum(axis=0) >= 9
    return np.where(varied, ranks / np.where(norm > 0, norm, 1), 0.0)


@check("features", "layout")
def _features(subject: Subject) -> Found:
    """The features that are observed are those of the rule in force, or zeros beside a mask of 0."""
    found: list[tuple[str, str]] = []
    if not hasattr(getattr(subject.env, "rule", None), "features") or _schedule(subject.env):
        raise NotChecked("the environment has no attribute rule with features, or its rule changes")

    def look(env: Any, call: Call) -> None:
        for agent, observation in call.frozen["observations"].items():
            mask, seen = (subject.part(observation, name) for name in ("features_mask", "features"))
            expected = env.rule.features() if mask[0] else np.zeros_like(seen)
            if not np.array_equal(seen, expected):
                found.append((f"{call.where}, {agent}", "it observes features that are not those of the rule in force"))

    subject.play(hands=Hands(before=look))
    yield from found


def _schedule(env: Any) -> Any:
    return getattr(getattr(env, "market", None), "schedule", ())
