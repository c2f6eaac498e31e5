"""One market as an observer sees it after a round; it is read once, then drawn as text or as a picture."""

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

    at: int  # rounds played before the shift
    label: str  # name of the rule or structure that follows
    placebo: bool  # whether the rule stays the same
    comes: bool  # whether the shift takes place
    notice: int  # how many rounds ahead it is announced, 0 if it is not


class Standing(NamedTuple):
    """The part of the organizations' state that is drawn."""

    reputation: np.ndarray  # (N,) in [.01, 1]
    popularity: np.ndarray  # (N,) >= 0, in any unit
    capability: np.ndarray  # (K, N) in [0, 1]
    newcomer: np.ndarray  # (N,) 1 if the organization has just entered, else 0


class Ended(NamedTuple):
    """What is left of an episode whose market has already opened the next one."""

    rule: Rule  # rule of the last round
    observations: np.ndarray  # (N, F) after the last round


class JobLine(NamedTuple):
    """A job on the board."""

    kind: int  # 0 .. K - 1
    value: float  # in mean job values
    winner: int  # the organization that served it, or -1
    payment: float  # what the client paid, in mean job values


@dataclass(frozen=True)
class Scene:
    """Everything that is shown of one market; arrays cover only the first `MOST_ORGANIZATIONS` organizations."""

    market: int  # index in the batch
    round: int  # rounds played in the episode
    rounds: int  # rounds of a whole episode
    episode: int  # number of the episode, from 0
    kinds: int  # K
    organizations: int  # N, including those that are not shown
    rule: Rule  # the rule of the round to be played next or, after the end, of the last one
    marks: tuple[Mark, ...]  # the shifts on the timeline
    news: str  # what has just changed or is about to; '' for nothing
    state: Standing
    outcome: Outcome
    jobs: tuple[JobLine, ...]  # jobs of the last round or, before the first one, those now posted
    jobs_in_all: int  # J, including those that are not shown
    measures: dict[str, float]  # measures of the last round, by the names in MEASURES

    @property
    def played(self) -> bool:
        """Whether a round of this episode has been played."""
        return self.round > 0

    @property
    def shown(self) -> int:
        """Number of organizations shown."""
        return len(self.state.reputation)

    @property
    def note(self) -> str:
        """What the scene leaves out, '' if nothing."""
        parts = []
        if self.organizations > self.shown:
            parts.append(f"the first {self.shown} of {self.organizations} organizations")
        if self.jobs_in_all > len(self.jobs):
            parts.append(f"{len(self.jobs)} of {self.jobs_in_all} jobs")
        return f"showing {' and '.join(parts)}" if parts else ""


def read_scene(market: "Market", b: int = 0, ended: Ended | None = None) -> Scene:
    """Return the scene of market `b` of a batch.

    The last step of an episode opens the next one; with `ended` the scene is that of the last round.

    Raises:
        IndexError: if there is no such market.
        RuntimeError: if the market has not been reset yet.
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
    """Return the shifts that take place in this market and episode or have a notice of their own."""
    happens = draw_shifts(market.schedule_in_force, market.key[b : b + 1], episode)[0][0]
    return tuple(
        Mark(shift.at, _name(shift), shift.placebo, bool(comes), shift.notice or 0)
        for shift, comes in zip(market.schedule_in_force, happens, strict=True)
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
    """Return the jobs sorted by kind, so that few lines cross."""
    if played == 0:
        kinds, values = market.job_kinds[b], market.job_values[b]
        winners, payments = np.full(len(kinds), -1), np.zeros(len(kinds))
    else:
        kinds, values = market.served_kinds[b], market.served_values[b]
        winners, payments = market.winners[b], market.payments[b]
    order = np.argsort(kinds[:MOST_JOBS], kind="stable")
    return tuple(JobLine(int(kinds[j]), float(values[j]), int(winners[j]), float(payments[j])) for j in order)


def kind_letter(kind: int) -> str:
    """Return the label of a kind of job: a letter A .. Z, then its number.

    >>> kind_letter(0), kind_letter(30)
    ('A', '30')
    """
    return chr(ord("A") + kind) if kind < 26 else str(kind)


def describe(rule: Rule) -> str:
    """Describe a rule in one line: what it scores, how it matches and pays, and what it discloses."""
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
