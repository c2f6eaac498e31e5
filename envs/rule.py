"""The rule: how the platform discloses, scores, matches, pays and feeds back. Five parts, one value.

A rule has three forms: the TOML file, its only round trip; the kernel's row; and the features that observations and
distances read.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.fields import Choice, Count, Number, Numbers, Tiers, Word, check_fields, check_keys, option
from ruleshift.envs.files import as_toml, find_file, names_in, parse, read_file
from ruleshift.envs.mechanisms import Mechanism, find_mechanism

LEVELS = ("opaque", "outcomes", "scores", "full")
PRICE_SIGNALS = ("ratio", "logit")
PRICINGS = ("as_asked", "second_price", "posted", "uniform", "externality")
CHARGES = ("sunk", "if_matched", "next_bid", "externality")
MAX_DELAY = 8
ENTRIES = ("closed", "replacement")
PROPOSERS = ("organizations", "jobs")
_OWN_ASK_SHARE = {"as_asked": 1.0, "second_price": 0.5, "posted": 0.0, "uniform": 0.25, "externality": 0.125}
_IF_WON = {"sunk": 1.0, "if_matched": 1.0, "next_bid": 0.5, "externality": 0.25}
_NEEDS = {
    "pricing": {"second_price": "lead", "uniform": "lead", "externality": "price"},
    "charge": {"next_bid": "bid", "externality": "bid_externality"},
}  # what the mechanism must tell for a payment; for those not named here nothing
_FOLDER = Path(__file__).parent / "rules"


@dataclass(frozen=True)
class Disclosure:
    """Information asymmetry: what the platform lets organizations see."""

    level: str = option("outcomes", Choice(*LEVELS))
    """`opaque`: the own outcome only; `outcomes`: and public statistics of the winners; `scores`: and the own
    priority and rank; `full`: and the rule's features."""
    noise: float = option(0.0, Number(0, 10))
    """Half-width of the uniform noise on public statistics, the same for all who read them, and on scores."""
    delay: int = option(0, Count(0, MAX_DELAY))
    """Rounds by which public statistics and scores are late."""
    notice: int = option(0, Count(0, 10_000))
    """Rounds before a change of the rule from which the platform announces it; 0 for never."""
    reliability: float = option(1.0, Number(0, 1))
    """Probability that a change is announced, and that none is announced where nothing will change."""

    def __post_init__(self) -> None:
        check_fields(self, "disclosure")


