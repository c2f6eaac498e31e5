"""Phrases that say what each field of a rule means."""

import math
import re
import sys
from collections.abc import Callable
from typing import Any

from ruleshift.envs import Rule
from ruleshift.envs.mechanisms import find_mechanism

_SIGNALS = {
    "price": "a low ask",
    "capability": "capability",
    "reputation": "reputation",
    "promotion": "paid visibility",
    "popularity": "popularity (jobs won before)",
    "focus": "attention to the job's kind",
    "proximity": "being in the job's bloc",
}


def phrase(field: str, value: Any) -> str:
    """Say what a rule with this value of a field does, such as `the platform keeps 10% of each payment`.

    Args:
        field: dotted name of the field, such as `payment.commission`.
        value: value of the field, as the rule holds it.

    >>> phrase("scoring.weights.promotion", 0.8)
    'paid visibility makes up 80% of the score'
    """
    if field.startswith("scoring.weights."):
        what = _SIGNALS[field.rpartition(".")[2]]
        return f"{what} makes up {_percent(value)} of the score" if value > 0 else f"{what} does not count"
    words = _PHRASES.get(field)
    if words is None:
        return f"{field.rpartition('.')[2].replace('_', ' ')} is {value}"
    return words(value) if callable(words) else words[value]


def summary(rule: Rule) -> str:
    """Describe a rule in one line: how it matches, what its score is made of, and who is paid what.

    >>> from ruleshift.envs import load_rule
    >>> summary(load_rule("promoted_listing"))  # doctest: +ELLIPSIS
    'serial draws; the score is 80% paid visibility and 20% a low ask...'
    """
    matching = re.split(r" \(|: ", _mechanism(rule.matching.mechanism))[0]
    return "; ".join([matching, _score(rule), _pay(rule)])


def _score(rule: Rule) -> str:
    if idle("scoring.weights.price", rule):
        return "the score does not count"
    weights = {name: getattr(rule.scoring.weights, name) for name in _SIGNALS}
    parts = [
        f"{100 * value:.0f}% {_SIGNALS[name].split(' (')[0]}"
        for name, value in sorted(weights.items(), key=lambda item: -item[1])
        if value >= 0.005
    ]
    listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else f"{parts[0].partition('% ')[2]} alone"
    power = rule.scoring.amplification
    how = "the highest wins" if math.isinf(power) else f"raised to the power of {power:.2g}"
    return f"the score is {listed} ({how})"


def _pay(rule: Rule) -> str:
    payment = rule.payment
    text = phrase("payment.pricing", payment.pricing)
    if payment.reserve < 1:
        text += f" (the reserve is {100 * payment.reserve:.0f}% of the value)"
    if payment.commission > 0:
        text += f", minus {100 * payment.commission:.0f}% commission"
    if rule.scoring.weights.promotion > 0 or payment.charge in ("next_bid", "externality"):
        text += f"; {phrase('payment.charge', payment.charge)}"
    return text


def idle(field: str, rule: Rule) -> bool:
    """Whether a field has no effect under a rule: with any other value, the same actions would earn the same."""
    scoring, mechanism = rule.scoring, find_mechanism(rule.matching.mechanism)
    unscored = scoring.amplification == 0 or not mechanism.reads_odds
    blind = {name for name in _SIGNALS if unscored or getattr(scoring.weights, name) == 0}
    unpopular = "popularity" in blind and rule.feedback.entry_rate == 0
    if field.startswith("scoring.weights."):
        return unscored
    return {
        "scoring.amplification": not mechanism.reads_odds,
        "scoring.promotion_floor": "promotion" in blind,
        "scoring.price_signal": "price" in blind,
        "scoring.logit_scale": "price" in blind or scoring.price_signal == "ratio",
        "matching.proposer": not mechanism.reads_proposer,
        "feedback.reputation_gain": "reputation" in blind,
        "feedback.inflation": "reputation" in blind or rule.feedback.reputation_gain == 0,
        "feedback.persistence": unpopular,
        "feedback.prior": unpopular,
    }.get(field, False)


def _percent(value: float) -> str:
    return f"{100 * value:.3g}%"


