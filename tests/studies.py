"""Finished studies with planted effects: folders as a study leaves them, without a market and without training."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.eval import Preset
from ruleshift.eval.claims.arms import GENERALIST
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.design import PRIMARY, Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.protocols.probe import ROUNDS
from ruleshift.eval.experiment.protocols.shift import BINS, SHOWN
from ruleshift.eval.experiment.record import Record, claimed_study, study_folder
from ruleshift.eval.experiment.results import write_results
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.play import CONDUCT
from ruleshift.eval.report.findings import Findings, findings_of

FLOOR, BEST = 0.1, 0.5
"""Return of the scripted organizations, and of the best reply, under every rule."""


@dataclass(frozen=True)
class Planted:
    """The score that each arm is given, where 0 is the floor and 1 the best reply; noise is added to it."""

    away: dict[str, float] = field(default_factory=dict)
    """By arm, at held-out targets while it keeps learning; .5 for arms that are not named."""
    home: dict[str, float] = field(default_factory=dict)
    """By arm, on home rules; .8 for arms that are not named."""
    gate: dict[str, float] = field(default_factory=dict)
    """By arm, in the markets of the gate; the score at home for arms that are not named."""
    constant: float = 0.3
    """The best constant conduct."""
    best_reply: float = 1.0
    """The best reply; at 0 or below it learned nothing, and there is no scale."""
    flips: float = 0.0
    """What the generalist gains in odd economies and loses in even ones."""
    moves: float = 0.3
    """How much late conduct differs between targets."""
    slow: dict[str, float] = field(default_factory=dict)
    """By arm, the share of the budget in which it learns two thirds of the way; .2 for arms that are not named."""
    known: dict[str, float] = field(default_factory=dict)
    """By arm, R2 of what the probe reads of a held-out rule in the last round; .4 for arms that are not named."""
    named: dict[str, float] = field(default_factory=dict)
    """By arm that names the rule, R2 of what it names from the first round on."""
    spread: float = 0.005
    """Standard deviation of the noise."""

    def share(self, arm: str, target: str, home: bool, economy: int = 0) -> float:
        """Return the score of an arm or reference at a target, without noise."""
        references = {"best_reply": self.best_reply, "native": 0.9, "constant": self.constant}
        references |= dict.fromkeys(("posted_price", "follower", "steady"), 0.0)
        if arm in references:
            return references[arm]
        found = self.home.get(arm, 0.8) if home else self.away.get(arm, 0.5)
        return found + (self.flips * (1 if economy % 2 else -1) if arm == GENERALIST and not home else 0.0)


class InMemory(Folder):
    """A folder that writes nothing."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self._held: dict[str, Any] = {}

    def write(self, task: str, result: dict[str, Any], inputs: Sequence[str] = ()) -> None:
        self._held[task] = result

    def read(self, task: str) -> dict[str, Any]:
        return self._held[task]


def make_findings(planted: Planted, preset: Preset) -> Findings:
    """Return what a report would read from a finished study in which arms get the planted scores."""
    design, folder = Design.of(preset), InMemory()
    _fill(folder, design, planted)
    return findings_of(Record(version="0", kernel="0" * 16, design=design, references={}), folder)


def make_study(root: Path, planted: Planted, preset: Preset) -> Path:
    """Write the folder of such a study."""
    design = Design.of(preset)
    with claimed_study(root, design):
        folder = study_folder(root, design)
        _fill(folder, design, planted)
        write_results(folder, design)
    return root


def _fill(folder: Folder, design: Design, planted: Planted) -> None:
    for cell in plan(design):
        if cell.protocol == "constant":
            folder.write(cell.name, {"result": {"conduct": {"ask": 0.7, "effort": 0.3, "promotion": 0.15}}})
        elif cell.protocol != "training":
            folder.write(
                cell.name, {"result": [entry.plain() for entry in _MADE[cell.protocol](cell, design, planted)]}
            )


