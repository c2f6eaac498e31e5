"""A scenario's experiment: its markets with the recorded changes of rule, compared with twins without them."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ruleshift.agents import Background, Policy, Seats, seat_everyone
from ruleshift.agents.policy import as_policy
from ruleshift.envs import MEASURES, Market, Scenario, load_scenario
from ruleshift.envs.fields import SEED, Count, checked
from ruleshift.envs.files import whole_file
from ruleshift.envs.layout import outcome_view, state_view

OUTCOMES = {
    "price": "payment as a share of value, over the jobs served",
    "quality": "of the jobs served, 0 .. 1",
    "served": "share of the jobs that found an organization",
    "effort": "mean over organizations, 0 .. 1",
    "promotion": "mean over organizations, 0 .. 1",
    "reputation": "mean over organizations before the round, 0.01 .. 1",
    "commission": "share of the payments that the platform kept, without promotion",
    "revenue": "of the platform, from commission and promotion, per job posted",
    "profit": "of the organizations, per job posted",
    "surplus": "of the clients, per job posted",
    "gini": "Gini index of what organizations were paid over the stage; 0 if all were paid alike",
    "top_share": "share of the payments that went to the organization paid most over the stage",
}
"""The outcomes that are compared, each with its meaning and unit; money is in mean job values."""


@dataclass(frozen=True)
class Stage:
    """The rounds under one rule of a scenario's schedule, in B markets."""

    rule: str
    """Name of the rule in force; the twin stays under the first rule."""
    first: int
    """First round of the stage, counted from 0."""
    last: int
    """Last round of the stage."""
    shifted: dict[str, np.ndarray]
    """Each of `OUTCOMES` over the rounds of the stage, (B,), by name."""
    twin: dict[str, np.ndarray]
    """The same for the twin, which has the same noise and stays under the first rule throughout."""

    def change(self, name: str) -> np.ndarray:
        """Effect of the change of rule on an outcome, (B,), market by market: `shifted` minus `twin`."""
        return self.shifted[name] - self.twin[name]


