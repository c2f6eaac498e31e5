"""Inequality: the measures against brute force and known ends, the protocol, and both claims where truth is planted."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import GENERALIST, make_returns

from ruleshift.agents import Constant
from ruleshift.envs.layout import observation_layout
from ruleshift.eval.claims import CLAIMS, Judgement, Returns
from ruleshift.eval.claims.infrastructure_equalizes import FACTORS, GAINS, at_gain, equal, shapley
from ruleshift.eval.claims.returns import Run
from ruleshift.eval.claims.spread import HIGH, KINDS, LOW
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.preset import load_preset
from ruleshift.eval.experiment.protocols.inequality import CONTRASTED, IDENTICAL, PROTOCOL, unequal
from ruleshift.eval.inequality import gini, top_share
from ruleshift.eval.jobs.folder import Folder

# The measures

amounts = arrays(np.float64, st.integers(2, 12), elements=st.floats(-100, 100).map(lambda x: round(x, 3)))


@given(amounts)
@example(np.full(5, 1.688))
def test_gini__is_the_mean_difference_of_all_pairs_over_the_largest_that_there_can_be(x: np.ndarray) -> None:
    pairs = sum(abs(a - b) for a, b in combinations(x, 2))
    whole = np.abs(x).sum()
    expected = pairs / ((len(x) - 1) * whole) if whole else 0.0
    assert gini(x) == pytest.approx(expected, abs=1e-9)
    assert 0 <= gini(x) <= 1 + 1e-9


@given(amounts, st.floats(0.1, 10))
def test_gini__is_the_same_in_any_unit_and_order(x: np.ndarray, unit: float) -> None:
    assert gini(unit * x[::-1]) == pytest.approx(gini(x), abs=1e-9)


def test_gini__of_whole_numbers_in_a_row() -> None:
    """Of 1, 2, .., n, the textbook's index is (n - 1) / 3n, and the largest that there can be is (n - 1) / n."""
    assert gini(np.arange(1.0, 10.0)) == pytest.approx(1 / 3)


@given(amounts)
def test_top_share__of_all_parts_adds_up(x: np.ndarray) -> None:
    gains = np.sort(np.maximum(x, 0))[::-1]
    for count in range(1, len(x) + 1):
        expected = gains[:count].sum() / gains.sum() if gains.sum() else count / len(x)
        assert top_share(x, count / len(x)) == pytest.approx(expected, abs=1e-9)


def test_top_share__between_organizations_lies_on_the_lorenz_curve() -> None:
    assert top_share(np.ones(8)) == pytest.approx(0.1)
    assert top_share(np.array([6.0, 1.0, 1.0, 0.0, 0.0, -3.0, 0.0, 0.0])) == pytest.approx(0.8 * 6 / 8)
    assert top_share(np.zeros(5)) == pytest.approx(0.1)


# The claims

RULES, ECONOMIES = tuple(f"rule {number}" for number in range(6)), 8


def planted(ginis: Mapping[str, float], *, seeds: int = 2, lead: float = 0.2, spread: float = 0.002) -> Returns:
    """A study in which organizations of any kind are so unequal by setting, and as much as .4 in all others."""
    rng = np.random.default_rng(0)
    return replace(make_returns(), runs=tuple(_runs(ginis, seeds, lead, spread, rng)))


def _runs(
    ginis: Mapping[str, float], seeds: int, lead: float, spread: float, rng: np.random.Generator
) -> Iterator[Run]:
    economy = load_preset("quick")
    learned = unequal(Design.of(economy).economies[0])
    for arm in [arm for arms in KINDS.values() for arm in arms]:
        settings = IDENTICAL if arm in KINDS["scripted"] else {**IDENTICAL, **learned}
        if arm == GENERALIST:
            settings = {name: each for name, each in settings.items() if name in IDENTICAL or name in CONTRASTED}
        for rule in RULES:
            of_rule = spread * rng.standard_normal()
            for seed in range(seeds) if arm == GENERALIST else (None,):
                for setting in settings:
                    noise = of_rule + spread * rng.standard_normal((ECONOMIES, 2))
                    noise[:, 1] = np.nan
                    values = {"gini": ginis.get(setting, 0.4) + noise, "top_tenth": 0.3 + noise, "lead": lead + noise}
                    yield Run(arm, "", rule, seed, 1.0, f"inequality_{setting}", None, (), values)
        if arm == "posted_price":
            for number, rule in enumerate(RULES):
                rejected = {"rejected": np.full((ECONOMIES, 2), float(number < 4))}
                yield Run(arm, "", rule, None, 1.0, "inequality_tail_high", None, (), rejected)


