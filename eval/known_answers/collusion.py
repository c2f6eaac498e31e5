"""Q-learners on a logit platform: supra-competitive prices without agreement (Calvano et al. 2020).

Prices are money, p = 2 * ask: a = 2, a0 = 0, c = 1, mu = .25. Demand is q_i = exp((a - p_i) / mu) over the sum of these
and exp(a0 / mu). The market says the same with a job's value for two units of money: the signal exp(-ask / .125), base
cost .5 at capability 0, and an outside option whose odds are those of an organization that asks a / 2 = 1.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from ruleshift.envs import Market
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.q_learning import Learners, session
from ruleshift.eval.known_answers.setting import bare, conduct, peak, plain_rule

MONEY, COST, MU, QUALITY = 2.0, 1.0, 0.25, 2.0
PRICES, MARGIN = 15, 0.1


def duopoly(markets: int) -> Market:
    """Two organizations share one job by the logit of their asks."""
    rule = plain_rule(Weights(price=1.0), 1.0, **{"scoring.price_signal": "logit", "scoring.logit_scale": MU / MONEY})
    economy = bare(
        organizations=2, base_cost=COST / MONEY, initial_capability=(0.0, 0.0), learning="exogenous", shares="expected",
        outside_share=1 / 3, outside_ask=QUALITY / MONEY,
    )  # fmt: skip
    return Market(rule, markets=markets, economy=economy)


def profits(prices: np.ndarray) -> np.ndarray:
    """Profits (B, 2), in money, at prices (B, 2)."""
    market = duopoly(len(prices))
    market.reset(seed=0)
    return market.step(conduct(ask=prices / MONEY))[1].astype(np.float64) * MONEY


def nash_price() -> float:
    """p = c + mu / (1 - q(p)): the price at which none gains by moving, in closed form up to q."""
    return float(brentq(lambda p: p - COST - MU / (1 - _share(p)), COST, QUALITY))


def monopoly_price() -> float:
    """The price that is best for both together."""
    best = minimize_scalar(lambda p: -(p - COST) * _share(p), bounds=(COST, 2 * QUALITY), options={"xatol": 1e-9})
    return float(best.x)


def _share(price: float) -> float:
    odds = np.exp((QUALITY - price) / MU)
    return float(odds / (2 * odds + 1))


def market_prices() -> tuple[float, float]:
    """The one-shot equilibrium and the joint optimum, found in the market: the grid's best of 4,001 prices a step."""
    grid = np.linspace(COST, 2 * COST + MU, 4_001)
    nash = COST
    for _ in range(60):  # best replies in turn; they contract
        nash = peak(grid, profits(np.stack([grid, np.full(len(grid), nash)], axis=1))[:, 0])
    return nash, peak(grid, profits(np.stack([grid, grid], axis=1)).sum(axis=1))


def payoff_matrix() -> np.ndarray:
    """Profits (2, 15, 15) at all pairs of prices, from a tenth below the equilibrium to a tenth above the optimum."""
    low, high = nash_price(), monopoly_price()
    step = MARGIN * (high - low)
    grid = np.linspace(low - step, high + step, PRICES)
    pairs = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    return profits(pairs).T.reshape(2, PRICES, PRICES)


def logit_platform(run: Measurement) -> Iterator[Row]:
    """The market's own equilibrium and optimum against those of the logit formula."""
    nash, monopoly = market_prices()
    yield Row("equilibrium price", nash_price(), nash)
    yield Row("price best for both", monopoly_price(), monopoly)
    found = profits(np.array([[nash_price()] * 2, [monopoly_price()] * 2]))[:, 0]
    yield Row("profit at the equilibrium price", (nash_price() - COST) * _share(nash_price()), float(found[0]))
    yield Row(
        "profit at the price best for both", (monopoly_price() - COST) * _share(monopoly_price()), float(found[1])
    )


def q_learners(run: Measurement) -> Iterator[Row]:
    """Profit gain over the one-shot equilibrium, as a share of what collusion could gain."""
    payoffs = payoff_matrix()
    nash, monopoly = profits(np.array([[nash_price()] * 2, [monopoly_price()] * 2])).mean(axis=1)
    gains, count = [], run.draws(SESSIONS)
    for number in range(count):
        earned, rounds = session(payoffs, Learners(), seed=20, number=number)
        gains.append(((earned - nash) / (monopoly - nash), rounds))
        run.progress((number + 1) / count)
    gain, rounds = np.array(gains).T
    yield mean_row("profit gain", 0.85, gain)
    yield Row("share of sessions that converged", 1.0, float((rounds > 0).mean()))


SESSIONS = 300

ANSWERS = (
    Answer(
        id="logit_platform",
        title="Logit platform: equilibrium and collusive prices",
        formula="p = c + mu/(1 − q(p)) in the one-shot equilibrium; the best price for both maximizes (p − c) q(p)",
        setting="expected shares, price signal logit, a = 2, a0 = 0, c = 1, mu = .25, n = 2; a job is worth "
        "two units of money",
        source="McFadden 1974; Anderson, de Palma & Thisse 1992; parameters of Calvano et al. 2020",
        tolerance=Tolerance(errors=0, absolute=1e-4),
        measure=logit_platform,
        seconds=2,
    ),
    Answer(
        id="q_learners",
        title="Q-learners on a logit platform",
        formula="two Q-learners with one round of memory end with 0.85 of what collusion gains over the equilibrium",
        setting="payoffs of all 225 pairs of prices from the market; delta = .95, alpha = .15, beta = 4e-6, 15 prices, "
        f"range parameter .1; {SESSIONS} sessions to convergence (100,000 rounds without change)",
        source="Calvano, Calzolari, Denicolò & Pastorello 2020, American Economic Review 110(10)",
        tolerance=Tolerance(errors=0, absolute=0.03),
        measure=q_learners,
        seconds=18,
        remark="The market gives the payoffs; the learners then play on this table, two million rounds a session, and "
        "their asks are a grid of 15 where the market takes any.",
    ),
)
