"""Demand and shocks: their distributions and drifts, and demand that is divided instead of drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from ruleshift.envs import Economy, Market, Rule, Shift, load_rule
from ruleshift.envs.act import to_action
from ruleshift.envs.layout import Outcome, State, outcome_view, state_view
from ruleshift.envs.rule import Weights

ALL_SIGNALS = Weights(price=0.4, capability=0.2, reputation=0.1, promotion=0.1, popularity=0.1, focus=0.1)


def _views(market: Market, b: int = 0) -> tuple[State, Outcome]:
    return state_view(market.state[b], market.kinds), outcome_view(market.outcomes[b], market.kinds)


@pytest.mark.parametrize("law", ["uniform", "exponential"])
def test_shocks__have_their_law_mean_and_spread(law: str) -> None:
    economy = Economy(organizations=2000, shock_law=law, shock_mean=0.3, shock_sd=0.2)
    market = Market(economy=economy)
    market.reset(seed=0)
    standard = (_views(market)[0].shock.ravel() - 0.3) / 0.2
    reference = {"uniform": (-(3**0.5), 2 * 3**0.5), "exponential": (-1, 1)}[law]
    assert kstest(standard, {"uniform": "uniform", "exponential": "expon"}[law], reference).pvalue > 0.01


def _wave(phase: np.ndarray) -> np.ndarray:
    """A triangle wave of period 1 through (0, 0), (1/4, 1) and (3/4, -1)."""
    return np.interp(np.asarray(phase) % 1, [0, 0.25, 0.75, 1], [0, 1, -1, 0])


def _boards(economy: Economy, rounds: int, markets: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Kinds and values (rounds, B, J) of the jobs posted, from one episode to the next."""
    market, kinds, values = Market(economy=economy, markets=markets), [], []
    market.reset(seed=4)
    for _ in range(rounds):
        kinds.append(market.job_kinds.copy())
        values.append(market.job_values.copy())
        market.step(np.zeros((markets, 8, market.action_size), np.float32))
    return np.array(kinds), np.array(values)


def test_value_drift__moves_all_values_by_the_calendar() -> None:
    steady = Economy(rounds=15)
    _, before = _boards(steady, 20, markets=2)
    _, after = _boards(replace(steady, value_drift=0.6, drift_period=8), 20, markets=2)
    rounds = np.arange(20) % 15  # an episode begins at round 0 again
    factor = 1 + 0.6 * _wave(rounds / 8)
    np.testing.assert_allclose(after, before * factor[:, None, None], rtol=1e-12)
    assert factor.max() == 1.6
    assert factor.min() == pytest.approx(0.4)


def test_demand_drift__moves_the_mix_of_kinds_by_the_calendar() -> None:
    economy = Economy(rounds=24, jobs=4000, kinds=3, organizations=8, demand_drift=0.9, drift_period=12)
    kinds, _ = _boards(economy, 24)
    counts = np.array([np.bincount(each[0], minlength=3) for each in kinds])
    weights = 1 + 0.9 * _wave(np.arange(24)[:, None] / 12 + np.arange(3) / 3)
    expected = 4000 * weights / weights.sum(axis=1, keepdims=True)
    assert chisquare(counts.ravel(), expected.ravel(), ddof=23).pvalue > 0.01
    assert np.ptp(expected[:, 0]) > 1500


def test_drift__of_the_only_kind_changes_nothing() -> None:
    steady = Economy(kinds=1, rounds=9)
    drifting = replace(steady, demand_drift=1.0, drift_period=4)
    for one, two in zip(_boards(steady, 9), _boards(drifting, 9), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"demand": "even", "demand_drift": 0.5}, "demand_drift is 0.5; under even demand it must be 0"),
        ({"shares": "expected", "capacity": 3}, "capacity is 3; where shares are expected it must be at least jobs, 8"),
        ({"value_drift": 1.5}, "value_drift is 1.5"),
        ({"drift_period": 1}, "drift_period is 1"),
        ({"shares": "some"}, "shares is 'some'"),
    ],
)
def test_economy__mistakes_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"economy: {message}"):
        Economy(**fields)


# Divisible demand.

DIVISIBLE = Economy(
    organizations=5, jobs=6, kinds=2, capacity=6, rounds=10, shares="expected", infrastructure=(0.0, 2.0), blocs=1
)


def _rule(**changes: Any) -> Rule:
    fields: dict[str, Any] = {"scoring.weights": ALL_SIGNALS, "scoring.amplification": 3.0, "payment.reserve": 0.9}
    fields |= {name.replace("__", "."): value for name, value in changes.items()}
    return load_rule("price_board").replace(**fields)


