"""What the platform shows: with noise, late, and nothing that it does not disclose."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from ruleshift.envs import Economy, Market, Rule, Shift, load_rule
from ruleshift.envs.layout import outcome_view

ECONOMY = Economy(rounds=14)


def _rule(name: str = "price_board", **disclosure: Any) -> Rule:
    return load_rule(name).replace(**{f"disclosure.{key}": value for key, value in disclosure.items()})


def _watch(market: Market, rounds: int = 13, seed: int = 3) -> np.ndarray:
    """Observations (rounds + 1, B, N, F) under the same actions in every market."""
    rng = np.random.default_rng(0)
    seen = [market.reset(seed=seed)]
    for _ in range(rounds):
        action = rng.uniform(-1, 1, (1, market.organizations, market.action_size)).astype(np.float32)
        seen.append(market.step(np.repeat(action, market.markets, axis=0))[0])
    return np.array(seen)


def test_popularity__that_dies_out_is_shown_as_0() -> None:
    """Its sum falls below the smallest normal number, so that its inverse would be infinite."""
    rule = load_rule("price_board").replace(**{"feedback.prior": 0.0, "feedback.persistence": 1e-80})
    market = Market(rule, economy=Economy(outside_share=0.0))
    actions = np.zeros((1, market.organizations, market.action_size), np.float32)
    market.reset(seed=0)
    for ask in (-0.5, *[1.0] * 6):  # after the first round nobody offers
        actions[..., 0] = ask
        observations, _, _ = market.step(actions)
        assert np.isfinite(observations).all()
    assert not observations[..., market.layout["popularity"]].any()


def test_noise__on_public_statistics_is_uniform_and_the_same_for_all() -> None:
    plain = Market(_rule(), economy=ECONOMY, markets=60)
    noisy = Market(_rule(noise=0.5), economy=ECONOMY, markets=60)
    expected, seen = _watch(plain), _watch(noisy)
    public = plain.layout["public"]
    errors = (seen - expected)[1:, :, :, public]
    np.testing.assert_array_equal(errors, np.broadcast_to(errors[:, :, :1], errors.shape))
    each = errors[:, :, 0].ravel() / 0.5
    assert kstest(each, "uniform", (-1, 2)).pvalue > 0.01
    assert np.abs(np.corrcoef(errors[:, :, 0].reshape(-1, 6).T) - np.eye(6)).max() < 4 / np.sqrt(13 * 60)
    seen[..., public] = expected[..., public]
    np.testing.assert_array_equal(seen, expected)


def test_noise__on_scores_is_each_organizations_own() -> None:
    plain = Market(_rule(level="scores"), economy=ECONOMY, markets=60)
    noisy = Market(_rule(level="scores", noise=0.3), economy=ECONOMY, markets=60)
    expected, seen = _watch(plain)[1:], _watch(noisy)[1:]
    for name, low, high in (("priority", 0.0, 10.0), ("rank", 0.0, 1.0)):
        place = plain.layout[name]
        errors = (seen - expected)[..., place][..., 0]
        assert np.abs(errors).max() <= 0.3 + 1e-6
        inside = (expected[..., place][..., 0] > low + 0.3) & (expected[..., place][..., 0] < high - 0.3)
        assert kstest(errors[inside] / 0.3, "uniform", (-1, 2)).pvalue > 0.01
        assert np.unique(errors[0, 0]).size > 4
        assert low <= seen[..., place].min() <= seen[..., place].max() <= high


def _shown(market: Market, seen: np.ndarray) -> np.ndarray:
    """The observations that a delay applies to: public statistics, scores and their masks, (rounds, B, N, 10)."""
    parts = ("public", "public_mask", "priority", "rank", "scores_mask")
    return np.concatenate([seen[..., market.layout[name]] for name in parts], axis=-1)


@pytest.mark.parametrize("delay", [1, 3, 8])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_delay__shows_what_others_saw_so_many_rounds_ago(delay: int, noise: float) -> None:
    prompt = Market(_rule(level="scores", noise=noise), economy=ECONOMY, markets=3)
    late = Market(_rule(level="scores", noise=noise, delay=delay), economy=ECONOMY, markets=3)
    expected, seen = _watch(prompt), _watch(late)
    np.testing.assert_array_equal(_shown(late, seen)[delay:], _shown(prompt, expected)[:-delay])
    assert not _shown(late, seen)[: delay + 1].any()  # before the first round there was nothing
    assert _shown(late, seen)[delay + 1 :, ..., 6].all()
    rest = [name for name in late.layout if name not in ("public", "public_mask", "priority", "rank", "scores_mask")]
    for name in rest:
        np.testing.assert_array_equal(seen[..., late.layout[name]], expected[..., late.layout[name]])


def test_delay__begins_with_a_shift_to_it_and_ends_with_one() -> None:
    prompt, late = _rule(level="scores"), _rule(level="scores", delay=2)
    expected = _watch(Market(prompt, economy=ECONOMY))
    market = Market(prompt, economy=ECONOMY, schedule=(Shift(5, late), Shift(9, prompt)))
    shown, prompted = _shown(market, _watch(market)), _shown(market, expected)
    np.testing.assert_array_equal(shown[:5], prompted[:5])
    np.testing.assert_array_equal(shown[5:9], prompted[3:7])
    np.testing.assert_array_equal(shown[9:], prompted[9:])


def test_delay__does_not_show_what_was_not_disclosed_then() -> None:
    opaque, late = _rule(level="opaque"), _rule(level="scores", delay=2)
    market = Market(opaque, economy=ECONOMY, schedule=(Shift(4, late),))
    masks = _watch(market)[:, 0, 0, market.layout["public_mask"]][:, 0]
    np.testing.assert_array_equal(masks, [0] * 6 + [1] * 8)


def test_delay__an_episode_does_not_see_the_one_before() -> None:
    market = Market(_rule(level="scores", delay=3), economy=Economy(rounds=5))
    seen = _shown(market, _watch(market, rounds=9))
    assert seen[4].any()
    assert not seen[5:9].any()
    assert seen[9].any()


def test_scores__are_told_to_nobody_who_is_not_to_see_them() -> None:
    """Infos give only the priority and rank that are disclosed, none of an earlier rule and none too early."""
    scores, late = _rule(level="scores"), _rule(level="scores", delay=2)
    for schedule in ((Shift(4, _rule()),), (Shift(4, _rule(level="opaque")),)):
        market = Market(scores, economy=ECONOMY, schedule=schedule)
        _watch(market, 2)
        assert outcome_view(market.outcomes[0], 3).priority.any()
        _watch(market, 5)
        outcome = outcome_view(market.outcomes[0], 3)
        assert not outcome.priority.any()
        assert not outcome.rank.any()
    market = Market(scores, economy=Economy(rounds=3))
    _watch(market, 3)
    assert outcome_view(market.outcomes[0], 3).priority.sum() == pytest.approx(1)  # the last round's, in its infos
    market = Market(late, economy=ECONOMY)
    _watch(market, 2)
    assert not outcome_view(market.outcomes[0], 3).priority.any()
    _watch(market, 3)
    assert outcome_view(market.outcomes[0], 3).priority.sum() == pytest.approx(1)
