"""Procurement auctions: one job a round, costs uniform on [0, 1] and seen first, the lowest ask wins.

First price: each asks b(c) = c + (1 - c) / n; the mean price is 2 / (n + 1), everyone's profit 1 / (n (n + 1)); under a
commission t asks scale by 1 / (1 - t). Second price: asking the cost is dominant, and the mean price is the same
(Vickrey 1961; Krishna 2010, chapter 2).
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from ruleshift.agents import FirstPriceBidder, Policy, SecondPriceBidder
from ruleshift.envs import Market
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, mean_row
from ruleshift.eval.known_answers.setting import UNIFORM_SD, Opened, bare, best_deviation, conduct, plain_rule

STEPS = np.linspace(-0.3, 0.3, 61)
LEAST = 0.02
"""Asks below count as this in the price signal, and so alike."""


def procurement(
    organizations: int, pricing: str, markets: int, *, commission: float = 0.0, ceiling: float = 1.0, rounds: int = 1
) -> Market:
    """The setting: one job a round for the lowest ask, costs uniform on [0, ceiling]."""
    rule = plain_rule(Weights(price=1.0), np.inf, **{"payment.pricing": pricing, "payment.commission": commission})
    economy = bare(organizations=organizations, rounds=rounds, shock_mean=ceiling / 2, shock_sd=ceiling * UNIFORM_SD)
    return Market(rule, markets=markets, economy=economy)


def equilibrium(organizations: int, *, commission: float = 0.0, ceiling: float = 1.0) -> Policy:
    """The first-price bidder of this setting."""
    economy = bare(organizations=organizations)
    return FirstPriceBidder(organizations, ceiling, commission, economy=economy)


def truthful(organizations: int) -> Policy:
    """The second-price bidder of this setting."""
    return SecondPriceBidder(economy=bare(organizations=organizations))


def asks(opened: Opened, policy: Policy) -> np.ndarray:
    """What organizations ask (B, N) where all follow one policy."""
    organizations = opened.market.organizations
    return (opened.act([policy] * organizations)[:, :, 0].astype(np.float64) + 1) * 0.625


def share_kept(n: int) -> float:
    """Share of the optimum that the first-price policy keeps under second price.

    It wins where b(c) lies below the least of n - 1 costs: profit E[(1 - b)**(n-1) (b - c) + (1 - b)**n / n], with
    1 - b = (1 - c) (n - 1) / n; the optimum is 1 / (n (n + 1)).
    """
    return ((n - 1) / n) ** (n - 1) * (2 * n - 1) / n


def first_price(run: Measurement) -> Iterator[Row]:
    """Mean price, profit, and what deviations gain, among equilibrium bidders."""
    for n in (2, 3, 5):
        opened = Opened(procurement(n, "as_asked", run.draws(20_000)), seed=1)
        bids, market = asks(opened, equilibrium(n)), opened.market
        profits = opened.play(conduct(ask=bids))
        yield mean_row(f"mean price, n = {n}", 2 / (n + 1), market.payments[:, 0])
        yield mean_row(f"profit, n = {n}", 1 / (n * (n + 1)), profits.mean(axis=1))
        yield best_deviation(f"gain of the best deviation, n = {n}", bids[:, 0], partial(_moved, opened, bids), STEPS)


def _moved(opened: Opened, bids: np.ndarray, step: float) -> np.ndarray:
    """Profits of organization 0 where it asks more by a step."""
    moved = bids.copy()
    moved[:, 0] = np.clip(moved[:, 0] + step, 0.0, 1.25)
    return opened.play(conduct(ask=moved))[:, 0]


def commission(run: Measurement) -> Iterator[Row]:
    """Costs on [0, 1 - t], so that no equilibrium ask passes the reserve, without and with the commission t."""
    n, t = 4, 0.2
    free = Opened(procurement(n, "as_asked", run.draws(20_000), ceiling=1 - t), seed=2)
    taxed = Opened(procurement(n, "as_asked", run.draws(20_000), ceiling=1 - t, commission=t), seed=2)
    before = asks(free, equilibrium(n, ceiling=1 - t))
    after = asks(taxed, equilibrium(n, ceiling=1 - t, commission=t))
    net, net_taxed = free.play(conduct(ask=before)), taxed.play(conduct(ask=after))
    yield Row("largest difference of an ask from the scaled one", 0.0, np.abs(after - before / (1 - t)).max())
    yield Row("largest difference of a net profit, draw by draw", 0.0, np.abs(net_taxed - net).max())
    yield mean_row("platform's revenue", t * 2 / (n + 1), taxed.market.measures[:, 3])
    yield best_deviation("gain of the best deviation", after[:, 0], partial(_moved, taxed, after), STEPS)


def second_price(run: Measurement) -> Iterator[Row]:
    """Mean price and profit of truthful bidders; and what other asks gain, draw by draw, whatever the rivals ask."""
    for n in (2, 3, 5):
        opened = Opened(procurement(n, "second_price", run.draws(40_000)), seed=3)
        profits = opened.play(conduct(ask=asks(opened, truthful(n))))
        yield mean_row(f"mean price, n = {n}", 2 / (n + 1), opened.market.payments[:, 0])
        yield mean_row(f"profit, n = {n}", 1 / (n * (n + 1)), profits.mean(axis=1))
    opened = Opened(procurement(4, "second_price", run.draws(10_000)), seed=4)
    cost = asks(opened, truthful(4))
    told = cost[:, 0] > LEAST
    any_asks = np.random.default_rng(5).uniform(LEAST, 1.0, cost.shape)
    any_asks[:, 0] = cost[:, 0]
    gains = [_moved(opened, any_asks, step) - _moved(opened, any_asks, 0.0) for step in STEPS]
    yield Row(
        "draws in which any other ask gains more than 1e-6", 0.0, float((np.max(gains, axis=0)[told] > 1e-6).sum())
    )
    yield Row(
        "draws in which some other ask loses", 1.0, float((np.min(gains, axis=0)[told] < -1e-6).sum()), sense=">="
    )


def transfer(run: Measurement) -> Iterator[Row]:
    """One focal organization keeps its policy where the payment changes, among equilibrium rivals of the new one."""
    for n in (2, 3, 6):
        opened = Opened(procurement(n, "second_price", run.draws(60_000)), seed=6)
        bids = asks(opened, truthful(n))
        bids[:, 0] = asks(opened, equilibrium(n))[:, 0]
        profit = opened.play(conduct(ask=bids))[:, 0]
        yield mean_row(f"share kept of the first-price policy, n = {n}", share_kept(n), profit * n * (n + 1))
    for n in (2, 5):
        opened = Opened(procurement(n, "as_asked", run.draws(5_000)), seed=7)
        bids = asks(opened, equilibrium(n))
        bids[:, 0] = asks(opened, truthful(n))[:, 0]
        profit = opened.play(conduct(ask=bids))[:, 0]
        yield Row(f"largest profit of the truthful policy, n = {n}", 0.0, np.abs(profit).max())


_SETTING = "J = K = 1, capacity 1, value 1, no other costs, cost shock U[0, 1] seen first, lowest ask wins, reserve 1"

ANSWERS = (
    Answer(
        id="first_price",
        title="First-price procurement",
        formula="b(c) = c + (1 − c)/n is a mutual best reply; mean price 2/(n + 1); profit 1/(n(n + 1))",
        setting=_SETTING,
        source="Vickrey 1961; Krishna 2010, chapter 2",
        tolerance=EXACT,
        measure=first_price,
        seconds=6,
    ),
    Answer(
        id="commission",
        title="Commission on a first-price auction",
        formula="under a commission t asks are b(c)/(1 − t), net profits stay, the platform earns t · 2/(n + 1)",
        setting=f"{_SETTING}; costs U[0, 1 − t], t = 0.2, n = 4",
        source="Vickrey 1961, with asks rescaled",
        tolerance=EXACT,
        measure=commission,
        seconds=3,
        remark="Costs above 1 − t would ask more than the reserve: those organizations stay out.",
    ),
    Answer(
        id="second_price",
        title="Second-price procurement",
        formula="asking the cost is dominant, draw by draw; mean price 2/(n + 1); profit 1/(n(n + 1))",
        setting=f"{_SETTING}, the critical ask is paid",
        source="Vickrey 1961",
        tolerance=EXACT,
        measure=second_price,
        seconds=3,
        remark="Asks below 0.02 count alike in the price signal, so dominance is asked for above it.",
    ),
    Answer(
        id="transfer",
        title="What a policy keeps when the payment changes",
        formula="first-price policy under second price: ((n − 1)/n)^(n − 1) (2n − 1)/n of the optimum; truthful policy "
        "under first price: nothing",
        setting=f"{_SETTING}; one focal organization among scripted equilibrium rivals",
        source="integral of the two bid functions, as derived in the code",
        tolerance=EXACT,
        measure=transfer,
        seconds=3,
    ),
)
