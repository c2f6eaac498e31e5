"""Evaluation: a policy under a shift, studies of arms with their reports, comparisons of rules, and known answers.

The packages are `compare` (rules), `jobs` (long work), `claims` (verdicts), `experiment` (studies), `report` and
`known_answers`. The modules hold the functions that users call; the packages import nothing from this file.
"""

from ruleshift.eval.compare.compare import Comparison, Difference, compare_rules
from ruleshift.eval.compare.distance import rule_distance
from ruleshift.eval.compare.picture import save_picture
from ruleshift.eval.compare.regret import regret
from ruleshift.eval.evaluate import Evaluation, evaluate
from ruleshift.eval.experiment.make_references import make_references
from ruleshift.eval.experiment.preset import Preset, list_presets, load_preset
from ruleshift.eval.jobs.pool import CellError
from ruleshift.eval.known_answers.validate import Validation, validate
from ruleshift.eval.panels import Panel, scripted_panel
from ruleshift.eval.play import Played, play
from ruleshift.eval.report import write_report
from ruleshift.eval.scenario import ScenarioRun, Stage, run_scenario
from ruleshift.eval.study import study

__all__ = [
    "CellError",
    "Comparison",
    "Difference",
    "Evaluation",
    "Panel",
    "Played",
    "Preset",
    "ScenarioRun",
    "Stage",
    "Validation",
    "compare_rules",
    "evaluate",
    "list_presets",
    "load_preset",
    "make_references",
    "play",
    "regret",
    "rule_distance",
    "run_scenario",
    "save_picture",
    "scripted_panel",
    "study",
    "validate",
    "write_report",
]
