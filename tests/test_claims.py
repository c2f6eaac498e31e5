"""Planted studies: the verdicts come out right where the truth is known, and nothing that fooled a trial fools them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import AWAY, CONSTANT, GENERALIST, HOME, QUICK, SPECIALIST, changed, make_returns, noise

from ruleshift.eval.claims import CLAIMS, VERDICTS, Returns, Verdict, competence, gate_verdicts, judge_all
from ruleshift.eval.claims.adaptation import conduct_moves
from ruleshift.eval.claims.break_even import break_even, net
from ruleshift.eval.claims.claim import decide
from ruleshift.eval.claims.economies import flip
from ruleshift.eval.claims.head_start import area, steps_to
from ruleshift.eval.claims.routine import slope
from ruleshift.eval.claims.transfer import advantage
from ruleshift.eval.statistics import Interval, equal, interquartile_mean, scores


def outcome(claim: str, returns: Returns) -> str:
    return CLAIMS[claim].judge(returns).outcome


def outcomes(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    return {name: verdict.outcome for name, verdict in verdicts.items()}


def reason(claim: str, returns: Returns) -> str:
    return CLAIMS[claim].judge(returns).reason


# The registry


def test_claims__each_is_registered_in_full() -> None:
    for name, claim in CLAIMS.items():
        assert claim.id == name
        for text in (claim.statement, claim.setting, claim.measure, claim.thresholds):
            assert len(text) > 20
        for each in ("supported", "contradicted", "no material difference", "inconclusive"):
            assert each in claim.thresholds.lower()


def test_claims__each_quotes_what_it_puts_to_the_test() -> None:
    for claim in CLAIMS.values():
        assert len(claim.essay.split()) > 3


def test_claims__every_verdict_is_one_of_four_words_and_says_why() -> None:
    for name, verdict in judge_all(make_returns()).verdicts.items():
        assert verdict.claim == name
        assert verdict.outcome in VERDICTS
        assert verdict.reason


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.051, 0.4, "supported"), (0.049, 0.4, "inconclusive"), (-0.4, 0.4, "inconclusive"),
        (-0.4, -0.051, "contradicted"), (-0.4, -0.049, "inconclusive"),
        (-0.049, 0.049, "no material difference"), (-0.051, 0.049, "inconclusive"),
    ],
)  # fmt: skip
def test_decide__only_what_the_whole_interval_says(low: float, high: float, expected: str) -> None:
    assert decide(Interval((low + high) / 2, low, high, 0.1, 5.0)) == expected


# The primary contrast


@pytest.mark.parametrize(
    ("generalist", "expected"), [(0.8, "supported"), (0.5, "no material difference"), (0.2, "contradicted")]
)
def test_transfer__a_planted_effect_is_found(generalist: float, expected: str) -> None:
    returns = make_returns(away={GENERALIST: generalist, SPECIALIST: 0.5}, spread=0.001)
    verdict = CLAIMS["transfer"].judge(returns)
    assert verdict.outcome == expected
    assert verdict.measure is not None
    assert verdict.measure.low <= generalist - 0.5 <= verdict.measure.high


def test_transfer__noise_leaves_it_inconclusive() -> None:
    assert outcome("transfer", make_returns(spread=0.2)) == "inconclusive"


def test_transfer__is_seldom_wrong_where_there_is_no_effect() -> None:
    words = [outcome("transfer", make_returns(away={GENERALIST: 0.5}, spread=0.05, seed=seed)) for seed in range(100)]
    assert sum(each in ("supported", "contradicted") for each in words) <= 5


def test_transfer__is_a_ratio_of_sums_over_all_cells() -> None:
    returns = make_returns()
    returns = replace(returns, best_reply=returns.best_reply + np.arange(4)[:, None, None])
    gained = (returns.adapted[GENERALIST] - returns.adapted[SPECIALIST]).sum()
    measure = CLAIMS["transfer"].judge(returns).measure
    assert measure is not None
    assert measure.estimate == pytest.approx(gained / (3 * 2 * returns.best_reply.sum()))


def test_transfer__an_incompetent_arm_makes_it_inconclusive_and_is_named() -> None:
    for arm in (GENERALIST, SPECIALIST):
        returns = make_returns(home={arm: 0.3})
        assert gate_verdicts(returns, arm) == ["not competent at this budget"] * 3
        assert outcome("transfer", returns) == "inconclusive"
        assert f"{arm} is not competent at this budget on 3 of 3" in reason("transfer", returns)


def test_transfer__one_failing_seed_is_not_dropped() -> None:
    returns = make_returns(spread=0.001)
    worse = returns.gate[GENERALIST].copy()
    worse[1, 0] = -0.2
    returns = replace(returns, gate={**returns.gate, GENERALIST: worse})
    assert competence(returns, GENERALIST)[1] == pytest.approx((0.85 - 0.2) / 2, abs=0.01)
    assert "on 1 of 3 training rules" in reason("transfer", returns)


def test_transfer__without_a_scale_there_is_no_verdict() -> None:
    returns = make_returns()
    assert "no scale" in reason("transfer", replace(returns, floor=returns.best_reply + 0.1))
    hangs_on_one = returns.best_reply.copy()
    hangs_on_one[:, :, :] = np.array([9, -1, -1, -1])[:, None, None]
    assert "no scale" in reason("transfer", replace(returns, best_reply=hangs_on_one))
    assert "no scale" in reason("transfer", replace(returns, gate_floor=returns.gate_best_reply))


def test_transfer__one_seed_decides_nothing() -> None:
    for verdict in judge_all(make_returns((3, 4, 1, 2, 8), spread=0.0001)).verdicts.values():
        assert verdict.outcome == "inconclusive"


def test_transfer__a_few_targets_with_different_signs_decide_nothing_however_alike_the_seeds() -> None:
    returns = make_returns(spread=0.0)
    signs = np.array([0.5, -0.3, 0.6, -0.2])[None, :, None, None, None]
    returns = replace(returns, adapted={**returns.adapted, GENERALIST: returns.adapted[SPECIALIST] + signs})
    assert outcome("transfer", returns) == "inconclusive"


# Adaptation


def test_adaptation__is_found_where_planted() -> None:
    assert outcome("adaptation", make_returns(spread=0.003)) == "supported"


@pytest.mark.parametrize("control", ["central+memory", "randomized"])
def test_adaptation__is_not_claimed_where_a_control_does_as_well(control: str) -> None:
    verdict = CLAIMS["adaptation"].judge(make_returns(away={control: 0.8}, spread=0.003))
    assert verdict.outcome in ("no material difference", "inconclusive")
    assert control in verdict.reason


@pytest.mark.parametrize("earns", [0.3, CONSTANT, 0.6, 0.9])
def test_adaptation__a_constant_policy_is_never_adaptive_whatever_it_earns(earns: float) -> None:
    for seed in range(5):
        returns = make_returns(away={GENERALIST: earns, SPECIALIST: 0.2}, moves=0.0, spread=0.02, seed=seed)
        assert outcome("adaptation", returns) in ("contradicted", "inconclusive")


def test_adaptation__the_best_constant_itself_is_not_better_than_itself() -> None:
    others = dict.fromkeys((SPECIALIST, "central+memory", "randomized"), 0.1)
    returns = make_returns(away=others, spread=0.003)
    constant = np.broadcast_to(returns.constant[None, :, None], returns.adapted[GENERALIST].shape)
    returns = replace(returns, adapted={**returns.adapted, GENERALIST: constant})
    assert outcome("transfer", returns) == "supported"
    assert outcome("adaptation", returns) == "contradicted"


def test_adaptation__needs_an_advantage_and_known_conduct() -> None:
    assert "no advantage to explain" in reason("adaptation", make_returns(away={GENERALIST: 0.3}))
    returns = replace(make_returns(spread=0.003), conduct={})
    assert (outcome("adaptation", returns), "not known" in reason("adaptation", returns)) == ("inconclusive", True)


def test_adaptation__an_incompetent_control_is_no_control() -> None:
    verdict = CLAIMS["adaptation"].judge(make_returns(home={"randomized": 0.2}, spread=0.003))
    assert verdict.outcome == "inconclusive"
    assert "randomized is not competent" in verdict.reason


def test_conduct_moves__tells_movement_from_noise() -> None:
    rng = np.random.default_rng(0)
    still = np.stack([noise(rng, (3, 4, 2, 2, 8), 0.0) + 0.1 * rng.standard_normal((3, 4, 2, 2, 8)) for _ in range(3)])
    moving = still + np.array([0, 0, 1])[:, None, None, None, None, None] * np.linspace(0, 1, 4)[:, None, None, None]
    assert conduct_moves(still) < 0.03
    assert conduct_moves(rng.standard_normal((3, 1, 400, 1, 1, 40))) < 0.1 < 40**-0.5
    assert conduct_moves(moving) == pytest.approx(np.std(np.linspace(0, 1, 4), ddof=1), abs=0.03)


# Scores come from the focal seat alone


def test_scores__a_lazy_self_player_never_scores_above_a_native() -> None:
    """In self-play it would earn a lot, but what counts is what it earns among natives, which is nothing."""
    returns = make_returns(spread=0.003)
    lazy, native = np.zeros_like(returns.adapted[GENERALIST]), returns.adapted[GENERALIST]
    gate = {**returns.gate, GENERALIST: lazy[:, 0]}
    returns = replace(returns, adapted={**returns.adapted, GENERALIST: lazy}, gate=gate)
    floor, best = returns.floor[None, :, None], returns.best_reply[None, :, None]
    scored = {name: scores(each, floor, best) for name, each in (("lazy", lazy), ("native", native))}
    assert (scored["lazy"](equal(QUICK)) < scored["native"](equal(QUICK))).all()
    lower, higher = (float(interquartile_mean(scored[name])(equal(QUICK))[0]) for name in ("lazy", "native"))
    assert lower < 0.05 < higher
    assert outcome("transfer", returns) == "inconclusive"
    assert not any("play" in name for name in Returns.__dataclass_fields__)


# Head start


def test_head_start__is_found_where_planted_and_reversed_where_reversed() -> None:
    returns = make_returns()
    assert outcome("head_start", returns) == "supported"
    swapped = {SPECIALIST: returns.curves[GENERALIST], GENERALIST: returns.curves[SPECIALIST]}
    assert outcome("head_start", replace(returns, curves={**returns.curves, **swapped})) == "contradicted"
    same = dict.fromkeys(HOME, returns.curves[SPECIALIST])
    assert outcome("head_start", replace(returns, curves=same)) == "no material difference"


def test_head_start__is_no_condition_of_transfer() -> None:
    returns = make_returns(spread=0.003)
    swapped = {SPECIALIST: returns.curves[GENERALIST], GENERALIST: returns.curves[SPECIALIST]}
    assert outcome("transfer", replace(returns, curves={**returns.curves, **swapped})) == "supported"


def test_head_start__area_and_time_of_straight_lines() -> None:
    steps = np.array([0.0, 1.0, 4.0])
    assert area(np.array([0.0, 0.5, 0.5]), steps) == pytest.approx((0.25 + 1.5) / 4)
    curves = np.array([[0.0, 0.4, 1.0], [0.9, 0.9, 0.9], [0.0, 0.1, 0.7], [0.0, 0.8, 0.5]])
    assert steps_to(0.8, curves, steps) == pytest.approx([3.0, 0.0, np.inf, 1.0])


def test_head_start__tells_the_time_to_threshold_of_each_arm() -> None:
    found = CLAIMS["head_start"].judge(make_returns(home={GENERALIST: 0.95}, spread=0.001)).intervals
    quick, slow = (found[f"steps to threshold, {arm}"] for arm in (SPECIALIST, GENERALIST))
    assert quick.estimate == pytest.approx(-2e5 * np.log(1 - 0.8 / 0.95), rel=0.1)
    assert quick.high < slow.low
    assert found["steps to threshold, central+memory"].estimate == np.inf


# Routine expertise


@pytest.mark.parametrize(
    ("generalist", "expected"),
    [(0.8, "supported"), (0.2, "contradicted"), (0.4, "no material difference"), (0.45, "inconclusive")],
)
def test_routine__weighs_what_each_arm_loses_by_the_change(generalist: float, expected: float) -> None:
    """Specialists lose .95 - .45 of the scale here, and generalists .85 minus what they carry over."""
    verdict = CLAIMS["routine"].judge(make_returns(away={GENERALIST: generalist}, spread=0.005))
    assert verdict.outcome == expected
    assert verdict.measure is not None
    assert verdict.measure.estimate == pytest.approx(generalist - 0.4, abs=0.02)
    assert verdict.intervals["loss of specialist"].estimate == pytest.approx(0.5, abs=0.02)
    assert verdict.intervals["loss of generalist"].estimate == pytest.approx(0.9 - generalist, abs=0.02)


def test_routine__who_never_learned_the_own_rules_has_nothing_to_lose() -> None:
    verdict = CLAIMS["routine"].judge(make_returns(home={GENERALIST: 0.3}, away={GENERALIST: 0.3}, spread=0.005))
    assert verdict.outcome == "inconclusive"
    assert "randomized+memory is not competent" in verdict.reason


def test_routine__slopes_are_those_of_losses_over_distance() -> None:
    """Where a loss is exactly a line over the distance, its slope is that of the line, whatever the weights."""
    returns, rng = make_returns(spread=0.0), np.random.default_rng(5)
    homes, targets = QUICK[:2]
    apart = rng.random((homes, targets))
    frozen = np.broadcast_to((0.95 - 0.1 - 0.6 * apart)[:, :, None, None, None], QUICK)
    returns = replace(returns, frozen={**returns.frozen, SPECIALIST: frozen}, matching_distance={SPECIALIST: apart})
    weights = [rng.dirichlet(np.ones(size), size=7) for size in QUICK]
    assert slope(returns, SPECIALIST, apart)(weights) == pytest.approx(0.6)
    found = CLAIMS["routine"].judge(returns).intervals["slope of specialist over distance by matching"]
    assert (found.estimate, found.low, found.high) == pytest.approx((0.6, 0.6, 0.6))


def test_routine__tells_the_loss_by_part_of_the_structure_and_by_number_of_rules() -> None:
    few = {"randomized@2+memory": 0.5, "randomized@16+memory": 0.7}
    returns = make_returns(away=few, home=dict.fromkeys(few, 0.9), spread=0.0005)
    frozen = returns.frozen[SPECIALIST] - np.array([0, 0, 0.2, 0.2])[:, None, None, None]
    returns = replace(
        returns,
        frozen={**returns.frozen, SPECIALIST: frozen},
        tiers=("composition", "composition", "family", "family"),
    )
    judgement = judge_all(returns)
    found = judgement.verdicts["routine"].intervals
    assert found["loss of specialist, composition"].estimate == pytest.approx(0.5, abs=0.01)
    assert found["loss of specialist, family"].estimate == pytest.approx(0.7, abs=0.01)
    told = CLAIMS["routine"].answer(judgement)
    assert told.endswith("By the number of rules in training, the loss was 45 points with 2 and 25 points with 16.")


# Break-even


@pytest.mark.parametrize(
    ("loss", "gain", "expected"), [(0.1, 0.3, 0.25), (-0.1, 0.3, 0.0), (0.1, -0.3, 1.0), (-0.1, -0.3, 0.25)]
)
def test_break_even__is_the_loss_over_loss_and_gain(loss: float, gain: float, expected: float) -> None:
    assert break_even(loss, gain) == pytest.approx(expected)


def test_break_even__counts_the_cases_and_says_from_where_on_variety_pays() -> None:
    verdict = CLAIMS["break_even"].judge(make_returns(spread=0.001))
    assert verdict.outcome == "supported"
    assert verdict.numbers["p_star"] == pytest.approx(0.1 / 0.4, abs=0.03)
    assert verdict.numbers["surely_costs_to"] < verdict.numbers["p_star"] < verdict.numbers["surely_pays_from"]
    assert verdict.numbers["share_between"] == 1


def test_break_even__the_net_gain_moves_evenly_from_the_loss_at_home_to_the_gain_away() -> None:
    """At share 0 it is minus the loss, at 1 it is the primary contrast, in one economy and in all alike."""
    returns = make_returns(spread=0.05)
    ends = [float(net(returns, share)(equal(QUICK))[0]) for share in (0.0, 0.25, 1.0)]
    lost = (returns.home[SPECIALIST] - returns.home[GENERALIST]).mean()
    assert ends[0] == pytest.approx(-lost)
    assert ends[2] == pytest.approx(float(advantage(returns)(equal(QUICK))[0]))
    assert ends[1] == pytest.approx(0.75 * ends[0] + 0.25 * ends[2])


def test_break_even__where_variety_wins_at_home_too_it_always_pays() -> None:
    verdict = CLAIMS["break_even"].judge(make_returns(home={GENERALIST: 1.2}, spread=0.001))
    assert (verdict.numbers["p_star"], verdict.numbers["share_always"]) == (0, 1)
    assert verdict.numbers["surely_pays_from"] == 0


def test_break_even__where_variety_loses_everywhere_it_never_pays() -> None:
    verdict = CLAIMS["break_even"].judge(make_returns(away={GENERALIST: 0.1}, spread=0.001))
    assert verdict.outcome == "contradicted"
    assert (verdict.numbers["p_star"], verdict.numbers["share_never"]) == (1, 1)
    assert "surely_pays_from" not in verdict.numbers


# Economies


def by_economy(effects: np.ndarray, **fields: np.ndarray) -> Returns:
    returns = make_returns((3, 4, 2, 2, len(effects)), spread=0.002)
    better = returns.adapted[GENERALIST] - (AWAY[GENERALIST] - AWAY[SPECIALIST]) + effects
    return replace(returns, adapted={**returns.adapted, GENERALIST: better}, economies=fields)


def test_economies__ahead_in_each_or_surely_behind_in_one() -> None:
    assert outcome("economies", by_economy(np.full(8, 0.3))) == "supported"
    assert outcome("economies", by_economy(np.array([0.3] * 7 + [-0.3]))) == "contradicted"
    assert outcome("economies", by_economy(np.array([0.3] * 7 + [0.0]))) == "inconclusive"
    assert outcome("economies", by_economy(np.zeros(8))) == "no material difference"


def test_economies__looking_at_many_is_allowed_for() -> None:
    high = CLAIMS["economies"].judge(by_economy(np.zeros(8))).intervals["economy 7"].high
    only_just = np.array([0.3] * 7 + [-1.0001 * high])
    assert CLAIMS["economies"].judge(by_economy(only_just)).numbers["share_surely_behind"] == 1 / 8
    assert outcome("economies", by_economy(only_just)) == "inconclusive"
    assert outcome("economies", by_economy(only_just - 2 * high)) == "contradicted"


def test_economies__finds_the_field_where_the_verdict_flips() -> None:
    load, other = np.linspace(1, 3, 20), np.random.default_rng(0).random(20)
    verdict = CLAIMS["economies"].judge(by_economy(np.where(load > 2.4, -0.2, 0.3), load=load, other=other))
    assert "load best separates the signs (ahead below" in verdict.reason
    assert verdict.numbers["cut of load"] == pytest.approx(2.42, abs=0.1)
    assert (verdict.numbers["separation"], verdict.numbers["share_ahead"]) == pytest.approx((1, 14 / 20))
    assert verdict.numbers["worst_decile"] == pytest.approx(-0.2, abs=0.01)


def test_flip__owns_up_to_chance() -> None:
    rng = np.random.default_rng(0)
    chances = []
    for _ in range(60):
        found = flip(rng.standard_normal(16), {str(index): rng.random(16) for index in range(11)}, deals=99)
        assert found is not None
        chances.append(found.chance)
    assert np.mean(np.array(chances) < 0.1) < 0.25
    assert flip(np.ones(8), {"load": np.arange(8.0)}) is None


# Invariances


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 100), st.sampled_from([0.8, 0.55, 0.2]))
def test_verdicts__do_not_depend_on_the_unit_of_money(unit: float, generalist: float) -> None:
    returns = make_returns(away={GENERALIST: generalist})
    plain, scaled = judge_all(returns).verdicts, judge_all(changed(returns, lambda array: unit * array)).verdicts
    assert outcomes(plain) == outcomes(scaled)
    measures = [(plain[name].measure, scaled[name].measure) for name in ("transfer", "head_start", "break_even")]
    assert all(a and b and a.low == pytest.approx(b.low, abs=1e-9) for a, b in measures)


@settings(max_examples=15, deadline=None)
@given(st.floats(-10, 10), st.sampled_from([0.8, 0.55, 0.2]))
def test_verdicts__do_not_depend_on_what_all_earn_alike(gift: float, generalist: float) -> None:
    returns = make_returns(away={GENERALIST: generalist})
    plain, richer = judge_all(returns).verdicts, judge_all(changed(returns, lambda array: array + gift)).verdicts
    assert outcomes(plain) == outcomes(richer)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_verdicts__do_not_depend_on_the_order_of_seeds(seed: int) -> None:
    returns = make_returns((3, 4, 5, 2, 8))
    order = np.random.default_rng(seed).permutation(5)
    shuffled = replace(
        returns,
        adapted={name: array[:, :, order] for name, array in returns.adapted.items()},
        home={name: array[:, order] for name, array in returns.home.items()},
    )
    plain, other = CLAIMS["transfer"].judge(returns), CLAIMS["transfer"].judge(shuffled)
    assert plain.outcome == other.outcome == "supported"
    assert plain.measure is not None
    assert other.measure is not None
    assert plain.measure.estimate == pytest.approx(other.measure.estimate)
    assert plain.measure.low == pytest.approx(other.measure.low, abs=0.02)


# What is refused


def test_returns__that_do_not_fit_are_refused_by_name() -> None:
    returns = make_returns()
    with pytest.raises(ValueError, match=r"adapted\['randomized'\] has 3 along the axis seed, others have 2"):
        replace(returns, adapted={**returns.adapted, "randomized": np.zeros((3, 4, 3, 2, 8))})
    with pytest.raises(ValueError, match="floor holds a number that is not finite"):
        replace(returns, floor=returns.floor * np.nan)
    with pytest.raises(ValueError, match="best_reply has the shape"):
        replace(returns, best_reply=np.zeros((4, 2)))


@pytest.mark.parametrize("field", ["adapted", "gate", "curves"])
def test_claims__a_missing_arm_is_named(field: str) -> None:
    returns = make_returns()
    less: Any = {name: array for name, array in getattr(returns, field).items() if name != SPECIALIST}
    verdicts = judge_all(replace(returns, **{field: less})).verdicts
    named = [each for each in verdicts.values() if f"of the arm {SPECIALIST} is missing" in each.reason]
    assert named
    assert {each.outcome for each in named} == {"inconclusive"}
