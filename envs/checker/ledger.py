"""Checks of the numbers in a market's infos: what was paid for what, and by whom."""

from typing import Any

import numpy as np

from ruleshift.envs.checker.play import Actions, Call, Hands
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked
from ruleshift.envs.checker.subject import Found, Subject

_NOT_NEGATIVE = ("paid", "commission", "charge", "served", "clipped")
_SHARES = ("quality", "rank", "effort", "promotion")  # noise may take a priority above 1
TOLERANCE = 1e-5


def _entries(subject: Subject) -> Any:
    """Yield call, agent, place and info of every round."""
    for call in subject.plain.calls:
        if call.round:
            for agent, info in call.frozen["infos"].items():
                yield call, agent, f"{call.where}, {agent}", info


@check("ledger", "ledger")
def _ledger(subject: Subject) -> Found:
    """The reward is paid - commission - cost - charge; all but the cost are at least 0, and shares are at most 1."""
    for call, agent, where, info in _entries(subject):
        for key in _NOT_NEGATIVE:
            if info[key] < 0:
                yield where, f"{key} is negative: {info[key]}"
        for key in _SHARES:
            if key in info and not 0 <= info[key] <= 1:
                yield where, f"{key} is {info[key]}, expected 0 .. 1"
        reward, profit = (
            call.frozen["rewards"].get(agent, 0.0),
            info["paid"] - info["commission"] - info["cost"] - info["charge"],
        )
        size = 1 + info["paid"] + info["commission"] + abs(info["cost"]) + info["charge"]
        if not abs(reward - profit) <= TOLERANCE * size:
            yield where, f"the reward is {reward}, but paid - commission - cost - charge is {profit}"
        if info["commission"] > info["paid"] * (1 + TOLERANCE) + TOLERANCE:
            yield where, f"the commission is {info['commission']} on payments of {info['paid']}"


@check("nothing-from-nothing", "ledger")
def _nothing_from_nothing(subject: Subject) -> Found:
    """Whoever serves nothing is paid nothing and has neither cost nor commission nor quality."""
    for _, _, where, info in _entries(subject):
        if info["served"] == 0:
            for key in ("paid", "commission", "cost", "quality"):
                if info.get(key, 0) != 0:
                    yield where, f"{key} is {info[key]} although nothing was served"
    for call in subject.plain.calls[:1]:
        for agent, info in call.frozen["infos"].items():
            wrong = [key for key, value in info.items() if np.any(value)] if call.round == 0 else []
            if wrong:
                yield f"{call.where}, {agent}", f"info {wrong[0]} is {info[wrong[0]]} before anything was played"


@check("served", "economy", "ledger")
def _served(subject: Subject) -> Found:
    """No organization serves more than its capacity, and all together no more than the jobs posted.

    These are whole numbers unless the economy has `shares="expected"`.
    """
    economy = subject.economy
    divisible = getattr(economy, "shares", "sampled") == "expected"
    room = TOLERANCE if divisible else 0.0
    totals: dict[str, float] = {}
    for call, _, where, info in _entries(subject):
        served = info["served"]
        totals[call.where] = totals.get(call.where, 0.0) + served
        if not served <= economy.capacity + room:
            yield where, f"served {served} jobs at a capacity of {economy.capacity}"
        elif not divisible and served != int(served):
            yield where, f"served {served} jobs, which is no whole number"
    for where, total in totals.items():
        if not total <= economy.jobs + room * economy.jobs:
            yield where, f"{total} jobs served, but {economy.jobs} posted"


@check("books", "economy", "ledger")
def _books(subject: Subject) -> Found:
    """Where the market shows `payments` and `winners` of each job, they add up to what the organizations report."""
    found: list[tuple[str, str]] = []
    if not all(hasattr(getattr(subject.env, "market", None), name) for name in ("payments", "winners")):
        raise NotChecked("the environment shows no payments and winners of jobs")
    divisible = getattr(subject.economy, "shares", "sampled") == "expected"

    def compare(env: Any, call: Call, handed: Any) -> None:
        infos = list(call.frozen["infos"].values())
        clients, paid = float(np.sum(env.market.payments)), sum(info["paid"] for info in infos)
        if not abs(clients - paid) <= TOLERANCE * (1 + abs(paid)):
            found.append((call.where, f"clients paid {clients}, but organizations received {paid}"))
        served = np.bincount(env.market.winners[0][env.market.winners[0] >= 0], minlength=len(infos))
        if not divisible and list(served) != [info["served"] for info in infos]:
            found.append(
                (call.where, f"winners of jobs are {list(served)}, but served is {[i['served'] for i in infos]}")
            )

    subject.play(hands=Hands(after=compare))
    yield from found


@check("clipped", "ledger")
def _clipped(subject: Subject) -> Found:
    """`clipped` counts how many numbers of an action lay outside the box."""
    for call, agent, where, info in _entries(subject):
        space = subject.spaces["action"][agent]
        action = np.asarray(call.actions[agent])
        outside = int(np.sum((action < space.low) | (action > space.high)))
        if info["clipped"] != outside:
            yield where, f"clipped is {info['clipped']}, but {outside} were outside the box"


@check("clipping", "economy")
def _clipping(subject: Subject) -> Found:
    """Actions outside the box are worth exactly what their nearest point inside it is worth, however far they are."""

    def inside(actions: Actions, round_: int) -> Actions:
        return {a: np.clip(action, -1, 1).astype(action.dtype) for a, action in actions.items()}

    def far(actions: Actions, round_: int) -> Actions:
        return {
            a: np.where(np.abs(action) > 1, action * 1e5, action).astype(action.dtype) for a, action in actions.items()
        }

    for name, scale in (("clipped to the box", inside), ("moved far outside", far)):
        play = subject.play(hands=Hands(scale=scale))
        yield from subject.compare(play, f"actions {name} have another result", keep=_without_count)


def _without_count(part: Any) -> Any:
    return {
        agent: {key: each for key, each in value.items() if key != "clipped"} if isinstance(value, dict) else value
        for agent, value in part.items()
    }


@check("promotion", "economy", "ledger")
def _promotion(subject: Subject) -> Found:
    """Whoever does not promote is not charged, where the infos name `promotion`."""
    for _, _, where, info in _entries(subject):
        if info.get("promotion", 1) == 0 and info["charge"] != 0:
            yield where, f"the charge is {info['charge']} without any promotion"
