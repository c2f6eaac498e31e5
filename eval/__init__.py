"""Evaluation: a policy under a shift, studies of arms with their reports, comparisons of rules, and known answers.

The packages are `compare` (rules), `jobs` (long work), `claims` (verdicts), `experiment` (studies), `report` and
`known_answers`. The modules hold the functions that users call; the packages import nothing from this file.
"""

from ruleshift.eval.claims import Claim, Judgement, Verdict, register_claim
from ruleshift.eval.claims.returns import Returns
from ruleshift.eval.compare.compare import Comparison, Difference, compare_rules
from ruleshift.eval.compare.distance import rule_distance
from ruleshift.eval.compare.picture import save_picture
from ruleshift.eval.compare.regret import regret
from ruleshift.eval.evaluate import Evaluation, evaluate
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.make_references import make_references
from ruleshift.eval.experiment.preset import Preset, list_presets, load_preset
from ruleshift.eval.experiment.protocols import Protocol, register_protocol
from ruleshift.eval.jobs.pool import CellError
from ruleshift.eval.known_answers import Answer, Measurement, Row, Tolerance, register_answer
from ruleshift.eval.known_answers.validate import Validation, validate
from ruleshift.eval.panels import Panel, scripted_panel
from ruleshift.eval.play import Played, play
from ruleshift.eval.report import write_report
from ruleshift.eval.scenario import ScenarioRun, Stage, run_scenario
from ruleshift.eval.study import JudgedClaims, run_claims, study

__all__ = [
    "Answer",
    "Cell",
    "CellError",
    "Claim",
    "Comparison",
    "Context",
    "Design",
    "Difference",
    "Entry",
    "Evaluation",
    "JudgedClaims",
    "Judgement",
    "Measurement",
    "Panel",
    "Played",
    "Preset",
    "Protocol",
    "Returns",
    "Row",
    "ScenarioRun",
    "Stage",
    "Tolerance",
    "Validation",
    "Verdict",
    "compare_rules",
    "evaluate",
    "list_presets",
    "load_preset",
    "make_references",
    "play",
    "register_answer",
    "register_claim",
    "register_protocol",
    "regret",
    "rule_distance",
    "run_claims",
    "run_scenario",
    "save_picture",
    "scripted_panel",
    "study",
    "validate",
    "write_report",
]
