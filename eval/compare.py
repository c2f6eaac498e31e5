"""Two rules side by side: every field that differs, and how far apart they are."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ruleshift.envs import Rule, load_rule
from ruleshift.envs.support import flat_fields


@dataclass(frozen=True)
class Difference:
    """A field of a rule with the value that each of two rules gives it."""

    field: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Comparison:
    """What distinguishes two rules. Names and rationales are labels, not differences."""

    names: tuple[str, str]
    differences: tuple[Difference, ...]
    distance: float
    """Mean absolute difference of the rules' features, 0 (alike) .. 1."""

    def __str__(self) -> str:
        first, second = self.names
        if not self.differences:
            return f"{first} and {second} are the same rule under two names."
        count = len(self.differences)
        lines = [f"{first} and {second} differ in {count} {'field' if count == 1 else 'fields'}:"]
        width = max(len(each.field) for each in self.differences)
        lines += [f"  {each.field:<{width}}  {_show(each.first)} -> {_show(each.second)}" for each in self.differences]
        return "\n".join([*lines, f"Distance of their features: {self.distance:.3f} (0: alike, 1: opposite)."])


def compare_rules(a: Rule | str, b: Rule | str) -> Comparison:
    """Compare two rules, each given as a rule, its name or the path of its file."""
    first, second = load_rule(a), load_rule(b)
    left, right = flat_fields(first), dict(flat_fields(second))
    differences = tuple(Difference(name, value, right[name]) for name, value in left if value != right[name])
    distance = float(np.mean(np.abs(first.features().astype(float) - second.features().astype(float))))
    return Comparison((first.name, second.name), differences, distance)


def _show(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, float):
        return "without limit" if math.isinf(value) else f"{value:g}"
    return str(value)
