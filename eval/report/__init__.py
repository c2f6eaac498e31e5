"""The report of a study: one HTML file that needs no network."""

from ruleshift.eval.report.write import write_report

__all__ = ["write_report"]
