"""The page of each claim, and the command that lists, shows and runs claims."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from studies import Planted, make_findings, make_study
from synthetic import GENERALIST, SPECIALIST, make_returns

from ruleshift import cli
from ruleshift.eval import Preset, load_preset, register_claim, write_report
from ruleshift.eval.claims import CLAIMS, asked
from ruleshift.eval.experiment.design import PRIMARY
from ruleshift.eval.report.claim_pages import claim_pages, variations
from ruleshift.eval.report.findings import Findings

AHEAD = Planted(away={GENERALIST: 0.8, SPECIALIST: 0.5, "central+memory": 0.5, "randomized": 0.5})
SMALL = replace(load_preset("quick"), seeds=(0, 1), economies=3, budgets=(0.5,))


@pytest.fixture(scope="module")
def findings() -> Findings:
    return make_findings(AHEAD, SMALL)


@pytest.fixture(scope="module")
def pages(findings: Findings) -> dict[str, str]:
    return claim_pages(findings)


def test_pages__there_is_one_for_each_claim_that_is_asked(findings: Findings, pages: dict[str, str]) -> None:
    assert list(pages) == list(asked())
    some = replace(findings.record.design.preset, claims=("transfer", "routine"))
    assert list(claim_pages(make_findings(AHEAD, some))) == ["transfer", "routine"]


def test_pages__say_what_was_registered_and_what_was_measured(findings: Findings, pages: dict[str, str]) -> None:
    for name, text in pages.items():
        claim, verdict, read = CLAIMS[name], findings.judgement.verdicts[name], Page(text)
        for said in (claim.question, claim.essay, claim.statement, claim.measure, claim.thresholds, verdict.outcome):
            assert said in read.text
        for found in verdict.intervals:
            assert found in read.text
        assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in read.tags}


def test_variations__are_each_other_budget_and_each_economy_alone(findings: Findings) -> None:
    found = list(variations(CLAIMS["transfer"], findings))
    assert [each.name for each in found] == ["0.5 times the budget", *(f"economy {n} alone" for n in range(3))]
    for each in found:
        assert each.verdict.measure is not None
        assert each.verdict.measure.estimate == pytest.approx(0.3, abs=0.03)


def test_in_economy__is_the_study_of_that_economy_alone() -> None:
    """Every claim judged on one economy is judged on the numbers of that economy and no others."""
    returns = make_returns((3, 4, 2, 2, 5), spread=0.01)
    alone = returns.in_economy(3)
    assert alone.sizes == (3, 4, 2, 2, 1)
    for arm, array in returns.adapted.items():
        np.testing.assert_array_equal(alone.adapted[arm], array[..., 3:4])
    np.testing.assert_array_equal(alone.gate_floor, returns.gate_floor[..., 3:4])
    np.testing.assert_array_equal(alone.curves[GENERALIST], returns.curves[GENERALIST][..., 3:4])
    np.testing.assert_array_equal(alone.curve_steps, returns.curve_steps)


def test_write_report__puts_the_pages_into_a_folder_beside_it(tmp_path: Path) -> None:
    root = make_study(tmp_path / "study", AHEAD, replace(load_preset("testing"), claims=("transfer",)))
    report = write_report(root)
    assert [path.name for path in (root / "claims").iterdir()] == ["transfer.html"]
    assert CLAIMS["transfer"].question in report.read_text()
    assert CLAIMS["break_even"].question not in report.read_text()


def test_claim__from_outside_is_one_file_and_has_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruleshift.eval.claims.CLAIMS", dict(CLAIMS))
    own = replace(CLAIMS["transfer"], id="own", question="Is it one of ours?", essay="the words of somebody else")
    register_claim(own)
    page = Page(claim_pages(make_findings(AHEAD, replace(SMALL, claims=("own",))))["own"])
    assert "Is it one of ours?" in page.text
    assert "the words of somebody else" in page.text


# The command


def test_command__lists_every_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CLAIMS)
    assert all(claim.statement in line for claim, line in zip(CLAIMS.values(), lines, strict=True))


@pytest.mark.parametrize("name", CLAIMS)
def test_command__shows_a_claim_as_registered(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "show", name]) == 0
    text, claim = capsys.readouterr().out, CLAIMS[name]
    for said in (claim.question, claim.statement, claim.essay, claim.measure, claim.thresholds):
        assert said in text


def test_command__a_claim_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["claims", "show", "transfr"]) == 2
    assert "claim 'transfr' is unknown; the claims are transfer," in capsys.readouterr().err


def test_command__runs_the_claims_that_are_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = replace(load_preset("testing"), arms=PRIMARY, economies=1, seeds=(0,), panel_seeds=(1000,), budgets=())
    (tmp_path / "small.toml").write_text(small.to_toml())
    arguments = ["claims", "run", "--preset", str(tmp_path / "small.toml"), "--out", str(tmp_path / "study")]
    arguments += ["--workers", "0"]
    assert cli.main([*arguments, "--only", "transfer", "break_even"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("transfer", "break_even"))] == [
        "transfer",
        "break_even",
    ]
    assert {path.stem for path in (tmp_path / "study" / "claims").iterdir()} == {"transfer", "break_even"}


def test_presets__claims_ask_every_claim_that_is_registered() -> None:
    assert Preset().claims == ()