@dataclass(frozen=True)
class ScenarioRun:
    """Results of a scenario's experiment."""

    scenario: Scenario
    """The scenario that was played."""
    population: str
    """Description of the policies that held the seats."""
    stages: tuple[Stage, ...]
    """Stages in order. The first one comes before any change, so the twin is the same there."""

    def __str__(self) -> str:
        markets = len(next(iter(self.stages[0].shifted.values())))
        lines = [f"{self.scenario.name}, which stylizes {self.scenario.platform}; {markets} markets, {self.population}"]
        width = max(map(len, OUTCOMES))
        for stage in self.stages[1:]:
            lines += ["", f"rounds {stage.first} to {stage.last}, under {stage.rule}"]
            lines.append(f"  {'':<{width}} {'before':>9} {'after':>9} {'twin':>9}   after - twin")
            for name in OUTCOMES:
                numbers = (self.stages[0].shifted[name], stage.shifted[name], stage.twin[name])
                means = " ".join(f"{values.mean():9.4f}" for values in numbers)
                change = stage.change(name)
                lines.append(f"  {name:<{width}} {means}   {change.mean():+.4f} +- {_error(change):.4f}")
        return "\n".join([*lines, "", "+- is one standard error over markets; money is in mean job values"])

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the table as NAME.csv into a folder, one row per stage and outcome, and return its path.

        Raises:
            OSError: the file cannot be written.
        """
        path = Path(folder) / f"{self.scenario.name}.csv"
        with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(
                ["scenario", "hash", "rule", "first_round", "last_round", "outcome", "value", "twin", "change", "error"]
            )
            for stage in self.stages:
                where = [self.scenario.name, self.scenario.hash, stage.rule, stage.first, stage.last]
                for name in OUTCOMES:
                    change = stage.change(name)
                    values = [stage.shifted[name].mean(), stage.twin[name].mean(), change.mean(), _error(change)]
                    rows.writerow([*where, name, *(f"{value:.6g}" for value in values)])
        return path


def run_scenario(
    scenario: Scenario | str | os.PathLike[str],
    *,
    policy: Policy | str | os.PathLike[str] | None = None,
    markets: int = 64,
    seed: int = 0,
    mechanisms: Iterable[str] = (),
) -> ScenarioRun:
    """Play a scenario and its twin, which stays under the first rule, with the same noise.

    Args:
        scenario: a scenario, its name or the path of its file.
        policy: a policy, or the folder of a saved one, for the first half of the seats; scripted organizations hold
            the others, or all seats if None.
        markets: number of markets to average over, B.
        seed: seed of the markets.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.

    Raises:
        ValueError: there is no such scenario or policy, or the policy is for another number of kinds.
    """
    scenario = load_scenario(scenario if isinstance(scenario, Scenario) else os.fspath(scenario))
    markets, seed = checked(markets, Count(1, 1_000_000), "markets"), checked(seed, SEED, "seed")
    policy = None if policy is None else as_policy(policy)
    seats = seat_everyone(scenario.economy, policy)
    market = Market(**scenario.arguments(), markets=markets, mechanisms=tuple(mechanisms))
    played, twin = (_played(each, seats, seed) for each in (market, market.twin()))
    bounds = (0, *(shift.at for shift in scenario.schedule), scenario.economy.rounds)
    return ScenarioRun(
        scenario,
        "all organizations scripted" if policy is None else "a trained policy in half of the seats",
        tuple(
            Stage(rule.name, first, stop - 1, _outcomes(played[first:stop]), _outcomes(twin[first:stop]))
            for rule, (first, stop) in zip(scenario.rules, pairwise(bounds), strict=True)
        ),
    )


@dataclass(frozen=True)
class _Round:
    measures: np.ndarray  # (B, M)
    reputation: np.ndarray  # (B, N), before the round
    paid: np.ndarray  # (B, N)
    kept: np.ndarray  # (B, N), commission


def _played(market: Market, seats: Seats, seed: int) -> list[_Round]:
    """Play one episode, and record it round by round."""
    background = Background(seats, market.markets)
    observations = market.reset(seed=seed)
    actions = np.zeros((market.markets, market.organizations, market.action_size), np.float32)
    rounds: list[_Round] = []
    truncated = False
    while not truncated:
        background.act(observations, actions, market.key, round=market.round, episode=market.episode)
        reputation = state_view(market.state.swapaxes(0, 1), market.kinds).reputation.copy()
        observations, _, truncated = market.step(actions)
        outcome = outcome_view(market.outcomes.swapaxes(0, 1), market.kinds)
        rounds.append(_Round(market.measures.copy(), reputation, outcome.paid.copy(), outcome.commission.copy()))
    return rounds


def _outcomes(rounds: Sequence[_Round]) -> dict[str, np.ndarray]:
    """Each of `OUTCOMES` over these rounds, (B,), by name."""
    means = dict(zip(MEASURES, np.mean([each.measures for each in rounds], axis=0).T, strict=True))
    paid = np.sum([each.paid for each in rounds], axis=0)
    kept = np.sum([each.kept for each in rounds], axis=0)
    total = np.maximum(paid.sum(axis=1), 1e-12)
    own = {
        "reputation": np.mean([each.reputation for each in rounds], axis=(0, 2)),
        "commission": kept.sum(axis=1) / total,
        "gini": gini(paid),
        "top_share": paid.max(axis=1) / total,
    }
    return {name: own[name] if name in own else means[name] for name in OUTCOMES}


def gini(amounts: np.ndarray) -> np.ndarray:
    """Gini index (B,) of each row of amounts (B, N) >= 0, from 0 (all are equal, or all are 0) to (N - 1) / N.

    It is half the mean absolute difference of two draws, divided by the mean (Gini 1912).

    >>> gini(np.array([[1.0, 1.0], [0.0, 2.0]]))
    array([0. , 0.5])
    """
    count = amounts.shape[1]
    weights = 2 * np.arange(1, count + 1) - count - 1
    return np.sort(amounts, axis=1) @ weights / np.maximum(count * amounts.sum(axis=1), 1e-12)


def _error(values: np.ndarray) -> float:
    """Standard error of the mean over markets, which are independent; NaN for one market."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
