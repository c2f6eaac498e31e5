"""Awareness and capability: planted organizations that know or do, and what the claim makes of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from studies import Planted, make_findings
from synthetic import GENERALIST, make_returns

from ruleshift.eval import load_preset
from ruleshift.eval.claims import CLAIMS, Returns, judge_all
from ruleshift.eval.claims.awareness import BOTH, DOES_ONLY, KNOWS_ONLY
from ruleshift.eval.claims.knowledge import Correlation, Policies, correlation_interval, reliability
from ruleshift.eval.claims.returns import Run
from ruleshift.eval.statistics import Sizes, equal

SIZES: Sizes = (3, 5, 4, 2, 8)
ARMS = ("fixed+nuisance+memory", "central+memory", "randomized", GENERALIST)
JUDGE = CLAIMS["awareness"].judge


def planted(
    correlation: float, sizes: Sizes = SIZES, *, noise: float = 0.02, seed: int = 0, hard: float = 0.0
) -> Returns:
    """Returns of a study in which what policies know and earn are normal with this correlation, policy by policy.

    Args:
        correlation: over policies, the same under each rule.
        sizes: levels of the factors.
        noise: standard deviation of the noise of each economy, where policies differ by 1 in standard deviation.
        seed: seed of the draws.
        hard: how much less all know of the second rule than of the first and so on, and how much less they earn.
    """
    homes, targets, seeds, panels, economies = sizes
    rng = np.random.default_rng(seed)
    base = make_returns(sizes, away=dict.fromkeys(ARMS, 0.5), home=dict.fromkeys(ARMS, 0.9), spread=0.001)
    keys = [(arm, home, s) for arm in ARMS for home in (range(homes) if arm.startswith("fixed") else (None,))
            for s in range(seeds)]  # fmt: skip
    earned = {arm: np.zeros(sizes) for arm in ARMS}
    runs = []
    for arm, home, s in keys:
        skill = rng.standard_normal(targets)
        awareness = correlation * skill + np.sqrt(1 - correlation**2) * rng.standard_normal(targets)
        skill, awareness = (each - hard * np.arange(targets) for each in (skill, awareness))
        chosen = slice(None) if home is None else home
        for g in range(targets):
            earned[arm][chosen, g, s] = 0.5 + 0.1 * (skill[g] + noise * rng.standard_normal((panels, economies)))
            r2 = np.full((economies, panels), np.nan)
            r2[:, 0] = 0.4 + 0.1 * (awareness[g] + noise * rng.standard_normal(economies))
            values = {
                name: np.where(np.isnan(r2), np.nan, at) for name, at in (("r2_of_mean", -0.2), ("coverage", 0.8))
            }
            values["r2"] = r2
            name = "" if home is None else f"home{home}"
            runs.append(Run(arm, name, f"rule{g}", s, 1.0, "probe", None, (), values))
    return replace(base, frozen=earned, runs=tuple(runs))


def by_arm(known: dict[str, float], earned: dict[str, float]) -> Returns:
    """Returns of a study in which the policies of an arm are all but alike in what they know and earn."""
    returns = planted(0.0)
    runs = [replace(run, values={**run.values, "r2": 0.01 * run.values["r2"] + known[run.arm]}) for run in returns.runs]
    frozen = {arm: 0.01 * array + earned[arm] for arm, array in returns.frozen.items()}
    return replace(returns, runs=tuple(runs), frozen=frozen)


# What the claim concludes


def test_awareness__poor_where_what_is_known_does_not_show_in_what_is_earned() -> None:
    verdict = JUDGE(planted(-0.6))
    assert verdict.outcome == "supported"
    assert verdict.measure is not None
    assert verdict.measure.high < 0.25
    assert "below 0.25" in verdict.reason


def test_awareness__contradicted_where_those_who_know_more_earn_more() -> None:
    verdict = JUDGE(planted(0.95))
    assert verdict.outcome == "contradicted"
    assert verdict.measure is not None
    assert verdict.measure.low > 0.35


def test_awareness__at_the_mark_there_is_no_material_difference() -> None:
    """Policies of an arm are alike, and over the four arms the correlation is the mark exactly."""
    known, other = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    earns = 0.3 * known + np.sqrt(1 - 0.3**2) * other
    verdict = JUDGE(by_arm(dict(zip(ARMS, known, strict=True)), dict(zip(ARMS, 0.5 + 0.1 * earns, strict=True))))
    assert verdict.outcome == "no material difference", verdict.measure


def test_awareness__few_policies_leave_it_inconclusive() -> None:
    assert JUDGE(planted(0.3, (2, 2, 2, 2, 8))).outcome == "inconclusive"


def test_awareness__a_rule_that_all_find_hard_is_no_awareness() -> None:
    """All know less of hard rules and earn less under them: the two correlate, yet no policy gains by knowing more."""
    verdict = JUDGE(planted(0.0, hard=3.0))
    raw = verdict.intervals["correlation, differences between rules left in"]
    assert verdict.measure is not None
    assert raw.estimate > 0.8 > 0.4 > verdict.measure.estimate


def test_awareness__noise_that_hides_what_policies_know_is_no_support() -> None:
    """Noise makes every correlation small, and would support the claim wherever the probe fails."""
    verdict = JUDGE(planted(0.95, noise=8.0))
    assert verdict.outcome == "inconclusive"
    assert "does not differ surely (reliability" in verdict.reason


def test_awareness__where_the_generalist_is_incompetent_nothing_follows() -> None:
    returns = planted(-0.6)
    gate = {**returns.gate, GENERALIST: 0.2 * returns.gate[GENERALIST]}
    verdict = JUDGE(replace(returns, gate=gate))
    assert verdict.outcome == "inconclusive"
    assert f"{GENERALIST} is not competent" in verdict.reason
    assert verdict.measure is not None


def test_awareness__needs_the_probe_several_policies_and_seeds() -> None:
    verdict = judge_all(make_returns()).verdicts["awareness"]
    assert (verdict.outcome, "not probed" in verdict.reason) == ("inconclusive", True)
    assert "with 1 training seed" in JUDGE(planted(0.5, (3, 5, 1, 2, 8))).reason
    returns = planted(0.5, (3, 5, 2, 2, 8))
    few = tuple(run for run in returns.runs if run.arm == GENERALIST)
    assert "2 policies are too few" in JUDGE(replace(returns, runs=few)).reason


# Who knows and who does


def test_awareness__tells_who_knows_and_does_not_do_from_who_does_and_does_not_know() -> None:
    known = dict(zip(ARMS, (-0.2, -0.2, 0.9, 0.9), strict=True))
    found = JUDGE(by_arm(known, dict(zip(ARMS, (0.1, 0.9, 0.9, 0.1), strict=True)))).intervals
    for name in (KNOWS_ONLY, DOES_ONLY, BOTH):
        assert found[name].estimate == pytest.approx(0.25)
        assert 0.0 <= found[name].low <= found[name].high <= 1.0


# The correlation


def test_correlation__is_that_of_scipy_where_all_weigh_the_same() -> None:
    returns = planted(0.4, hard=0.5)
    kept = tuple(run for run in returns.runs if run.arm != "fixed+nuisance+memory")
    policies = Policies.probed(replace(returns, runs=kept))
    earned, weights = policies.earned(returns.frozen), equal(SIZES)
    known, earns = policies.known.mean(axis=2), earned.mean(axis=(2, 3))
    pooled = Correlation(policies, earned, within=False)(weights)[0]
    assert pooled == pytest.approx(stats.pearsonr(known.ravel(), earns.ravel()).statistic)
    centred = [each - each.mean(axis=0) for each in (known, earns)]
    within = Correlation(policies, earned)(weights)[0]
    assert within == pytest.approx(stats.pearsonr(*(each.ravel() for each in centred)).statistic)
    by_rule = [stats.spearmanr(known[:, g], earns[:, g]).statistic for g in range(SIZES[1])]
    assert Correlation(policies, earned, ranked=True)(weights)[0] == pytest.approx(np.mean(by_rule))


def test_correlation__an_arm_weighs_the_same_with_one_policy_a_home_as_with_one_for_all() -> None:
    """Copies of a policy for each home change nothing."""
    returns = planted(0.4)
    copied = []
    for run in returns.runs:
        homes = [f"home{h}" for h in range(SIZES[0])] if run.arm == GENERALIST else [run.home]
        copied += [replace(run, home=home) for home in homes]
    found = [
        Correlation(policies, policies.earned(returns.frozen))(equal(SIZES))[0]
        for policies in (Policies.probed(replace(returns, runs=tuple(each))) for each in (returns.runs, copied))
    ]
    assert found[0] == pytest.approx(found[1])


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 100), st.floats(-10, 10), st.integers(0, 100))
def test_correlation__does_not_depend_on_the_units(unit: float, gift: float, seed: int) -> None:
    returns = planted(0.5, (2, 3, 2, 1, 2), seed=seed)
    policies = Policies.probed(returns)
    earned = policies.earned(returns.frozen)
    for ranked in (False, True):
        plain, other = (
            Correlation(policies, each, ranked=ranked)(equal((2, 3, 2, 1, 2)))[0]
            for each in (earned, unit * earned + gift)
        )
        assert plain == pytest.approx(other, abs=1e-6)


def test_correlation__what_was_not_measured_does_not_count() -> None:
    returns = planted(0.5)
    policies = Policies.probed(returns)
    earned = policies.earned(returns.frozen)
    without = earned.copy()
    without[:, 0] = np.nan
    fewer = replace(policies, known=policies.known[:, 1:])
    weights = equal((3, 4, 4, 2, 8))
    expected = Correlation(fewer, earned[:, 1:])(weights)[0]
    assert Correlation(policies, without)(equal(SIZES))[0] == pytest.approx(expected)


@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize("blocks", [False, True])
def test_correlation__is_linearised_as_its_derivatives_say(within: bool, blocks: bool) -> None:
    """What all cells of a level move it by, on average, is its slope as that level gains weight from the others."""
    returns = planted(0.5, noise=0.5, hard=0.5)
    policies = Policies.probed(returns)
    earned = policies.earned(returns.frozen)
    if blocks:  # each specialist adapts to some of the rules
        for policy, home in enumerate(policies.homes):
            if home is not None:
                earned[policy, [home, home + 2]] = np.nan
    correlation = Correlation(policies, earned, within)
    moved, plain = correlation.linearised(SIZES), correlation(equal(SIZES))[0]
    assert moved.mean() == pytest.approx(0.0, abs=1e-12)
    for axis, size in enumerate(SIZES):
        others = tuple(each for each in range(len(SIZES)) if each != axis)
        for level in range(size):
            weights = equal(SIZES)
            weights[axis] = weights[axis] + 1e-5 * (np.eye(size)[level] - weights[axis])
            slope = (correlation(weights)[0] - plain) / 1e-5
            assert moved.mean(axis=others)[level] == pytest.approx(slope, abs=1e-4)


def test_correlation__interval_holds_the_truth_and_stays_within_one() -> None:
    inside = 0
    for seed in range(60):
        returns = planted(0.6, (3, 6, 3, 1, 2), seed=seed)
        policies = Policies.probed(returns)
        found = correlation_interval(Correlation(policies, policies.earned(returns.frozen)), (3, 6, 3, 1, 2))
        assert -1 < found.low < found.estimate < found.high < 1
        inside += found.low <= 0.6 <= found.high
    assert inside >= 55


def test_correlation__of_policies_that_all_know_the_same_is_refused() -> None:
    returns = planted(0.5)
    policies = Policies.probed(returns)
    alike = replace(policies, known=np.full_like(policies.known, 0.3))
    with pytest.raises(ValueError, match="nothing to correlate"):
        correlation_interval(Correlation(alike, policies.earned(returns.frozen)), SIZES)


def test_reliability__is_the_share_of_variance_that_is_not_noise() -> None:
    """With unit differences between policies and noise of variance v in each of E economies: 1 / (1 + v / E)."""
    rng = np.random.default_rng(0)
    for variance in (0.5, 8.0, 40.0):
        values = rng.standard_normal((400, 20, 1)) + np.sqrt(variance) * rng.standard_normal((400, 20, 8))
        assert reliability(values) == pytest.approx(1 / (1 + variance / 8), abs=0.03)
    assert np.isnan(reliability(values[:, :, :1]))


# In a whole study

WHOLE = replace(
    load_preset("testing"), homes=("price_board", "promoted_listing"), claims=("transfer", "awareness"),
    held_out=("dispatch_lottery", "open_enrolment", "second_price_exchange"), economies=4,
    arms=("fixed+nuisance+memory", "central+memory", "randomized", GENERALIST, "aware+memory"),
)  # fmt: skip


def test_awareness__in_a_study_told_policies_are_compared_with_untold_ones_and_with_themselves() -> None:
    arms = {
        "aware+memory": 0.9,
        GENERALIST: 0.7,
        "randomized": 0.5,
        "central+memory": 0.3,
        "fixed+nuisance+memory": 0.2,
    }
    findings = make_findings(Planted(away=arms, known=arms), WHOLE)
    verdict = findings.judgement.verdicts["awareness"]
    assert verdict.outcome == "contradicted"
    found = {name: each.estimate for name, each in verdict.intervals.items()}
    assert found[f"aware+memory minus {GENERALIST}, adapted"] == pytest.approx(0.2, abs=0.02)
    assert found["aware+memory minus itself with the rule hidden"] == pytest.approx(0.2, abs=0.02)
    assert found["correlation among policies that are not told the rule"] > 0.9
    for arm, score in arms.items():
        assert found[f"{arm}: R2 of the rule"] == pytest.approx(score, abs=0.02)
        assert found[f"{arm}: coverage of 80% intervals"] == pytest.approx(0.8)
        assert found[f"{arm}: slope of the truth on what is read"] == pytest.approx(0.9)
    answer = CLAIMS["awareness"].answer(findings.judgement)
    assert answer.startswith("No, closely: over policies under the same rule")
    assert "A generalist that is told the rule scores +20 points" in answer


@pytest.mark.parametrize(
    ("correlation", "begins"), [(-0.6, "Poorly: "), (0.95, "No, closely: "), (0.3, "Inconclusive: ")]
)
def test_awareness__the_answer_follows_from_the_verdict(correlation: float, begins: str) -> None:
    judgement = judge_all(planted(correlation))
    text = CLAIMS["awareness"].answer(judgement)
    assert text.startswith(begins)
    assert "know and do not do" in text
