"""Validation from the command line: what it leaves, what it refuses, and that it goes on where it was interrupted."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import Page
from markupsafe import escape

from ruleshift.cli import main
from ruleshift.eval import validate
from ruleshift.eval.known_answers import ANSWERS, Answer, Measurement, Row, Tolerance
from ruleshift.eval.known_answers.validate import COLUMNS

QUICK = ["wright", "tullock_best_reply"]


def run(out: Path, *only: str) -> int:
    return main(["validate", "--out", str(out), "--workers", "0", *(["--only", *only] if only else [])])


def lines(out: Path) -> list[dict[str, str]]:
    with open(out / "validation.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validation of two answers."""
    out = tmp_path_factory.mktemp("validation") / "out"
    assert run(out, *QUICK) == 0
    return out


def test_validate__leaves_one_row_a_number(finished: Path) -> None:
    found = lines(finished)
    assert tuple(found[0]) == COLUMNS
    assert {row["id"].split("/")[0] for row in found} == set(QUICK)
    assert len({row["id"] for row in found}) == len(found)
    assert {row["verdict"] for row in found} == {"pass"}
    slope = next(row for row in found if row["quantity"] == "slope at a progress ratio of 0.8")
    assert float(slope["expected"]) == pytest.approx(-0.321928, abs=1e-6)
    assert abs(float(slope["measured"]) - float(slope["expected"])) <= float(slope["tolerance"])


def test_validate__the_same_numbers_with_workers(finished: Path, tmp_path: Path) -> None:
    validate(tmp_path / "out", only=QUICK, workers=2, quiet=True)
    for name in ("validation.csv", "validation.html"):
        assert (tmp_path / "out" / name).read_bytes() == (finished / name).read_bytes()


def test_validate__the_report_needs_no_network_and_no_script(finished: Path) -> None:
    text = (finished / "validation.html").read_text()
    page = Page(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in page.tags)
    assert "http" not in text.replace("http-equiv", "")
    for name in QUICK:
        assert escape(ANSWERS[name].title) in text
        assert any(attributes.get("id") == name for _, attributes in page.tags)


def _answer(name: str, measured: float, expected: float) -> Answer:
    return Answer(
        id=name, title=f"<b>{name}</b>", formula="1 < 2", setting="none", source="none",
        tolerance=Tolerance(absolute=0.1),
        measure=lambda run: [Row("a & b", expected, measured)], seconds=1,
    )  # fmt: skip


def test_validate__a_wrong_expectation_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ANSWERS, "right", _answer("right", 1.05, 1.0))
    monkeypatch.setitem(ANSWERS, "wrong", _answer("wrong", 1.15, 1.0))
    assert run(tmp_path / "out", "right", "wrong") == 1
    assert [row["verdict"] for row in lines(tmp_path / "out")] == ["pass", "fail"]
    shown = capsys.readouterr().out
    assert "1 of 2 known answers hold" in shown
    assert "failed: wrong" in shown
    text = (tmp_path / "out" / "validation.html").read_text()
    assert "&lt;b&gt;wrong&lt;/b&gt;" in text
    assert "<b>wrong" not in text
    assert "a &amp; b" in text


def test_validate__goes_on_with_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the second answer, it keeps the first, and ends with the results of an uninterrupted run."""
    asked: list[str] = []

    def counted(name: str, interrupts: bool = False) -> Answer:
        def measure(run: Measurement) -> list[Row]:
            asked.append(name)
            if interrupts:
                raise KeyboardInterrupt
            return [Row("", 1.0, 1.0)]

        return replace(_answer(name, 1.0, 1.0), measure=measure, seconds={"one": 2.0, "two": 1.0}[name])

    monkeypatch.setitem(ANSWERS, "one", counted("one"))
    monkeypatch.setitem(ANSWERS, "two", counted("two", interrupts=True))
    assert run(tmp_path / "out", "one", "two") == 130
    assert not (tmp_path / "out" / "validation.csv").exists()
    monkeypatch.setitem(ANSWERS, "two", counted("two"))
    assert run(tmp_path / "out", "one", "two") == 0
    assert asked == ["one", "two", "two"]
    assert len(lines(tmp_path / "out")) == 2


def test_validate__refuses_other_folders_and_unknown_answers(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("hello")
    assert run(tmp_path, "wright") == 2
    assert "is not empty and holds no validation" in capsys.readouterr().err
    assert run(tmp_path / "new", "wrigth") == 2
    assert "no known answer is called 'wrigth'" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    (other / "validation.json").write_text(json.dumps({"version": "0", "code": "0"}))
    assert run(other, "wright") == 2
    assert "holds another validation (version is '0', not" in capsys.readouterr().err


def test_validate__list_names_every_answer_and_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == list(ANSWERS)
    assert all(line.split()[2] == "s" for line in shown)
