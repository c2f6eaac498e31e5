"""The position auction against sorting, enumeration and what its charges promise."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import act, close

from ruleshift.envs import Economy, Market, load_rule
from ruleshift.envs.layout import outcome_view


def _market(charge: str, organizations: int, jobs: int, markets: int = 1, **changes: Any) -> Market:
    """Slots whose clients pay nothing; promotion costs 1 a unit and unit of value."""
    economy = Economy(
        organizations=organizations, jobs=jobs, kinds=2, rounds=1, base_cost=0.0, effort_cost=0.0, shock_sd=0.0,
        promotion_price=1.0, **changes,
    )  # fmt: skip
    rule = load_rule("sealed_tender").replace(
        **{"matching.mechanism": "position_auction", "payment.charge": charge, "payment.reserve": 0.5}
    )
    return Market(rule, economy=economy, markets=markets)


def _play(market: Market, bids: np.ndarray, asks: float | np.ndarray = 0.0) -> np.ndarray:
    """Charges (B, N) where these are bid (B, N)."""
    market.reset(seed=0)
    market.step(act(np.broadcast_to(asks, bids.shape), promotion=bids, kinds=2))
    return np.array([outcome_view(each, 2).charge for each in market.outcomes])


def _most_clicks(bids: np.ndarray, clicks: np.ndarray) -> float:
    """The largest sum of bid * clicks, each bidder having one slot at most."""
    padded = np.concatenate([clicks, np.zeros(len(bids))])
    return max(float(bids @ padded[list(slots)]) for slots in itertools.permutations(range(len(padded)), len(bids)))


auctions = st.tuples(
    st.lists(st.integers(0, 20).map(lambda bid: bid / 20), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 20),
)


@settings(deadline=None, max_examples=60)
@given(auctions)
def test_position_auction__the_dearest_slots_to_the_highest_bids_at_the_next(
    auction: tuple[np.ndarray, int, int],
) -> None:
    bids, jobs, number = auction
    market = _market("next_bid", len(bids), jobs, number + 1)
    charges = _play(market, np.tile(bids, (number + 1, 1)))[number]
    offered = sorted((bid for bid in outcome_view(market.outcomes[number], 2).promotion if bid > 0), reverse=True)
    winners, clicks = market.winners[number], market.served_values[number]
    slots = clicks.argsort()[::-1]
    served = min(len(offered), jobs)
    promotion = outcome_view(market.outcomes[number], 2).promotion
    np.testing.assert_array_equal(promotion[winners[slots[:served]]], offered[:served])
    assert np.all(winners[slots[served:]] == -1)
    assert len(set(winners[slots[:served]])) == served
    for place, j in enumerate(slots[:served]):
        next_bid = offered[place + 1] if place + 1 < len(offered) else 0.0
        assert charges[winners[j]] == pytest.approx(next_bid * clicks[j])


@settings(deadline=None, max_examples=40)
@given(auctions)
def test_position_auction__externality_by_enumeration(auction: tuple[np.ndarray, int, int]) -> None:
    bids, jobs, number = auction
    market = _market("externality", len(bids), jobs, number + 1)
    charges = _play(market, np.tile(bids, (number + 1, 1)))[number]
    promotion, clicks = outcome_view(market.outcomes[number], 2).promotion, market.served_values[number]
    for i, charge in enumerate(charges):
        own = promotion[i] * clicks[market.winners[number] == i].sum()
        present = _most_clicks(promotion, clicks) - own
        assert charge == pytest.approx(_most_clicks(np.delete(promotion, i), clicks) - present, abs=1e-9)


@pytest.mark.parametrize(("charge", "truthful"), [("externality", True), ("next_bid", False)])
def test_position_auction__truth_is_dominant_at_the_externality_only(charge: str, truthful: bool) -> None:
    """Bidder 0 values a click at its bid; under the next bid shading it can gain a cheaper slot."""
    markets = 200
    bids = np.random.default_rng(1).uniform(0.05, 1.0, (markets, 4))
    worth = bids[:, 0].copy()
    payoffs = []
    for own in (worth, *np.linspace(0.0, 1.0, 21)):
        bids[:, 0] = own
        market = _market(charge, 4, 3, markets)
        charges = _play(market, bids)
        clicks = (market.served_values * (market.winners == 0)).sum(axis=1)
        payoffs.append(worth * clicks - charges[:, 0])
    assert np.all(np.max(payoffs[1:], axis=0) <= payoffs[0] + 1e-6) == truthful


def test_position_auction__only_those_who_offer_and_bid() -> None:
    market = _market("next_bid", 4, 4)
    _play(market, np.array([[0.5, 0.0, 0.9, 0.2]]), asks=np.array([[0.3, 0.3, 1.0, 0.3]]))
    dearest, second = market.served_values[0].argsort()[:-3:-1]
    assert (market.winners[0, dearest], market.winners[0, second]) == (0, 3)
    assert np.sum(market.winners[0] >= 0) == 2


def test_position_auction__equal_bids_have_equal_chances() -> None:
    markets = 3000
    market = _market("next_bid", 4, 2, markets)
    _play(market, np.full((markets, 4), 0.5))
    dearest = market.winners[np.arange(markets), market.served_values.argmax(axis=1)]
    assert close(dearest[:, None] == np.arange(4), 1 / 4, errors=4)
