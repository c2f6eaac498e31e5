"""What the rule did, told from what the rivals did: the factorial as it is played, and the claim on planted numbers."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import GENERALIST, QUICK, SPECIALIST, make_returns

from ruleshift.eval.claims import CLAIMS, Returns, judge_all
from ruleshift.eval.claims.claim import Verdict
from ruleshift.eval.claims.returns import Run
from ruleshift.eval.claims.rivals import BY_BOTH, BY_RIVALS, BY_RULE, PARTS, SCRIPTED, losses
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import compute_cell, plan
from ruleshift.eval.experiment.preset import load_preset
from ruleshift.eval.experiment.protocols import PROTOCOLS
from ruleshift.eval.experiment.protocols.rivals import PROTOCOL, novel
from ruleshift.eval.jobs.folder import Folder

HOMES, TARGETS = ("h0", "h1", "h2"), ("g0", "g1", "g2", "g3")
FLOOR = 0.3


def leads(rule: float, rivals: float, both: float = 0.0) -> dict[str, float]:
    """The lead of an arm in each part, where a new rule and settled rivals each take something, and together more."""
    return {
        "home_same": 1.0, "home_novel": 0.9, "home_settled": 1 - rivals, "target_same": 1 - rule,
        "target_novel": 0.8 - rule, "target_settled": 1 - rule - rivals - both,
    }  # fmt: skip


def planted(lead: Mapping[str, float], *, spread: float = 0.01, gate: float = 0.9) -> Returns:
    """A study in which both arms of the primary contrast have these leads over scripted organizations, plus noise."""
    rng = np.random.default_rng(0)
    panels, economies = QUICK[3:]
    runs = []
    for home in HOMES:
        for target in TARGETS:
            for arm in (*SCRIPTED, SPECIALIST, GENERALIST):
                shift = spread * rng.standard_normal()
                for seed in (None,) if arm in SCRIPTED else (0, 1):
                    own = 0.0 if arm in SCRIPTED else 1.0
                    values = {
                        part: FLOOR + own * (lead[part] + shift + spread * rng.standard_normal((economies, panels)))
                        for part in PARTS
                    }
                    runs.append(Run(arm, home, target, seed, 1.0, "rivals", None, (), values))
    return replace(make_returns(home={SPECIALIST: gate}, spread=0.001), runs=tuple(runs))


def verdict(returns: Returns) -> Verdict:
    return CLAIMS["rivals"].judge(returns)


# The claim


@pytest.mark.parametrize(
    ("rule", "rivals", "expected"),
    [
        (0.4, 0.1, "supported"), (-0.4, 0.1, "supported"), (0.1, 0.4, "contradicted"), (0.1, -0.4, "contradicted"),
        (0.3, 0.3, "no material difference"), (0.0, 0.0, "no material difference"),
    ],
)  # fmt: skip
def test_rivals__what_moves_returns_more_is_found(rule: float, rivals: float, expected: str) -> None:
    found = verdict(planted(leads(rule, rivals), spread=0.003))
    assert found.outcome == expected
    assert found.measure is not None
    assert found.measure.estimate == pytest.approx(abs(rule) - abs(rivals), abs=0.02)


def test_rivals__noise_leaves_it_inconclusive() -> None:
    assert verdict(planted(leads(0.2, 0.1), spread=0.5)).outcome == "inconclusive"


def test_rivals__an_incompetent_specialist_has_nothing_to_lose() -> None:
    returns = planted(leads(0.4, 0.1), gate=0.2)
    assert verdict(returns).outcome == "inconclusive"
    assert f"{SPECIALIST} is not competent" in verdict(returns).reason
    assert "No verdict" in CLAIMS["rivals"].answer(judge_all(returns))


def test_rivals__a_study_that_did_not_play_the_factorial_says_so() -> None:
    found = judge_all(make_returns()).verdicts["rivals"]
    assert (found.outcome, "is missing" in found.reason) == ("inconclusive", True)


def test_rivals__each_loss_is_told_with_both_scopes_and_for_both_arms() -> None:
    found = verdict(planted(leads(0.3, 0.1, both=0.2), spread=0.001)).intervals
    expected = {
        BY_RULE: 0.4, BY_RIVALS: 0.2, BY_BOTH: -0.6 + 0.8, "new rule, same rivals": 0.3, "new rule, novel rivals": 0.5,
        "new rule, settled rivals": 0.6, "home rule, novel rivals": 0.1,
    }  # fmt: skip
    for arm in ("generalist", "specialist"):
        for cause, lost in expected.items():
            assert found[f"{arm}, {cause}"].estimate == pytest.approx(lost, abs=0.01), cause
    assert found["under these rules"].high - found["under these rules"].low > 0


@pytest.mark.parametrize(
    ("rule", "rivals", "begins"), [(0.4, 0.1, "The rule."), (0.1, 0.4, "The rivals."), (0.2, 0.2, "Neither")]
)
def test_rivals__answer_says_which_took_more(rule: float, rivals: float, begins: str) -> None:
    text = CLAIMS["rivals"].answer(judge_all(planted(leads(rule, rivals), spread=0.002)))
    assert text.startswith(begins)
    assert f"{round(100 * rule)} points by the new rule and {round(100 * rivals)} points by rivals" in text


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_losses__main_effects_add_up_to_the_whole_change(values: list[float]) -> None:
    lead = {part: np.full((1, 1, 1, 1, 1), value) for part, value in zip(PARTS, values, strict=True)}
    found = {name: each.item() for name, each in losses(lead).items()}
    assert found[BY_RULE] + found[BY_RIVALS] == pytest.approx(found["new rule, settled rivals"], abs=1e-12)
    assert found[BY_RULE] == pytest.approx(found["new rule, same rivals"] + found[BY_BOTH] / 2, abs=1e-12)


# The factorial


Numbers = dict[tuple[object, ...], float]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Cell, Entry]]:
    """What the protocols of the two claims find in a small study, beside those that they are compared with."""
    preset = replace(load_preset("testing"), arms=(GENERALIST, SPECIALIST), budgets=(), claims=("rivals", "selection"))
    design, folder = Design.of(preset), Folder(tmp_path_factory.mktemp("rivals"))
    entries: list[tuple[Cell, Entry]] = []
    for cell in plan(design):
        if cell.protocol in ("training", "constant", "frozen", "reference", "rivalry", "rivals", "metagame"):
            if cell.arm == "best_reply":
                continue
            compute_cell(cell, design, folder)
            if PROTOCOLS[cell.protocol].has_entries:
                entries += [(cell, Entry.from_plain(each, "here")) for each in folder.read(cell.name)["result"]]
    return entries


def by_part(entries: list[tuple[Cell, Entry]], protocol: str, target: str) -> Numbers:
    """Values by arm, seed, panel, economy and measure."""
    return {
        (cell.arm, cell.seed, entry.panel, entry.economy, measure): value
        for cell, entry in entries
        if (entry.protocol, entry.target) == (protocol, target)
        for measure, value in entry.values.items()
    }


def test_factorial__its_corners_are_the_frozen_policy_among_the_natives_of_the_rule(
    finished: list[tuple[Cell, Entry]],
) -> None:
    """All parts have the noise of the protocol `frozen`, so that two differ by rule and rivals alone."""
    found = by_part(finished, "rivals", "dispatch_lottery")
    corners = {"home_same": "price_board", "target_settled": "dispatch_lottery"}
    compared = 0
    for part, rule in corners.items():
        for (arm, seed, panel, economy, measure), value in by_part(finished, "frozen", rule).items():
            if measure == "return" and (arm, seed, panel, economy, part) in found:
                assert value == found[arm, seed, panel, economy, part]
                compared += 1
    assert compared == 2 * (2 * 2 + 3) * 2 * 2  # corners, policies of arms and scripted ones, panels, economies


def test_factorial__other_rivals_change_what_is_earned_under_the_same_rule(finished: list[tuple[Cell, Entry]]) -> None:
    found = by_part(finished, "rivals", "dispatch_lottery")
    for rule in ("home", "target"):
        for one, other in (("same", "novel"), ("same", "settled"), ("novel", "settled")):
            pairs = [
                (value, found[*key[:-1], f"{rule}_{other}"])
                for key, value in found.items()
                if key[-1] == f"{rule}_{one}"
            ]
            assert len(pairs) == (2 * 2 + 3) * 2 * 2
            assert any(a != b for a, b in pairs)


def test_metagame__mixed_markets_are_those_of_head_to_head(finished: list[tuple[Cell, Entry]]) -> None:
    one, other = f"{GENERALIST} against {SPECIALIST}", f"{SPECIALIST} against {GENERALIST}"
    for target, protocol in (("price_board", "metagame_home"), ("dispatch_lottery", "metagame")):
        found, contests = by_part(finished, protocol, target), by_part(finished, "head_to_head", target)
        leads_ = {key[:-1]: value for key, value in contests.items() if key[-1] == "generalist_lead"}
        assert len(leads_) == 2 * 2  # seeds, economies
        for group, lead in leads_.items():
            assert found[*group, one] - found[*group, other] == pytest.approx(lead)


def test_novel__rivals_are_natives_of_another_rule_than_home_and_target() -> None:
    for name in ("quick", "testing"):
        design = Design.of(load_preset(name))
        for home in design.homes:
            others = novel(design, home.name)
            assert others != home.name
            assert others not in [rule.name for rule in design.held_out]


def test_factorial__costs_less_than_two_minutes_at_quick() -> None:
    design = Design.of(replace(load_preset("quick"), claims=("rivals",)))
    cells = [cell for cell in plan(design) if cell.protocol == "rivals"]
    assert len(cells) == 3 * (3 + 4 * 2)
    assert sum(PROTOCOL.seconds(cell, design) for cell in cells) < 120