def _log_signal(rule: Rule, ask: Any) -> Any:
    mu = rule.scoring.logit_scale
    return -ask / mu if rule.scoring.price_signal == "logit" else -np.log(np.maximum(ask, 0.02))


def _shares(rule: Rule, economy: Economy, state: State, outcome: Outcome) -> np.ndarray:
    """Closed form: softmax of the log odds with the outside option, (K, N); McFadden (1974)."""
    w, n = rule.scoring.weights, economy.organizations
    floor, a = rule.scoring.promotion_floor, rule.scoring.amplification
    common = w.price * _log_signal(rule, outcome.ask) + w.reputation * np.log(state.reputation)
    common = common + w.promotion * np.log(outcome.promotion + floor) + w.popularity * np.log(state.popularity)
    log_odds = a * (common + w.capability * np.log(state.capability) + w.focus * np.log(outcome.focus))
    log_odds[:, outcome.ask > rule.payment.reserve] = -np.inf
    reference = w.price * _log_signal(rule, economy.outside_ask) + (w.capability + w.reputation) * np.log(0.5)
    reference += w.promotion * np.log(0.25 + floor) + w.popularity * np.log(state.popularity.mean())
    reference += w.focus * np.log(1 / economy.kinds)
    outside = a * reference + np.log(n * economy.outside_share / (1 - economy.outside_share))
    odds = np.exp(np.concatenate([log_odds, np.full((economy.kinds, 1), outside)], axis=1))
    return odds[:, :-1] / odds.sum(axis=1, keepdims=True)


def _copy(view: Any) -> Any:
    return type(view)(*(part.copy() for part in view))


@pytest.mark.parametrize("signal", ["ratio", "logit"])
@pytest.mark.parametrize("pricing", ["as_asked", "posted"])
@pytest.mark.parametrize("charge", ["sunk", "if_matched"])
def test_expected_shares__are_the_closed_form(signal: str, pricing: str, charge: str) -> None:
    rule = _rule(scoring__price_signal=signal, payment__pricing=pricing, payment__charge=charge)
    e, market, rng = DIVISIBLE, Market(rule, economy=DIVISIBLE), np.random.default_rng(0)
    market.reset(seed=0)
    for _ in range(e.rounds - 1):
        before = _copy(_views(market)[0])
        market.step(rng.uniform(-1, 1, (1, 5, 5)).astype(np.float32))
        after, outcome = _views(market)
        shares = _shares(rule, e, before, outcome)
        count = np.bincount(market.served_kinds[0], minlength=2)[:, None]
        value = np.bincount(market.served_kinds[0], market.served_values[0], minlength=2)[:, None]
        price = outcome.ask if pricing == "as_asked" else np.full(5, 0.9)
        np.testing.assert_allclose(outcome.won, shares * count, rtol=1e-9)
        np.testing.assert_allclose(outcome.paid, (shares * value).sum(axis=0) * price, rtol=1e-9)
        paid = (shares * price).sum(axis=1)[market.served_kinds[0]] * market.served_values[0]
        np.testing.assert_allclose(market.payments[0], paid, rtol=1e-9)
        base = e.base_cost * (1 - before.capability) * (1 + before.infrastructure) ** -e.infrastructure_gain
        cost = base + e.effort_cost * outcome.effort + before.shock
        np.testing.assert_allclose(outcome.cost, (shares * value * cost).sum(axis=0), rtol=1e-9, atol=1e-12)
        bought = (shares * value).sum(axis=0) if charge == "if_matched" else 1
        np.testing.assert_allclose(outcome.charge, e.promotion_price * outcome.promotion * bought, rtol=1e-9)
        quality = e.quality_capability * before.capability + (1 - e.quality_capability) * outcome.effort
        summed = (shares * count * quality).sum(axis=0)
        np.testing.assert_allclose(outcome.quality * outcome.served, summed, rtol=1e-9)
        np.testing.assert_allclose(after.experience, (1 - e.depreciation) * before.experience + shares * count)


def test_expected_shares__of_a_ranking_go_evenly_to_the_best() -> None:
    economy = replace(DIVISIBLE, kinds=1, outside_share=0.0)
    rule = load_rule("second_price_exchange").replace(**{"payment.pricing": "as_asked"})
    market = Market(rule, economy=economy)
    market.reset(seed=0)
    asks = np.array([0.5, 0.3, 0.3, 0.9, 0.3])
    market.step(to_action(ask=asks, effort=0.5, promotion=0.0, kinds=1)[None])
    np.testing.assert_allclose(_views(market)[1].served, [0, 2, 2, 0, 2])


