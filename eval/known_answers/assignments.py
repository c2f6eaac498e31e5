"""Random assignment: n organizations, n jobs, one of each kind, and costs that organizations draw for each.

Random serial dictatorship gives a mean rank of ((n + 1)/n) (H_(n+1) - 1): the organization whose turn is t-th finds
n - t + 1 kinds left, at random in its ranking, and the least of so many ranks is (n + 1) / (n - t + 2) on average. Top
trading cycles with random priorities give the same lottery (Pathak & Sethuraman 2011). With costs Exp(1) the cheapest
assignment costs the sum of 1/k**2 on average (Parisi 1998; Linusson & Wastlund 2004; Nair, Prabhakar & Sharma 2005),
greedy matching and serial dictatorship in the order of cost the harmonic number H_n.
"""

from collections.abc import Iterator

import numpy as np

from ruleshift.envs import Market
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, mean_row
from ruleshift.eval.known_answers.matching import mean_rank, reporting, two_sided
from ruleshift.eval.known_answers.setting import Opened, bare, plain_rule

BASE = 1_000.0
"""Worth of a match before its cost, so that all jobs are served."""


def assignment(n: int, mechanism: str, markets: int) -> Market:
    """Costs Exp(1) of each organization and kind, and nothing else."""
    parameters = () if mechanism == "random_serial_dictatorship" else (BASE, 0.0)
    rule = plain_rule(
        Weights(reputation=1.0), 0.0, **{"matching.mechanism": mechanism, "matching.parameters": parameters}
    )
    economy = bare(
        organizations=n, jobs=n, kinds=n, demand="even", shock_law="exponential", shock_mean=1.0, shock_sd=1.0,
        learning="exogenous", initial_capability=(0.0, 0.0),
    )  # fmt: skip
    return Market(rule, markets=markets, economy=economy)


def harmonic(n: int) -> float:
    """H_n."""
    return float(np.sum(1 / np.arange(1, n + 1)))


def total_costs(n: int, mechanism: str, run: Measurement, seed: int) -> np.ndarray:
    """Cost (B,) of serving all jobs, where organizations want the jobs that cost them least."""
    opened = Opened(assignment(n, mechanism, run.draws(40_000 // n)), seed)
    opened.play(reporting(opened.shocks.argsort(axis=-1)))
    market = opened.market
    costs = np.take_along_axis(opened.shocks, market.served_kinds[:, None, :], axis=2)
    return np.take_along_axis(costs, market.winners[:, None, :], axis=1)[:, 0].sum(axis=1)


def dictatorship(run: Measurement) -> Iterator[Row]:
    """Mean rank under random serial dictatorship, and under top trading cycles with random priorities."""
    for mechanism in ("random_serial_dictatorship", "top_trading_cycles"):
        for n in (5, 10, 50):
            market = two_sided(n, n, "organizations", run.draws(60_000 // n), mechanism=mechanism)
            expected = (n + 1) / n * (harmonic(n + 1) - 1)
            yield mean_row(f"mean rank, {mechanism}, n = {n}", expected, mean_rank(market, seed=1))


def exponential_costs(run: Measurement) -> Iterator[Row]:
    """Total cost under the cheapest assignment, greedy matching and dictatorship."""
    for n in (5, 20):
        optimum = float(np.sum(1 / np.arange(1, n + 1) ** 2))
        for mechanism, expected in (
            ("welfare_maximizing", optimum),
            ("greedy", harmonic(n)),
            ("random_serial_dictatorship", harmonic(n)),
        ):
            yield mean_row(f"total cost, {mechanism}, n = {n}", expected, total_costs(n, mechanism, run, seed=2))


ANSWERS = (
    Answer(
        id="random_serial_dictatorship",
        title="Random serial dictatorship: mean rank",
        formula="((n + 1)/n)(H₍ₙ₊₁₎ − 1); the same under top trading cycles with random priorities",
        setting="K = J = n, one job of each kind, capacity 1, preferences by focus, amplification 0",
        source="Abdulkadiroğlu & Sönmez 1998; Pathak & Sethuraman 2011",
        tolerance=EXACT,
        measure=dictatorship,
        seconds=1,
    ),
    Answer(
        id="random_assignment",
        title="Random assignment with costs Exp(1)",
        formula="cheapest: the sum of 1/k², k = 1 … n; greedy and serial dictatorship: H_n",
        setting="K = J = n, capacity 1, shocks Exp(1) that the platform knows; dictators' focus in order of shock",
        source="Parisi 1998; Linusson & Wästlund 2004; Nair, Prabhakar & Sharma 2005",
        tolerance=EXACT,
        measure=exponential_costs,
        seconds=1,
    ),
)
