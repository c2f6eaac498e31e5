"""Writing of `report.html` from the results in a study's folder."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ruleshift.envs.files import write_atomically
from ruleshift.eval.claims import asked, wording
from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import MARGIN
from ruleshift.eval.claims.competence import LEAST
from ruleshift.eval.claims.transfer import headline
from ruleshift.eval.compare.phrases import summary
from ruleshift.eval.experiment.protocols.probe import ROUNDS
from ruleshift.eval.report import figures, sentences, tables, views
from ruleshift.eval.report.claim_pages import claim_pages
from ruleshift.eval.report.findings import Findings, read_findings
from ruleshift.eval.report.render import render

_MARKET = {
    "served": "jobs served", "price": "price", "quality": "quality", "surplus": "clients' surplus",
    "profit": "profit", "revenue": "platform's revenue", "concentration": "concentration",
}  # fmt: skip


def write_report(
    folder: str | os.PathLike[str], *, mechanisms: Sequence[str] = (), extensions: Sequence[str] = ()
) -> Path:
    """Write `report.html` for the finished study in a folder, whoever made it, and return its path.

    Beside it, `claims/` gets a page for each claim that the study asks.

    Args:
        folder: folder of the study.
        mechanisms: mechanisms of your own that the study uses; without being named here none is imported.
        extensions: modules of your own that the study uses; the same holds for them.

    Raises:
        ValueError: there is no study in the folder, it is not finished, a result is not what was computed, or the study
            uses code that the arguments do not name.
    """
    root = Path(folder)
    path, findings = root / "report.html", read_findings(root, mechanisms=mechanisms, extensions=extensions)
    (root / "claims").mkdir(exist_ok=True)
    for name, text in claim_pages(findings).items():
        write_atomically(root / "claims" / f"{name}.html", text)
    write_atomically(path, page(findings))
    return path


def page(findings: Findings) -> str:
    """Return the report as the text of one HTML file."""
    return render(Path(__file__).with_name("report.html.jinja"), _content(findings))


def _content(findings: Findings) -> dict[str, Any]:
    """Content of the template; the views of the primary contrast are None unless the study has both of its arms."""
    claims = asked(findings.design.preset.claims)
    return {
        "findings": findings,
        "design": findings.design,
        "preset": findings.design.preset,
        "record": findings.record,
        "short": findings.short,
        "headline": headline(findings.judgement),
        "sentences": sentences,
        "claims": claims,
        "answers": {name: claim.answer(findings.judgement) for name, claim in claims.items()},
        "verdicts": findings.judgement.verdicts,
        "constant": findings.judgement.constant,
        "targets": findings.numbers.targets,
        "homes": findings.numbers.homes,
        "held_out": findings.numbers.held_out,
        "returns_table": tables.returns_table(findings),
        "gates": tables.gates(findings),
        "least": LEAST,
        "arms": [findings.design.arms[arm] for arm in findings.arms],
        "about": {rule.name: summary(rule) for rule in findings.design.targets},
        "outside": findings.design.outside,
        "market_names": _MARKET,
        "markets": views.markets(findings),
        "adaptation_table": [(arm, figures.tenths(findings, arm, findings.numbers.held_out)) for arm in findings.arms],
        "adaptation_legend": figures.legend(findings.arms, figures.LEVELS),
        "adaptation_figures": _each(findings, figures.adaptation_figure, findings.numbers.held_out),
        "known": _known(findings),
        "primary": _primary(findings) if findings.judgement.has_primary else None,
    }


def _known(findings: Findings) -> dict[str, Any] | None:
    """What the arms know of the held-out rules; None if the study ran no probe."""
    rows = views.knowledge(findings)
    if not rows:
        return None
    figure = Markup(figures.knowledge_figure(rows))
    return {"rows": rows, "rounds": ROUNDS, "figure": figure, "legend": figures.knowledge_legend(rows)}


def _primary(findings: Findings) -> dict[str, Any]:
    """Content about the generalist and the specialist."""
    held_out, homes = findings.numbers.held_out, findings.numbers.homes
    lines = {"by_target": tables.by_target(findings), "contrasts": tables.contrasts(findings)}
    lines |= {"budgets": tables.budgets(findings), "economies": _by_economy(findings)}
    return {
        **lines,
        "reach": tables.reach([line for group in lines.values() for line in group]),
        "margin": MARGIN,
        "matrix": tables.transfer_matrix(findings),
        "summaries": tables.summaries(findings),
        "conduct": views.conduct(findings),
        "recoveries": views.recoveries(findings),
        "rivalries": views.rivalries(findings),
        "doses": views.doses(findings),
        "curve_figures": _each(findings, figures.curve_figure, homes) if findings.returns.curves else [],
        "curve_legend": figures.legend(wording.in_order(findings.returns.curves), ("best_reply", "floor")),
        "shift_legend": figures.legend(figures.AROUND),
        "notice_legend": figures.notice_legend(),
        "dose_legend": figures.legend([SPECIALIST, GENERALIST]),
        "curve_table": tables.curve_table(findings),
        "shift_figures": _each(findings, figures.shift_figure, held_out),
        "notice_figure": Markup(figures.notice_figure(findings)),
        "profile_figure": Markup(figures.profile_figure(tables.performance_profiles(findings))),
        "profile_legend": figures.legend(findings.arms),
        "dose_figure": Markup(figures.dose_figure(findings)),
    }


def _each(findings: Findings, draw: Any, rules: list[str]) -> list[tuple[str, Markup]]:
    """Draw a figure averaged over all rules, and if there are several, one for each of them."""
    found = [("all together" if len(rules) > 1 else findings.short[rules[0]], Markup(draw(findings)))]
    numbered = enumerate(rules) if len(rules) > 1 else ()
    return found + [(findings.short[rule], Markup(draw(findings, index))) for index, rule in numbered]


def _by_economy(findings: Findings) -> list[tables.Line]:
    """The primary contrast economy by economy, the worst first."""
    found = findings.judgement.verdicts["economies"].intervals
    lines = [tables.Line(name, each) for name, each in found.items()]
    return sorted(lines, key=lambda line: line.found.estimate if line.found else 0.0)
