"""The rule: how the platform discloses, scores, matches, pays and feeds back. Five parts, one value.

A rule has three forms: the TOML file, its only round trip; the kernel's row; and the features that observations and
distances read.
"""

import hashlib
import json
import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.fields import Choice, Number, Numbers, Word, check_fields, option
from ruleshift.envs.mechanisms import find_mechanism

LEVELS = ("opaque", "outcomes", "scores", "full")
PRICINGS = ("as_asked", "second_price", "posted")
CHARGES = ("sunk", "if_matched")
PROPOSERS = ("organizations", "jobs")
_OWN_ASK_SHARE = {"as_asked": 1.0, "second_price": 0.5, "posted": 0.0}
_FOLDER = Path(__file__).parent / "rules"


@dataclass(frozen=True)
class Disclosure:
    """Information asymmetry: what the platform lets organizations see."""

    level: str = option("outcomes", Choice(*LEVELS))
    """`opaque`: the own outcome only; `outcomes`: and public statistics of the winners; `scores`: and the own
    priority and rank; `full`: and the rule's features."""

    def __post_init__(self) -> None:
        check_fields(self, "disclosure")


@dataclass(frozen=True)
class Weights:
    """What each signal counts for. They sum to 1, so that a rule has one form."""

    price: float = option(0.0, Number(0, 1))
    """Value for money, 1 / max(ask, .02)."""
    capability: float = option(0.0, Number(0, 1))
    """How well the organization serves the job's kind."""
    reputation: float = option(0.0, Number(0, 1))
    """The platform's record of past quality."""
    promotion: float = option(0.0, Number(0, 1))
    """Paid visibility, promotion + promotion_floor."""
    popularity: float = option(0.0, Number(0, 1))
    """Jobs won in the past."""
    focus: float = option(0.0, Number(0, 1))
    """Share of attention on the job's kind."""
    proximity: float = option(0.0, Number(0, 1))
    """1 where organization and kind are of one bloc, else 1/2."""

    def __post_init__(self) -> None:
        check_fields(self, "scoring.weights")
        total = math.fsum(getattr(self, each.name) for each in fields(self))
        if abs(total - 1) > 1e-6:
            raise ValueError(f"scoring.weights: they sum to {total:g}; they must sum to 1")


@dataclass(frozen=True)
class Scoring:
    """Which signals are amplified or attenuated."""

    weights: Weights = field(default_factory=lambda: Weights(price=1.0))
    """See `Weights`."""
    amplification: float = option(4.0, Number(0, math.inf))
    """Exponent of the weighted signals in the odds: 0 a lottery, 1 proportional (Luce 1959), inf a ranking."""
    promotion_floor: float = option(0.05, Number(0, 1))
    """Visibility of those who promote nothing."""

    def __post_init__(self) -> None:
        check_fields(self, "scoring")


@dataclass(frozen=True)
class Matching:
    """Who serves whom."""

    mechanism: str = option("serial", Word())
    """Name of a registered mechanism."""
    proposer: str = option("organizations", Choice(*PROPOSERS))
    """Which side proposes, where the mechanism has sides."""
    parameters: tuple[float, ...] = option((), Numbers(4))
    """The mechanism's own numbers, at most four."""

    def __post_init__(self) -> None:
        check_fields(self, "matching")


@dataclass(frozen=True)
class Payment:
    """Who gets what."""

    pricing: str = option("as_asked", Choice(*PRICINGS))
    """`as_asked`; `second_price`: the highest ask that still wins against the best excluded rival, at most the
    reserve; `posted`: the reserve."""
    reserve: float = option(1.0, Number(0, 1))
    """Highest ask that is offered to clients, a share of the job's value."""
    commission: float = option(0.1, Number(0, 1))
    """Share of a payment that the platform keeps."""
    charge: str = option("if_matched", Choice(*CHARGES))
    """Promotion is paid by all who promote, or by job won."""

    def __post_init__(self) -> None:
        check_fields(self, "payment")


