"""Entry and exit: newcomers in the seats of the bankrupt, and entrants in dormant ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from ruleshift.envs import MEASURES, Economy, Market, Rule, Shift, load_rule, market_v0
from ruleshift.envs.act import to_action
from ruleshift.envs.layout import State, outcome_view, state_view

POOR = Economy(
    organizations=6, jobs=6, kinds=2, rounds=12, initial_cash=0.3, effort_cost=0.7, infrastructure=(0.5, 2.0),
    outside_share=0.0, initial_reputation=0.4,
)  # fmt: skip
OPEN = load_rule("price_board").replace(**{"feedback.entry": "replacement", "feedback.prior": 2.5})
CLOSED = OPEN.replace(**{"feedback.entry": "closed"})


def _actions(market: Market, round_: int) -> np.ndarray:
    """Actions with asks that are low for the effort, so that about half of the jobs are served at a loss."""
    rng = np.random.default_rng(round_)
    n = market.organizations
    one = to_action(ask=rng.uniform(0.2, 0.9, n), effort=0.8, promotion=rng.uniform(0, 1, n), kinds=market.kinds)
    return np.repeat(one[None], market.markets, axis=0)


def _opened(rule: Rule = OPEN, markets: int = 50, **more: Any) -> Market:
    market = Market(rule, economy=POOR, markets=markets, **more)
    market.reset(seed=2)
    return market


def _state(market: Market) -> State:
    """The state of all markets: (B, N) and (B, K, N)."""
    return State(*(np.stack(each) for each in zip(*(state_view(s, market.kinds) for s in market.state), strict=True)))


def test_replacement__a_newcomer_begins_as_all_did() -> None:
    market, entered = _opened(), 0
    before = _state(market)
    for round_ in range(11):
        market.step(_actions(market, round_))
        profit = np.stack([outcome_view(each, 2).profit for each in market.outcomes])
        bankrupt, state = before.cash + profit < 0, _state(market)
        np.testing.assert_array_equal(state.newcomer, bankrupt)
        np.testing.assert_allclose(market.measures[:, MEASURES.index("entered")], bankrupt.mean(axis=1))
        assert np.all(state.cash[bankrupt] == POOR.initial_cash)
        assert np.all(state.reputation[bankrupt] == POOR.initial_reputation)
        assert np.all(state.popularity[bankrupt] == 2.5)
        new = np.repeat(bankrupt[:, None], 2, axis=1)
        assert not state.experience[new].any()
        assert not state.billed[new].any()
        np.testing.assert_array_equal(state.capability[new], state.initial[new])
        assert np.all((state.initial[new] > 0.1) & (state.initial[new] < 0.5))
        assert np.all(state.initial[new] != before.initial[new])
        np.testing.assert_array_equal(state.initial[~new], before.initial[~new])
        np.testing.assert_allclose(state.cash[~bankrupt], (before.cash + profit)[~bankrupt], atol=1e-12)
        assert np.all((state.infrastructure[bankrupt] > 0.5) & (state.infrastructure[bankrupt] < 2))
        assert np.all(state.infrastructure[bankrupt] != before.infrastructure[bankrupt])
        np.testing.assert_allclose(state.relief, (1 + state.infrastructure) ** -POOR.infrastructure_gain, rtol=1e-12)
        entered += bankrupt.sum()
        before = state
    assert entered > 300


def test_replacement__newcomers_are_drawn_as_the_first_tenants_were() -> None:
    market = _opened(markets=150)
    initial: list[np.ndarray] = []
    for round_ in range(11):
        market.step(_actions(market, round_))
        state = _state(market)
        initial += [state.initial[:, 0][state.newcomer == 1], state.initial[:, 1][state.newcomer == 1]]
    drawn = np.concatenate(initial)
    assert len(np.unique(drawn)) == len(drawn) > 1000
    assert kstest(drawn, "uniform", (0.1, 0.4)).pvalue > 0.01


def test_replacement__a_newcomer_has_no_past_to_observe() -> None:
    market = _opened()
    outcome_block = ("last_ask", "last_effort", "last_promotion", "last_focus", "won", "paid", "profit", "quality")
    for round_ in range(11):
        seen = market.step(_actions(market, round_))[0]
        new = seen[..., market.layout["newcomer"]][..., 0] == 1
        np.testing.assert_array_equal(new, _state(market).newcomer)
        for name in outcome_block:
            assert not seen[new][:, market.layout[name]].any()
        assert seen[~new][:, market.layout["last_ask"]].all()
        np.testing.assert_allclose(seen[new][:, market.layout["popularity"]] > 0, True)
        assert np.all(seen[new][:, market.layout["cash"]] == np.float32(POOR.initial_cash * 0.1))
    assert new.any()


def test_replacement__the_noise_stays_with_the_seat() -> None:
    """Jobs and shocks are the same as in the market in which the bankrupt stay."""
    open_, closed = _opened(), _opened(CLOSED)
    for round_ in range(11):
        seen, expected = (market.step(_actions(market, round_))[0] for market in (open_, closed))
        for name in ("shock", "jobs", "values"):
            np.testing.assert_array_equal(seen[..., open_.layout[name]], expected[..., open_.layout[name]])
    assert _state(closed).cash.min() < 0
    assert not _state(closed).newcomer.any()


def test_replacement__the_flag_lasts_one_round_also_across_a_shift() -> None:
    market = _opened(schedule=(Shift(4, CLOSED),))
    flags = []
    for round_ in range(6):
        market.step(_actions(market, round_))
        flags.append(_state(market).newcomer.any())
    assert flags[3]  # entered at the end of the last round under replacement
    assert flags[4:] == [False, False]


def test_replacement__nobody_is_a_newcomer_in_a_new_episode() -> None:
    market = _opened()
    for round_ in range(POOR.rounds):
        market.step(_actions(market, round_))
    assert market.last_observations is not None
    assert market.last_observations[..., market.layout["newcomer"]].any()
    assert not _state(market).newcomer.any()


def test_replacement__of_the_whole_market_and_in_its_measures() -> None:
    economy = replace(POOR, initial_cash=0.0, base_cost=5.0)
    market = Market(OPEN.replace(**{"payment.charge": "sunk"}), economy=economy, markets=3)
    market.reset(seed=0)
    ruinous = to_action(ask=np.full(6, 0.1), effort=1.0, promotion=1.0, kinds=2)
    for _ in range(economy.rounds):
        market.step(np.repeat(ruinous[None], 3, axis=0))
        np.testing.assert_array_equal(market.measures[:, MEASURES.index("entered")], 1)
    assert market.episode_measures is not None
    np.testing.assert_allclose(market.episode_measures[:, MEASURES.index("entered")], 1)


def test_replacement__terminates_nobody_in_pettingzoo() -> None:
    env = market_v0.parallel_env(rule=OPEN, economy=POOR)
    env.reset(seed=2)
    newcomers = 0
    for round_ in range(POOR.rounds):
        actions = dict(zip(env.agents, _actions(env.market, round_)[0], strict=True))
        seen, _, terminated, truncated, infos = env.step(actions)
        newcomers += sum(seen[agent][env.market.layout["newcomer"]].item() for agent in seen)
        assert not any(terminated.values())
        assert all(truncated.values()) == (round_ == POOR.rounds - 1)
        assert all(info["ask"] > 0 for info in infos.values())
    assert newcomers > 0


def _simon(alpha: float, seats: int, rounds: int, markets: int) -> Market:
    """One job per round goes to earlier winners in proportion to their jobs, or with probability alpha to a new one."""
    economy = Economy(
        organizations=seats, jobs=1, kinds=1, capacity=1, rounds=rounds + 1, outside_share=0.0, quality_noise=0.0
    )
    rule = load_rule("popularity_feed").replace(
        **{
            "scoring.weights": load_rule("price_board").scoring.weights.__class__(popularity=1.0),
            "scoring.amplification": 1, "feedback.persistence": 1, "feedback.prior": 0, "feedback.entry_rate": alpha,
        }
    )  # fmt: skip
    market = Market(rule, economy=economy, markets=markets)
    market.reset(seed=0)
    return market


def test_entry_rate__is_the_share_of_jobs_that_go_to_dormant_seats() -> None:
    market = _simon(alpha := 0.25, seats=120, rounds=150, markets=40)
    actions, entries = np.zeros((40, 120, 4), np.float32), []
    for round_ in range(150):
        dormant = _state(market).popularity[np.arange(40), :] == 0
        market.step(actions)
        entries.append(dormant[np.arange(40), market.winners[:, 0]])
        assert round_ > 0 or entries[0].all()
    share = np.mean(entries[1:])
    assert abs(share - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / (149 * 40))
    popularity = _state(market).popularity
    assert np.all(popularity.sum(axis=1) == 150)
    assert np.all((popularity > 0).sum(axis=1) == np.sum(entries, axis=0))


def test_entry_rate__entrants_need_a_seat_that_offers_and_come_once_a_round() -> None:
    economy = Economy(organizations=6, jobs=5, kinds=1, capacity=5, rounds=3, outside_share=0.0)
    rule = load_rule("popularity_feed").replace(**{"feedback.entry_rate": 1.0, "feedback.prior": 0.0})
    market = Market(rule, economy=economy)
    market.reset(seed=0)
    snapshot = market.snapshot()
    state_view(snapshot["state"][0], 1).popularity[:] = [0, 4, 0, 0, 4, 0]
    market.restore(snapshot)
    asks = to_action(ask=np.array([1.2, 0.5, 0.6, 0.6, 0.5, 1.2]), effort=0.5, promotion=0.0, kinds=1)
    market.step(asks[None])
    winners = market.winners[0].tolist()
    assert winners[:2] == [2, 3]
    assert set(winners[2:]) <= {1, 4}


def test_entry_rate__an_entrant_is_not_charged_the_bid_of_another() -> None:
    rule = load_rule("sealed_tender").replace(
        **{
            "matching.mechanism": "position_auction", "payment.charge": "next_bid", "feedback.entry_rate": 1.0,
            "feedback.prior": 0.0,
        }
    )  # fmt: skip
    market = Market(rule, economy=Economy(organizations=3, jobs=1, kinds=1, rounds=2, promotion_price=1.0))
    market.reset(seed=0)
    market.step(to_action(ask=0.1, effort=0.0, promotion=np.array([0.0, 1.0, 0.5]), kinds=1)[None])
    assert market.winners.tolist() == [[0]]
    np.testing.assert_array_equal(outcome_view(market.outcomes[0], 1).charge, 0)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_entry_rate__changes_nothing_where_nobody_is_dormant(rate: float) -> None:
    markets = [Market(load_rule("popularity_feed").replace(**{"feedback.entry_rate": each})) for each in (0.0, rate)]
    for market in markets:
        market.reset(seed=0)
        for round_ in range(5):
            market.step(_actions(market, round_))
    np.testing.assert_array_equal(markets[0].state, markets[1].state)
