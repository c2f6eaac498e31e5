"""The report: one file, safe and complete, whose words follow from the numbers whichever way they come out."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ruleshift.envs import load_rule
from ruleshift.eval import Preset, load_preset, write_report
from ruleshift.eval.cells import Folder
from ruleshift.eval.record import claim
from ruleshift.eval.report import words
from ruleshift.eval.report.tables import Tables
from ruleshift.eval.results import read_entries, write_results
from ruleshift.eval.work import SHOWN, Cell, plan

Return = Callable[[Cell, str], float]


def steady(native: float = 1.0, fixed: float = 0.8, randomized: float = 0.6, constant: float = 0.3) -> Return:
    """Each arm earns the same everywhere."""
    values = {"native": native, "fixed": fixed, "randomized": randomized, "constant_steady": constant, "scripted": 0.1}
    return lambda cell, target: values[cell["arm"]]


def made_up(root: Path, earned: Return, preset: Preset | None = None) -> tuple[Folder, Preset]:
    """A finished study with the numbers that `earned` gives."""
    preset = preset or load_preset("testing")
    root.mkdir(exist_ok=True)
    claim(root, preset, "testing")
    folder = Folder(root)
    for cell in plan(preset):
        if cell["kind"] == "shift":
            entries = [_entry(preset, earned(cell, rule.name), rule.name, name) for rule in preset.targets for name in
                       ("shift", "shift_deterministic")]  # fmt: skip
        else:
            value = earned(cell, cell["rule"]) if cell["kind"] == "curve" else 0.0
            entries = [
                {"target": cell["rule"], "protocol": "curve", "steps": steps, "values": {"return": value * share}}
                for steps, share in ((0, 0.0), (1000, 1.0))
            ]
        folder.write(cell["name"], {"cell": cell, "entries": entries})
    write_results(folder, preset)
    return folder, preset


def _entry(preset: Preset, value: float, target: str, protocol: str) -> dict:
    values = {"before": value, "after": value, **{f"market_{name}": 0.5 for name in SHOWN}}
    return {"target": target, "protocol": protocol, "values": values, "profile": [value] * preset.economy.rounds}


def tables(root: Path, earned: Return) -> Tables:
    folder, preset = made_up(root, earned)
    return Tables(preset, read_entries(folder, preset))


class Page(HTMLParser):
    """Collects what a page loads, runs and shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report__needs_no_network_and_runs_nothing(tmp_path: Path) -> None:
    made_up(tmp_path, steady())
    text = write_report(tmp_path).read_text()
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    references = [value for _, attributes in page.tags for name, value in attributes.items() if name.endswith("href")]
    assert all(value and value.startswith("#") for value in references)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_report__ids_are_unique_and_references_hit_them(tmp_path: Path) -> None:
    made_up(tmp_path, steady())
    page = Page(write_report(tmp_path).read_text())
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = {value for _, attributes in page.tags for name, value in attributes.items() if name.endswith("href")}
    assert {link[1:] for link in links if link} <= set(ids)


def test_report__every_figure_says_in_words_what_it_shows(tmp_path: Path) -> None:
    _, preset = made_up(tmp_path, steady())
    page = Page(write_report(tmp_path).read_text())
    labels = [attributes.get("aria-label") for tag, attributes in page.tags if tag == "figure"]
    assert len(labels) == len(preset.targets) + len(preset.homes)
    assert all(label and len(label) > 40 for label in labels)


def test_report__shows_every_seed_and_hatches_what_was_trained_on(tmp_path: Path) -> None:
    made_up(tmp_path, lambda cell, target: 0.111 + (cell["seed"] or 0) / 1000 if cell["arm"] == "fixed" else 0.5)
    text = write_report(tmp_path).read_text()
    assert "0.111 · 0.112" in text
    hatched = re.findall(r'<td style="[^"]*" class="inside">', text)
    plain = re.findall(r'<td style="[^"]*">', text)
    assert len(hatched) == len(plain) == 6


def test_report__is_the_same_bytes_again(tmp_path: Path) -> None:
    made_up(tmp_path, steady())
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


