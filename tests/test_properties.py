"""What holds under every rule, in every economy, whatever organizations do."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from strategies import actions, arguments, economies, few, rules

from ruleshift.envs import Economy, Market, check_market, load_rule, market_v0
from ruleshift.envs.layout import MEASURES, Outcome, State, outcome_view, state_view

SEEDS = st.integers(0, 2**32 - 1)


def _views(market: Market, b: int = 0) -> tuple[State, Outcome]:
    return state_view(market.state[b], market.kinds), outcome_view(market.outcomes[b], market.kinds)


def _scrambled(market: Market, rng: np.random.Generator) -> None:
    """Put a market into a random state that play might not reach: rich or poor, known or unknown, skilled or not."""
    snapshot = market.snapshot()
    for b in range(market.markets):
        state = state_view(snapshot["state"][b], market.kinds)
        state.reputation[:] = rng.uniform(0.01, 1, state.reputation.shape)
        state.popularity[:] = rng.choice([0.0, 1e-9, 1.0, 1e6], state.popularity.shape)
        state.cash[:] = rng.choice([0.0, 1e-3, 5.0, -1.0], state.cash.shape)
        state.experience[:] = rng.choice([0.0, 0.5, 1e5], state.experience.shape)
        state.billed[:] = rng.choice([0.0, 3.0], state.billed.shape)
    market.restore(snapshot)


@few
@given(given_=arguments(), seed=SEEDS)
def test_money__is_conserved_in_every_round(given_: dict[str, Any], seed: int) -> None:
    """Clients pay what organizations receive before commission; profit is what is left after commission and costs."""
    market, rng = Market(**given_, markets=2), np.random.default_rng(seed)
    market.reset(seed=seed)
    _scrambled(market, rng)
    for _ in range(market.economy.rounds):
        before = market.state.copy()
        _, rewards, truncated = market.step(actions(market, rng))
        for b in range(2):
            state, outcome = _views(market, b)
            profit = outcome.paid - outcome.commission - outcome.cost - outcome.charge
            np.testing.assert_allclose(outcome.profit, profit, atol=1e-9)
            np.testing.assert_allclose(rewards[b], profit, rtol=1e-6, atol=1e-6)
            assert outcome.paid.sum() == pytest.approx(market.payments[b].sum(), abs=1e-9)
            measures = dict(zip(MEASURES, market.measures[b] * market.jobs, strict=True))
            assert measures["profit"] == pytest.approx(profit.sum(), abs=1e-9)
            assert measures["revenue"] == pytest.approx((outcome.commission + outcome.charge).sum(), abs=1e-9)
            parts = measures["surplus"] + measures["profit"] + measures["revenue"]
            assert measures["welfare"] == pytest.approx(parts, abs=1e-9)
            assert np.all(market.payments[b] >= 0)
            assert np.all(outcome.commission >= 0)
            assert np.all(outcome.commission <= outcome.paid * (1 + 1e-9) + 1e-12)
            assert np.all(outcome.charge >= 0)
            assert np.isfinite(market.measures[b]).all()
            if not truncated:
                stays = state.newcomer == 0
                cash = state_view(before[b], market.kinds).cash + profit
                np.testing.assert_allclose(state.cash[stays], cash[stays], atol=1e-9)


@few
@given(given_=arguments(shares="sampled"), seed=SEEDS)
def test_matching__keeps_to_capacities_offers_and_one_winner_a_job(given_: dict[str, Any], seed: int) -> None:
    market, rng = Market(**given_, markets=2), np.random.default_rng(seed)
    market.reset(seed=seed)
    _scrambled(market, rng)
    for _ in range(market.economy.rounds):
        payments, board = [market.rule_in_force(b).payment for b in range(2)], market.job_values.copy()
        market.step(actions(market, rng))
        np.testing.assert_array_equal(market.served_values, board)
        for b in range(2):
            winner, (_, outcome) = market.winners[b], _views(market, b)
            won, values, reserve = winner >= 0, market.served_values[b], payments[b].reserve
            by_kind = np.zeros((market.kinds, market.organizations))
            np.add.at(by_kind, (market.served_kinds[b][won], winner[won]), 1)
            np.testing.assert_array_equal(outcome.won, by_kind)
            np.testing.assert_array_equal(outcome.served, by_kind.sum(axis=0))
            assert winner.min() >= -1
            assert winner.max() < market.organizations
            assert outcome.served.max() <= market.economy.capacity
            assert not outcome.served[outcome.ask > reserve].any()
            if payments[b].pricing != "externality":  # what the others lose may be more than the reserve
                assert np.all(market.payments[b][won] <= reserve * values[won] + 1e-12)
            if payments[b].pricing in ("as_asked", "second_price", "uniform"):
                assert np.all(market.payments[b][won] >= (outcome.ask[winner] * values)[won] - 1e-12)
            assert not market.payments[b][~won].any()
            quality = market.measures[b, MEASURES.index("quality")] * max(won.sum(), 1)
            assert (outcome.quality * outcome.served).sum() == pytest.approx(quality)


@few
@given(given_=arguments(shares="expected"), seed=SEEDS)
def test_expected_shares__divide_each_job_among_those_that_offer(given_: dict[str, Any], seed: int) -> None:
    market, rng = Market(**given_), np.random.default_rng(seed)
    market.reset(seed=seed)
    _scrambled(market, rng)
    for _ in range(market.economy.rounds):
        reserve = market.rule_in_force(0).payment.reserve
        market.step(actions(market, rng))
        _, outcome = _views(market)
        posted = np.bincount(market.served_kinds[0], minlength=market.kinds)
        assert np.all(outcome.won >= 0)
        assert np.all(outcome.won.sum(axis=1) <= posted + 1e-9)
        assert not outcome.served[outcome.ask > reserve].any()
        if market.economy.outside_share == 0 and np.any(outcome.ask <= reserve):
            np.testing.assert_allclose(outcome.won.sum(axis=1), posted, atol=1e-9)


@few
@given(given_=arguments(), seed=SEEDS)
def test_observations__are_finite_and_within_bounds(given_: dict[str, Any], seed: int) -> None:
    market, rng = Market(**given_, markets=2), np.random.default_rng(seed)
    seen = [market.reset(seed=seed)]
    _scrambled(market, rng)
    for _ in range(market.economy.rounds):
        observations, rewards, truncated = market.step(actions(market, rng))
        seen.append(observations)
        if truncated:
            assert market.last_observations is not None
            seen.append(market.last_observations)
        assert np.isfinite(rewards).all()
        held = market.snapshot()
        assert all(np.isfinite(array).all() for name, array in held.items() if name not in ("history", "economy"))
    for each in seen:
        assert np.isfinite(each).all()
        assert np.abs(each).max() <= 10
        for mask, parts in (("public_mask", ("public",)), ("scores_mask", ("priority", "rank"))):
            masked = each[..., market.layout[mask]][..., 0] == 0
            assert not any(each[masked][:, market.layout[part]].any() for part in parts)


@settings(few, max_examples=12)  # each takes two seconds
@given(given_=arguments(value_spread=0.5, shock_sd=0.3), seed=st.integers(0, 2**31))
def test_check_market__passes_in_every_environment(given_: dict[str, Any], seed: int) -> None:
    given_["economy"] = replace(given_["economy"], rounds=max(given_["economy"].rounds, 2))
    check_market(lambda: market_v0.parallel_env(**given_), seed=seed)


def _played(market: Market, b: int, seed: int, rounds: range) -> bytes:
    """Everything that market number 4, market b of this batch, shows and pays in these rounds."""
    shown = []
    for round_ in rounds:
        shape = (market.organizations, market.action_size)
        batch = np.zeros((market.markets, *shape), np.float32)
        batch[b] = np.random.default_rng((seed, round_)).uniform(-1.2, 1.2, shape)
        seen, rewards, truncated = market.step(batch)
        arrays = [seen, rewards, market.state, market.outcomes, market.payments, market.winners, market.measures]
        if truncated:
            assert market.last_observations is not None
            arrays.append(market.last_observations)
        shown += [np.ascontiguousarray(array[b]).tobytes() for array in arrays]
    return b"".join(shown)


@few
@given(given_=arguments(), seed=SEEDS, cut=st.integers(1, 8))
def test_trajectory__the_same_bits_alone_in_a_batch_in_threads_restored_and_pickled(
    given_: dict[str, Any], seed: int, cut: int
) -> None:
    market = Market(**given_, first_market=4)
    market.reset(seed=seed)
    rounds, rest = range(12), range(cut, 12)
    expected = _played(market, 0, seed, rounds)
    for threads in (1, 2):
        batch = Market(**given_, first_market=2, markets=5, threads=threads)
        batch.reset(seed=seed)
        assert _played(batch, 2, seed, rounds) == expected
    market.reset(seed=seed)
    first = _played(market, 0, seed, range(cut))
    snapshot, pickled = market.snapshot(), pickle.dumps(market)
    restored = Market(**given_, first_market=4)
    restored.restore(snapshot)
    assert first + _played(restored, 0, seed, rest) == expected
    assert first + _played(pickle.loads(pickled), 0, seed, rest) == expected


@few
@given(given_=arguments(), seed=SEEDS)
def test_twin__has_the_same_jobs_and_shocks(given_: dict[str, Any], seed: int) -> None:
    """A change of rule does not change the noise: the jobs and shocks of the twin are the same bits."""
    market, rng = Market(**given_), np.random.default_rng(seed)
    twin = market.twin()
    seen, expected = market.reset(seed=seed), twin.reset(seed=seed)
    for _ in range(market.economy.rounds + 2):
        for name in ("shock", "jobs", "values"):
            np.testing.assert_array_equal(seen[..., market.layout[name]], expected[..., market.layout[name]])
        taken = actions(market, rng)
        seen, expected = market.step(taken)[0], twin.step(taken)[0]


@few
@given(data=st.data(), economy=economies(shares="sampled"), seed=SEEDS, cut=st.floats(0.05, 0.9))
def test_ranking__a_lower_ask_wins_no_fewer_jobs(data: st.DataObject, economy: Economy, seed: int, cut: float) -> None:
    """Under a serial ranking and the same noise, an organization that lowers its ask wins at least as many jobs.

    If capacity does not bind, it keeps every job that it won before.
    """
    rule = data.draw(
        rules(
            economy, matching__mechanism="serial", scoring__amplification=np.inf, feedback__entry_rate=0.0,
            payment__pricing="as_asked", payment__charge="sunk",
            scoring__weights=load_rule("price_board").scoring.weights,
        )
    )  # fmt: skip
    market, rng = Market(rule, economy=economy), np.random.default_rng(seed)
    market.reset(seed=seed)
    _scrambled(market, rng)
    snapshot, taken = market.snapshot(), actions(market, rng)
    taken[0, 0, 0] = rng.uniform(-0.9, 1)
    market.step(taken)
    before = market.winners[0].copy()
    market.restore(snapshot)
    taken[0, 0, 0] -= cut * (taken[0, 0, 0] + 0.95)
    market.step(taken)
    after = market.winners[0]
    assert (after == 0).sum() >= (before == 0).sum()
    if economy.capacity >= economy.jobs:
        assert np.all(after[before == 0] == 0)


@few
@given(data=st.data(), economy=economies(shares="sampled"), seed=SEEDS)
def test_lottery__takes_no_notice_of_what_is_asked(data: st.DataObject, economy: Economy, seed: int) -> None:
    rule = data.draw(rules(economy, scoring__amplification=0.0, payment__reserve=1.0, matching__mechanism="serial"))
    market, rng = Market(rule, economy=economy), np.random.default_rng(seed)
    winners = []
    for _ in range(2):
        market.reset(seed=seed)
        taken = actions(market, np.random.default_rng(seed))
        taken[0, :, 0] = rng.uniform(-1, 0.6, market.organizations)
        market.step(taken)
        winners.append(market.winners[0].copy())
    np.testing.assert_array_equal(*winners)


ALIKE: dict[str, Any] = {
    "initial_capability": (0.3, 0.3), "infrastructure": (0.5, 0.5), "shock_sd": 0.0, "blocs": 1, "organizations": 5,
}  # fmt: skip


@few
@given(data=st.data(), economy=economies(**ALIKE), seed=SEEDS)
def test_ranking__is_blind_to_names(data: st.DataObject, economy: Economy, seed: int) -> None:
    """If organizations are alike, exchanging the actions of two exchanges their outcomes."""
    scored = ["serial", "deferred_acceptance", "immediate_acceptance", "top_trading_cycles"]
    mechanism = data.draw(st.sampled_from(scored if economy.shares == "sampled" else scored[:1]))
    fixed = {"matching__mechanism": mechanism, "scoring__amplification": np.inf, "feedback__entry_rate": 0.0}
    rule = data.draw(rules(economy, **fixed))
    weights = data.draw(st.sampled_from(["price_board", "second_price_exchange"]))
    rule = rule.replace(**{"scoring.weights": load_rule(weights).scoring.weights})
    market, rng = Market(rule, economy=economy), np.random.default_rng(seed)
    order = rng.permutation(5)
    taken = [actions(market, rng) for _ in range(economy.rounds)]
    for each in taken:
        each[0, :, 0] = rng.uniform(-0.9, 1, 5)  # no two asks count alike
    got: list[Any] = []
    for places in (np.arange(5), order):
        market.reset(seed=seed)
        got.append([market.step(np.ascontiguousarray(each[:, places]))[1][0, np.argsort(places)] for each in taken])
    np.testing.assert_allclose(got[0], got[1], rtol=1e-5, atol=1e-6)


@few
@given(data=st.data(), economy=economies(**ALIKE, shares="sampled", jobs=3), seed=SEEDS)
def test_matching__is_fair_to_those_that_do_the_same(data: st.DataObject, economy: Economy, seed: int) -> None:
    rule = data.draw(rules(economy, payment__reserve=1.0, feedback__entry_rate=0.0))
    market = Market(rule, economy=economy, markets=400)
    market.reset(seed=seed)
    market.step(np.zeros((400, 5, market.action_size), np.float32))
    first = market.winners[:, 0]
    won = np.bincount(first[first >= 0], minlength=5)
    assert won.sum() == 0 or chisquare(won).pvalue > 1e-5
