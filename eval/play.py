"""Frozen policies play a market, and one focal seat is scored."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruleshift.agents import Policy, action_noise
from ruleshift.envs import Economy, Market, Rule, Shift

CONDUCT = ("ask", "effort", "promotion")


@dataclass(frozen=True)
class Played:
    """What one episode of B markets over T rounds gave."""

    focal: np.ndarray
    """(B, T) profit of the focal seat by round, in mean job values."""
    conduct: np.ndarray
    """(T, 3) ask, effort and promotion of the focal seat by round, means over markets."""
    seats: np.ndarray
    """(N,) mean profit a round of each seat."""
    measures: np.ndarray
    """(T, len(MEASURES)) market measures by round, means over the B markets."""


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
    """One episode of `markets` markets with a frozen policy in every seat.

    Actions are sampled with noise keyed by (seed, market, round, seat): another policy in the same seat meets the
    same noise, so two runs differ by what was changed and by nothing else.

    Args:
        seats: N policies, organization i plays `seats[i]`; one object in several seats acts in one batch.
        successors: round -> N policies that hold the seats from that round on. A policy that keeps its seats keeps
            its memory; a newly seated one begins without.
        focal: the seat that is scored, 0 .. N-1.
        deterministic: mean actions in place of sampled ones.

    Raises:
        ValueError: not one policy for each organization, or no such focal seat.
    """
    market = Market(
        rule,
        markets=markets,
        first_market=first_market,
        economy=economy,
        schedule=tuple(schedule),
        mechanisms=tuple(mechanisms),
    )
    changes = {0: tuple(seats)} | {at: tuple(new) for at, new in (successors or {}).items()}
    for at, each in changes.items():
        if len(each) != market.organizations:
            raise ValueError(f"play: {len(each)} policies at round {at} for {market.organizations} organizations")
    if not 0 <= focal < market.organizations:
        raise ValueError(f"play: focal seat {focal} of {market.organizations} organizations")
    return _episode(market, changes, seed, focal, deterministic)


def _episode(
    market: Market, changes: Mapping[int, tuple[Policy, ...]], seed: int, focal: int, deterministic: bool
) -> Played:
    observations = market.reset(seed=seed)
    profits, conduct, seats, measures = [], [], [], []
    did = [market.layout[f"last_{name}"].start for name in CONDUCT]
    tenancies: dict[tuple[int, tuple[int, ...]], _Tenancy] = {}
    truncated = False
    while not truncated:
        if market.round in changes:
            tenancies = _seat(changes[market.round], tenancies, market.markets)
        noise = None if deterministic else _noise(market)
        actions = np.empty((market.markets, market.organizations, market.action_size), np.float32)
        for tenancy in tenancies.values():
            tenancy.act(observations, noise, actions)
        observations, rewards, truncated = market.step(actions)
        seen = market.last_observations if truncated else observations
        assert seen is not None
        profits.append(rewards[:, focal].astype(np.float64))
        conduct.append(seen[:, focal, did].mean(axis=0, dtype=np.float64))
        seats.append(rewards.mean(axis=0, dtype=np.float64))
        measures.append(market.measures.mean(axis=0))
    return Played(np.stack(profits, axis=1), np.stack(conduct), np.mean(seats, axis=0), np.stack(measures))


@dataclass
class _Tenancy:
    """One policy, the seats that it holds in every market, and its memory."""

    policy: Policy
    seats: np.ndarray
    memory: Any

    def act(self, observations: np.ndarray, noise: np.ndarray | None, actions: np.ndarray) -> None:
        """Write the actions of its seats into `actions` (B, N, A)."""
        markets, held = len(observations), len(self.seats)
        rows = observations[:, self.seats].reshape(markets * held, -1)
        drawn = None if noise is None else noise[:, self.seats].reshape(markets * held, -1)
        acted, self.memory = self.policy.act(rows, self.memory, noise=drawn)
        actions[:, self.seats] = acted.reshape(markets, held, -1)


def _seat(
    seats: tuple[Policy, ...], before: dict[tuple[int, tuple[int, ...]], _Tenancy], markets: int
) -> dict[tuple[int, tuple[int, ...]], _Tenancy]:
    held: dict[int, list[int]] = {}
    for seat, policy in enumerate(seats):
        held.setdefault(id(policy), []).append(seat)
    after = {}
    for number, own in held.items():
        key = (number, tuple(own))
        policy = seats[own[0]]
        after[key] = before.get(key) or _Tenancy(policy, np.array(own), policy.initial_memory(markets * len(own)))
    return after


def _noise(market: Market) -> np.ndarray:
    """Standard normal numbers (B, N, A) of the coming round, the same whoever holds the seats."""
    return action_noise(
        market.key,
        round=market.round,
        episode=market.episode,
        organizations=market.organizations,
        actions=market.action_size,
    )
