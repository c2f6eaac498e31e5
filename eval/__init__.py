"""What is asked: one policy under a shift, a study of arms, and the report of it."""

from ruleshift.eval.compare import Comparison, Difference, compare_rules, save_picture
from ruleshift.eval.distance import rule_distance
from ruleshift.eval.evaluate import Evaluation, evaluate
from ruleshift.eval.make_references import make_references
from ruleshift.eval.panels import Panel, scripted_panel
from ruleshift.eval.play import Played, play
from ruleshift.eval.pool import CellError
from ruleshift.eval.preset import Preset, list_presets, load_preset
from ruleshift.eval.regret import regret
from ruleshift.eval.report import write_report
from ruleshift.eval.scenario_run import ScenarioRun, Stage, run_scenario
from ruleshift.eval.study import study
from ruleshift.eval.validate import Validation, validate

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
