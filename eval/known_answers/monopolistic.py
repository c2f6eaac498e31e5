"""Price competition under Luce's choice: ask = cost * e / (e - 1), e = amplification * weight of price * (1 - 1/N).

Ample capacity, symmetric rivals, no outside option (Dixit & Stiglitz 1977 with N finite; Anderson, de Palma & Thisse
1992). With s the amplification times the weight of price, an organization that asks a among rivals that ask p wins a
job with probability a^-s / (a^-s + (N - 1) p^-s); profit, (a - c) times that, is largest at a = p = c e / (e - 1).
"""

from collections.abc import Iterator

import numpy as np

from ruleshift.envs import Market
from ruleshift.envs.layout import outcome_view
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.setting import Opened, bare, conduct, peak, plain_rule

COST, JOBS = 0.4, 100
CASES = ((4, 6.0, 1.0), (4, 8.0, 0.6), (10, 5.0, 1.0))
"""Organizations, amplification, weight of price."""


def price_competition(organizations: int, amplification: float, weight: float, markets: int, shares: str) -> Market:
    """A hundred jobs a round and capacity for all of them; what is not the weight of price is that of reputation."""
    economy = bare(
        organizations=organizations, jobs=JOBS, capacity=JOBS, base_cost=COST, initial_capability=(0.0, 0.0),
        learning="exogenous", shares=shares,
    )  # fmt: skip
    weights = Weights(price=weight, reputation=1 - weight)
    return Market(plain_rule(weights, amplification), markets=markets, economy=economy)


def markup_price(organizations: int, amplification: float, weight: float) -> float:
    """The symmetric equilibrium."""
    elasticity = amplification * weight * (1 - 1 / organizations)
    return COST * elasticity / (elasticity - 1)


def luce_share(own: float, others: float, organizations: int, sharpness: float) -> float:
    """Share of the jobs of one that asks `own` among others."""
    odds = (own / others) ** -sharpness
    return odds / (odds + organizations - 1)


def play(opened: Opened, own: np.ndarray | float, others: float) -> np.ndarray:
    """Profit a job posted (B,) of organization 0, which asks `own`."""
    asks = np.full((opened.market.markets, opened.market.organizations), others)
    asks[:, 0] = own
    return opened.play(conduct(ask=asks))[:, 0] / JOBS


def shares_won(opened: Opened) -> np.ndarray:
    """Share of the jobs (B,) that organization 0 won when last played."""
    return np.array([outcome_view(rows, 1).served[0] for rows in opened.market.outcomes]) / JOBS


def markup(run: Measurement) -> Iterator[Row]:
    """Expected shares: the best reply, over all asks, to rivals who ask what the formula says."""
    grid = np.linspace(COST, 1.0, 2_001)
    for n, amplification, weight in CASES:
        price = markup_price(n, amplification, weight)
        opened = Opened(price_competition(n, amplification, weight, len(grid), "expected"), seed=0)
        yield Row(
            f"best reply, N = {n}, e = {amplification * weight * (1 - 1 / n):g}",
            price,
            peak(grid, play(opened, grid, price)),
        )


def luce(run: Measurement) -> Iterator[Row]:
    """Sampled: the share of jobs of one that asks less, more or the same."""
    for n, amplification, weight in CASES:
        opened = Opened(price_competition(n, amplification, weight, run.draws(8_000), "sampled"), seed=1)
        for own, others in ((0.5, 0.6), (0.7, 0.6), (0.6, 0.6)):
            play(opened, own, others)
            expected = luce_share(own, others, n, amplification * weight)
            yield mean_row(
                f"share at ask {own:g} against {others:g}, N = {n}, s = {amplification * weight:g}",
                expected,
                shares_won(opened),
            )


ANSWERS = (
    Answer(
        id="monopolistic_competition",
        title="Monopolistic competition",
        formula="ask = cost · e/(e − 1), e = amplification · weight of price · (1 − 1/N), is the best reply to itself",
        setting="serial, ample capacity, symmetric rivals, no outside option, cost 0.4, expected shares",
        source="Dixit & Stiglitz 1977 with N finite; Anderson, de Palma & Thisse 1992",
        tolerance=Tolerance(errors=0, absolute=1e-3),
        measure=markup,
        seconds=1,
    ),
    Answer(
        id="luce_choice",
        title="Luce's choice",
        formula="an ask a among N − 1 rivals at p wins a share a^−s/(a^−s + (N − 1) p^−s), s = amplification · weight",
        setting="the same with jobs drawn",
        source="Luce 1959",
        tolerance=EXACT,
        measure=luce,
        seconds=1,
    ),
)