def _noise(*key: object) -> np.random.Generator:
    """The same cell has the same noise in every study."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def _entries(
    cell: Cell, design: Design, planted: Planted, target: str, protocol: str, share: float | None = None, **more: Any
) -> Iterator[Entry]:
    """Yield one entry per group, with a return."""
    home = target not in [rule.name for rule in design.held_out]
    for group in design.groups:
        own = planted.share(cell.arm, target, home, group.economy) if share is None else share
        rng = _noise(cell.arm, cell.home, target, cell.seed, group.panel, group.economy)
        value = FLOOR + (BEST - FLOOR) * (own + planted.spread * rng.standard_normal())
        yield Entry(target, protocol, {"return": value}, group.panel, group.economy, **more)


def _with_conduct(entries: Iterator[Entry], design: Design, planted: Planted) -> Iterator[Entry]:
    names = [rule.name for rule in design.scored]
    for each in entries:
        level = 0.5 + planted.moves * (names.index(each.target) / max(len(names) - 1, 1) - 0.5)
        conduct = {f"{part}_{when}": at for part in CONDUCT for when, at in (("early", 0.5), ("late", level))}
        yield replace(each, values={**each.values, **conduct})


def _reference(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    for rule in design.scored:
        yield from _with_conduct(_entries(cell, design, planted, rule.name, "frozen"), design, planted)
    for rule in (*design.homes, design.central):
        yield from _with_conduct(_entries(cell, design, planted, rule.name, "gate"), design, planted)


def _frozen(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    arm = cell.arm
    protocols = ["frozen", "mean_actions"] if arm in PRIMARY and cell.budget == 1.0 else ["frozen"]
    own = planted.home.get(arm, 0.8)
    for protocol in protocols:
        for rule in design.targets if protocol == "frozen" else design.held_out:
            yield from _with_conduct(_entries(cell, design, planted, rule.name, protocol), design, planted)
    for home in design.gates_of(design.arms[arm], cell.home):
        entries = _entries(cell, design, planted, home, "gate", planted.gate.get(arm, own))
        yield from _with_conduct(entries, design, planted)


def _adaptation(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    rise = np.linspace(-0.1, 0.1, 10) * (BEST - FLOOR)
    for each in _entries(cell, design, planted, cell.target, "adaptation"):
        tenths = {f"return_{n}": each.values["return"] + float(more) for n, more in enumerate(rise, 1)}
        yield replace(each, values={**each.values, **tenths})


def _curve(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    preset, arm = design.preset, cell.arm
    for number in range(preset.curve_points + 1):
        rise = 1 - np.exp(-number / preset.curve_points / planted.slow.get(arm, 0.2))
        share = planted.home.get(arm, 0.8) * float(rise)
        steps = preset.steps * number // preset.curve_points
        yield from _entries(cell, design, planted, cell.home, "curve", share, steps=steps)


def _shift(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    home, runs = cell.home, [(cell.home, "twin"), (cell.home, "placebo")]
    runs += [(rule.name, protocol) for rule in design.held_out for protocol in ("shift", "announced")]
    for target, protocol in runs:
        profiles = []
        for group in [each for each in design.groups if each.panel == 0]:
            before, after = (
                FLOOR + (BEST - FLOOR) * planted.share(cell.arm, name, name == home, group.economy)
                for name in (home, target)
            )
            rising = np.minimum(1, 0.5 + np.arange(BINS - BINS // 2) / 10)
            late = after * (rising if target != home else np.ones_like(rising))
            profile = [before] * (BINS // 2) + late.tolist()
            values = {"before": before, "after": float(np.mean(profile[BINS // 2 :]))}
            if cell.arm == "best_reply":
                values |= {f"market_{name}": 0.4 for name in SHOWN}
            yield Entry(target, protocol, values, 0, group.economy)
            profiles.append(profile)
        yield Entry(target, f"{protocol}_profile", {}, profile=tuple(np.mean(profiles, axis=0).tolist()))


def _rivalry(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    for rule in design.targets:
        for group in [each for each in design.groups if each.panel == 0]:
            lead = {"generalist_lead": 0.05, "constant_lead": 0.07}
            yield Entry(rule.name, "head_to_head", lead, 0, group.economy)
            yield Entry(rule.name, "self_play", {"generalist": 0.6, "specialist": 0.4}, 0, group.economy)


def _distance(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    names = [rule.name for rule in design.targets]
    for name in names:
        apart = abs(names.index(name) - names.index(cell.home)) / len(names)
        yield Entry(name, "distance", {"distance": apart})


def _probe(cell: Cell, design: Design, planted: Planted) -> Iterator[Entry]:
    known = planted.known.get(cell.arm, 0.4)
    for rule in design.held_out:
        for group in [each for each in design.groups if each.panel == 0]:
            rng = _noise("known", cell.arm, cell.home, rule.name, cell.seed, group.economy)
            values = {"r2": known + planted.spread * rng.standard_normal(), "r2_of_mean": 0.0, "coverage": 0.8}
            yield Entry(rule.name, "probe", values, 0, group.economy)
        rising = known * (1 - np.exp(-np.arange(len(ROUNDS) + 1)))
        yield Entry(rule.name, "probe_profile", {"slope": 0.9, "spread": known}, profile=tuple(rising.tolist()))
        if cell.arm in planted.named:
            for group in [each for each in design.groups if each.panel == 0]:
                values = {"r2": planted.named[cell.arm], "r2_of_mean": 0.0}
                yield Entry(rule.name, "naming", values, 0, group.economy)
            yield Entry(rule.name, "naming_profile", {}, profile=(planted.named[cell.arm],) * len(rising))
    if design.arms[cell.arm].aware:
        for rule in design.held_out:
            untold = planted.away.get(cell.arm, 0.5) - 0.2
            yield from _with_conduct(_entries(cell, design, planted, rule.name, "undisclosed", untold), design, planted)


_MADE = {
    "reference": _reference, "frozen": _frozen, "adaptation": _adaptation, "curve": _curve, "shift": _shift,
    "rivalry": _rivalry, "distance": _distance,
    "probe": _probe,
}  # fmt: skip
