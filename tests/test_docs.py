"""The pages under docs/ keep their promises: what they list is what there is (that they run: test_documents.py)."""

import csv
import re
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from api_page import api_page
from studies import Planted, make_study

from ruleshift.envs.files import as_toml
from ruleshift.eval import Preset, compare_rules, load_preset
from ruleshift.eval.claims import CLAIMS, VERDICTS, Claim
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.power import COMPONENTS
from ruleshift.eval.experiment.results import COLUMNS
from ruleshift.eval.report.findings import read_findings
from ruleshift.train import ARMS

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def blocks(page: str, language: str) -> list[str]:
    """Return the content of the fenced blocks of a language; blocks without a language are commands."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
    return [block for written_in, block in fenced if written_in == language]


def rows(page: str) -> list[str]:
    """Return the lines of a page's tables."""
    return [line for line in (DOCS / page).read_text().splitlines() if line.startswith("|")]


def run(block: str, page: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, page, "exec"), names)
    return names


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page__links_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", path.read_text()):
        found = (DOCS / target).resolve() if target else path
        assert found.is_file(), target
        headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
        anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in anchors, f"{target}#{anchor}"


def test_api__is_what_the_docstrings_say() -> None:
    assert (DOCS / "api.md").read_text() == api_page(), "python docs/build/api_page.py > docs/api.md"


# The tutorial


def test_tutorial__goes_from_a_rule_to_the_number_of_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rule, study and analysis all run, on results with planted effects instead of an hour of computing."""
    monkeypatch.chdir(tmp_path)
    write_rule, analyse = blocks("tutorial.md", "python")
    run(write_rule, "tutorial.md")
    (tmp_path / "mine.toml").write_text(blocks("tutorial.md", "toml")[0])
    planted = Planted(away={"randomized+memory": 0.8, "fixed+nuisance+memory": 0.6}, spread=0.1)
    make_study(tmp_path / "results" / "mine", planted, load_preset("mine.toml"))
    names = run(analyse, "tutorial.md")
    measure = read_findings(tmp_path / "results" / "mine").judgement.verdicts["transfer"].measure
    assert measure is not None
    assert names["delta"] == pytest.approx(measure.estimate, abs=1e-12)
    assert 0.1 < names["delta"] < 0.3
    assert list(names["by_rule"]) == ["bestseller_board", "platforms_family_00"]


def test_tutorial__tells_what_the_comparison_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(blocks("tutorial.md", "python")[0], "tutorial.md")
    said = blocks("tutorial.md", "text")[0]
    assert said in f"{compare_rules('price_board', 'bestseller_board.toml')}\n"


def test_tutorial__says_what_its_study_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(blocks("tutorial.md", "python")[0], "tutorial.md")
    (tmp_path / "mine.toml").write_text(blocks("tutorial.md", "toml")[0])
    design = Design.of(load_preset("mine.toml"))
    preset, cells = design.preset, plan(design)
    training = [cell for cell in cells if cell.protocol == "training"]
    references = {cell.home for cell in training if cell.arm not in preset.arms}
    assert references == {"bestseller_board"}  # those of the preset `quick` come with the suite
    trained = Counter(cell.arm for cell in training)
    natives = len(preset.panel_seeds) * preset.native_steps
    costs = (
        natives + preset.best_reply_steps,
        sum(trained[arm] for arm in preset.arms) * preset.steps,
        round(sum(cell.protocol == "adaptation" for cell in cells) * preset.steps * preset.adaptation),
    )
    assert [line.split("|")[2].strip() for line in rows("tutorial.md") if line.endswith("000 |")] == [
        f"{cost:,}" for cost in costs
    ]


def test_tutorial__explains_every_column() -> None:
    text = (DOCS / "tutorial.md").read_text()
    assert [column for column in COLUMNS if f"| `{column}` |" not in text] == []


# The report


def test_report__its_sections_are_explained() -> None:
    template = (Path(__file__).parents[1] / "eval" / "report" / "report.html.jinja").read_text()
    sections = re.findall(r'<h2 id="\w+">(.*?)</h2>', template)
    assert len(sections) > 10
    text = (DOCS / "report.md").read_text()
    assert [section for section in sections if f"| {section} |" not in text] == []


def test_report__explains_every_claim_and_verdict() -> None:
    text = (DOCS / "report.md").read_text()
    assert [name for name in CLAIMS if f"| `{name}` |" not in text] == []
    assert [word for word in VERDICTS if f"| {word} |" not in text] == []


# The study


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_study__claims_stand_as_registered(claim: Claim) -> None:
    setting = claim.setting_of(Preset().adaptation)
    lines = [f"Setting: {setting}.", f"Measure: {claim.measure}.", f"Thresholds: {claim.thresholds}."]
    wanted = f"**`{claim.id}`**: {claim.statement}\n\n- " + "\n- ".join(lines)
    assert wanted in (DOCS / "study.md").read_text(), wanted


def test_study__arms_are_those_of_the_list() -> None:
    wanted = [f"| `{arm.name}` | {arm.summary} |" for arm in ARMS.values()]
    assert [row for row in wanted if row not in rows("study.md")] == []


def test_study__protocols_are_those_of_the_results(tmp_path: Path) -> None:
    with open(make_study(tmp_path / "study", Planted(), load_preset("testing")) / "results.csv", newline="") as file:
        protocols = {row["protocol"] for row in csv.DictReader(file)}
    listed = {name for line in rows("study.md") for name in re.findall(r"^\| `(\w+)` \|", line)}
    assert protocols <= listed


def test_study__explains_every_key() -> None:
    preset = Preset()
    wanted = [f"| `{each.name}` | `{as_toml(getattr(preset, each.name))}` |" for each in fields(Preset)]
    found = rows("study.md")
    assert [row for row in wanted if not any(line.startswith(row) for line in found)] == []


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_study__sizes_of_presets(name: str) -> None:
    preset = load_preset(name)
    sizes = [len(each) for each in (preset.homes, preset.held_out, preset.seeds, preset.panel_seeds)]
    numbers = [*sizes, preset.economies, preset.markets, len(preset.arms), f"{preset.steps:,}"]
    multiples = ", ".join(f"{each:g}" for each in preset.budgets) or "none"
    row = f"| `{name}` | {' | '.join(map(str, numbers))} | {multiples} |"
    assert any(line.startswith(row) for line in rows("study.md")), row


def test_study__says_what_its_power_assumes() -> None:
    wanted = [f"| {', '.join(factors)} | {spread:.2f} |" for factors, spread in COMPONENTS.items()]
    assert [row for row in wanted if row not in rows("study.md")] == []