@dataclass(frozen=True)
class Feedback:
    """Path dependence: what today's outcome does to tomorrow's odds."""

    reputation_gain: float = option(0.1, Number(0, 1))
    """Step of reputation towards the quality of a job served."""
    inflation: float = option(0.0, Number(0, 1))
    """Share of the gap to the best rating that raters forgive."""
    persistence: float = option(0.95, Number(0, 1))
    """Share of popularity that lasts a round; 1 is a Polya urn."""
    prior: float = option(1.0, Number(0, 1000))
    """Popularity of a newcomer, and what popularity reverts to."""

    def __post_init__(self) -> None:
        check_fields(self, "feedback")


_PARTS = {
    "disclosure": Disclosure,
    "scoring": Scoring,
    "matching": Matching,
    "payment": Payment,
    "feedback": Feedback,
}


@dataclass(frozen=True)
class Rule:
    """How a platform works: five parts, one value. `name` and `rationale` describe it and are not part of its hash.

    >>> load_rule("price_board").replace(**{"scoring.amplification": 0}).scoring.amplification
    0.0
    """

    name: str = "unnamed"
    rationale: str = ""
    disclosure: Disclosure = field(default_factory=Disclosure)
    scoring: Scoring = field(default_factory=Scoring)
    matching: Matching = field(default_factory=Matching)
    payment: Payment = field(default_factory=Payment)
    feedback: Feedback = field(default_factory=Feedback)

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of the five parts' content."""
        content = {part: asdict(getattr(self, part)) for part in _PARTS}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def replace(self, **changes: Any) -> "Rule":
        """The rule with some fields changed, each by its dotted name, all at once (weights must still sum to 1).

        Raises:
            ValueError: an unknown field, or a value outside its range.
        """
        return _replaced(self, {tuple(name.split(".")): value for name, value in changes.items()}, "rule")

    def to_toml(self) -> str:
        """The rule as the text of a TOML file; `Rule.from_toml` gives it back."""
        lines = [f"name = {_toml(self.name)}", f"rationale = {_toml(self.rationale)}"]
        for part in _PARTS:
            lines += _toml_table(part, getattr(self, part))
        return "\n".join(lines) + "\n"

    @staticmethod
    def from_toml(text: str, place: str = "rule") -> "Rule":
        """The rule that a TOML text describes; `place` names it in errors.

        Raises:
            ValueError: not TOML, an unknown or missing part, an unknown key, a value out of range: file and key named.
        """
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{place}: not a TOML file: {error}") from None
        missing = [part for part in _PARTS if part not in content]
        if missing:
            raise ValueError(f"{place}: the part [{missing[0]}] is missing; a rule has {', '.join(_PARTS)}")
        return _built(Rule, content, place)

    def features(self) -> np.ndarray:
        """The rule in numbers, float32 (len(FEATURES),) in [0, 1], in the order of `layout.FEATURES`."""
        mechanism = find_mechanism(self.matching.mechanism)
        amplification = self.scoring.amplification
        values = {
            **{f"weight_{name}": weight for name, weight in asdict(self.scoring.weights).items()},
            "amplification": 1.0 if math.isinf(amplification) else amplification / (1 + amplification),
            "promotion_floor": self.scoring.promotion_floor,
            "reads_preferences": mechanism.reads_preferences,
            "stable": mechanism.stable,
            "strategy_proof": bool(mechanism.strategy_proof) and self.matching.proposer in mechanism.strategy_proof,
            "efficient": mechanism.efficient,
            "pricing": _OWN_ASK_SHARE[self.payment.pricing],
            "reserve": self.payment.reserve,
            "commission_first": self.payment.commission,
            "commission_last": self.payment.commission,
            "charge_if_lost": self.payment.charge == "sunk",
            "charge_if_won": 1.0,
            "reputation_gain": self.feedback.reputation_gain,
            "inflation": self.feedback.inflation,
            "persistence": self.feedback.persistence,
            "prior": self.feedback.prior / (1 + self.feedback.prior),
        }
        return np.array([values[name] for name in at.FEATURES], dtype=np.float32)

    def row(self) -> np.ndarray:
        """What the kernel reads, float64 (RULE_ROW,); the amplification may be inf."""
        row = np.zeros(at.RULE_ROW)
        row[at.W_PRICE : at.W_PROXIMITY + 1] = list(asdict(self.scoring.weights).values())
        row[at.AMPLIFICATION] = self.scoring.amplification
        row[at.PROMOTION_FLOOR] = self.scoring.promotion_floor
        row[at.LEVEL] = LEVELS.index(self.disclosure.level)
        row[at.PRICING] = PRICINGS.index(self.payment.pricing)
        row[at.RESERVE] = self.payment.reserve
        row[at.COMMISSION] = self.payment.commission
        row[at.CHARGE] = CHARGES.index(self.payment.charge)
        row[at.GAIN] = self.feedback.reputation_gain
        row[at.INFLATION] = self.feedback.inflation
        row[at.PERSISTENCE] = self.feedback.persistence
        row[at.PRIOR] = self.feedback.prior
        row[at.READS_PREFERENCES] = find_mechanism(self.matching.mechanism).reads_preferences
        row[at.PROPOSER] = PROPOSERS.index(self.matching.proposer)
        parameters = self.matching.parameters
        row[at.PARAMETER_0 : at.PARAMETER_0 + len(parameters)] = parameters
        return row


