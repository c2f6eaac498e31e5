"""Urns: popularity grows by the jobs won, and wins jobs (Eggenberger & Polya 1923; Hill, Lane & Sudderth 1980).

One job a round is drawn with odds popularity ** gamma; popularity starts at a and lasts for ever. Linear (gamma 1): the
variance of shares is (1/N) (1 - 1/N) (N a + T) / (T (N a + 1)), and they tend to a Dirichlet distribution.
Superlinear: one winner. Sublinear: equal shares, or, beside a quality q, shares in proportion to q ** (1 / (1 - r)).
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import betabinom

from ruleshift.envs import Market
from ruleshift.envs.layout import state_view
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.setting import bare, plain_rule


def urn(organizations: int, start: float, gamma: float, markets: int, rounds: int) -> Market:
    """One job a round, drawn with odds popularity ** gamma."""
    rule = plain_rule(Weights(popularity=1.0), gamma, **{"feedback.persistence": 1.0, "feedback.prior": start})
    return Market(rule, markets=markets, economy=bare(organizations=organizations, rounds=rounds + 1))


def shares(market: Market, start: float, rounds: int, seed: int) -> np.ndarray:
    """Shares (B, N) of the jobs of so many rounds."""
    market.reset(seed=seed)
    actions = np.zeros((market.markets, market.organizations, market.action_size), np.float32)
    for _ in range(rounds):
        market.step(actions)
    popularity = np.array([state_view(state, market.kinds).popularity for state in market.state])
    return (popularity - start) / (rounds * market.jobs)


def variance(n: int, start: float, rounds: int) -> float:
    """Of the share of one in a linear urn."""
    return (1 / n) * (1 - 1 / n) * (n * start + rounds) / (rounds * (n * start + 1))


def mean_leader(gamma: float, start: float, rounds: int) -> float:
    """Mean share of the leader of two, by the exact distribution of who has won how many jobs."""
    chance = np.ones(1)
    for played in range(rounds):
        won = np.arange(played + 1)
        first = (start + won) ** gamma
        p = first / (first + (start + played - won) ** gamma)
        after = np.zeros(played + 2)
        after[1:] += chance * p
        after[:-1] += chance * (1 - p)
        chance = after
    share = np.arange(rounds + 1) / rounds
    return float(chance @ np.maximum(share, 1 - share))


def linear(run: Measurement) -> Iterator[Row]:
    """Variance of shares after few rounds."""
    for n, start, rounds in ((4, 1.0, 40), (8, 2.0, 30), (2, 0.5, 100)):
        found = shares(urn(n, start, 1.0, run.draws(8_000), rounds), start, rounds, seed=3)
        squares = ((found - 1 / n) ** 2).mean(axis=1)
        yield mean_row(f"variance of shares, N = {n}, a = {start:g}, T = {rounds}", variance(n, start, rounds), squares)
        yield Row(
            f"largest deviation of the sum of shares from 1, N = {n}", 0.0, float(np.abs(found.sum(axis=1) - 1).max())
        )


def distribution(run: Measurement) -> Iterator[Row]:
    """The whole distribution: of one organization's jobs and of two organizations' together, at quartiles."""
    n, rounds = 4, 300
    for start in (1.0, 3.0):
        found = shares(urn(n, start, 1.0, run.draws(3_000), rounds), start, rounds, seed=4) * rounds
        for together in (1, 2):
            jobs = found[:, :together].sum(axis=1).round()
            law = betabinom(rounds, together * start, (n - together) * start)
            for level in (0.25, 0.5, 0.75, 0.95):
                most = law.ppf(level)
                yield mean_row(
                    f"{together} of {n} won at most {most:.0f} of {rounds} jobs, a = {start:g}",
                    law.cdf(most),
                    jobs <= most,
                )


def feedback(run: Measurement) -> Iterator[Row]:
    """Two organizations: the leader's mean share against the exact distribution."""
    for gamma in (0.5, 0.8, 1.3, 2.0):
        found = shares(urn(2, 1.0, gamma, run.draws(4_000), 200), 1.0, 200, seed=5)
        yield mean_row(f"leader's share, gamma = {gamma:g}, T = 200", mean_leader(gamma, 1.0, 200), found.max(axis=1))


def asymptotic(run: Measurement) -> Iterator[Row]:
    """Five organizations, many rounds: one winner, or equal shares."""
    rounds = 4_000
    winner = shares(urn(5, 1.0, 2.0, run.draws(400), rounds), 1.0, rounds, seed=6)
    yield mean_row("leader's share, gamma = 2, T = 4,000", 1.0, winner.max(axis=1))
    equal = shares(urn(5, 1.0, 0.5, run.draws(400), rounds), 1.0, rounds, seed=7)
    yield mean_row("largest deviation from 1/5, gamma = 0.5, T = 4,000", 0.0, np.abs(equal - 0.2).max(axis=1))


