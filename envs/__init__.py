"""The market that organizations live in.

This package holds rules, economies and schedules, the round by which they are played, and its PettingZoo view. Agents,
training and evaluation belong to the other packages of ruleshift, none of which is imported here.
"""

import importlib
from typing import Any

from ruleshift.envs.economy import Economy
from ruleshift.envs.layout import FEATURES, MEASURES, PUBLIC_STATISTICS, action_layout, observation_layout
from ruleshift.envs.market import Market
from ruleshift.envs.mechanisms import register_mechanism
from ruleshift.envs.rule import Rule, list_rules, load_rule
from ruleshift.envs.scenario import Figure, Scenario, list_scenarios, load_scenario
from ruleshift.envs.schedule import Shift, drift, periodic, placebo, read_schedule, switching
from ruleshift.envs.structure import Structure, list_structures, load_structure

_LATE = {"market_v0": None, "check_market": "checker", "inspect_market": "checker", "twin": "market_v0"}

__all__ = [
    "FEATURES", "MEASURES", "PUBLIC_STATISTICS", "Economy", "Figure", "Market", "Rule", "Scenario", "Shift",
    "Structure", "action_layout", "check_market", "drift", "inspect_market", "list_rules", "list_scenarios",
    "list_structures", "load_rule", "load_scenario", "load_structure", "market_v0", "observation_layout", "periodic",
    "placebo", "read_schedule", "register_mechanism", "switching", "twin",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a view on first access, so that PettingZoo is loaded only when it is needed."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_LATE[name] or name}")
    return module if _LATE[name] is None else getattr(module, name)