def list_rules() -> tuple[str, ...]:
    """Names of the rules that come with the suite, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_rule(rule: "str | Path | Rule") -> Rule:
    """A rule by its name, by the path of its TOML file, or as it is.

    Raises:
        ValueError: no such rule, or a file that is not one; names the file and the key.
        FileNotFoundError: no such file.
        TypeError: something else altogether.
    """
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str | Path):
        raise TypeError(f"rule is {type(rule).__name__}; it must be a name, a path or a Rule")
    named = _FOLDER / f"{rule}.toml"
    if isinstance(rule, str) and rule in list_rules():
        return Rule.from_toml(named.read_text(encoding="utf-8"), f"{rule}.toml")
    path = Path(rule)
    if path.suffix != ".toml":
        raise ValueError(f"no rule is named {str(rule)!r}; there are {', '.join(list_rules())}, or the path of a .toml")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such rule file")
    return Rule.from_toml(path.read_text(encoding="utf-8"), str(path))


def _built(kind: type, content: Any, place: str) -> Any:
    if not isinstance(content, dict):
        raise ValueError(f"{place} is {content!r}; it must be a table")
    known = {each.name: each for each in fields(kind)}
    for key in content:
        if key not in known:
            raise ValueError(f"{place}: unknown key {key!r}; there are {', '.join(known)}")
    values = {}
    for key, value in content.items():
        nested = {"weights": Weights, **_PARTS}.get(key)
        values[key] = _built(nested, value, f"{place}: {key}") if nested else value
        if kind is Rule and not nested and not isinstance(value, str):
            raise ValueError(f"{place}: {key} is {value!r}; it must be text")
    try:
        return kind(**values)
    except ValueError as error:
        head = place.split(": ")[0]
        raise ValueError(f"{head}: {error}") from None


def _replaced(value: Any, changes: dict[tuple[str, ...], Any], place: str) -> Any:
    known = [each.name for each in fields(value)]
    grouped: dict[str, dict[tuple[str, ...], Any]] = {}
    for path, new in changes.items():
        if path[0] not in known:
            raise ValueError(f"{place}: unknown field {path[0]!r}; there are {', '.join(known)}")
        grouped.setdefault(path[0], {})[path[1:]] = new
    values = {}
    for name, inner in grouped.items():
        old = getattr(value, name)
        if () in inner:
            values[name] = inner[()]
        elif is_dataclass(old):
            values[name] = _replaced(old, inner, f"{place}.{name}")
        else:
            raise ValueError(f"{place}.{name} has no field {next(iter(inner))[0]!r}")
    return replace(value, **values)


def _toml_table(name: str, value: Any) -> list[str]:
    lines, nested = ["", f"[{name}]"], []
    for each in fields(value):
        inner = getattr(value, each.name)
        if is_dataclass(inner):
            nested += _toml_table(f"{name}.{each.name}", inner)
        else:
            lines.append(f"{each.name} = {_toml(inner)}")
    return lines + nested


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML, unlike JSON, bars a bare DEL
    return repr(float(value))
