"""What readers see in place of the names in the code: arms, references, rules, fields of an economy."""

import re
from collections.abc import Iterable, Sequence

from ruleshift.eval.claims.claim import GENERALIST, SPECIALIST
from ruleshift.eval.experiment.design import Design

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
    """An arm or reference as readers see it; arms of the primary contrast are `generalist` and `specialist`."""
    return LABELS.get(arm, arm)


def field_label(field: str) -> str:
    """A field of an economy in words."""
    return FIELDS.get(field, field.replace("_", " "))


def short_names(design: Design) -> dict[str, str]:
    """By target, a name that fits into a figure: `family 03` for `platforms_family_03`; never two alike."""
    prefix = f"{design.structure.name}_"
    names = [rule.name for rule in design.targets]
    short = [name.removeprefix(prefix).replace("_", " ") for name in names]
    return {name: brief if short.count(brief) == 1 else name for name, brief in zip(names, short, strict=True)}


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def count(number: int, word: str) -> str:
    """`1 seed`, `2 seeds`; `economy` makes `economies`."""
    many = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number:,} {word if number == 1 else many}"


def percent(value: float, *, signed: bool = False) -> str:
    """A share as whole per cent, with a true minus sign and no break before the per cent."""
    rounded = round(100 * value)
    sign = _MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded)}\u00a0%"


def number(value: float, *, signed: bool = False, digits: int = 3) -> str:
    """So many decimals, three unless told, with a true minus sign."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{_MINUS if value < 0 else '+' if signed else ''}{text}"


def brief(value: float) -> str:
    """Two decimals without a leading zero, for tables of many columns: `.40`."""
    return re.sub(r"\b0\.", ".", number(value, digits=2))


def in_order(names: Iterable[str]) -> list[str]:
    """Arms as they are shown: those of the primary contrast first, the others as the list of arms has them."""
    from ruleshift.train.arms import variants

    order = [GENERALIST, SPECIALIST, *variants()]
    return sorted(set(names), key=order.index)
