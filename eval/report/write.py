"""Makes `report.html` from the results in a study's folder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ruleshift.eval.cells import Folder, write_text
from ruleshift.eval.record import Record, read_record
from ruleshift.eval.report import figures, words
from ruleshift.eval.report.tables import Tables
from ruleshift.eval.results import read_entries

_MARKET = {
    "served": "jobs served", "price": "price", "quality": "quality", "surplus": "clients' surplus",
    "profit": "profit", "revenue": "platform's revenue", "concentration": "concentration",
}  # fmt: skip


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write `report.html` of the finished study in `folder` anew, and return its path.

    Raises:
        ValueError: no study there, or one that is not finished.
    """
    root = Path(folder)
    record = read_record(root)
    tables = Tables(record.preset, read_entries(Folder(root), record.preset))
    text = render("report.html.jinja", _content(record, tables))
    path = root / "report.html"
    write_text(path, text)
    return path


def render(template: str, content: dict[str, Any]) -> str:
    """A page from a template of this folder; whatever the content holds is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["soft"] = _soft
    return environment.get_template(template).render(content)


def _soft(name: str) -> Markup:
    """A name that may be broken after its underscores, escaped."""
    return Markup("_<wbr>").join(name.split("_"))


@dataclass(frozen=True)
class _Box:
    """A cell of a heat table: a number, its seeds, a colour, and whether it is hatched."""

    value: float
    seeds: tuple[float, ...]
    colour: str
    inside: bool


def _content(record: Record, tables: Tables) -> dict[str, Any]:
    preset = record.preset
    limits = figures.shift_limits(tables)
    return {
        "record": record,
        "preset": preset,
        "tables": tables,
        "summary": words.summary(tables),
        "findings": words.findings(tables),
        "limits": words.limits(tables),
        "inside": {name: preset.inside(name) for name in tables.targets},
        "matrix": _matrix(tables),
        "differences": _differences(tables),
        "before_and_after": _before_and_after(tables),
        "market": [(target, tables.market(target)) for target in tables.targets],
        "market_names": _MARKET,
        "outside": list(zip(preset.targets, preset.outside, strict=True)),
        "shift_figures": [(name, Markup(figures.shift_figure(tables, name, limits))) for name in tables.targets],
        "curve_figures": [(name, Markup(figures.curve_figure(tables, name))) for name in tables.homes],
        "command": f"ruleshift study --preset {record.asked} --out DIR",
    }


def _matrix(tables: Tables) -> list[tuple[str, list[_Box]]]:
    """Rows of the matrix: who, and the return at each target after the shift."""
    rows = [
        (f"specialist of {home}", [_box(tables, "fixed", target, home) for target in tables.targets])
        for home in tables.homes
    ]
    others = [("generalist", "randomized"), ("natives of the rule in force", "native")]
    if tables.best_constant:
        others.append((f"constant conduct “{words.conduct(tables.best_constant)}”", tables.best_constant))
    others.append(("scripted posted price", "scripted"))
    return rows + [(label, [_box(tables, arm, target, None) for target in tables.targets]) for label, arm in others]


def _box(tables: Tables, arm: str, target: str, home: str | None) -> _Box:
    seeds = tuple(
        tables.over_homes(arm, target, seed) if home is None else tables.after(arm, home, target, seed)
        for seed in tables.seeds(arm)
    )
    value = sum(seeds) / len(seeds)
    native = tables.over_homes("native", target, tables.preset.panel_seed)
    return _Box(value, seeds, _blue(value / native if native > 0 else 0.0), tables.preset.inside(target))


def _differences(tables: Tables) -> list[tuple[str, list[_Box]]]:
    """Generalist less specialist, by home and target."""
    largest = max((abs(pair.difference) for pair in tables.pairs(tables.targets)), default=0.0) or 1.0
    rows = []
    for home in tables.homes:
        boxes = []
        for target in tables.targets:
            seeds = tuple(pair.difference for pair in tables.pairs([target]) if pair.home == home)
            mean = sum(seeds) / len(seeds)
            boxes.append(_Box(mean, seeds, _two_sided(mean / largest), tables.preset.inside(target)))
        rows.append((home, boxes))
    return rows


def _before_and_after(tables: Tables) -> list[tuple[str, list[float]]]:
    """Rows of means over homes, rules held out and seeds: who; before, after, twin, change, after with mean actions."""
    arms = [("specialists", "fixed"), ("generalist", "randomized"), ("natives", "native")]
    arms += [(f"constant conduct “{words.conduct(arm)}”", arm) for arm in tables.constants]
    arms.append(("scripted posted price", "scripted"))
    columns = [(name, "shift") for name in ("before", "after", "twin_after", "change")]
    columns.append(("after", "shift_deterministic"))
    targets = tables.away or tables.targets
    return [(label, [tables.mean(arm, targets, *column) for column in columns]) for label, arm in arms]


def _blue(share: float) -> str:
    """White where nothing is earned, blue where as much as natives earn or more."""
    return _mix((255, 255, 255), (150, 187, 226), share)


def _two_sided(share: float) -> str:
    """Orange for the specialist, blue for the generalist."""
    return _mix((255, 255, 255), (150, 187, 226) if share > 0 else (240, 190, 150), abs(share))


def _mix(low: tuple[int, int, int], high: tuple[int, int, int], share: float) -> str:
    share = min(max(share, 0.0), 1.0)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(low, high, strict=True))