@dataclass(frozen=True)
class Weights:
    """What each signal counts for. They sum to 1, so that a rule has one form."""

    price: float = option(0.0, Number(0, 1))
    """Value for money, 1 / max(ask, .02), or as `Scoring.price_signal` says."""
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
    price_signal: str = option("ratio", Choice(*PRICE_SIGNALS))
    """`ratio`: 1 / max(ask, .02); `logit`: exp(-ask / logit_scale) (McFadden 1974)."""
    logit_scale: float = option(0.25, Number(0.001, 1000))
    """mu of the logit signal, a share of the job's value: the smaller, the more price counts."""

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
    reserve; `uniform`: the highest of these among the round's jobs of the kind; `posted`: the reserve; `externality`:
    what the others lose by the winner's presence (Clarke 1971), where the mechanism tells."""
    reserve: float = option(1.0, Number(0, 1))
    """Highest ask that is offered to clients, a share of the job's value."""
    commission: float = option(0.1, Number(0, 1))
    """Share of a payment that the platform keeps."""
    tiers: tuple[tuple[float, float], ...] = option((), Tiers(2))
    """Other shares for what an organization has been paid, by kind of job since it entered, from a threshold on, in
    mean job values: at most two pairs (from, share)."""
    charge: str = option("if_matched", Choice(*CHARGES))
    """`sunk`: all pay their promotion; `if_matched`: by job won; `next_bid`: by job won, the promotion of the next in
    line; `externality`: by job won, what the others lose. The last two where the mechanism tells."""

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
    entry: str = option("closed", Choice(*ENTRIES))
    """`closed`: the bankrupt stay; `replacement`: an organization whose cash falls below 0 leaves, and a newcomer
    takes its seat."""
    entry_rate: float = option(0.0, Number(0, 1))
    """Probability that a job goes to a dormant seat, one of popularity 0, in place of its winner (Simon 1955)."""

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

    def check_payment(self) -> Mechanism:
        """The mechanism; refuses a payment that needs what the mechanism does not declare to tell.

        Raises:
            ValueError: names the mechanism, the key, what it would have to declare, and what the key could be.
        """
        mechanism = find_mechanism(self.matching.mechanism)
        for key, all_values in (("pricing", PRICINGS), ("charge", CHARGES)):
            needs, value = _NEEDS[key], getattr(self.payment, key)
            if value in needs and needs[value] not in mechanism.payments:
                told = [each for each in all_values if each not in needs or needs[each] in mechanism.payments]
                raise ValueError(
                    f"rule {self.name!r}: payment.{key} is {value!r}, which {mechanism.name!r} does not tell (it "
                    f"declares no payment {needs[value]!r}); with it, {key} must be one of {', '.join(told)}"
                )
        return mechanism

    @property
    def strategy_proof(self) -> bool:
        """Whether its mechanism declares that nobody who proposes, asks or bids gains by another report than the truth.

        Of preferences, unless the score weighs focus, and at the capacities that the mechanism declares (mostly 1: a
        rule knows no economy); of costs and bids by the payment, without a commission. In the round: what it does to
        later ones is left out.
        """
        mechanism = find_mechanism(self.matching.mechanism)
        side = self.matching.proposer if mechanism.reads_proposer else "organizations"
        if side in mechanism.strategy_proof and self.scoring.weights.focus == 0:
            return True
        needed = {needs.get(getattr(self.payment, key)) for key, needs in _NEEDS.items()}
        free = self.payment.commission == 0 and not self.payment.tiers
        return free and not needed.isdisjoint(mechanism.strategy_proof_payments)

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
        lines = [f"name = {as_toml(self.name)}", f"rationale = {as_toml(self.rationale)}"]
        for part in _PARTS:
            lines += _toml_table(part, getattr(self, part))
        return "\n".join(lines) + "\n"

    @staticmethod
    def from_toml(text: str, place: str = "rule") -> "Rule":
        """The rule that a TOML text describes; `place` names it in errors.

        Raises:
            ValueError: not TOML, an unknown or missing part, an unknown key, a value out of range: file and key named.
        """
        return Rule.from_content(parse(text, place), place)

    @staticmethod
    def from_content(content: dict[str, Any], place: str = "rule") -> "Rule":
        """The rule that the tables of a TOML file describe, as `from_toml`.

        Raises:
            ValueError: an unknown or missing part, an unknown key, a value out of range: place and key named.
        """
        rule = _built(Rule, content, place)
        missing = [part for part in _PARTS if part not in content]
        if missing:
            raise ValueError(f"{place}: the part [{missing[0]}] is missing; a rule has {', '.join(_PARTS)}")
        return rule

    def features(self) -> np.ndarray:
        """The rule in numbers, float32 (len(FEATURES),) in [0, 1], in the order of `layout.FEATURES`."""
        mechanism = find_mechanism(self.matching.mechanism)
        amplification = self.scoring.amplification
        values = {
            **{f"weight_{name}": weight for name, weight in vars(self.scoring.weights).items()},
            "amplification": 1.0 if math.isinf(amplification) else amplification / (1 + amplification),
            "promotion_floor": self.scoring.promotion_floor,
            "reads_preferences": mechanism.reads_preferences,
            "stable": mechanism.stable,
            "strategy_proof": self.strategy_proof,
            "efficient": mechanism.efficient,
            "pricing": _OWN_ASK_SHARE[self.payment.pricing],
            "reserve": self.payment.reserve,
            "commission_first": self.payment.commission,
            "commission_last": self.payment.tiers[-1][1] if self.payment.tiers else self.payment.commission,
            "charge_if_lost": self.payment.charge == "sunk",
            "charge_if_won": _IF_WON[self.payment.charge],
            "reputation_gain": self.feedback.reputation_gain,
            "inflation": self.feedback.inflation,
            "persistence": self.feedback.persistence,
            "prior": self.feedback.prior / (1 + self.feedback.prior),
        }
        return np.array([values[name] for name in at.FEATURES], dtype=np.float32)

    def row(self) -> np.ndarray:
        """What the kernel reads, float64 (RULE_ROW,); the amplification may be inf."""
        row = np.zeros(at.RULE_ROW)
        row[at.W_PRICE : at.W_PROXIMITY + 1] = list(vars(self.scoring.weights).values())
        row[at.AMPLIFICATION] = self.scoring.amplification
        row[at.PROMOTION_FLOOR] = self.scoring.promotion_floor
        row[at.LEVEL] = LEVELS.index(self.disclosure.level)
        row[at.PRICING] = PRICINGS.index(self.payment.pricing)
        row[at.RESERVE] = self.payment.reserve
        row[at.COMMISSION] = self.payment.commission
        row[at.CHARGE] = CHARGES.index(self.payment.charge)
        for index, (start, share) in enumerate(self.payment.tiers):
            row[at.TIER_1 + 2 * index], row[at.TIER_1 + 2 * index + 1] = start, share
        row[at.NOISE], row[at.DELAY] = self.disclosure.noise, self.disclosure.delay
        row[at.NOTICE], row[at.RELIABILITY] = self.disclosure.notice, self.disclosure.reliability
        row[at.LOGIT_SCALE] = self.scoring.logit_scale if self.scoring.price_signal == "logit" else 0.0
        row[at.ENTRY], row[at.ENTRY_RATE] = ENTRIES.index(self.feedback.entry), self.feedback.entry_rate
        row[at.GAIN] = self.feedback.reputation_gain
        row[at.INFLATION] = self.feedback.inflation
        row[at.PERSISTENCE] = self.feedback.persistence
        row[at.PRIOR] = self.feedback.prior
        mechanism = find_mechanism(self.matching.mechanism)
        row[at.READS_PREFERENCES], row[at.READS_PRIORITIES] = mechanism.reads_preferences, mechanism.reads_priorities
        row[at.READS_COSTS], row[at.DRAWS_ORGANIZATIONS] = mechanism.reads_costs, mechanism.draws_organizations
        row[at.PROPOSER] = PROPOSERS.index(self.matching.proposer)
        parameters = self.matching.parameters
        row[at.PARAMETER_0 : at.PARAMETER_0 + len(parameters)] = parameters
        return row


def list_rules() -> tuple[str, ...]:
    """Names of the rules that come with the suite, in alphabetical order."""
    return names_in(_FOLDER)


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
    path = find_file("rule", rule, _FOLDER)
    return Rule.from_content(read_file(path), path.name)


def _built(kind: type, content: Any, place: str) -> Any:
    values = {}
    for key, value in check_keys(kind, content, place).items():
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
            lines.append(f"{each.name} = {as_toml(inner)}")
    return lines + nested
