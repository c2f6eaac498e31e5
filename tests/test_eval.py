"""Playing, panels and one evaluation."""

from typing import Any

import numpy as np
import pytest

from ruleshift.agents import Constant, Policy, PostedPrice, RandomPolicy
from ruleshift.envs import Economy, Shift, load_rule, load_structure
from ruleshift.envs.support import outside
from ruleshift.eval import Panel, evaluate, play, scripted_panel

ECONOMY = Economy(organizations=4, jobs=4, rounds=12)
CALM, LOUD = Constant(promotion=0.0), Constant(promotion=1.0)


def seats(focal: Policy) -> tuple[Policy, ...]:
    return (focal, RandomPolicy(), RandomPolicy(), PostedPrice(economy=ECONOMY))


def test_play__gives_one_profit_a_market_and_round() -> None:
    played = play(seats(CALM), "price_board", markets=5, economy=ECONOMY)
    assert played.focal.shape == (5, 12)
    assert played.measures.shape[0] == 12
    assert np.isfinite(played.focal).all()
    assert played.focal.std() > 0


def test_play__is_the_same_alone_and_in_a_batch() -> None:
    batch = play(seats(RandomPolicy()), "price_board", markets=5, seed=3, economy=ECONOMY)
    alone = play(seats(RandomPolicy()), "price_board", markets=1, first_market=4, seed=3, economy=ECONOMY)
    np.testing.assert_array_equal(batch.focal[4:], alone.focal)


def test_play__shift_leaves_the_rounds_before_it_alone() -> None:
    shift = Shift(at=6, to="promoted_listing")
    shifted = play(seats(LOUD), "price_board", schedule=(shift,), markets=3, economy=ECONOMY).focal
    twin = play(seats(LOUD), "price_board", markets=3, economy=ECONOMY).focal
    np.testing.assert_array_equal(shifted[:, :6], twin[:, :6])
    assert (shifted[:, 6:] != twin[:, 6:]).any()


def test_play__successors_take_the_seats_in_their_round() -> None:
    stay = play(seats(CALM), "promoted_listing", markets=3, economy=ECONOMY).focal
    handed = play(seats(CALM), "promoted_listing", successors={6: seats(LOUD)}, markets=3, economy=ECONOMY).focal
    np.testing.assert_array_equal(handed[:, :6], stay[:, :6])
    assert (handed[:, 6] != stay[:, 6]).all()


class Counting(Policy):
    """Counts in its memory how often it has acted, and asks more the longer it holds its seat."""

    def initial_memory(self, count: int) -> np.ndarray:
        return np.zeros((count, 1), np.float32)

    def act(
        self, observations: np.ndarray, memory: Any = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Any]:
        actions = np.zeros((len(observations), 6), np.float32)
        actions[:, 0] = memory[:, 0] / 100
        self.seen = memory
        return actions, memory + 1


def test_play__a_policy_that_keeps_its_seat_keeps_its_memory() -> None:
    kept, other = Counting(), Counting()
    play(seats(kept), "price_board", successors={6: seats(kept)}, markets=2, economy=ECONOMY)
    play(seats(CALM), "price_board", successors={6: seats(other)}, markets=2, economy=ECONOMY)
    assert kept.seen.tolist() == [[11], [11]]
    assert other.seen.tolist() == [[5], [5]]


def test_play__deterministic_uses_no_noise() -> None:
    sampled, mean = (
        play((RandomPolicy(),) * 4, "price_board", markets=2, economy=ECONOMY, deterministic=flag)
        for flag in (False, True)
    )
    assert (sampled.focal != mean.focal).any()


@pytest.mark.parametrize(
    ("policies", "more", "message"),
    [
        ((CALM,) * 3, {}, "3 policies at round 0 for 4 organizations"),
        ((CALM,) * 4, {"successors": {2: (CALM,)}}, "1 policies at round 2"),
        ((CALM,) * 4, {"focal": 4}, "focal seat 4"),
    ],
)
def test_play__refuses_seats_that_do_not_fit(policies: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        play(policies, "price_board", economy=ECONOMY, **more)


def test_panel__is_half_native_half_scripted_and_changes_with_the_rule() -> None:
    first, second, focal = Constant(ask=0.1), Constant(ask=0.2), Constant(ask=0.3)
    scripted = scripted_panel().scripted
    panel = Panel(scripted, {"price_board": first, "promoted_listing": second})
    before, after = (panel.seats(name, focal, 8) for name in ("price_board", "promoted_listing"))
    assert before[0] is focal
    assert sum(policy is first for policy in before) == 4
    assert sum(policy in scripted for policy in before) == 3
    assert [policy is second for policy in after] == [policy is first for policy in before]
    with pytest.raises(ValueError, match="no native of the rule popularity_feed"):
        panel.seats("popularity_feed", focal, 8)


def test_evaluate__pairs_each_market_with_its_twin() -> None:
    result = evaluate(LOUD, "price_board", shift_to="promoted_listing", at=6, markets=8, economy=ECONOMY)
    still = evaluate(LOUD, "price_board", at=6, markets=8, economy=ECONOMY)
    np.testing.assert_array_equal(result.before, still.before)
    np.testing.assert_array_equal(result.twin_after, still.after)
    np.testing.assert_array_equal(result.change, result.after - still.after)
    assert (still.change == 0).all()
    assert "after the shift to promoted_listing" in str(result)
    assert "after the shift" not in str(still)


def test_evaluate__promotion_pays_once_placement_is_sold() -> None:
    arguments = {"shift_to": "promoted_listing", "at": 6, "markets": 64, "economy": ECONOMY}
    calm, loud = (evaluate(policy, "price_board", **arguments) for policy in (CALM, LOUD))  # type: ignore[arg-type]
    assert loud.after.mean() > calm.after.mean()
    assert loud.before.mean() < calm.before.mean()


@pytest.mark.parametrize("at", [0, 12])
def test_evaluate__refuses_a_shift_outside_the_episode(at: int) -> None:
    with pytest.raises(ValueError, match=f"at is {at}; it must be a whole number from 1 to 11"):
        evaluate(CALM, "price_board", at=at, economy=ECONOMY)


def test_outside__tells_what_a_generalist_never_met() -> None:
    structure, rule = load_structure("platforms"), load_rule("promoted_listing")
    assert outside(structure, rule) == ()
    assert outside(structure, rule.replace(**{"payment.commission": 0.6})) == ("payment.commission",)
    assert outside(structure, rule.replace(**{"matching.mechanism": "deferred_acceptance"})) == ("matching.mechanism",)
    weights = {"scoring.weights.price": 0.1, "scoring.weights.popularity": 0.1}
    assert outside(structure, rule.replace(**weights)) == ("scoring.weights.popularity",)
    drawn = structure.draw(0, 5, 2)
    assert outside(structure, drawn) == ()