def judged(claim: str, returns: Returns) -> tuple[str, float, str]:
    """Outcome, measure and answer."""
    verdict = CLAIMS[claim].judge(returns)
    assert verdict.measure is not None
    return verdict.outcome, verdict.measure.estimate, CLAIMS[claim].answer(Judgement(returns, {claim: verdict}))


@pytest.mark.parametrize(
    ("high", "outcome", "said"),
    [
        (0.7, "supported", "Yes, by far."),
        (0.2, "contradicted", "No, by far less unequal."),
        (0.45, "no material difference", "No: a difference of less than 10 points"),
        (0.5, "inconclusive", "Inconclusive."),
    ],
)
def test_variance__a_planted_effect_of_amplification_is_found(high: float, outcome: str, said: str) -> None:
    noise = 0.1 if outcome == "inconclusive" else 0.002
    found = judged("variance", planted({f"amplification_{HIGH}": high}, spread=noise))
    assert found[0] == outcome
    assert found[1] == pytest.approx(high - 0.4, abs=2 * noise)
    assert found[2].startswith(said)
    assert outcome == "inconclusive" or f"40 points at amplification {LOW} and {100 * high:.0f} at {HIGH}" in found[2]
    assert "not rejected in 2 of 6 (amplification 8)" in found[2]


def test_variance__says_what_endogenous_capability_adds() -> None:
    verdict = CLAIMS["variance"].judge(planted({f"amplification_{HIGH}": 0.7, f"exogenous_{HIGH}": 0.5}))
    assert verdict.intervals["the same with exogenous capability"].estimate == pytest.approx(0.1, abs=0.005)
    assert verdict.intervals["what endogenous capability adds to it"].estimate == pytest.approx(0.2, abs=0.005)
    assert verdict.intervals["popularity that lasts, less none"].estimate == pytest.approx(0, abs=0.005)
    assert verdict.numbers["share of the top tenth at amplification 8"] == pytest.approx(0.3, abs=0.005)


def test_variance__one_training_seed_gives_no_verdict_unless_the_study_has_no_generalist() -> None:
    returns = planted({f"amplification_{HIGH}": 0.7}, seeds=1)
    assert judged("variance", returns)[0] == "inconclusive"
    without = replace(returns, runs=[run for run in returns.runs if run.arm != GENERALIST])
    assert judged("variance", without)[0] == "supported"


@pytest.mark.parametrize(
    ("competence", "outcome", "said"),
    [
        (0.2, "supported", "No, equal competence would do more."),
        (0.6, "contradicted", "It does more than equal competence would."),
        (0.4, "no material difference", "As much, or as little"),
        (0.35, "inconclusive", "Inconclusive."),
    ],
)
def test_infrastructure__a_planted_effect_of_competence_is_found(competence: float, outcome: str, said: str) -> None:
    noise = 0.3 if outcome == "inconclusive" else 0.002
    found = judged("infrastructure_equalizes", planted({equal("competence"): competence}, spread=noise, lead=9.0))
    assert found[0] == outcome
    assert found[1] == pytest.approx(0.4 - competence, abs=2 * noise)
    assert found[2].startswith(said)


def test_infrastructure__without_a_lead_competence_is_not_what_differs() -> None:
    outcome, _, said = judged("infrastructure_equalizes", planted({equal("competence"): 0.2}, lead=0.0))
    assert outcome == "inconclusive"
    assert "the competent half may earn no more than the other" in said


def test_infrastructure__finds_the_gain_at_which_the_sign_flips() -> None:
    """The contrast is .1 at a gain of .3, and -.1 at a gain of 1: it is 0 half-way."""
    ginis = {equal("competence"): 0.3, at_gain(equal("competence"), GAINS[0]): 0.5}
    numbers = CLAIMS["infrastructure_equalizes"].judge(planted(ginis, spread=0.0)).numbers
    assert numbers["infrastructure gain at which the sign flips"] == pytest.approx(0.65)
    numbers = CLAIMS["infrastructure_equalizes"].judge(planted({equal("competence"): 0.3}, spread=0.0)).numbers
    assert "infrastructure gain at which the sign flips" not in numbers


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0, 1))
def test_shapley__of_effects_that_add_up_gives_each_its_own_and_shares_an_interaction(
    effects: list[float], joint: float
) -> None:
    """What only all three together do is shared equally."""
    own = dict(zip(FACTORS, effects, strict=True))
    subsets = [frozenset(each) for count in range(4) for each in combinations(FACTORS, count)]
    ginis = {each: 5 - sum(own[name] for name in each) - joint * (len(each) == 3) for each in subsets}
    found = shapley(ginis)
    assert found == pytest.approx({name: effect + joint / 3 for name, effect in own.items()})
    assert sum(found.values()) == pytest.approx(ginis[frozenset()] - ginis[frozenset(FACTORS)])


