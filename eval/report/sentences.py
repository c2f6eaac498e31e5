"""Sentences of the report beyond the answers to the claims; all of them follow from the numbers."""

import math

from ruleshift.eval.claims.adaptation import LEAST_MOVE, conduct_moves
from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import SUPPORTED, failing
from ruleshift.eval.claims.competence import LEAST
from ruleshift.eval.claims.wording import count, label, listed, number, percent, points, score, share_in_words, whole
from ruleshift.eval.report.findings import Findings


def what_was_compared(findings: Findings) -> str:
    """Say what specialists and the generalist are, and what is measured; it stands under the headline."""
    homes, targets, _, _, _ = findings.returns.sizes
    one = f"one of {homes} rules" if homes > 1 else "one rule"
    new = f"one of {targets} rules" if targets > 1 else "a rule"
    phase = share_in_words(findings.design.preset.adaptation)
    return (
        f"Each specialist was trained on {one}, the generalist on many. Then the platform switched to {new} that "
        f"neither had met, and both kept learning under it for {phase} of their training budget. A score of 0 is what "
        "simple scripted organizations earn, and 100 is what a best reply earns: an organization trained under that "
        "very rule against the same competitors."
    )


def incompetence(findings: Findings) -> str:
    """Warn that an arm of the primary contrast fails the competence gate; empty if both pass it."""
    judgement = findings.judgement
    if not judgement.incompetent:
        return ""
    parts = [text for arm in (GENERALIST, SPECIALIST) if (text := failing(judgement, arm))]
    text = listed(parts)
    return (
        f"{text[0].upper()}{text[1:]}. An organization has to score at least {score(LEAST)} on every rule that it was "
        "trained on. So nothing is concluded about what it does under other rules. A larger budget may show more."
    )


def what_intervals_cover(findings: Findings) -> str:
    """Say what was resampled, and what the intervals say nothing about."""
    names = ("home rule", "target rule", "training seed", "panel", "economy")
    sizes = dict(zip(names, findings.returns.sizes, strict=True))
    varied = [count(size, name) for name, size in sizes.items() if size > 1]
    fixed = [name for name, size in sizes.items() if size == 1]
    if not varied:
        return "Nothing varies in this study, so there are no intervals."
    text = f"The intervals take {listed(varied)} as samples, which are fully crossed."
    return text + (f" There was only one {listed(fixed)}, so they say nothing about others." if fixed else "")


def what_it_could_find(findings: Findings) -> str:
    """State the power of a study of this size, whatever was found."""
    half_width = findings.power[0].half_width
    if not math.isfinite(half_width):
        return "A study in which nothing varies can establish nothing."
    parts = [
        f"{percent(each.shares[SUPPORTED])} of the time if it is {points(each.effect)}"
        for each in findings.power
        if each.effect > 0
    ]
    return (
        f"A study of this size has an interval of about ±{whole(100 * half_width)} points for rules like these, and "
        f"of ±{whole(100 * findings.power_under_these_rules[0].half_width)} for these rules themselves. It establishes "
        f"a true advantage for rules like these {listed(parts)}. These figures were fixed before the study ran, and "
        "rest on the variance components of a first study. If a small study is inconclusive, there may still be "
        "something to find."
    )


def limits(findings: Findings) -> list[str]:
    """List what does not follow from this study."""
    preset = findings.design.preset
    return [
        f"{what_intervals_cover(findings)} They speak of rules and economies like these. How often such intervals "
        "contain the truth was measured by simulation, with various variance components.",
        f"The best reply is a learner with {preset.best_reply_steps:,} agent-steps, not an optimum; natives have "
        f"{preset.native_steps:,}. Where these learned little, scores mean little. {who_is_best(findings)}",
        "One organization is scored in each market. The others neither learn nor react beyond what their policies do, "
        "so the study does not ask what happens when all of them adapt.",
        "That costs fall with experience and that quality rises with effort is built into the market.",
        "Everything is simulated, and rules stylize platforms. No figure here forecasts a real market.",
    ]


def who_is_best(findings: Findings) -> str:
    """Say under which rules another policy takes the place of the best reply, and which one."""
    others, rules = findings.returns.best_known, len(findings.design.targets)
    if not others:
        return "No other policy of the study earned more than the best replies by over 2 points."
    named = listed([f"{findings.short.get(rule, rule)} ({_who(who)})" for rule, who in others.items()])
    return (
        f"Under {len(others)} of {rules} rules another policy earned more than the best reply by over 2 points and "
        f"takes its place, so that a score of 100 is what the best known policy earns: {named}."
    )


def _who(name: str) -> str:
    arm, _, home = name.partition(" of ")
    return f"{label(arm)} of {home}" if home else label(arm)


def moves(findings: Findings) -> str:
    """Say how much the generalist's late conduct differs between rules; empty if it was not measured."""
    if GENERALIST not in findings.returns.conduct:
        return ""
    moved = conduct_moves(findings.returns.conduct[GENERALIST])
    enough = "enough" if moved >= LEAST_MOVE else "too little"
    return (
        "Of the three parts of the generalist's late conduct, the one that differs most between held-out rules has a "
        f"standard deviation of {number(moved)} beyond noise. This is {enough}: adaptation requires {LEAST_MOVE:g}."
    )
