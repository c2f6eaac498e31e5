"""Blend: rules that lie between two others, for drifts."""

from dataclasses import replace
from typing import Any

from ruleshift.envs.fields import Count, Number, Numbers, Tiers
from ruleshift.envs.rule import Rule
from ruleshift.envs.walk import leaves, replaced

_UNBOUNDED = ("scoring.amplification", "scoring.logit_scale", "feedback.prior")


def between(first: Rule, last: Rule, share: float) -> Rule:
    """Return the rule that lies `share` (0 .. 1) of the way from one rule to another.

    Numbers move linearly, and whole numbers are rounded to the nearest. Numbers without a natural upper bound
    (amplification, logit_scale, prior) move linearly in x / (1 + x), so that a lottery becomes a ranking in finitely
    many steps. Weights still sum to 1. Words and lists of different lengths switch halfway, and if the mechanisms
    differ, so does all of `matching`.

    >>> from ruleshift.envs import load_rule
    >>> between(load_rule("dispatch_lottery"), load_rule("sealed_tender"), 0.75).scoring.amplification
    3.0
    """
    if share <= 0 or share >= 1:
        return first if share <= 0 else last
    nearer = first if share < 0.5 else last
    targets = last.flat()
    changes = {
        name: _value(name, declared.metadata["kind"], value, targets[name], share)
        for name, declared, value in leaves(first)
        if name in targets and value != targets[name]
    }
    mixed: Rule = replaced(first, changes, "rule")
    if first.matching.mechanism != last.matching.mechanism:
        mixed = replace(mixed, matching=nearer.matching)
    return replace(mixed, name=f"{first.name} to {last.name}, {100 * share:.0f} %", rationale="")


def _value(name: str, kind: Any, a: Any, b: Any, share: float) -> Any:
    if name in _UNBOUNDED:
        part = _linear(_bounded(a), _bounded(b), share)
        mixed = part / (1 - part) if part < 1 else max(a, b)
        return min(max(mixed, min(a, b)), max(a, b)) if mixed <= kind.high else max(a, b)
    if isinstance(kind, Number):
        return _linear(a, b, share)
    if isinstance(kind, Count):
        return int(_linear(a, b, share) + 0.5)
    if isinstance(kind, Numbers) and len(a) == len(b):
        return tuple(_linear(x, y, share) for x, y in zip(a, b, strict=True))
    if isinstance(kind, Tiers) and len(a) == len(b):
        pairs = zip(a, b, strict=True)
        return tuple((_linear(x[0], y[0], share), _linear(x[1], y[1], share)) for x, y in pairs)
    return a if share < 0.5 else b


def _bounded(value: float) -> float:
    return 1.0 if value == float("inf") else value / (1 + value)


def _linear(a: float, b: float, share: float) -> float:
    return min(max(a + (b - a) * share, min(a, b)), max(a, b))
