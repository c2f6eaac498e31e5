"""Contests: promotion is sunk, and buys the job outright (all-pay) or odds of it (Tullock 1980).

All-pay with values v uniform on [0, 1] (Krishna 2010, chapter 3): promotion ((n - 1) / n) v**n, revenue
(n - 1) / (n + 1). Tullock with exponent r <= n / (n - 1) and a prize V: promotion r (n - 1) V / n**2.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from ruleshift.envs import Economy, Market, Rule
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.setting import (
    UNIFORM_SD,
    Opened,
    bare,
    best_deviation,
    conduct,
    peak,
    plain_rule,
)

STEPS = np.linspace(-0.3, 0.3, 61)
TULLOCK = ((2, 1.0), (5, 1.0), (2, 1.5), (3, 0.5))
"""Organizations and exponents."""


def contest(exponent: float) -> Rule:
    """The prize is the posted price of 1; promotion is all that counts, and is paid win or lose."""
    return plain_rule(Weights(promotion=1.0), exponent, **{"payment.pricing": "posted", "payment.charge": "sunk"})


def all_pay(organizations: int, markets: int) -> Market:
    """The most promotion wins; a prize of 1 - shock, private."""
    economy = bare(organizations=organizations, promotion_price=1.0, shock_mean=0.5, shock_sd=UNIFORM_SD)
    return Market(contest(np.inf), markets=markets, economy=economy)


def tullock(organizations: int, exponent: float, markets: int, shares: str, cost: float = 0.2) -> Market:
    """Odds are promotion ** exponent; the prize is 1 - cost."""
    economy: Economy = bare(
        organizations=organizations, promotion_price=1.0, base_cost=cost, initial_capability=(0.0, 0.0),
        learning="exogenous", shares=shares,
    )  # fmt: skip
    return Market(contest(exponent), markets=markets, economy=economy)


def tullock_promotion(organizations: int, exponent: float, prize: float) -> float:
    """The symmetric equilibrium."""
    return exponent * (organizations - 1) * prize / organizations**2


def all_pay_contest(run: Measurement) -> Iterator[Row]:
    """Revenue, profit and deviations in equilibrium."""
    for n in (2, 3, 5):
        opened = Opened(all_pay(n, run.draws(20_000)), seed=1)
        values = 1 - opened.shocks[:, :, 0]
        promotion = (n - 1) / n * values**n
        profits = opened.play(conduct(promotion=promotion))
        yield mean_row(f"revenue, n = {n}", (n - 1) / (n + 1), opened.market.measures[:, 3])
        yield mean_row(f"profit, n = {n}", 1 / (n * (n + 1)), profits.mean(axis=1))
        yield best_deviation(
            f"gain of the best deviation, n = {n}", values[:, 0], partial(_moved, opened, promotion), STEPS
        )


def _moved(opened: Opened, promotion: np.ndarray, step: float) -> np.ndarray:
    moved = promotion.copy()
    moved[:, 0] = np.clip(moved[:, 0] + step, 0.0, 1.0)
    return opened.play(conduct(promotion=moved))[:, 0]


def tullock_best_reply(run: Measurement) -> Iterator[Row]:
    """Expected shares: the best reply, over all promotions, to rivals who promote as the formula says."""
    grid = np.linspace(0.0, 1.0, 2_001)
    for n, exponent in TULLOCK:
        expected = tullock_promotion(n, exponent, 0.8)
        promotion = np.full((len(grid), n), expected)
        promotion[:, 0] = grid
        opened = Opened(tullock(n, exponent, len(grid), "expected"), seed=0)
        yield Row(
            f"best reply, n = {n}, r = {exponent:g}",
            expected,
            peak(grid, opened.play(conduct(promotion=promotion))[:, 0]),
        )


def tullock_profit(run: Measurement) -> Iterator[Row]:
    """Sampled: profit in equilibrium, and the share of jobs of one that promotes twice as much."""
    for n, exponent in TULLOCK:
        expected = tullock_promotion(n, exponent, 0.8)
        opened = Opened(tullock(n, exponent, run.draws(20_000), "sampled"), seed=2)
        promotion = np.full((opened.market.markets, n), expected)
        profit = opened.play(conduct(promotion=promotion))[:, 0]
        yield mean_row(f"profit, n = {n}, r = {exponent:g}", 0.8 / n - expected, profit)
        promotion[:, 0] /= 2
        opened.play(conduct(promotion=promotion))
        odds = 0.5**exponent
        won = opened.market.winners[:, 0] == 0
        yield mean_row(f"wins at half of it, n = {n}, r = {exponent:g}", odds / (odds + n - 1), won)


ANSWERS = (
    Answer(
        id="all_pay_contest",
        title="All-pay contest",
        formula="promotion ((n − 1)/n) vⁿ is a mutual best reply; revenue (n − 1)/(n + 1); profit 1/(n(n + 1))",
        setting="posted price 1, value of the prize v = 1 − shock ~ U[0, 1], most promotion wins, promotion sunk at "
        "price 1, floor 0",
        source="Krishna 2010, chapter 3",
        tolerance=EXACT,
        measure=all_pay_contest,
        seconds=5,
    ),
    Answer(
        id="tullock_best_reply",
        title="Tullock contest: the equilibrium",
        formula="promotion r(n − 1)V/n² is the best reply to itself, r < n/(n − 1)",
        setting="posted price 1, prize V = 0.8, odds promotion^r, promotion sunk at price 1, expected shares",
        source="Tullock 1980",
        tolerance=Tolerance(errors=0, absolute=1e-3),
        measure=tullock_best_reply,
        seconds=1,
    ),
    Answer(
        id="tullock_contest",
        title="Tullock contest: what it earns",
        formula="profit V/n − r(n − 1)V/n²; at half the promotion a share 2^−r/(2^−r + n − 1) of the jobs",
        setting="the same with jobs drawn",
        source="Tullock 1980",
        tolerance=EXACT,
        measure=tullock_profit,
        seconds=1,
    ),
)
