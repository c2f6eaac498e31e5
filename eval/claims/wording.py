"""Wording: how names of arms, references and fields, and how shares and scores, are written for readers."""

import math
import re
from collections.abc import Iterable, Sequence

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.statistics import LEVEL, Interval

LABELS = {
    GENERALIST: "generalist",
    SPECIALIST: "specialist",
    "best_reply": "best reply",
    "native": "native",
    "constant": "best constant conduct",
    "posted_price": "scripted: posted price",
    "follower": "scripted: follower",
    "steady": "scripted: constant",
    "floor": "scripted, the floor",
}
_MINUS = "\u2212"
FIELDS = {
    "rounds": "the length of an episode",
    "capacity": "the capacity in the market",
    "base_cost": "the cost of serving",
    "effort_cost": "the cost of effort",
    "promotion_price": "the price of promotion",
    "outside_share": "the share of jobs that leave the platform",
    "progress_ratio": "how slowly cost falls with experience",
    "depreciation": "how fast experience is lost",
    "shock_sd": "the size of private cost shocks",
}


def label(arm: str) -> str:
    """Return the name of an arm or reference for readers, such as `generalist` for `randomized+memory`."""
    return LABELS.get(arm, arm)


def field_label(field: str) -> str:
    """Return a phrase for a field of an economy."""
    return FIELDS.get(field, field.replace("_", " "))


def listed(words: Sequence[str]) -> str:
    """Join one or more words as in `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def count(number: int, word: str) -> str:
    """Write a number with its noun, such as `1 seed`, `2 seeds` or `2 economies`."""
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number:,} {word if number == 1 else many}"


def percent(value: float) -> str:
    """Write a share in whole per cent, with a true minus sign.

    >>> percent(0.304)
    '30%'
    """
    return f"{whole(100 * value)}%"


def points(value: float, *, signed: bool = False) -> str:
    """Write a difference of scores, where 1 is the whole scale, in whole points of a hundred.

    >>> points(0.304), points(0.01), points(0.2, signed=True)
    ('30 points', '1 point', '+20 points')
    """
    text = whole(100 * value, signed=signed)
    return f"{text} point{'' if text.strip(f'+{_MINUS}') == '1' else 's'}"


def score(value: float) -> str:
    """Write a score, where 1 is the whole scale, in whole points of a hundred, without a unit."""
    return whole(100 * value)


def whole(value: float, *, signed: bool = False) -> str:
    """Write a number without decimals, with a true minus sign, and with a plus sign if `signed`; infinity as `∞`."""
    if math.isinf(value):
        return f"{_MINUS if value < 0 else '+' if signed else ''}∞"
    rounded = round(value)
    sign = _MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded)}"


def level() -> str:
    """Return the name of an interval, `95% interval`."""
    return f"{percent(LEVEL)} interval"


def ends(found: Interval, *, swapped: bool = False, signed: bool = False) -> str:
    """Write the limits of a difference of scores in whole points, such as `3 to 20`.

    Args:
        found: the difference with its interval.
        swapped: write the limits of the opposite difference.
        signed: write plus signs.
    """
    low, high = (-found.high, -found.low) if swapped else (found.low, found.high)
    return f"{whole(100 * low, signed=signed)} to {whole(100 * high, signed=signed)}"


def share_in_words(share: float) -> str:
    """Write a share as `a tenth`, or any other one as in `25%`."""
    return "a tenth" if share == 0.1 else f"{100 * share:.3g}%"


def number(value: float, *, signed: bool = False, digits: int = 3) -> str:
    """Write a number with `digits` decimals and a true minus sign, and with a plus sign if `signed`."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{_MINUS if value < 0 else '+' if signed else ''}{text}"


def brief(value: float) -> str:
    """Write a number with two decimals and no leading zero, such as `.40`, for tables of many columns."""
    return re.sub(r"\b0\.", ".", number(value, digits=2))


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of arms as they are shown: first the primary contrast, then by the list of arms and by breadth."""
    from ruleshift.train.arms import variant, variants

    order = [GENERALIST, SPECIALIST, *variants()]

    def position(name: str) -> tuple[int, int]:
        breadth = variant(name).arm.breadth
        return order.index(name.replace(f"@{breadth}", "")), breadth

    return sorted(set(names), key=position)
