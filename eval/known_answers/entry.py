"""Entry makes the power law (Simon 1955): with probability alpha a job goes to a seat that has never won one.

The sizes then have the Yule-Simon law rho B(k, rho + 1), rho = 1 / (1 - alpha), whose tail falls as k**-(1 + rho).
Without entry the same feedback, a Polya urn, has no power law: its sizes tend to a gamma law with an exponential tail.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betaln
from scipy.stats import yulesimon

from ruleshift.envs import Market
from ruleshift.envs.layout import state_view
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.setting import bare, plain_rule
from ruleshift.eval.known_answers.tails import judge_tail

ALPHAS = (0.1, 0.3, 0.5)


def growing(alpha: float, markets: int, rounds: int) -> Market:
    """A linear urn in which seats begin dormant, enough of them for all that will enter."""
    rule = plain_rule(
        Weights(popularity=1.0), 1.0,
        **{"feedback.persistence": 1.0, "feedback.prior": 0.0, "feedback.entry_rate": alpha},
    )  # fmt: skip
    seats = int(alpha * rounds + 6 * (alpha * rounds) ** 0.5) + 1
    return Market(rule, markets=markets, economy=bare(organizations=seats, rounds=rounds + 1))


def closed(organizations: int, start: float, markets: int, rounds: int, jobs: int) -> Market:
    """The same urn with everybody in it from the start, and no entry."""
    rule = plain_rule(Weights(popularity=1.0), 1.0, **{"feedback.persistence": 1.0, "feedback.prior": start})
    economy = bare(organizations=organizations, jobs=jobs, capacity=jobs, rounds=rounds + 1)
    return Market(rule, markets=markets, economy=economy)


def sizes(market: Market, rounds: int, seed: int, start: float = 0.0) -> list[np.ndarray]:
    """Jobs won by each organization, of those that won any, in each market."""
    market.reset(seed=seed)
    actions = np.zeros((market.markets, market.organizations, market.action_size), np.float32)
    for _ in range(rounds):
        market.step(actions)
    won = [state_view(state, 1).popularity - start for state in market.state]
    return [each[each > 0.5].round().astype(np.int64) for each in won]


def expected_counts(alpha: float, rounds: int) -> np.ndarray:
    """Expected number of organizations by jobs won, index 0 unused, after so many jobs: Simon's own recursion.

    Of those with k jobs, a share (1 - alpha) k / t moves on to k + 1 with the next job.
    """
    counts, size = np.zeros(rounds + 1), np.arange(rounds + 1.0)
    counts[1] = 1.0
    for won in range(1, rounds):
        moving = (1 - alpha) * size[: won + 1] * counts[: won + 1] / won
        counts[: won + 1] -= moving
        counts[1 : won + 2] += moving
        counts[1] += alpha
    return counts


def simon_exponent(counts: np.ndarray) -> float:
    """1 + rho of the Yule-Simon law that fits numbers of organizations by jobs won best (maximum likelihood)."""
    size = np.flatnonzero(counts)
    count = counts[size]

    def loss(rho: float) -> float:
        return float(-(count * (np.log(rho) + betaln(size, rho + 1))).sum())

    return 1 + float(minimize_scalar(loss, bounds=(0.2, 20.0), method="bounded").x)


def measured_exponents(alpha: float, markets: int, rounds: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The exponent in each market, and its sizes."""
    found = sizes(growing(alpha, markets, rounds), rounds, seed)
    return np.array([simon_exponent(np.bincount(each)) for each in found]), found


def finite(run: Measurement) -> Iterator[Row]:
    """After 2,000 jobs, against the recursion: exponent, organizations that won one job, all that won any."""
    rounds = 2_000
    for alpha in ALPHAS:
        counts = expected_counts(alpha, rounds)
        exponents, found = measured_exponents(alpha, run.draws(50), rounds, seed=1)
        yield mean_row(f"exponent, alpha = {alpha:g}", simon_exponent(counts), exponents)
        yield mean_row(f"won one job, alpha = {alpha:g}", counts[1], np.array([(each == 1).sum() for each in found]))
        yield mean_row(f"won any, alpha = {alpha:g}", counts.sum(), np.array([len(each) for each in found]))


def limit(run: Measurement) -> Iterator[Row]:
    """After 8,000 jobs, against Simon's limit."""
    for alpha in ALPHAS[:2]:
        exponents, _ = measured_exponents(alpha, max(run.draws(50) // 3, 4), 8_000, seed=2)
        yield mean_row(f"exponent, alpha = {alpha:g}", 1 + 1 / (1 - alpha), exponents)


def tail_verdicts(run: Measurement) -> Iterator[Row]:
    """How often the tail test rejects a power law: with entry as for the Yule-Simon law itself, without always."""
    count, rng = max(run.draws(80) // 2, 4), np.random.default_rng(5)
    grown = sizes(growing(0.3, count, 4_000), 4_000, seed=3)
    drawn = [yulesimon(1 / 0.7).rvs(len(each), random_state=rng) for each in grown]
    share, expected = (
        float(np.mean([not judge_tail(each).rejected for each in each_of])) for each_of in (grown, drawn)
    )
    error = (2 * max(expected * (1 - expected), 0.1) / count) ** 0.5
    yield Row("with entry: share of markets in which it is not rejected", expected, share, error)
    for start in (1.0, 3.0):
        urns = sizes(closed(5_000, start, max(count // 4, 4), 800, 100), 800, seed=4, start=start)
        found = float(np.mean([not judge_tail(each).rejected for each in urns]))
        yield Row(f"Polya urns: share in which it is not rejected, a = {start:g}", 0.0, found)


_SETTING = (
    "J = 1, popularity 0 to begin with, only popularity weighted, amplification 1, persistence 1; with probability "
)
_SETTING += "alpha a job goes to a dormant seat; more seats than will enter"

ANSWERS = (
    Answer(
        id="simon_sizes",
        title="Entry: sizes after 2,000 jobs",
        formula="E n(k) by Simon's recursion: of those with k jobs (1 − alpha) k/t move on with the next, alpha enter",
        setting=_SETTING,
        source="Simon 1955",
        tolerance=EXACT,
        measure=finite,
        seconds=8,
    ),
    Answer(
        id="entry_power_law",
        title="Entry makes the power law",
        formula="the exponent of sizes tends to 1 + 1/(1 − alpha)",
        setting=f"{_SETTING}; 8,000 jobs; exponent of the Yule-Simon law by maximum likelihood",
        source="Simon 1955; Yule 1925",
        tolerance=Tolerance(errors=3, absolute=0.02),
        measure=limit,
        seconds=15,
        remark="By the recursion the expected exponent is still 0.015 below the limit at alpha = 0.1, hence 0.02.",
    ),
    Answer(
        id="tail_test",
        title="The tail test tells a Polya urn from a power law",
        formula="with entry a power law is rejected as often as for draws of the Yule-Simon law; without it, always",
        setting=f"{_SETTING} 0.3, 4,000 jobs; against urns of 5,000, a = 1 and 3, 80,000 jobs by 100 a round",
        source="Clauset, Shalizi & Newman 2009; Vuong 1989",
        tolerance=EXACT,
        measure=tail_verdicts,
        seconds=22,
        remark="The test says that a power law is not rejected, never that there is one. The Yule-Simon law is a power "
        "law in its tail only, so that even of its own draws nearly half are rejected. The test's power comes from the "
        "number of organizations: with 500 of them it rejects only about half of the urns.",
    ),
)
