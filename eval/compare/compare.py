"""Comparison of two rules: what differs, in words; what each rewards, as measured; and how far apart they are."""

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from ruleshift.envs import Rule, load_rule
from ruleshift.eval.compare.distance import rule_distance
from ruleshift.eval.compare.elasticities import odds_answers
from ruleshift.eval.compare.phrases import idle, phrase
from ruleshift.eval.compare.regret import AXES, ConductReturns, conduct_returns

_WIDTH = 110
_BAR = 20


@dataclass(frozen=True)
class Difference:
    """A field to which two rules give different values."""

    field: str
    """Dotted name of the field, such as `payment.commission`."""
    first: Any
    """Value under the first rule."""
    second: Any
    """Value under the second rule."""


@dataclass(frozen=True)
class Comparison:
    """What distinguishes two rules; `str` gives it as text."""

    rules: tuple[Rule, Rule]
    """The two rules."""
    differences: tuple[Difference, ...]
    """Fields in which they differ; names and rationales are labels and do not count."""
    distance: float
    """Distance of their assignment probabilities, 0 (alike) .. 1; see `rule_distance`."""
    returns: tuple[ConductReturns, ConductReturns]
    """What each constant conduct of the grid earns under each rule."""
    regrets: tuple[float, float]
    """Profit per round, in mean job values, that the best reply to the second rule loses under the first, and that the
    best reply to the first loses under the second; see `regret`."""

    @property
    def names(self) -> tuple[str, str]:
        """Names of the two rules, numbered if both have the same name."""
        first, second = (rule.name for rule in self.rules)
        return (first, second) if first != second else (f"{first} (1)", f"{second} (2)")

    def __str__(self) -> str:
        if not self.differences:
            first, second = (rule.name for rule in self.rules)
            same = first if first == second else f"{first} and {second}"
            return f"{same}: the same rule{'' if first == second else ' under two names'}."
        parts = (self._in_words(), self._rewarded(), self._profiles(), self._apart())
        return "\n\n".join("\n".join(part) for part in parts)

    def _in_words(self) -> list[str]:
        first, second = self.names
        count = len(self.differences)
        lines = [f"A: {first}, B: {second}. They differ in {count} {'field' if count == 1 else 'fields'}."]
        for each in self.differences:
            moot = all(idle(each.field, rule) for rule in self.rules)
            lines.append(f"  {each.field}{' (no effect under either rule)' if moot else ''}")
            for letter, value in (("A", each.first), ("B", each.second)):
                text = wrap(f"{letter}  {phrase(each.field, value)}", _WIDTH - 4, subsequent_indent="   ")
                lines += [f"    {line}" for line in text]
        return lines

    def _rewarded(self) -> list[str]:
        """Lines on how the odds respond to signals, and on the conduct that earns the most."""
        lines = [_row("What multiplies the odds of being chosen, and by how much:", "A", "B")]
        lines += [_row(f"  {label}", *map(_times, answers)) for label, answers in odds_answers(self.rules)]
        lines.append(_row("The best constant conduct among scripted rivals:", "A", "B"))
        for axis, (name, levels) in enumerate(AXES.items()):
            lines.append(_row(f"  {name}", *(_word(levels[each.best[axis]]) for each in self.returns)))
        profits = (f"{each.profit.max():.3f}" for each in self.returns)
        return [*lines, _row("  profit per round, in mean job values", *profits)]

    def _profiles(self) -> list[str]:
        """Bars for the terminal: the share of the best profit that the best conduct with each level keeps."""
        lines = [
            "Share of the best profit that is left when one part of conduct is fixed:",
            f"{'':21}{'A':<{_BAR + 7}}B",
        ]
        for axis, (name, levels) in enumerate(AXES.items()):
            shares = [each.kept(axis) for each in self.returns]
            for index, level in enumerate(levels):
                bars = (f"{_bar(share[index])} {100 * max(share[index], 0.0):4.0f}%" for share in shares)
                lines.append(f"  {name if index == 0 else '':<11}{_word(level):<8}{' '.join(bars)}")
        return lines

    def _apart(self) -> list[str]:
        distance = f"{self.distance:.3f} (mean total variation; 0: alike, 1: never alike)"
        lines = [f"Distance between their matchings: {distance}."]
        for letter, other, lost, own in zip("AB", "BA", self.regrets, self.returns, strict=True):
            best = float(own.profit.max())
            share = f", {100 * lost / best:.0f}% of what can be earned there" if best > 0 else ""
            lines.append(f"Under {letter}, the best conduct for {other} loses {lost:.3f} per round{share}.")
        return lines


def compare_rules(a: Rule | str, b: Rule | str, *, mechanisms: tuple[str, ...] = ()) -> Comparison:
    """Compare two rules, which takes seconds.

    Args:
        a, b: a Rule, its name or the path of its file.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.

    Raises:
        ValueError: there is no such rule or mechanism.
    """
    first, second = load_rule(a), load_rule(b)
    found = (conduct_returns(first, mechanisms), conduct_returns(second, mechanisms))
    return Comparison(
        rules=(first, second),
        differences=differences_of(first, second),
        distance=rule_distance(first, second, mechanisms=mechanisms),
        returns=found,
        regrets=(found[0].loses(found[1]), found[1].loses(found[0])),
    )


def differences_of(a: Rule, b: Rule) -> tuple[Difference, ...]:
    """Return the fields in which two rules differ, with both values."""
    left, right = a.flat(), b.flat()
    return tuple(Difference(name, value, right[name]) for name, value in left.items() if value != right[name])


def _times(value: float) -> str:
    if value == 1:
        return "-"
    return "decides" if math.isinf(value) else f"x {value:.2f}" if value < 1000 else "x 1000 or more"


def _row(label: str, first: str, second: str) -> str:
    return f"{label:<58}{first:>12}{second:>15}"


def _word(level: Any) -> str:
    return str(level) if isinstance(level, str) else f"{level:g}"


def _bar(share: float) -> str:
    filled = round(float(np.clip(share, 0, 1)) * _BAR)
    return "#" * filled + "." * (_BAR - filled)
