"""Distances between rules: of their matching, against an exact oracle, and of the conduct that they call for."""

from itertools import product

import numpy as np
import pytest

from ruleshift.agents import Constant, rival_population
from ruleshift.envs import Economy, Rule, load_rule
from ruleshift.eval import play, regret, rule_distance
from ruleshift.eval.compare.distance import ECONOMY, FROZEN, STATES, frozen_hash, frozen_states
from ruleshift.eval.compare.regret import AXES, MARKETS, SEED, conduct_returns

BOARD, LISTING, LADDER = (load_rule(name) for name in ("price_board", "promoted_listing", "reputation_ladder"))


def _shares(rule: Rule) -> np.ndarray:
    """Exact law of who serves a job of each kind under serial draws, (STATES, K, N + 1), the last for nobody.

    A plain sum over all orders of capacities left, with the odds written down anew from the design's formula.
    """
    f, n, k = frozen_states(), ECONOMY.organizations, ECONOMY.kinds
    weights, power = rule.scoring.weights, rule.scoring.amplification
    signals = {
        "price": 1 / f["ask"][:, None], "reputation": f["reputation"][:, None], "capability": f["capability"],
        "promotion": f["promotion"][:, None] + rule.scoring.promotion_floor, "popularity": f["popularity"][:, None],
    }  # fmt: skip
    mean = f["popularity"].mean(axis=1)[:, None, None]
    reference = {"price": 1 / 0.75, "reputation": 0.5, "capability": 0.5, "popularity": mean,
                 "promotion": 0.25 + rule.scoring.promotion_floor}  # fmt: skip
    odds = np.ones((STATES, k, n + 1))
    odds[:, :, n:] *= n * ECONOMY.outside_share / (1 - ECONOMY.outside_share)
    for name, signal in signals.items():
        odds[:, :, :n] *= signal ** (power * getattr(weights, name))
        odds[:, :, n:] *= reference[name] ** (power * getattr(weights, name))
    odds[:, :, :n] *= (f["ask"] <= rule.payment.reserve)[:, None]
    left = {(ECONOMY.capacity,) * n: np.ones(STATES)}
    served = np.zeros((STATES, k, n + 1))
    for j in range(ECONOMY.jobs):
        kind = f["job_kinds"][:, j]
        after: dict[tuple[int, ...], np.ndarray] = {}
        for room, chance in left.items():
            now = odds[np.arange(STATES), kind] * np.array([*(each > 0 for each in room), True])
            law = chance[:, None] * now / now.sum(axis=1, keepdims=True)
            served[np.arange(STATES), kind] += law
            for i in range(n + 1):
                then = room if i == n else (*room[:i], max(room[i] - 1, 0), *room[i + 1 :])
                after[then] = after.get(then, np.zeros(STATES)) + law[:, i]
        left = after
    return served / (ECONOMY.jobs // k)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (BOARD, LISTING),
        (BOARD, BOARD.replace(**{"scoring.amplification": 6.5})),
        (LADDER, load_rule("popularity_feed")),
        (load_rule("dispatch_lottery"), LADDER),
    ],
    ids=lambda rule: rule.name,
)
def test_rule_distance__is_the_exact_total_variation_less_a_small_bias(a: Rule, b: Rule) -> None:
    exact = 0.5 * np.abs(_shares(a) - _shares(b)).sum(axis=2).mean()
    assert exact - 0.008 < rule_distance(a, b) < exact + 0.002


def test_rule_distance__is_symmetric_and_0_only_where_matching_is_alike() -> None:
    assert rule_distance(BOARD, LADDER) == rule_distance("reputation_ladder", "price_board") > 0.2
    assert rule_distance(BOARD, BOARD) == 0
    paid_otherwise = BOARD.replace(**{"payment.pricing": "second_price", "feedback.persistence": 1.0})
    assert rule_distance(BOARD, paid_otherwise) == 0
    clearing = BOARD.replace(**{"matching.mechanism": "deferred_acceptance"})
    assert rule_distance(BOARD, clearing) > 0.2


def test_rule_distance__grows_with_the_dose() -> None:
    doses = [BOARD.replace(**{"scoring.amplification": power}) for power in (6.0, 6.5, 12.0)]
    distances = [rule_distance(doses[0], each) for each in doses]
    assert distances[0] == 0 < distances[1] < distances[2] < 1


def test_rule_distance__of_rules_that_never_agree_is_1() -> None:
    """One refuses every ask above .1, that is all; the other never leaves a job to nobody."""
    nobody = BOARD.replace(**{"payment.reserve": 0.1})
    lowest = BOARD.replace(**{"scoring.amplification": float("inf"), "scoring.weights.price": 1.0,
                              "scoring.weights.reputation": 0.0})  # fmt: skip
    served = 1 - _outside_share_of_a_ranking()
    assert rule_distance(nobody, lowest) == pytest.approx(served, abs=1e-9)


def _outside_share_of_a_ranking() -> float:
    """Jobs left to nobody where the lowest ask below the reference of .75 wins: counted by hand."""
    f = frozen_states()
    capacity = (f["ask"] < 0.75).sum(axis=1) * ECONOMY.capacity
    return float((1 - np.minimum(capacity, ECONOMY.jobs) / ECONOMY.jobs).mean())


def test_frozen_states__are_frozen() -> None:
    assert frozen_hash() == FROZEN
    states = frozen_states()
    assert all(len(array) == STATES == 4096 for array in states.values())
    counts = np.stack([(states["job_kinds"] == kind).sum(axis=1) for kind in range(ECONOMY.kinds)])
    assert (counts == ECONOMY.jobs // ECONOMY.kinds).all()


# Conduct


def test_conduct_returns__are_those_of_constant_conduct_played_one_by_one() -> None:
    economy, found = Economy(), conduct_returns(LISTING)
    rivals = rival_population(economy)
    for place in ((0, 0, 0, 0), (3, 1, 2, 0), (*found.best[:3], 0)):
        conduct = Constant(*(list(levels)[index] for levels, index in zip(AXES.values(), place[:3], strict=False)))
        seats = (conduct, *(rivals[seat % len(rivals)] for seat in range(economy.organizations - 1)))
        played = play(seats, LISTING, markets=MARKETS, seed=SEED, economy=economy).focal.mean()
        assert found.profit[place] == pytest.approx(played, abs=1e-6)


def test_regret__is_what_the_other_s_best_reply_loses() -> None:
    assert regret(BOARD, BOARD) == 0
    for a, b in product((BOARD, LISTING), repeat=2):
        mine, other = conduct_returns(b), conduct_returns(a)
        assert regret(a, b) == mine.profit.max() - mine.profit[other.best] >= 0
    assert regret(BOARD, LISTING) > 0.5 * conduct_returns(LISTING).profit.max()


def test_regret__sees_the_payment_that_the_matching_distance_does_not() -> None:
    first, second = load_rule("sealed_tender"), load_rule("second_price_exchange")
    assert first.replace(**{"payment.pricing": "second_price"}).hash == second.hash
    assert regret(second, first) > 0


def test_distances__of_something_that_is_no_rule() -> None:
    for measure in (rule_distance, regret):
        with pytest.raises(ValueError, match="no rule is named 'nowhere'"):
            measure("price_board", "nowhere")
