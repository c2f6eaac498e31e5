"""The report of a study: one HTML file that needs no network.

Here numbers become tables, figures and pages; what is measured, and what it is worth as a verdict, is settled below.
"""

from ruleshift.eval.report.write import write_report

__all__ = ["write_report"]
