"""Who gets what: tiers of commission, uniform prices, the reserve, and payments that a mechanism cannot tell."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import actions, few, numbers, pairs

from ruleshift.envs import Economy, Market, Rule, Shift, load_rule, market_v0
from ruleshift.envs.act import to_action
from ruleshift.envs.layout import outcome_view, state_view

FREELANCE = ((500.0, 0.1), (10_000.0, 0.05))  # after a first share of 20 %
ONE = Economy(
    organizations=1, jobs=1, kinds=1, capacity=1, value_spread=0.0, outside_share=0.0, shock_sd=0.0, base_cost=0.0,
    quality_noise=0.0, rounds=30,
)  # fmt: skip

OFFER = to_action(ask=0.5, effort=0.0, promotion=0.0, kinds=1)[None]


def _paying(**payment: Any) -> Rule:
    return load_rule("price_board").replace(**{f"payment.{key}": value for key, value in payment.items()})


def _commission(before: float, payment: float, first: float, tiers: tuple[tuple[float, float], ...]) -> float:
    """Commission on a payment, by adding up the parts that fall between two thresholds."""
    bounds = [0.0, *(start for start, _ in tiers), np.inf]
    shares = [first, *(share for _, share in tiers)]
    parts = np.clip(np.array([before, before + payment])[:, None], bounds[:-1], bounds[1:])
    return float((np.diff(parts, axis=0)[0] * shares).sum())


def test_tiers__of_a_freelance_platform_are_marginal() -> None:
    """20 % on the first 500, 10 % on what follows up to 10,000, 5 % from there on: each on its own part only."""
    market = Market(_paying(pricing="posted", commission=0.2, tiers=FREELANCE), economy=replace(ONE, rounds=7))
    market.reset(seed=0)
    for billed, expected in (
        (0, 0.2), (498, 0.2), (499.5, 0.5 * 0.2 + 0.5 * 0.1),
        (5_000, 0.1), (9_999.2, 0.8 * 0.1 + 0.2 * 0.05), (20_000, 0.05),
    ):  # fmt: skip
        snapshot = market.snapshot()
        state_view(snapshot["state"][0], 1).billed[:] = billed
        market.restore(snapshot)
        market.step(OFFER)
        assert outcome_view(market.outcomes[0], 1).paid[0] == pytest.approx(1)
        assert outcome_view(market.outcomes[0], 1).commission[0] == pytest.approx(expected, abs=1e-9)


@few
@given(
    first=numbers(0, 1), tiers=pairs(st.floats(0.05, 8)), kinds=st.integers(1, 3), seed=st.integers(0, 999),
    shares=st.sampled_from(["sampled", "expected"]), entry=st.sampled_from(["closed", "replacement"]),
)  # fmt: skip
def test_tiers__count_what_each_was_paid_by_kind_since_it_entered(
    first: float, tiers: Any, kinds: int, seed: int, shares: str, entry: str
) -> None:
    economy = Economy(
        organizations=4, jobs=6, kinds=kinds, capacity=6, rounds=12, shares=shares, initial_cash=0.3, effort_cost=0.6
    )
    rule = _paying(commission=first, tiers=tiers).replace(**{"feedback.entry": entry})
    market, rng = Market(rule, economy=economy), np.random.default_rng(seed)
    market.reset(seed=seed)
    billed = np.zeros((kinds, 4))
    for _ in range(11):
        values = market.job_values[0].copy()
        market.step(actions(market, rng))
        outcome, state = outcome_view(market.outcomes[0], kinds), state_view(market.state[0], kinds)
        paid = np.zeros((kinds, 4))
        if shares == "expected":
            for k in range(kinds):
                posted = market.served_kinds[0] == k
                paid[k] = outcome.ask * outcome.won[k] / max(posted.sum(), 1) * values[posted].sum()
        else:
            won = market.winners[0] >= 0
            places = (market.served_kinds[0][won], market.winners[0][won])
            np.add.at(paid, places, market.payments[0][won])
        expected = [
            sum(_commission(billed[k, i], paid[k, i], first, tiers) for k in range(kinds)) for i in range(4)
        ]  # fmt: skip
        np.testing.assert_allclose(outcome.commission, expected, rtol=1e-9, atol=1e-12)
        billed = np.where(state.newcomer == 1, 0, billed + paid)


def test_tiers__count_what_was_paid_before_a_shift_to_them() -> None:
    flat = _paying(pricing="posted", commission=0.2)
    tiered = flat.replace(**{"payment.tiers": ((3.0, 0.1), (4.0, 0.05))})
    market = Market(flat, economy=ONE, schedule=(Shift(3, tiered),))
    market.reset(seed=0)
    shares = []
    for _ in range(6):
        market.step(OFFER)
        shares.append(outcome_view(market.outcomes[0], 1).commission[0])
    np.testing.assert_allclose(shares, [0.2, 0.2, 0.2, 0.1, 0.05, 0.05])


def _priced(pricing: str, asks: np.ndarray, economy: Economy, amplification: float = np.inf, **more: Any) -> Market:
    """A market that has played one round in which organizations asked this, (B, N)."""
    rule = load_rule("second_price_exchange").replace(
        **{"payment.pricing": pricing, "scoring.amplification": amplification, **more}
    )
    markets, n = asks.shape
    market = Market(rule, economy=economy, markets=markets)
    market.reset(seed=0)
    taken = to_action(ask=asks.ravel(), effort=0.0, promotion=0.0, kinds=economy.kinds)
    market.step(taken.reshape(markets, n, -1))
    return market


@pytest.mark.parametrize("signal", ["ratio", "logit"])
def test_uniform__price_of_a_ranking_is_the_lowest_ask_that_lost(signal: str) -> None:
    """k jobs of one kind, capacity 1: the k lowest asks win, and all are paid the k + 1st (Vickrey 1961)."""
    economy = Economy(organizations=6, jobs=4, kinds=1, capacity=1, outside_share=0.0, rounds=1)
    asks = np.random.default_rng(1).uniform(0.05, 0.95, (50, 6))
    more: dict[str, Any] = {"scoring.price_signal": signal, "payment.commission": 0.0}
    market = _priced("uniform", asks, economy, **more)
    fifth = np.sort(asks, axis=1)[:, 4:5]
    np.testing.assert_allclose(market.payments, fifth * market.served_values, rtol=1e-5)
    np.testing.assert_array_equal(np.sort(market.winners, axis=1), np.sort(np.argsort(asks, axis=1)[:, :4], axis=1))


def test_uniform__price_is_the_reserve_where_none_lost() -> None:
    economy = Economy(organizations=3, jobs=3, kinds=1, capacity=1, outside_share=0.0, rounds=1)
    market = _priced("uniform", np.tile([0.4, 0.5, 0.6], (5, 1)), economy, **{"payment.reserve": 0.9})
    np.testing.assert_allclose(market.payments, 0.9 * market.served_values)


@pytest.mark.parametrize("amplification", [1.0, 6.0, np.inf])
@pytest.mark.parametrize("signal", ["ratio", "logit"])
def test_uniform__is_one_price_a_kind_and_never_below_the_second(amplification: float, signal: str) -> None:
    economy = Economy(organizations=5, jobs=7, kinds=2, capacity=2, rounds=1)
    asks = np.random.default_rng(2).uniform(0.05, 1.1, (80, 5))
    more: dict[str, Any] = {"scoring.price_signal": signal, "payment.reserve": 0.9}
    uniform, second = (_priced(each, asks, economy, amplification, **more) for each in ("uniform", "second_price"))
    np.testing.assert_array_equal(uniform.winners, second.winners)
    won = uniform.winners >= 0
    price, critical = (np.where(won, m.payments / m.served_values, 0) for m in (uniform, second))
    assert np.all(critical[won] >= np.take_along_axis(asks, uniform.winners, 1)[won] - 1e-6)
    assert price.max() <= 0.9 + 1e-12
    for k in range(2):
        of_kind = won & (uniform.served_kinds == k)
        highest = np.where(of_kind, critical, 0).max(axis=1, keepdims=True)
        np.testing.assert_allclose(price[of_kind], np.broadcast_to(highest, price.shape)[of_kind], rtol=1e-12)


@pytest.mark.parametrize("amplification", [2.0, np.inf])
@pytest.mark.parametrize("signal", ["ratio", "logit"])
def test_second_price__is_the_highest_ask_that_still_wins(amplification: float, signal: str) -> None:
    """With the same luck an ask a little below what was paid wins the job, one a little above it does not."""
    economy = Economy(organizations=4, jobs=1, kinds=1, capacity=1, outside_share=0.0, rounds=1)
    asks = np.random.default_rng(3).uniform(0.1, 0.9, (400, 4))
    more = {"scoring.price_signal": signal, "payment.reserve": 1.0, "scoring.logit_scale": 0.1}
    if np.isfinite(amplification):
        # the luck of serial draws is a job's, not an organization's: here that of priorities
        more |= {"matching.mechanism": "deferred_acceptance", "matching.proposer": "jobs"}
    market = _priced("second_price", asks, economy, amplification, **more)
    winner, paid = market.winners, market.payments / market.served_values
    for step, wins in ((-0.002, True), (0.002, False)):
        again, inside = asks.copy(), (paid > 0.05) & (paid < 0.99)
        np.put_along_axis(again, winner, paid + step, 1)
        same = _priced("second_price", again, economy, amplification, **more).winners == winner
        assert (same == wins)[inside].all()
        assert inside.sum() > 100


@pytest.mark.parametrize("pricing", ["as_asked", "second_price", "uniform", "posted"])
def test_reserve__an_ask_above_it_is_not_offered(pricing: str) -> None:
    economy = Economy(organizations=4, jobs=6, kinds=2, capacity=3, outside_share=0.0, rounds=1)
    asks = np.tile([0.3, 0.4, 0.71, 1.2], (50, 1))
    market = _priced(pricing, asks, economy, 1.0, **{"payment.reserve": 0.7})
    assert set(np.unique(market.winners)) == {0, 1}
    assert (market.payments <= 0.7 * market.served_values + 1e-12).all()


@pytest.mark.parametrize(
    ("key", "value"), [("pricing", "externality"), ("charge", "next_bid"), ("charge", "externality")]
)
@pytest.mark.parametrize("mechanism", ["serial", "deferred_acceptance"])
def test_payment__that_the_mechanism_does_not_tell_is_refused(key: str, value: str, mechanism: str) -> None:
    rule = _paying(**{key: value}).replace(**{"matching.mechanism": mechanism, "name": "mine"})
    message = f"rule 'mine': payment.{key} is '{value}', which '{mechanism}' does not tell"
    market = Market()
    for refuse in (
        lambda: Market(rule),
        lambda: Market(schedule=(Shift(3, rule),)),
        lambda: market.reset(rule=rule),
        lambda: market_v0.parallel_env(rule=rule),
    ):
        with pytest.raises(ValueError, match=message):
            refuse()


@pytest.mark.parametrize(
    "tiers", [((0.0, 0.1),), ((5.0, 0.1), (5.0, 0.2)), ((5.0, 1.1),), ((1.0, 0.1),) * 3, (5.0, 0.1), "none"]
)
def test_tiers__mistakes_are_named(tiers: Any) -> None:
    with pytest.raises(ValueError, match=r"payment: tiers is .*; it must be a list of at most 2 pairs"):
        _paying(tiers=tiers)


@pytest.mark.parametrize("reserve", [1.0, 0.9, 0.7, 1 / 3])
def test_reserve__an_ask_of_just_as_much_is_offered(reserve: float) -> None:
    economy = Economy(organizations=2, jobs=2, kinds=2, outside_share=0.0, rounds=1)
    market = _priced("as_asked", np.tile([reserve, 1.25], (10, 1)), economy, 1.0, **{"payment.reserve": reserve})
    np.testing.assert_array_equal(market.winners, 0)
    np.testing.assert_allclose(market.payments, reserve * market.served_values, rtol=1e-6)