def feed(r: float, start: float, markets: int, rounds: int, jobs: int, shares: str) -> Market:
    """Odds q * popularity ** r, q the capability, drawn once from U[.2, .5]."""
    weights = Weights(capability=1 / (1 + r), popularity=r / (1 + r))
    rule = plain_rule(weights, 1 + r, **{"feedback.persistence": 1.0, "feedback.prior": start})
    economy = bare(
        organizations=5, jobs=jobs, capacity=jobs, rounds=rounds + 1, learning="exogenous", shares=shares,
        initial_capability=(0.2, 0.5),
    )  # fmt: skip
    return Market(rule, markets=markets, economy=economy)


def popularity_times_quality(run: Measurement) -> Iterator[Row]:
    """Expected shares: the slope of log share on log quality; drawn: how far shares are from the limit's."""
    for r in (0.25, 0.5):
        market = feed(r, 0.01, run.draws(50), 4_000, 1, "expected")
        found, quality = shares(market, 0.01, 4_000, seed=8), qualities(market)
        x, y = np.log(quality), np.log(found)
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
        yield Row(f"slope of log share on log quality, r = {r:g}", 1 / (1 - r), float((x * y).sum() / (x * x).sum()))
        market = feed(r, 1.0, run.draws(200), 400, 200, "sampled")
        found, expected = shares(market, 1.0, 400, seed=9), qualities(market) ** (1 / (1 - r))
        expected /= expected.sum(axis=1, keepdims=True)
        yield mean_row(f"distance of a share from the limit, r = {r:g}", 0.0, np.abs(found - expected).mean(axis=1))


def qualities(market: Market) -> np.ndarray:
    """Capability (B, N) of each organization."""
    return np.array([state_view(state, 1).capability[0] for state in market.state])


_SETTING = "J = K = 1, popularity starts at a, only popularity weighted, amplification gamma, persistence 1"

ANSWERS = (
    Answer(
        id="linear_polya",
        title="Linear Polya urn: variance of shares",
        formula="(1/N)(1 − 1/N)(Na + T)/(T(Na + 1))",
        setting=f"{_SETTING} = 1",
        source="Eggenberger & Pólya 1923",
        tolerance=EXACT,
        measure=linear,
        seconds=2,
    ),
    Answer(
        id="polya_distribution",
        title="Linear Polya urn: the distribution",
        formula="jobs of m of N: beta-binomial(T, m a, (N − m) a), whose limit in shares is Dirichlet(a, …, a)",
        setting=f"{_SETTING} = 1, N = 4, T = 300",
        source="Eggenberger & Pólya 1923; Blackwell & MacQueen 1973",
        tolerance=EXACT,
        measure=distribution,
        seconds=2,
    ),
    Answer(
        id="nonlinear_feedback",
        title="Sublinear and superlinear feedback, exactly",
        formula="mean share of the leader of two by the exact distribution of jobs won",
        setting=f"{_SETTING}, N = 2, a = 1, T = 200",
        source="the urn's own recursion; Hill, Lane & Sudderth 1980",
        tolerance=EXACT,
        measure=feedback,
        seconds=3,
    ),
    Answer(
        id="feedback_limits",
        title="Superlinear feedback has one winner, sublinear equal shares",
        formula="gamma > 1: the leader's share tends to 1; gamma < 1: all shares tend to 1/N",
        setting=f"{_SETTING}, N = 5, a = 1",
        source="Arthur 1989; Hill, Lane & Sudderth 1980",
        tolerance=Tolerance(errors=0, absolute=0.03),
        measure=asymptotic,
        seconds=3,
        remark="Asymptotic: after 4,000 rounds 0.03 from the limit is allowed.",
    ),
    Answer(
        id="popularity_times_quality",
        title="Popularity times quality",
        formula="odds q · popularity^r, r < 1: shares tend to q^(1/(1 − r)), normalized",
        setting="capability exogenous, amplification 1 + r, weights 1/(1 + r) and r/(1 + r); expected "
        "shares of one job for 4,000 rounds from a = 0.01, and draws of 200 jobs for 400 rounds from a = 1",
        source="fixed point of the mean field; Hill, Lane & Sudderth 1980",
        tolerance=Tolerance(errors=0, absolute=0.03),
        measure=popularity_times_quality,
        seconds=2,
        remark="Asymptotic: 0.03 from the limit is allowed. The distance falls as (N a/T)^(1 − r), hence the small a.",
    ),
)
