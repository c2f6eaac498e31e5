"""The report: one file, safe and complete, whose words follow from the numbers whichever way they come out."""

import math
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from html_page import Page
from studies import BEST, FLOOR, Planted, make_findings, make_study

from ruleshift.envs import load_rule
from ruleshift.eval import load_preset, write_report
from ruleshift.eval.claims import CLAIMS, asked, wording
from ruleshift.eval.claims.transfer import headline
from ruleshift.eval.experiment.protocols.probe import ROUNDS
from ruleshift.eval.report import figures, sentences, tables, views
from ruleshift.eval.report.findings import Findings, read_findings
from ruleshift.eval.report.write import page
from ruleshift.train import variants

GENERALIST, SPECIALIST, CENTRAL, UNMEMORIED = (
    "randomized+memory", "fixed+nuisance+memory", "central+memory", "randomized",
)  # fmt: skip
SMALL = replace(
    load_preset("testing"),
    homes=("price_board", "promoted_listing"),
    held_out=("dispatch_lottery", "open_enrolment", "second_price_exchange"),
    economies=4,
)
AHEAD = Planted(away={GENERALIST: 0.8, SPECIALIST: 0.5, CENTRAL: 0.6, UNMEMORIED: 0.6})
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def found(planted: Planted) -> Findings:
    """What the report would read from a small study."""
    return make_findings(planted, SMALL)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a made-up study in which the generalist is ahead."""
    return make_study(tmp_path_factory.mktemp("study"), AHEAD, SMALL)


@pytest.fixture(scope="module")
def text(study: Path) -> str:
    return write_report(study).read_text(encoding="utf-8")


def answer(findings: Findings, claim: str) -> tuple[str, str]:
    """The badge and the sentences under a question of the first screen."""
    return findings.judgement.verdicts[claim].outcome, CLAIMS[claim].answer(findings.judgement)


# What the sentences say


def test_sentences__the_generalist_is_ahead() -> None:
    study = found(AHEAD)
    outcome, text = answer(study, "transfer")
    assert outcome == "supported"
    assert text.startswith("The generalist. While both kept learning under the new rule")
    assert "it scored 30 points higher than the specialist (95% interval: " in text
    assert headline(study.judgement) == "After the rule change, organizations trained on many rules earned more."
    assert not sentences.incompetence(study)


def test_sentences__the_specialist_is_ahead_and_that_is_as_plain() -> None:
    study = found(Planted(away={GENERALIST: 0.4, SPECIALIST: 0.7}))
    outcome, text = answer(study, "transfer")
    assert outcome == "contradicted"
    assert text.startswith("The specialist. While both kept learning under the new rule")
    assert "it scored 30 points higher than the generalist" in text
    low, high = map(int, re.findall(r"interval: (\d+) to (\d+)", text)[0])
    assert low < 30 < high
    assert "reversed" in headline(study.judgement)


def test_sentences__no_difference_is_a_finding() -> None:
    study = found(Planted(spread=0.001))
    outcome, text = answer(study, "transfer")
    assert outcome == "no material difference"
    assert text.startswith("Neither. The generalist scored")
    assert "made no material difference" in headline(study.judgement)


def test_sentences__inconclusive_says_what_would_fit() -> None:
    study = found(Planted(away={GENERALIST: 0.55}, spread=0.5))
    outcome, text = answer(study, "transfer")
    assert outcome == "inconclusive"
    assert re.search(r"the 95% interval of the difference runs from −\d+ to \+\d+ points", text)
    assert (
        headline(study.judgement) == "This study is inconclusive: it cannot tell who earns more after the rule change."
    )


@pytest.mark.parametrize(("arm", "who"), [(GENERALIST, "generalist"), (SPECIALIST, "specialist")])
def test_sentences__an_incompetent_arm_leaves_no_answer_whatever_its_lead(arm: str, who: str) -> None:
    study = found(replace(AHEAD, gate={arm: 0.2}))
    warning = sentences.incompetence(study)
    assert warning.startswith(
        f"The {who} is not competent at this budget on 2 of its 2 training rules (a score of 20 at"
    )
    assert headline(study.judgement).startswith("No conclusion at this budget")
    for claim in ("transfer", "break_even", "economies"):
        assert answer(study, claim)[0] == "inconclusive"
    assert "No verdict, for the reason given above" in answer(study, "transfer")[1]
    assert answer(study, "adaptation")[1].startswith("No advantage has been established")


def test_sentences__beating_all_controls_is_called_adaptation() -> None:
    outcome, text = answer(found(AHEAD), "adaptation")
    assert outcome == "supported"
    assert text.startswith("Yes, as far as this study can show")
    assert "scored 30 under the held-out rules, and the generalist 80" in text


def test_sentences__where_a_constant_does_better_it_is_not_adaptation() -> None:
    outcome, text = answer(found(replace(AHEAD, constant=0.9)), "adaptation")
    assert outcome == "contradicted"
    assert text.startswith("No, this is not adaptation: the best policy that never reacts did at least as well.")
    assert "an untrained constant did at least as well" in text


def test_sentences__one_conduct_for_all_rules_is_not_adaptation() -> None:
    outcome, text = answer(found(replace(AHEAD, moves=0.0)), "adaptation")
    assert outcome == "contradicted"
    assert "behaves in the same way under every rule" in text


def test_sentences__the_central_specialist_may_explain_it() -> None:
    away = {**AHEAD.away, CENTRAL: 0.9}
    outcome, text = answer(found(replace(AHEAD, away=away)), "adaptation")
    assert outcome == "contradicted"
    assert "a specialist of the most typical rule" in text


@pytest.mark.parametrize(
    ("slow", "outcome", "begins"),
    [
        ({GENERALIST: 1.0, SPECIALIST: 0.1}, "supported", "Yes. Specialists scored"),
        ({GENERALIST: 0.1, SPECIALIST: 1.0}, "contradicted", "No, the reverse."),
        ({}, "no material difference", "No. On their home rules there was no material difference"),
    ],
)
def test_sentences__who_learned_faster(slow: dict[str, float], outcome: str, begins: str) -> None:
    home = {GENERALIST: 0.95, SPECIALIST: 0.95}
    badge, text = answer(found(replace(AHEAD, home=home, slow=slow, spread=0.002)), "head_start")
    assert badge == outcome
    assert text.startswith(begins)
    if outcome == "supported":
        assert "Specialists reached a score of 80 after" in text
        assert "the generalist never did" in text


@pytest.mark.parametrize(
    ("home", "away", "says"),
    [
        ((0.6, 0.9), (0.8, 0.5), "As measured, the specialist is the better choice if fewer than 50% of rounds"),
        ((0.7, 0.9), (0.8, 0.2), "The specialist is the better choice if fewer than 25% of rounds"),
        ((0.9, 0.6), (0.8, 0.5), "However rarely rules change, the generalist is the better choice"),
        ((0.6, 0.9), (0.5, 0.8), "However often rules change, the specialist is the better choice"),
        ((0.9, 0.6), (0.5, 0.8), "As measured, contrary to expectation, the generalist gains at home"),
    ],
)
def test_sentences__break_even(home: tuple[float, float], away: tuple[float, float], says: str) -> None:
    """The cases are the scores of generalist and specialist at home and away, which give loss and gain."""
    arms = (GENERALIST, SPECIALIST)
    planted = Planted(home=dict(zip(arms, home, strict=True)), away=dict(zip(arms, away, strict=True)), spread=0.0001)
    _, text = answer(found(planted), "break_even")
    assert says in text
    assert "The 95% interval shows that" in text


def test_sentences__where_the_verdict_flips() -> None:
    planted = Planted(away={GENERALIST: 0.5, SPECIALIST: 0.5}, flips=0.3)
    outcome, text = answer(found(planted), "economies")
    assert outcome == "contradicted"
    assert "ahead in 2 (the 95% interval is above 0 in 2) and behind in 2 (the 95% interval is below 0 in 2)" in text
    assert "In the worst tenth, its lead averaged −3" in text
    assert "What best separates these economies is" in text


def test_sentences__whoever_beats_the_best_reply_takes_its_place() -> None:
    study = found(replace(AHEAD, best_reply=0.4))  # natives are planted at .9
    assert set(study.returns.best_known) == {rule.name for rule in study.design.targets}
    away = [study.returns.best_known[rule.name] for rule in study.design.held_out]
    assert set(away) == {"native"}
    assert "takes its place" in Page(page(study)).text
    near = (study.returns.best_reply - study.returns.floor) / (BEST - FLOOR)
    assert near == pytest.approx(0.9, abs=0.05)  # of the way to the best reply that was planted elsewhere


def test_sentences__in_both_scopes() -> None:
    study = found(AHEAD)
    _, text = answer(study, "transfer")
    assert "Under these rules, taken as they are rather than as a sample" in text
    verdict = study.judgement.verdicts["transfer"]
    here, everywhere = verdict.intervals["under these rules"], verdict.measure
    assert everywhere is not None
    assert {"home", "target"} <= set(here.fixed)
    assert here.estimate == everywhere.estimate


@pytest.mark.parametrize("change", [{"seeds": (0,)}, {"economies": 1}, {"panel_seeds": (1000,)}])
def test_sentences__one_of_a_kind_says_nothing_of_others(change: dict[str, Any]) -> None:
    study = make_findings(AHEAD, replace(SMALL, **change))
    assert "so they say nothing about others" in Page(page(study)).text
    assert answer(study, "transfer")[0] == ("inconclusive" if "seeds" in change else "supported")


@pytest.mark.parametrize(("adaptation", "share"), [(0.1, "a tenth"), (0.25, "25%"), (0.005, "0.5%")])
def test_sentences__how_long_arms_go_on_learning_is_the_presets(adaptation: float, share: str) -> None:
    text = Page(page(make_findings(AHEAD, replace(SMALL, adaptation=adaptation)))).text
    assert f"both kept learning under it for {share} of their training budget" in text
    assert f"both keep learning for {share} of their training budget" in text


def test_sentences__a_study_without_an_arm_says_so() -> None:
    study = make_findings(AHEAD, replace(SMALL, arms=("fixed", "randomized"), budgets=()))
    outcome, text = answer(study, "transfer")
    assert outcome == "inconclusive"
    assert "randomized+memory is missing" in text
    assert "cannot tell" in Page(page(study)).text


def test_figures__no_two_arms_are_drawn_alike() -> None:
    lines = figures.legend(variants())
    assert {name for name, _, _ in lines} == {wording.label(arm) for arm in variants()}
    assert len({(colour, dashes) for _, colour, dashes in lines}) == len(variants())
    broad = figures.legend([f"randomized@{count}+memory" for count in (1, 2, 4, 8, 32)])
    assert len({colour for _, colour, _ in broad}) == len(broad)


# The numbers behind the sentences


def test_tables__are_shares_of_the_way_and_homes_are_set_apart() -> None:
    study = found(AHEAD)
    for home, boxes in tables.transfer_matrix(study):
        assert home in SMALL.homes
        assert [box.inside for box in boxes] == [True, True, False, False, False]
        assert [box.value for box in boxes] == pytest.approx([0.0, 0.0, 0.3, 0.3, 0.3], abs=0.03)
    rows = dict(tables.returns_table(study))
    assert [box.value for box in rows["best_reply"]] == pytest.approx([BEST] * 5, abs=0.01)
    assert [box.value for box in rows["floor"]] == pytest.approx([FLOOR] * 5, abs=0.01)
    assert [box.value for box in rows["scratch+memory"]][:2] == [None, None]


def test_tables__every_budget_that_was_asked_for() -> None:
    lines = tables.budgets(found(AHEAD))
    assert [line.name for line in lines] == ["0.5 times the budget", "the study's budget"]
    assert all(line.found and line.found.estimate == pytest.approx(0.3, abs=0.02) for line in lines)


def test_tables__the_gate_is_by_arm_and_training_rule() -> None:
    gates = {gate.arm: gate for gate in tables.gates(found(replace(AHEAD, gate={GENERALIST: 0.2})))}
    assert gates[GENERALIST].failed == [True, True]
    assert gates[SPECIALIST].failed == [False, False]


def test_tables__other_summaries_agree_where_all_runs_are_alike() -> None:
    study = found(AHEAD)
    rows = {row.arm: row for row in tables.summaries(study)}
    for arm, share in AHEAD.away.items():
        assert rows[arm].mean.estimate == pytest.approx(share, abs=0.02)
        assert rows[arm].middle.estimate == pytest.approx(share, abs=0.02)
        heights = [each.estimate for each in tables.performance_profiles(study)[arm]]
        expected = [float(threshold < share) for threshold in tables.THRESHOLDS]
        apart = abs(tables.THRESHOLDS - share) > 0.03
        assert [height for height, far in zip(heights, apart, strict=True) if far] == pytest.approx(
            [height for height, far in zip(expected, apart, strict=True) if far]
        )
    better = rows[GENERALIST].better
    assert better
    assert better.estimate == 1.0


def test_views__recovery_and_regret_are_measured_against_the_best_reply() -> None:
    """The planted profile halves at the shift, and recovers within five fiftieths of the episode."""
    study = found(AHEAD)
    rows = {row.arm: row for row in views.recoveries(study)}
    assert rows["best_reply"].reached == 3
    assert rows["best_reply"].recovered == pytest.approx(0.08)
    assert rows["best_reply"].regret == 0
    assert rows["constant"].recovered is None
    way = 0.2 * (BEST - FLOOR) / BEST  # the generalist scores .8
    after = rows["best_reply"].after["shift"]
    assert rows[GENERALIST].after["shift"] == pytest.approx(after * (1 - way))
    assert rows[GENERALIST].regret == pytest.approx(25 * after * way)


def test_views__knowledge_is_what_is_read_and_what_is_named_by_round() -> None:
    asks = replace(SMALL, claims=("transfer", "awareness"))
    study = make_findings(replace(AHEAD, known={GENERALIST: 0.8}, named={GENERALIST: 0.6}), asks)
    rows = {(row.arm, row.named): row.by_round for row in views.knowledge(study)}
    rounds = len(ROUNDS) + 1
    assert rows[GENERALIST, True] == pytest.approx([0.6] * rounds)
    assert rows[GENERALIST, False] == pytest.approx([0.8 * (1 - math.exp(-n)) for n in range(rounds)])
    assert {arm for arm, named in rows if not named} == {arm for arm in SMALL.arms if not arm.startswith("scratch")}
    read = Page(page(study))
    assert ("h2", {"id": "knowledge"}) in read.tags
    assert "generalist, as it names it" in read.text
    told = [attributes.get("aria-label") or "" for tag, attributes in read.tags if tag == "figure"]
    assert any(label.startswith("R2 of what is read") for label in told)


def test_report__says_nothing_of_what_was_not_probed(text: str) -> None:
    assert "What they know of the rule" not in text


# The page


def test_report__needs_no_network_and_runs_nothing(text: str) -> None:
    read = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in read.tags}
    references = [value for _, attributes in read.tags for name, value in attributes.items() if name.endswith("href")]
    assert all(value and value.startswith("#") for value in references)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_report__ids_are_unique_and_references_hit_them(text: str) -> None:
    read = Page(text)
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = {value for _, attributes in read.tags for name, value in attributes.items() if name.endswith("href")}
    assert {link[1:] for link in links if link} <= set(ids)


def test_report__every_figure_says_in_words_what_it_shows(text: str) -> None:
    labels = [attributes.get("aria-label") for tag, attributes in Page(text).tags if tag == "figure"]
    homes, held_out = len(SMALL.homes), len(SMALL.held_out)
    assert len(labels) == (1 + homes) + 2 * (1 + held_out) + 3
    assert all(label and len(label) > 40 for label in labels)


def test_report__hatches_what_enters_no_verdict(text: str) -> None:
    cells = re.findall(r'<td( class="inside")? style="background-color: #', text)
    rows = len(SMALL.homes) + len(SMALL.arms) + 4
    assert cells.count(' class="inside"') == rows * len(SMALL.homes)
    assert cells.count("") == rows * len(SMALL.held_out)


def test_report__shows_claims_as_registered_and_all_that_was_run(study: Path, text: str) -> None:
    shown, found = Page(text).text, read_findings(study)
    for claim in asked(SMALL.claims).values():
        assert claim.thresholds in shown
        assert claim.setting_of(0.1) in shown
    for rule in found.design.targets:
        assert rule.hash in shown
    assert found.record.kernel in shown
    assert SMALL.to_toml() in shown


def test_report__is_the_same_bytes_again(study: Path, text: str) -> None:
    assert write_report(study).read_text(encoding="utf-8") == text


def test_report__escapes_what_users_named(tmp_path: Path) -> None:
    evil = "<img onerror=alert('$x$')>"
    path = tmp_path / "evil.toml"
    path.write_text(replace(load_rule("price_board"), name=evil, rationale="<b onclick=x>&").to_toml())
    text = page(make_findings(AHEAD, replace(SMALL, homes=(str(path),))))
    assert "<script" not in text
    assert "<img" not in text
    assert "<b onclick" not in text
    assert evil in Page(text).text


def test_report__refuses_a_study_that_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no study"):
        write_report(tmp_path)
    root = make_study(tmp_path / "study", AHEAD, SMALL)
    (root / "cells" / "frozen-fixed-price_board-1.json").unlink()
    with pytest.raises(ValueError, match="not finished, frozen-fixed-price_board-1 is missing"):
        write_report(root)


PROBE = """<script>
addEventListener("load", () => {
  const root = document.documentElement, figures = [...document.querySelectorAll("figure svg, svg.mark")];
  const empty = each => {
    const box = each.getBoundingClientRect();
    return box.width < 20 || box.height < 5 || each.getBBox().width === 0;
  };
  parent.postMessage({
    width: root.clientWidth,
    overflow: root.scrollWidth - root.clientWidth,
    figures: figures.length,
    empty: figures.filter(each => each.checkVisibility() && empty(each)).length,
    cut: [...document.querySelectorAll(".wide")].filter(
      each => each.checkVisibility() && each.scrollWidth > each.clientWidth).length,
    requests: performance.getEntriesByType("resource").length,
  }, "*");
});
</script>"""
FRAME = """<body><script>addEventListener("message", event => Object.assign(document.body.dataset, event.data))</script>
<iframe src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe></body>"""


def measured(text: str, width: int, place: Path) -> dict[str, int]:
    """What a browser makes of a page in a frame of this width, since a headless window may be wider than asked."""
    assert BROWSER
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text)
    assert policy  # it would stop the probe as well
    (place / "page.html").write_text(text.replace(policy[0], "").replace("</body>", f"{PROBE}</body>"))
    (place / "frame.html").write_text(FRAME.format(width=width))
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={place / 'profile'}", "--hide-scrollbars",
        "--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom", (place / "frame.html").as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    body = next(attributes for tag, attributes in Page(dom).tags if tag == "body")
    return {name.removeprefix("data-"): int(value or 0) for name, value in body.items()}


@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH to show a page in")
@pytest.mark.parametrize("width", [390, 820, 1366])
def test_report__in_a_browser_fits_the_screen_and_loads_nothing(text: str, tmp_path: Path, width: int) -> None:
    found = measured(text, width, tmp_path)
    assert found["figures"] > 20
    assert found.pop("cut") == 0 or width < 1366
    assert found == {"width": width, "overflow": 0, "figures": found["figures"], "empty": 0, "requests": 0}


def test_report__says_what_a_study_in_blocks_leaves_out() -> None:
    whole = replace(load_preset("quick"), seeds=(0, 1), economies=2)
    blocks = replace(whole, homes=tuple(f"train:{number}" for number in range(4)), targets_per_home=3)
    texts = [page(make_findings(AHEAD, preset)) for preset in (whole, blocks)]
    assert ["A dash marks a pair that the study leaves out" in text for text in texts] == [False, True]
    assert not any("starts from nothing there" in text for text in texts)  # neither study has `scratch`


@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH to show a page in")
def test_report__with_the_rules_of_full_in_a_browser_fits_a_laptop(tmp_path: Path) -> None:
    """Even with 32 rules in a row no table scrolls sideways, and the figures of single rules are folded."""
    full = replace(load_preset("full"), seeds=(0, 1), economies=2, budgets=(), curve_points=1)
    planted = replace(AHEAD, away={**AHEAD.away, "scratch+memory": -0.4})
    found = measured(page(make_findings(planted, full)), 1366, tmp_path)
    assert found["figures"] > 3 * len(full.homes)
    assert (found["overflow"], found["cut"], found["empty"]) == (0, 0, 0)
