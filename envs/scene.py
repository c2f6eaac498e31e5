"""One market as an onlooker sees it after a round: read once, then drawn as text or as a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ruleshift.envs.layout import MEASURES, Outcome, outcome_view, state_view
from ruleshift.envs.rule import Rule
from ruleshift.envs.schedule import Shift, draw_shifts
from ruleshift.envs.structure import Structure

if TYPE_CHECKING:
    from ruleshift.envs.market import Market

MOST_ORGANIZATIONS = 40
MOST_JOBS = 60
NEWS_ROUNDS = 5


class Mark(NamedTuple):
    """A shift as the timeline of a picture shows it."""

    at: int  # rounds played before it
    label: str  # name of the rule or structure that follows
    placebo: bool
    comes: bool  # whether it comes about
    notice: int  # rounds ahead from which it is announced, 0 where it is not


class Standing(NamedTuple):
    """What is drawn of the organizations' state."""

    reputation: np.ndarray  # (N,)
    popularity: np.ndarray  # (N,), in any unit
    capability: np.ndarray  # (K, N)
    newcomer: np.ndarray  # (N,), 1 where the organization has just entered


class Ended(NamedTuple):
    """What is left of an episode whose market has opened the next one already."""

    rule: Rule  # of the last round
    observations: np.ndarray  # (N, F), after the last round


class JobLine(NamedTuple):
    """A job on the board: its kind, its value, the organization that served it (-1: none) and what was paid."""

    kind: int
    value: float
    winner: int
    payment: float


@dataclass(frozen=True)
class Scene:
    """What there is to see of one market. Arrays cover the first `MOST_ORGANIZATIONS` organizations."""

    market: int
    round: int  # rounds played in the episode
    rounds: int
    episode: int
    kinds: int
    organizations: int  # all of them, shown or not
    rule: Rule  # in force in the round to be played next, or, after the end, in the last one
    marks: tuple[Mark, ...]
    news: str  # what has just changed, or is about to; '' where nothing has
    state: Standing
    outcome: Outcome
    jobs: tuple[JobLine, ...]  # of the last round; before the first one, the board that waits
    jobs_in_all: int
    measures: dict[str, float]  # of the last round, by the names in MEASURES

    @property
    def played(self) -> bool:
        """Whether a round of this episode has been played."""
        return self.round > 0

    @property
    def shown(self) -> int:
        """Organizations shown."""
        return len(self.state.reputation)

    @property
    def note(self) -> str:
        """What is left out, '' where nothing is."""
        parts = []
        if self.organizations > self.shown:
            parts.append(f"the first {self.shown} of {self.organizations} organizations")
        if self.jobs_in_all > len(self.jobs):
            parts.append(f"{len(self.jobs)} of {self.jobs_in_all} jobs")
        return f"showing {' and '.join(parts)}" if parts else ""


def read_scene(market: "Market", b: int = 0, ended: Ended | None = None) -> Scene:
    """Market `b` of a batch as it stands.

    A market opens the next episode within the last step of one: with `ended` the scene is that of the last round.

    Raises:
        IndexError: there is no such market.
        RuntimeError: the market has not been reset yet.
    """
    if market.seed is None:
        raise RuntimeError("there is nothing to draw before the market is open: call reset() first")
    if not 0 <= b < market.markets:
        raise IndexError(f"market {b} of {market.markets}: there is none")
    rule = market.rule_in_force(b) if ended is None else ended.rule
    played = market.round if ended is None else market.economy.rounds
    shown = min(market.organizations, MOST_ORGANIZATIONS)
    episode = market.episode - (ended is not None)
    marks = _marks(market, b, episode)
    return Scene(
        market=b,
        round=played,
        rounds=market.economy.rounds,
        episode=episode,
        kinds=market.kinds,
        organizations=market.organizations,
        rule=rule,
        marks=marks,
        news=_news(marks, played, rule.name),
        state=Standing(*(part[..., :shown].copy() for part in _standing(market, b, ended))),
        outcome=Outcome(*(part[..., :shown].copy() for part in outcome_view(market.outcomes[b], market.kinds))),
        jobs=_jobs(market, b, played),
        jobs_in_all=market.economy.jobs,
        measures=dict(zip(MEASURES, market.measures[b].tolist(), strict=True)),
    )


def _standing(market: "Market", b: int, ended: Ended | None) -> Standing:
    if ended is None:
        state = state_view(market.state[b], market.kinds)
        return Standing(state.reputation, state.popularity, state.capability, state.newcomer)
    parts = {name: ended.observations[:, market.layout[name]].T for name in Standing._fields}
    return Standing(**{name: part if name == "capability" else part[0] for name, part in parts.items()})


def _marks(market: "Market", b: int, episode: int) -> tuple[Mark, ...]:
    """The shifts that come about in this market and episode, or were announced."""
    happens = draw_shifts(market.schedule, market.key[b : b + 1], episode)[0][0]
    return tuple(
        Mark(shift.at, _name(shift), shift.placebo, bool(comes), shift.notice or 0)
        for shift, comes in zip(market.schedule, happens, strict=True)
        if comes or shift.notice
    )


def _name(shift: Shift) -> str:
    return shift.to.name if isinstance(shift.to, Rule | Structure) else str(shift.to)


def _news(marks: tuple[Mark, ...], played: int, rule: str) -> str:
    for mark in reversed(marks):
        if mark.at <= played < mark.at + NEWS_ROUNDS:
            if mark.placebo:
                return f"PLACEBO after round {mark.at}: the rule stays {rule}"
            if not mark.comes:
                return f"NO CHANGE after round {mark.at}: the rule stays {rule}"
            when = "FROM THE NEXT ROUND ON" if played == mark.at else f"THE RULE CHANGED after round {mark.at}"
            return f"{when}: {rule}"
        if mark.at - mark.notice <= played < mark.at:
            return f"ANNOUNCED: {mark.label} after round {mark.at}"
    return ""


def _jobs(market: "Market", b: int, played: int) -> tuple[JobLine, ...]:
    """By kind, so that lines cross little."""
    if played == 0:
        kinds, values = market.job_kinds[b], market.job_values[b]
        winners, payments = np.full(len(kinds), -1), np.zeros(len(kinds))
    else:
        kinds, values = market.served_kinds[b], market.served_values[b]
        winners, payments = market.winners[b], market.payments[b]
    order = np.argsort(kinds[:MOST_JOBS], kind="stable")
    return tuple(JobLine(int(kinds[j]), float(values[j]), int(winners[j]), float(payments[j])) for j in order)


def kind_letter(kind: int) -> str:
    """Kinds of job are lettered A, B, ..., Z, then numbered.

    >>> kind_letter(0), kind_letter(30)
    ('A', '30')
    """
    return chr(ord("A") + kind) if kind < 26 else str(kind)


def describe(rule: Rule) -> str:
    """A rule in one line: what it scores, how it matches and pays."""
    weights = {name: float(getattr(rule.scoring.weights, name)) for name in _weight_names(rule)}
    heavy = sorted((name for name in weights if weights[name] > 0), key=lambda name: -weights[name])
    scored = " ".join(f"{name} {weights[name]:.2g}" for name in heavy) or "nothing"
    payment = rule.payment
    return (
        f"scores {scored}, amplified {rule.scoring.amplification:g}; {rule.matching.mechanism.replace('_', ' ')};"
        f" pays {payment.pricing.replace('_', ' ')}; discloses {rule.disclosure.level}"
    )


def _weight_names(rule: Rule) -> tuple[str, ...]:
    return tuple(vars(rule.scoring.weights))
