"""Schema induction: what the claim makes of planted arms, and the tail of the scores beside their mean."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import GENERALIST, QUICK, make_returns

from ruleshift.eval.claims import CLAIMS, Returns, judge_all
from ruleshift.eval.claims.knowledge import knowledge
from ruleshift.eval.claims.returns import Run
from ruleshift.eval.claims.schema import NAMED, OTHERS, READ, SCHEMA
from ruleshift.eval.statistics import Ratio, equal, optimality_gap, scores, worst_tenth

CLAIM = CLAIMS["schema"]


def planted(schema: float, *, spread: float = 0.001, gate: float = 0.9, **others: float) -> Returns:
    """Returns of a study in which the generalist scores .5 at held-out rules, and these arms as given."""
    arms = {f"{name}+memory": score for name, score in others.items()}
    away = {GENERALIST: 0.5, SCHEMA: schema, **arms}
    return make_returns(away=away, home={GENERALIST: 0.9, SCHEMA: gate, **dict.fromkeys(arms, 0.9)}, spread=spread)


@pytest.mark.parametrize(
    ("schema", "expected"), [(0.8, "supported"), (0.5, "no material difference"), (0.2, "contradicted")]
)
def test_schema__a_planted_effect_is_found(schema: float, expected: str) -> None:
    verdict = CLAIM.judge(planted(schema))
    assert verdict.outcome == expected
    for found in (verdict.measure, verdict.intervals["under these rules"]):
        assert found is not None
        assert found.low <= schema - 0.5 <= found.high


def test_schema__noise_leaves_it_inconclusive() -> None:
    assert CLAIM.judge(planted(0.8, spread=0.3)).outcome == "inconclusive"


@pytest.mark.parametrize("incompetent", [SCHEMA, GENERALIST])
def test_schema__an_incompetent_arm_makes_it_inconclusive(incompetent: str) -> None:
    returns = planted(0.8)
    verdict = CLAIM.judge(replace(returns, gate={**returns.gate, incompetent: 0.2 * returns.gate[incompetent]}))
    assert verdict.outcome == "inconclusive"
    assert f"{incompetent} is not competent" in verdict.reason
    assert verdict.measure is not None


def test_schema__without_its_arm_it_is_inconclusive_and_says_so() -> None:
    verdict = judge_all(make_returns()).verdicts["schema"]
    assert verdict.outcome == "inconclusive"
    assert f"of the arm {SCHEMA} is missing" in verdict.reason
    assert CLAIM.answer(judge_all(make_returns())).startswith("Inconclusive: the adapted return")


def test_schema__other_ways_to_learn_from_the_same_rules_stand_beside_it() -> None:
    verdict = CLAIM.judge(planted(0.8, distilled=0.6, replay=0.3))
    compared = {arm for arm in OTHERS if f"{arm} minus {GENERALIST}" in verdict.intervals}
    assert compared == {"distilled+memory", "replay+memory"}
    for arm, score in (("distilled+memory", 0.6), ("replay+memory", 0.3)):
        for scope in ("", ", under these rules"):
            found = verdict.intervals[f"{arm} minus {GENERALIST}{scope}"]
            assert found.low <= score - 0.5 <= found.high


def test_schema__tells_the_worst_rules_the_middle_runs_and_the_gap() -> None:
    returns = planted(0.8, spread=0.0)
    by_rule = np.array([0.2, 0.6, 0.8, 1.4])[None, :, None, None, None]
    adapted = {**returns.adapted, SCHEMA: np.broadcast_to(by_rule, returns.adapted[SCHEMA].shape)}
    found = CLAIM.judge(replace(returns, adapted=adapted)).intervals
    assert found[f"{SCHEMA}: score under the worst tenth of rules"].estimate == pytest.approx(0.2)
    assert found[f"{SCHEMA}: interquartile mean"].estimate == pytest.approx(0.7)
    assert found[f"{SCHEMA}: optimality gap"].estimate == pytest.approx((0.8 + 0.4 + 0.2 + 0.0) / 4)
    assert found[f"{GENERALIST}: optimality gap"].estimate == pytest.approx(0.5)


def test_schema__tells_how_well_the_rule_is_named() -> None:
    """Half of the error of the training mean is left for two rules, and none for the two others."""
    returns, runs = planted(0.8), []
    for protocol, right in (("naming", 1.0), ("probe", 0.5)):
        for g in range(QUICK[1]):
            for seed in range(QUICK[2]):
                r2 = np.full((QUICK[4], QUICK[3]), np.nan)
                r2[:, 0] = right if g < 2 else 0.0
                of_mean = np.where(np.isnan(r2), np.nan, -1.0)
                values = {"r2": r2, "r2_of_mean": of_mean, "coverage": of_mean}
                runs.append(Run(SCHEMA, "", f"rule{g}", seed, 1.0, protocol, None, (), values))
    returns = replace(returns, runs=tuple(runs))
    found = CLAIM.judge(returns).intervals
    assert found[f"{SCHEMA}: {NAMED}"].estimate == pytest.approx((1.0 + 1.0 + 0.5 + 0.5) / 4)
    assert found[f"{SCHEMA}: {READ}"].estimate == pytest.approx((0.75 + 0.75 + 0.5 + 0.5) / 4)
    assert "has an R2 of 0.75" in CLAIM.answer(judge_all(returns))
    assert knowledge(returns, GENERALIST) is None
    unscaled = CLAIM.judge(replace(returns, floor=returns.best_reply + 0.1))
    assert "no scale" in unscaled.reason
    assert set(unscaled.intervals) == {f"{SCHEMA}: {NAMED}", f"{SCHEMA}: {READ}"}


@pytest.mark.parametrize(
    ("schema", "spread", "begins"),
    [
        (0.8, 0.001, "Yes. The generalist that names the rule scored 30 points higher"),
        (0.2, 0.001, "No, the reverse. The generalist that names the rule scored 30 points lower"),
        (0.5, 0.001, "No. The generalist that names the rule scored 0 points"),
        (0.8, 0.3, "Inconclusive: "),
    ],
)
def test_schema__the_answer_follows_from_the_verdict(schema: float, spread: float, begins: str) -> None:
    text = CLAIM.answer(judge_all(planted(schema, spread=spread)))
    assert text.startswith(begins), text
    assert "Under these rules, taken as they are, the interval is" in text


# The tail


def test_optimality_gap__is_what_runs_below_one_fall_short_by() -> None:
    rng = np.random.default_rng(0)
    returns = rng.uniform(-0.5, 1.5, (3, 4, 2, 1, 1))
    of = scores(returns, np.zeros((1, 4, 1, 1, 1)), np.ones((1, 4, 1, 1, 1)))
    expected = 1 - np.minimum(returns, 1.0).mean()
    assert optimality_gap(of)(equal((3, 4, 2, 1, 1)))[0] == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([10, 20, 30, 40]))
def test_worst_tenth__is_the_mean_of_the_lowest_rules(seed: int, targets: int) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((3, targets, 2, 2, 2))
    lowest = np.sort(returns.mean(axis=(0, 2, 3, 4)))[: targets // 10]
    found = worst_tenth(Ratio(returns, np.ones((1, targets, 1, 2, 2))))(equal((3, targets, 2, 2, 2)))
    assert found[0] == pytest.approx(lowest.mean())


def test_worst_tenth__of_few_rules_is_the_worst_of_them() -> None:
    returns = np.broadcast_to(np.array([0.5, -1.0, 0.7])[None, :, None, None, None], (2, 3, 2, 1, 1))
    assert worst_tenth(Ratio(returns, np.ones((1, 3, 1, 1, 1))))(equal((2, 3, 2, 1, 1)))[0] == pytest.approx(-1.0)


def test_worst_tenth__what_was_not_measured_is_not_the_worst() -> None:
    returns = np.full((2, 20, 2, 1, 1), 0.5)
    returns[:, :2], returns[:, 2:4] = np.nan, 0.1
    found = worst_tenth(Ratio(returns, np.ones((1, 20, 1, 1, 1))))(equal((2, 20, 2, 1, 1)))
    assert found[0] == pytest.approx(0.1)