def test_expected_shares__reputation_moves_as_if_job_by_job() -> None:
    """Two halves of a job move reputation as one job does: its distance to the rating shrinks by 1 - gain per job."""
    rule = _rule(feedback__reputation_gain=0.4, feedback__inflation=0.2)
    market, rng = Market(rule, economy=DIVISIBLE), np.random.default_rng(0)
    market.reset(seed=0)
    for _ in range(5):
        before = _views(market)[0].reputation.copy()
        market.step(rng.uniform(-1, 0.4, (1, 5, 5)).astype(np.float32))
        state, outcome = _views(market)
        rating = outcome.quality + 0.2 * (1 - outcome.quality)
        np.testing.assert_allclose(state.reputation, rating + (before - rating) * 0.6**outcome.served, rtol=1e-9)


def test_expected_shares__are_the_mean_of_what_is_drawn() -> None:
    """With many jobs a market that draws gives, on average, what the divisible one gives exactly."""
    sizes: dict[str, Any] = {"jobs": 300, "capacity": 300, "initial_reputation": 0.01, "quality_noise": 0.0}
    rule = _rule(feedback__reputation_gain=0.03, payment__tiers=((20.0, 0.3),))
    drawn = Market(rule, economy=replace(DIVISIBLE, shares="sampled", **sizes), markets=200)
    divided = Market(rule, economy=replace(DIVISIBLE, **sizes), markets=200)
    action = np.random.default_rng(3).uniform(-0.8, 0.4, (1, 5, 5)).astype(np.float32)
    got = []
    for market in (drawn, divided):
        market.reset(seed=1)
        market.step(np.repeat(action, 200, axis=0))
        rows = []
        for b in range(200):
            _, outcome = _views(market, b)
            rows.append(np.concatenate([outcome.served, outcome.paid, outcome.cost, outcome.charge, outcome.profit]))
            rows[-1] = np.concatenate([rows[-1], outcome.quality, market.measures[b, :9]])
        got.append(np.array(rows))
        reputations = np.mean([_views(market, b)[0].reputation for b in range(200)], axis=0)
        got.append(reputations)
    difference = got[0] - got[2]
    spread = difference.std(axis=0, ddof=1) / np.sqrt(200)
    assert np.all(np.abs(difference.mean(axis=0)) <= 4 * spread + 1e-9)
    np.testing.assert_allclose(got[1], got[3], atol=0.004)  # of a gain of up to .6; concave, so not exactly


def test_expected_shares__scores_are_those_of_the_market_that_draws() -> None:
    """Priority and rank follow from the odds, however demand is then served."""
    rule = _rule(disclosure__level="scores")
    seen: list[Any] = []
    for shares in ("sampled", "expected"):
        market = Market(rule, economy=replace(DIVISIBLE, shares=shares))
        market.reset(seed=0)
        action = np.random.default_rng(1).uniform(-1, 1, (1, 5, 5)).astype(np.float32)
        observations = market.step(action)[0]
        seen.append([observations[..., market.layout[name]] for name in ("priority", "rank")])
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"matching__mechanism": "deferred_acceptance"}, {"payment__pricing": "second_price"},
        {"payment__pricing": "uniform"}, {"feedback__entry_rate": 0.1},
    ],
)  # fmt: skip
def test_expected_shares__refuse_what_cannot_be_divided(changes: dict[str, Any]) -> None:
    rule = _rule(**changes)
    with pytest.raises(ValueError, match="rule 'price_board': expected shares need the mechanism serial"):
        Market(rule, economy=DIVISIBLE)
    with pytest.raises(ValueError, match="expected shares need"):
        Market(economy=DIVISIBLE, schedule=(Shift(2, rule),))


@pytest.mark.parametrize("mu", [0.05, 0.25, 2.0])
def test_logit__odds_fall_exponentially_with_the_ask(mu: float) -> None:
    """Sampled demand has the frequencies of exp(-amplification * ask / mu), the outside option included."""
    economy = Economy(organizations=4, jobs=1, kinds=1, capacity=1, rounds=1, outside_share=0.2)
    rule = _rule(
        scoring__weights=Weights(price=1.0), scoring__amplification=1.0, scoring__price_signal="logit",
        scoring__logit_scale=mu,
    )  # fmt: skip
    market = Market(rule, economy=economy, markets=20_000)
    market.reset(seed=0)
    asks = np.array([0.4, 0.5, 0.6, 0.7])
    action = to_action(ask=asks, effort=0.5, promotion=0.5, kinds=1)
    market.step(np.repeat(action[None], 20_000, axis=0))
    odds = np.append(np.exp(-asks / mu), 4 * 0.2 / 0.8 * np.exp(-economy.outside_ask / mu))
    counts = np.bincount(np.where(market.winners[:, 0] < 0, 4, market.winners[:, 0]), minlength=5)
    assert chisquare(counts, 20_000 * odds / odds.sum()).pvalue > 0.01
