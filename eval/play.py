"""Play: episodes of markets with a frozen policy in every seat, one of which, the focal seat, is scored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ruleshift.agents import Policy
from ruleshift.agents.background import Backgrounds
from ruleshift.agents.policy import Memory
from ruleshift.agents.seats import Seats
from ruleshift.envs import Economy, Market, Rule, Shift, Structure

CONDUCT = ("ask", "effort", "promotion")
"""The parts of a conduct that are recorded."""


@dataclass(frozen=True)
class Played:
    """Outcome of one episode of B markets over T rounds."""

    focal: np.ndarray
    """(B, T) profit of the focal seat in each round, in mean job values."""
    conduct: np.ndarray
    """(T, 3) ask, effort and promotion of the focal seat in each round, averaged over markets."""
    seats: np.ndarray
    """(N,) mean profit per round of each seat, in mean job values."""
    measures: np.ndarray
    """(T, len(MEASURES)) market measures in each round, averaged over markets."""
    incomes: np.ndarray
    """(B, N) mean profit per round of each seat in each market, in mean job values."""
    won: np.ndarray
    """(B, N) jobs that each seat won in each market, over the episode."""


@dataclass(frozen=True)
class MarketSetup:
    """A set of markets with one rule, schedule and economy, and the policies that hold their seats.

    Raises:
        ValueError: the number of policies differs from the number of organizations.
    """

    rule: Rule | Structure | str
    """The rule in force at the start, or its name or path; or a structure, from which each market draws its own."""
    seats: Sequence[Policy]
    """N policies; organization i follows `seats[i]`."""
    economy: Economy
    """Economy of every market."""
    markets: int
    """Number of markets, B."""
    first_market: int = 0
    """Number of the first market; the noise of a market depends on its number."""
    schedule: tuple[Shift, ...] = ()
    """Shifts of the rule during the episode."""
    successors: Mapping[int, Sequence[Policy]] = field(default_factory=dict)
    """By round, the N policies that hold the seats from that round on. A policy that keeps its seats keeps its memory;
    a newly seated one begins without any."""

    def __post_init__(self) -> None:
        for at, seats in self.tenants.items():
            if len(seats) != self.economy.organizations:
                raise ValueError(
                    f"play: {len(seats)} policies at round {at} for {self.economy.organizations} organizations"
                )

    @property
    def tenants(self) -> dict[int, Sequence[Policy]]:
        """By round, beginning with round 0, the N policies that hold the seats from then on."""
        return {0: self.seats, **self.successors}


def play(
    seats: Sequence[Policy],
    rule: Rule | str,
    *,
    schedule: tuple[Shift, ...] = (),
    successors: Mapping[int, Sequence[Policy]] | None = None,
    markets: int = 64,
    first_market: int = 0,
    seed: int = 0,
    economy: Economy | None = None,
    mechanisms: Iterable[str] = (),
    focal: int = 0,
    deterministic: bool = False,
) -> Played:
    """Play one episode of B markets with a frozen policy in every seat.

    Actions are sampled with noise keyed by (seed, market, round, seat): another policy in the same seat meets the
    same noise, so two runs differ by what was changed and by nothing else.

    Args:
        seats, rule, schedule, successors, markets, first_market, economy: as in `MarketSetup`.
        seed: seed of the markets and of the sampled actions.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.
        focal: the seat that is scored, 0 .. N - 1.
        deterministic: play mean actions instead of sampled ones, in every seat.

    Raises:
        ValueError: the number of policies differs from the number of organizations, or there is no such focal seat.
    """
    changes = {at: tuple(new) for at, new in (successors or {}).items()}
    if deterministic:
        steady = {id(policy): MeanActions(policy) for each in (seats, *changes.values()) for policy in each}
        seats = [steady[id(policy)] for policy in seats]
        changes = {at: tuple(steady[id(policy)] for policy in new) for at, new in changes.items()}
    setup = MarketSetup(rule, seats, economy or Economy(), markets, first_market, tuple(schedule), changes)
    return play_all([setup], seed=seed, mechanisms=mechanisms, focal=focal)[0]


def play_all(
    setups: Sequence[MarketSetup], *, seed: int = 0, mechanisms: Iterable[str] = (), focal: int = 0
) -> list[Played]:
    """Play one episode of several set-ups at once; a policy that sits in several is called once per round for all.

    Args:
        setups: set-ups that agree in the number of rounds and in the rounds at which successors come.
        seed: seed of all markets; `first_market` keeps the noise of set-ups apart.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.
        focal: the seat that is scored in each, 0 .. N - 1.

    Returns:
        The outcome of each set-up, in the same order.

    Raises:
        ValueError: the set-ups differ in rounds, or there is no such focal seat.
    """
    if len({(setup.economy.rounds, tuple(setup.tenants)) for setup in setups}) != 1:
        raise ValueError("play: setups that are played at once have the same rounds and successors in the same rounds")
    for setup in setups:
        if not 0 <= focal < setup.economy.organizations:
            raise ValueError(f"play: focal seat {focal} of {setup.economy.organizations} organizations")
    markets = [_market(setup, tuple(mechanisms)) for setup in setups]
    records = [_Record(market, focal) for market in markets]
    observations = [market.reset(seed=seed) for market in markets]
    tenants: Backgrounds | None = None
    for round_ in range(setups[0].economy.rounds):
        if round_ in setups[0].tenants:
            seated = Backgrounds([(_seats(setup.tenants[round_]), setup.markets) for setup in setups])
            if tenants is not None:
                seated.inherit(tenants)
            tenants = seated
        assert tenants is not None
        actions = _act(tenants, markets, observations)
        observations = [record.step(own) for record, own in zip(records, actions, strict=True)]
    return [record.played() for record in records]


class MeanActions(Policy):
    """A policy that takes the mean actions of another policy, without its noise."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def initial_memory(self, count: int) -> Memory:
        return self._policy.initial_memory(count)

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        return self._policy.act(observations, memory, None)

    def describe(self) -> dict[str, Any]:
        return {"policy": "MeanActions", "of": self._policy.describe()}


