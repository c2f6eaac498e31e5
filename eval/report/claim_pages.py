"""The page of each claim: its design, what was measured, with a plot, and how much the verdict hangs on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ruleshift.eval.claims import Claim, Verdict, asked, judged
from ruleshift.eval.claims.claim import MARGIN
from ruleshift.eval.claims.wording import count
from ruleshift.eval.experiment.results import returns_of
from ruleshift.eval.report.findings import Findings
from ruleshift.eval.report.render import render
from ruleshift.eval.report.tables import Line, reach

_WIDEST = 1.5


@dataclass(frozen=True)
class Variation:
    """The verdict on a claim when one thing about the study is changed."""

    name: str
    """What is changed."""
    verdict: Verdict
    """The verdict then."""


def claim_pages(findings: Findings) -> dict[str, str]:
    """The text of one HTML file for each claim that the study asks, by its id."""
    return {name: _page(claim, findings) for name, claim in asked(findings.design.preset.claims).items()}


def _page(claim: Claim, findings: Findings) -> str:
    verdict = findings.judgement.verdicts[claim.id]
    measured = {"the measure": verdict.measure, **verdict.intervals} if verdict.measure else dict(verdict.intervals)
    lines = [Line(name, found, found is verdict.measure) for name, found in measured.items()]
    drawn = [line for line in lines if line.found and np.abs([line.found.estimate]).max() <= _WIDEST]
    content = {
        "claim": claim,
        "verdict": verdict,
        "answer": claim.answer(findings.judgement),
        "setting": claim.setting_of(findings.design.preset.adaptation),
        "sizes": _sizes(findings),
        "arms": [findings.design.arms[arm] for arm in findings.arms],
        "lines": lines,
        "drawn": [line.name for line in drawn],
        "reach": reach(drawn),
        "margin": MARGIN,
        "variations": list(variations(claim, findings)),
        "version": findings.record.version,
        "design_hash": findings.design.hash,
    }
    return render(Path(__file__).with_name("claim.html.jinja"), content)


def _sizes(findings: Findings) -> str:
    names = ("home rule", "held-out rule", "training seed", "panel", "economy")
    return ", ".join(count(size, name) for size, name in zip(findings.returns.sizes, names, strict=True))


def variations(claim: Claim, findings: Findings) -> Iterator[Variation]:
    """Yield the verdict at each other budget of the study, and in each of its economies alone."""
    for budget in sorted(set(findings.design.preset.budgets) - {1.0}):
        yield Variation(f"{budget:g} times the budget", judged(claim, returns_of(findings.numbers, budget)))
    economies = findings.returns.sizes[4]
    for economy in range(economies) if economies > 1 else ():
        yield Variation(f"economy {economy} alone", judged(claim, findings.returns.in_economy(economy)))