@pytest.mark.parametrize("claim", ["variance", "infrastructure_equalizes"])
def test_claims__without_the_protocol_there_is_nothing_to_judge(claim: str) -> None:
    with pytest.raises(ValueError, match="the protocol inequality was not played"):
        CLAIMS[claim].judge(make_returns())


# The protocol


class Watched(Constant):
    """A constant conduct that keeps all that it is shown of infrastructure."""

    seen: ClassVar[list[float]] = []

    def act(self, observations: np.ndarray, *more: Any) -> Any:
        self.seen.extend(observations[:, observation_layout(3)["infrastructure"]].ravel())
        return super().act(observations, *more)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """What natives would do in such a study if they were a constant conduct."""
    context = Context(Design.of(load_preset("testing")), Folder(tmp_path_factory.mktemp("study"), ""))
    context.native = lambda panel, rule: Watched(0.6, 0.5, 0.0)  # type: ignore[method-assign]
    return PROTOCOL.compute(Cell("inequality", "native"), context)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """What scripted organizations do in a study of the smallest size."""
    folder = Folder(tmp_path_factory.mktemp("study"), "")
    return PROTOCOL.compute(Cell("inequality", "follower"), Context(Design.of(load_preset("testing")), folder))  # type: ignore[return-value]


def mean(entries: list[Entry], setting: str, measure: str, target: str = "price_board") -> float:
    found = [
        each.values[measure] for each in entries if (each.target, each.protocol) == (target, f"inequality_{setting}")
    ]
    assert found
    return float(np.mean(found))


def test_protocol__runs_only_in_studies_that_ask() -> None:
    preset = load_preset("testing")
    for claims, plays in (((), False), (("transfer",), False), (("variance",), True)):
        cells = [cell for cell in plan(Design.of(replace(preset, claims=claims))) if cell.protocol == "inequality"]
        assert bool(cells) is plays


def test_protocol__settings_of_a_rule_share_their_noise(learned: list[Entry]) -> None:
    """A lottery has amplification 0, so that setting it to 0 changes nothing, to the last bit."""
    for measure in ("gini", "top_tenth", "income"):
        plain, same, other = (
            mean(learned, setting, measure, "dispatch_lottery")
            for setting in ("plain", "amplification_0", equal(*FACTORS))
        )
        assert plain == same != other


def test_protocol__every_setting_is_measured_in_every_economy(entries: list[Entry], learned: list[Entry]) -> None:
    preset = load_preset("testing")
    for found, arm in ((entries, "follower"), (learned, "native")):
        held = {(each.target, each.protocol, each.economy) for each in found}
        assert len(held) == len(found)
        settings = {protocol for _, protocol, _ in held}
        assert len(held) == 2 * preset.economies * len(settings)
        assert ("inequality_unequal" in settings) is (arm == "native")


def test_protocol__learned_organizations_never_see_infrastructure_but_it_lowers_their_costs(
    learned: list[Entry],
) -> None:
    assert set(Watched.seen) == {0.0}
    capability_only = mean(learned, equal("infrastructure", "competence"), "income")
    without = mean(learned, "plain", "income")  # the same organizations, with infrastructure 0
    assert capability_only > without + 0.01


def test_protocol__hiding_outcomes_changes_nothing_for_those_that_do_not_read_them(
    entries: list[Entry], learned: list[Entry]
) -> None:
    """Nor for imitators that are all alike, who find nobody to imitate."""
    for found in (learned, entries):
        for target in ("price_board", "dispatch_lottery"):
            assert mean(found, "opaque", "income", target) == mean(found, "plain", "income", target)


def test_protocol__a_lead_is_measured_only_where_half_are_competent(learned: list[Entry]) -> None:
    for each in learned:
        mixed = "competence" not in each.protocol and each.protocol.startswith(("inequality_equal", "inequality_un"))
        assert ("lead" in each.values) is (mixed and each.protocol != "inequality_equal_down")