class _Record:
    """Record of the episode of a set-up's markets, round by round."""

    def __init__(self, market: Market, focal: int) -> None:
        self._market, self._focal = market, focal
        self._did = [market.layout[f"last_{name}"].start for name in CONDUCT]
        self._profits: list[np.ndarray] = []
        self._conduct: list[np.ndarray] = []
        self._seats: list[np.ndarray] = []
        self._measures: list[np.ndarray] = []
        self._incomes = np.zeros((market.markets, market.organizations))
        self._winners: list[np.ndarray] = []

    def step(self, actions: np.ndarray) -> np.ndarray:
        """Play a round with actions (B, N, A), record it, and return the next observations (B, N, F)."""
        market = self._market
        observations, rewards, truncated = market.step(actions)
        seen = market.last_observations if truncated else observations
        assert seen is not None
        self._profits.append(rewards[:, self._focal].astype(np.float64))
        self._conduct.append(seen[:, self._focal, self._did].mean(axis=0, dtype=np.float64))
        self._seats.append(rewards.mean(axis=0, dtype=np.float64))
        self._measures.append(market.measures.mean(axis=0))
        self._incomes += rewards
        self._winners.append(market.winners.copy())
        return observations

    def played(self) -> Played:
        return Played(
            np.stack(self._profits, axis=1),
            np.stack(self._conduct),
            np.mean(self._seats, axis=0),
            np.stack(self._measures),
            self._incomes / len(self._profits),
            self._won(),
        )

    def _won(self) -> np.ndarray:
        """Jobs (B, N) won over the episode, of which those that nobody served are none."""
        winners = np.stack(self._winners, axis=1).reshape(self._market.markets, -1)
        size = self._market.organizations + 1
        numbered = winners + 1 + size * np.arange(len(winners))[:, None]
        return np.bincount(numbered.ravel(), minlength=size * len(winners)).reshape(-1, size)[:, 1:]


def _market(setup: MarketSetup, mechanisms: tuple[str, ...]) -> Market:
    return Market(
        setup.rule,
        markets=setup.markets,
        first_market=setup.first_market,
        economy=setup.economy,
        schedule=setup.schedule,
        mechanisms=mechanisms,
    )


def _seats(policies: Sequence[Policy]) -> Seats:
    """Group the seats by policy, so that one object in several seats acts in one batch."""
    held: dict[int, list[int]] = {}
    for seat, policy in enumerate(policies):
        held.setdefault(id(policy), []).append(seat)
    return Seats((), tuple((policies[seats[0]], tuple(seats)) for seats in held.values()))


def _act(tenants: Backgrounds, markets: list[Market], observations: list[np.ndarray]) -> list[np.ndarray]:
    """Actions (B, N, A) of each set-up."""
    shapes = [(market.markets, market.organizations, market.action_size) for market in markets]
    seen = np.concatenate([each.reshape(-1, each.shape[2]) for each in observations])
    out = np.empty((len(seen), markets[0].action_size), np.float32)
    tenants.act(seen, out, [(market.key, market.round, market.episode) for market in markets])
    ends = np.cumsum([shape[0] * shape[1] for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(out, ends[:-1]), shapes, strict=True)]