def _amplification(value: float) -> str:
    if value == 0:
        return "the score does not count: a lottery"
    return "the highest score wins: a ranking" if math.isinf(value) else f"odds are the score to the power of {value:g}"


def _mechanism(name: str) -> str:
    """The first sentence of the mechanism's docstring, or its name if it has none."""
    function = find_mechanism(name).function
    texts = (getattr(each, "__doc__", None) for each in (function, sys.modules.get(function.__module__)))
    text = next((text for text in texts if text and not text.startswith("See the module")), "")
    first = " ".join(text.strip().split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:] if first else f"matching is by {name}"


def _tiers(value: tuple[tuple[float, float], ...]) -> str:
    if not value:
        return "the commission is flat"
    return "the commission becomes " + ", ".join(f"{_percent(share)} from {start:g} on" for start, share in value)


_PHRASES: dict[str, Callable[[Any], str] | dict[str, str]] = {
    "disclosure.level": {
        "opaque": "organizations see only their own outcome",
        "outcomes": "organizations also see how the winners differed from the rest",
        "scores": "organizations also see how the winners differed from the rest, and their own rank",
        "full": "organizations see the rule itself",
    },
    "disclosure.noise": lambda x: f"disclosed numbers are off by up to {x:g}" if x else "disclosed numbers are exact",
    "disclosure.delay": lambda x: f"disclosed numbers are {x} rounds late" if x else "disclosed numbers are up to date",
    "disclosure.notice": lambda x: f"changes are announced {x} rounds in advance" if x else "changes are not announced",
    "disclosure.reliability": lambda x: f"an announcement is right {_percent(x)} of the time",
    "scoring.amplification": _amplification,
    "scoring.promotion_floor": lambda x: f"those who promote nothing are as visible as with a promotion of {x:g}"
    if x else "those who promote nothing are invisible",
    "scoring.price_signal": {
        "ratio": "asks are compared by their ratio", "logit": "asks are compared by their difference (logit)",
    },
    "scoring.logit_scale": lambda x: f"an ask lower by {x:g} of the value adds 1 to the logit signal",
    "matching.mechanism": _mechanism,
    "matching.proposer": {
        "organizations": "organizations propose, if the mechanism has sides",
        "jobs": "jobs propose, if the mechanism has sides",
    },
    "matching.parameters": lambda x: f"the mechanism's own parameters are {', '.join(f'{each:g}' for each in x)}"
    if x else "the mechanism has no parameters of its own",
    "payment.pricing": {
        "as_asked": "winners are paid what they ask",
        "second_price": "winners are paid the highest ask that would still have won",
        "uniform": "all winners of a kind are paid the highest ask that would still have won any of its jobs",
        "posted": "winners are paid the reserve, whatever they ask",
        "externality": "winners are paid their cost plus what the market gains by their presence (VCG)",
    },
    "payment.reserve": lambda x: f"asks above {_percent(x)} of the job's value are refused",
    "payment.commission": lambda x: f"the platform keeps {_percent(x)} of each payment",
    "payment.tiers": _tiers,
    "payment.charge": {
        "sunk": "all who promote pay for it, whether they win or not",
        "if_matched": "only winners pay for their promotion",
        "next_bid": "winners pay the promotion bid of the next in line",
        "externality": "winners pay for promotion what the others lose because of it",
    },
    "feedback.reputation_gain": lambda x: f"each job served moves reputation {_percent(x)} closer to its quality",
    "feedback.inflation": lambda x: f"raters forgive {_percent(x)} of the gap to the best rating"
    if x else "ratings equal the quality served",
    "feedback.persistence": lambda x: f"{_percent(x)} of popularity carries over to the next round"
    if x < 1 else "popularity never fades",
    "feedback.prior": lambda x: f"newcomers start with a popularity of {x:g}",
    "feedback.entry": {
        "closed": "bankrupt organizations stay", "replacement": "newcomers take the seats of bankrupt organizations",
    },
    "feedback.entry_rate": lambda x: f"{_percent(x)} of the jobs go to dormant seats instead"
    if x else "no jobs are set aside for dormant seats",
}  # fmt: skip