def test_report__escapes_what_users_named(tmp_path: Path) -> None:
    preset, evil = load_preset("testing"), "<script>alert('$x$')</script>"
    hostile = replace(load_rule("price_board"), name=evil, rationale="<b onclick=x>&")
    made_up(tmp_path, steady(), replace(preset, homes=(hostile,)))
    text = write_report(tmp_path).read_text()
    assert "<script" not in text
    assert "<b onclick" not in text
    assert evil in Page(text).text


def test_report__refuses_a_study_that_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no study"):
        write_report(tmp_path)
    made_up(tmp_path, steady())
    (tmp_path / "cells" / "shift-fixed-price_board-1.json").unlink()
    with pytest.raises(ValueError, match="not finished, shift-fixed-price_board-1 is missing"):
        write_report(tmp_path)


def test_words__name_who_won_whichever_way(tmp_path: Path) -> None:
    lost = words.summary(tables(tmp_path / "a", steady(fixed=0.8, randomized=0.6)))
    won = words.summary(tables(tmp_path / "b", steady(fixed=0.6, randomized=0.8)))
    tied = words.summary(tables(tmp_path / "c", steady(fixed=0.7, randomized=0.7)))
    assert "earned more than the specialist in 0 of 2" in lost
    assert "earned more than the specialist in 2 of 2" in won
    assert "in 0 of 2 paired comparisons (2 tied)" in tied
    for text in (lost, won, tied):
        assert "no verdict on the claim follows" in text


def test_words__shares_are_ratios_of_sums(tmp_path: Path) -> None:
    text = words.summary(tables(tmp_path, steady(native=2.0, fixed=0.8, randomized=0.6, constant=0.3)))
    assert "The generalist earned 30 % of what natives of those rules earn there, the specialists 40 % and a " in text
    assert "conduct that never reacts (“steady”) 15 %" in text


def test_words__a_constant_that_wins_is_said_plainly(tmp_path: Path) -> None:
    beaten = dict(words.findings(tables(tmp_path / "a", steady(randomized=0.6, constant=0.7))))
    better = dict(words.findings(tables(tmp_path / "b", steady(randomized=0.7, constant=0.6))))
    key = "Against conduct that never reacts"
    assert "did not beat it on dispatch_lottery. So what it gained over specialists is not shown" in beaten[key]
    assert "beat it on dispatch_lottery, which adaptation requires and which does not prove it" in better[key]
    above = dict(words.findings(tables(tmp_path / "c", steady(native=0.5, constant=0.6))))
    assert "earned more than natives do on price_board and dispatch_lottery" in above[key]
    assert "natives" not in better[key]


def test_words__incompetent_arms_are_named(tmp_path: Path) -> None:
    weak = dict(words.findings(tables(tmp_path / "a", steady(fixed=0.5, randomized=0.49))))["Competence"]
    assert "the generalist on price_board with seed 0 and the generalist on price_board with seed 1" in weak
    assert "the specialist on" not in weak
    strong = dict(words.findings(tables(tmp_path / "b", steady(fixed=0.9, randomized=0.9))))["Competence"]
    assert "Every arm earned at least half" in strong


def test_words__say_when_natives_earn_nothing(tmp_path: Path) -> None:
    found = tables(tmp_path, steady(native=-0.1))
    assert "an unknown share" in words.summary(found)
    text = dict(words.findings(found))
    assert "cannot be stated" in text["On the home rule"]
    assert "leaves nothing to compare with" in text["Competence"]


def test_words__count_seeds_that_disagree(tmp_path: Path) -> None:
    def split(cell: Cell, target: str) -> float:
        return {"randomized": 0.5, "fixed": 0.4 + 0.2 * (cell["seed"] == 1)}.get(cell["arm"], 0.6)

    agree = dict(words.findings(tables(tmp_path / "a", steady())))["Agreement of the seeds"]
    differ = dict(words.findings(tables(tmp_path / "b", split)))["Agreement of the seeds"]
    assert agree.startswith("In 0 of 1 cells")
    assert differ.startswith("In 1 of 1 cells")
