"""The rule: how the platform discloses, scores, matches, pays and feeds back; five parts in one value.

A rule has three forms: the TOML file, the only one from which it can be restored; the kernel's row; and the features
that observations and distances read.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.enumerations import (
    CHARGE,
    CHARGES,
    ENTRIES,
    ENTRY,
    LEVEL,
    LEVELS,
    PRICE_SIGNALS,
    PRICING,
    PRICINGS,
    PROPOSER,
    PROPOSERS,
    WANTS,
)
from ruleshift.envs.fields import (
    Count,
    Name,
    Number,
    NumberOrInf,
    Numbers,
    Of,
    OneOf,
    Text,
    Tiers,
    Word,
    brief,
    check_fields,
    option,
)
from ruleshift.envs.files import as_toml, find_file, names_in, parse, read_file
from ruleshift.envs.mechanisms import Mechanism, find_mechanism
from ruleshift.envs.walk import built, leaves, replaced, tables

MAX_DELAY = 8
_FOLDER = Path(__file__).parent / "rules"


@dataclass(frozen=True)
class Disclosure:
    """Information asymmetry: what the platform lets organizations see."""

    level: str = option("outcomes", OneOf(*LEVELS))
    """What organizations see: `opaque`, only their own outcome; `outcomes`, also public statistics of the winners;
    `scores`, also their own priority and rank; `full`, also the rule's features."""
    noise: float = option(0.0, Number(0, 10))
    """Half-width of the uniform noise on scores and on public statistics; the latter are the same for all readers."""
    delay: int = option(0, Count(0, MAX_DELAY))
    """Number of rounds by which public statistics and scores are delayed."""
    notice: int = option(0, Count(0, 10_000))
    """How many rounds ahead the platform announces a change of the rule; 0 means never."""
    reliability: float = option(1.0, Number(0, 1))
    """Probability that a change is announced, and that none is announced if nothing will change."""

    def __post_init__(self) -> None:
        check_fields(self, "disclosure")


@dataclass(frozen=True)
class Weights:
    """The weight of each signal in the score; weights sum to 1, so that each rule has a single form."""

    price: float = option(0.0, Number(0, 1))
    """Value for money, 1 / max(ask, .02), or what `Scoring.price_signal` says."""
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
    """1 if the organization and the kind belong to the same bloc, else 1/2."""

    def __post_init__(self) -> None:
        check_fields(self, "scoring.weights")
        total = math.fsum(getattr(self, each.name) for each in fields(self))
        if abs(total - 1) > 1e-6:
            raise ValueError(f"scoring.weights: they sum to {total:g}; they must sum to 1")


@dataclass(frozen=True)
class Scoring:
    """Which signals are amplified or attenuated."""

    weights: Weights = field(default_factory=lambda: Weights(price=1.0), metadata={"kind": Of(Weights)})
    """The weight of each signal."""
    amplification: float = option(4.0, NumberOrInf(0, 1e6))
    """Exponent of the weighted signals in the odds: 0 is a lottery, 1 proportional (Luce 1959), inf a ranking."""
    promotion_floor: float = option(0.05, Number(0, 1))
    """Visibility of an organization without promotion."""
    price_signal: str = option("ratio", OneOf(*PRICE_SIGNALS))
    """`ratio`: 1 / max(ask, .02); `logit`: exp(-ask / logit_scale) (McFadden 1974)."""
    logit_scale: float = option(0.25, Number(0.001, 1000))
    """The scale of the logit signal, as a share of the job's value; the smaller it is, the more the price counts."""

    def __post_init__(self) -> None:
        check_fields(self, "scoring")


@dataclass(frozen=True)
class Matching:
    """Who serves whom."""

    mechanism: str = option("serial", Word())
    """Name of a registered mechanism."""
    proposer: str = option("organizations", OneOf(*PROPOSERS))
    """Which side proposes, if the mechanism has two sides."""
    parameters: tuple[float, ...] = option((), Numbers(at.MOST_PARAMETERS))
    """The mechanism's own parameters, at most four, in the order of `Mechanism.parameters`; those that are left out
    have the defaults stated there."""

    def __post_init__(self) -> None:
        check_fields(self, "matching")


@dataclass(frozen=True)
class Payment:
    """Who gets what."""

    pricing: str = option("as_asked", OneOf(*PRICINGS))
    """What clients pay: `as_asked`, the ask; `second_price`, the highest ask that still wins against the best excluded
    rival, at most the reserve; `uniform`, the highest of these among the round's jobs of the kind; `posted`, the
    reserve; `externality`, what the others lose by the winner's presence (Clarke 1971), if the mechanism reports it."""
    reserve: float = option(1.0, Number(0, 1))
    """Highest ask that is offered to clients, as a share of the job's value."""
    commission: float = option(0.1, Number(0, 1))
    """Share of a payment that the platform keeps."""
    tiers: tuple[tuple[float, float], ...] = option((), Tiers(2))
    """Other shares once an organization has been paid a certain amount for jobs of a kind since it entered: at most two
    pairs (from, share), with the thresholds in mean job values."""
    charge: str = option("if_matched", OneOf(*CHARGES))
    """What organizations pay for promotion: `sunk`, their promotion in each round; `if_matched`, their promotion for
    each job won; `next_bid`, the promotion of the next in line for each job won; `externality`, what the others lose
    for each job won. The last two require a mechanism that reports them."""

    def __post_init__(self) -> None:
        check_fields(self, "payment")


@dataclass(frozen=True)
class Feedback:
    """Path dependence: how today's outcome changes tomorrow's odds."""

    reputation_gain: float = option(0.1, Number(0, 1))
    """Share of the gap between reputation and rating that each job served closes."""
    inflation: float = option(0.0, Number(0, 1))
    """Share of the gap between quality and the best rating that raters forgive."""
    persistence: float = option(0.95, Number(0, 1))
    """Share of popularity that remains after a round; 1 is a Polya urn."""
    prior: float = option(1.0, Number(0, 1000))
    """Popularity of a newcomer, and the level to which popularity reverts without jobs."""
    entry: str = option("closed", OneOf(*ENTRIES))
    """`closed`: the bankrupt stay; `replacement`: an organization whose cash falls below 0 leaves, and a newcomer
    takes its seat."""
    entry_rate: float = option(0.0, Number(0, 1))
    """Probability that a job goes to a dormant seat (one of popularity 0) instead of its winner (Simon 1955)."""

    def __post_init__(self) -> None:
        check_fields(self, "feedback")


PARTS = ("disclosure", "scoring", "matching", "payment", "feedback")
_PAYMENT_TABLES: dict[str, Any] = {"pricing": PRICINGS, "charge": CHARGES}


@dataclass(frozen=True)
class Rule:
    """How a platform works, in five parts; `name` and `rationale` describe it and are not part of its hash.

    >>> load_rule("price_board").replace(**{"scoring.amplification": 0}).scoring.amplification
    0.0
    """

    name: str = option("unnamed", Name())
    rationale: str = option("", Text())
    disclosure: Disclosure = field(default_factory=Disclosure, metadata={"kind": Of(Disclosure)})
    scoring: Scoring = field(default_factory=Scoring, metadata={"kind": Of(Scoring)})
    matching: Matching = field(default_factory=Matching, metadata={"kind": Of(Matching)})
    payment: Payment = field(default_factory=Payment, metadata={"kind": Of(Payment)})
    feedback: Feedback = field(default_factory=Feedback, metadata={"kind": Of(Feedback)})

    def __post_init__(self) -> None:
        check_fields(self, "rule")

    def check_mechanism(self) -> Mechanism:
        """Return the mechanism, after checking that its parameters are in range and that it supports the payment.

        Raises:
            ValueError: if they are not, or if it does not; names the rule, the mechanism, the key, what is wrong, and
                what would be right.
        """
        mechanism = find_mechanism(self.matching.mechanism)
        try:
            mechanism.check_parameters(self.matching.parameters)
        except ValueError as error:
            raise ValueError(f"rule {self.name!r}: {error}") from None
        known = (None, *mechanism.payments)
        for key, table in _PAYMENT_TABLES.items():
            value: str = getattr(self.payment, key)
            if table[value].needs not in known:
                supported = [word for word, each in table.items() if each.needs in known]
                raise ValueError(
                    f"rule {self.name!r}: payment.{key} is {value!r}, which {mechanism.name!r} does not tell (it "
                    f"declares no payment {table[value].needs!r}); with it, {key} must be one of {', '.join(supported)}"
                )
        return mechanism

    @property
    def _needed(self) -> set[str]:
        """What the mechanism has to report for the payment, a subset of `enumerations.PAYMENTS`."""
        needs = {table[getattr(self.payment, key)].needs for key, table in _PAYMENT_TABLES.items()}
        return {each for each in needs if each is not None}

    @property
    def strategy_proof(self) -> bool:
        """Whether its mechanism declares that no organization or job gains within the round by misreporting.

        This holds for preferences if the score gives focus no weight, at the capacities that the mechanism declares
        (mostly 1, as a rule does not depend on an economy), or for costs and bids under certain payments without a
        commission. Effects on later rounds are not considered.
        """
        mechanism = find_mechanism(self.matching.mechanism)
        side = self.matching.proposer if mechanism.reads_proposer else "organizations"
        if side in mechanism.strategy_proof and self.scoring.weights.focus == 0:
            return True
        free = self.payment.commission == 0 and not self.payment.tiers
        return free and not self._needed.isdisjoint(mechanism.strategy_proof_payments)

    @property
    def hash(self) -> str:
        """The rule's fingerprint: sixteen hexadecimal digits that depend on the content of its five parts."""
        content = {part: asdict(getattr(self, part)) for part in PARTS}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def replace(self, **changes: Any) -> "Rule":
        """Return the rule with some fields changed, by their dotted names, all at once (weights must still sum to 1).

        Raises:
            ValueError: if a field is unknown or a value is out of range; names the field.
        """
        rule: Rule = replaced(self, changes, "rule")
        return rule

    def disclosed(self) -> "Rule":
        """Return the same rule, but disclosed in full to every organization."""
        return self.replace(**{"disclosure.level": "full"})

    def flat(self) -> dict[str, Any]:
        """Return the values of all fields of the five parts, by dotted names such as `scoring.weights.price`."""
        return {name: value for name, _, value in leaves(self) if "." in name}

    def to_toml(self) -> str:
        """Return the rule as the text of a TOML file, from which `Rule.from_toml` restores it."""
        lines = []
        for name, table in tables(self).items():
            lines += ["", f"[{name}]"] if name else []
            lines += [f"{key} = {as_toml(value)}" for key, value in table.items()]
        return "\n".join(lines) + "\n"

    @staticmethod
    def from_toml(text: str, where: str = "rule") -> "Rule":
        """Return the rule that a TOML text describes; `where` names it in errors.

        Raises:
            ValueError: if it is not TOML, a part is missing, a key is unknown or a value is out of range; names `where`
                and the key.
        """
        return Rule.from_content(parse(text, where), where)

    @staticmethod
    def from_content(content: dict[str, Any], where: str = "rule") -> "Rule":
        """Return the rule that the tables of a TOML file describe, like `from_toml`.

        Raises:
            ValueError: if a part is missing, a key is unknown or a value is out of range; names `where` and the key.
        """
        rule: Rule = built(Rule, content, where)
        missing = [part for part in PARTS if part not in content]
        if missing:
            raise ValueError(f"{where}: the part [{missing[0]}] is missing; a rule has {', '.join(PARTS)}")
        return rule

    def features(self) -> np.ndarray:
        """Return the rule as numbers, float32 (len(FEATURES),) in [0, 1], in the order of `layout.FEATURES`."""
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
            "pricing": PRICINGS[self.payment.pricing].own_ask,
            "reserve": self.payment.reserve,
            "commission_first": self.payment.commission,
            "commission_last": self.payment.tiers[-1][1] if self.payment.tiers else self.payment.commission,
            "charge_if_lost": CHARGES[self.payment.charge].if_lost,
            "charge_if_won": CHARGES[self.payment.charge].if_won,
            "reputation_gain": self.feedback.reputation_gain,
            "inflation": self.feedback.inflation,
            "persistence": self.feedback.persistence,
            "prior": self.feedback.prior / (1 + self.feedback.prior),
        }
        return np.array([values[name] for name in at.FEATURES], dtype=np.float32)

    def row(self) -> np.ndarray:
        """Return the rule as the kernel reads it: float64 (RULE_ROW,), by the positions in `layout`."""
        row = np.zeros(at.RULE_ROW)
        row[at.W_PRICE : at.W_PROXIMITY + 1] = list(vars(self.scoring.weights).values())
        row[at.AMPLIFICATION] = self.scoring.amplification
        row[at.PROMOTION_FLOOR] = self.scoring.promotion_floor
        row[at.LEVEL] = getattr(LEVEL, self.disclosure.level)
        row[at.PRICING] = getattr(PRICING, self.payment.pricing)
        row[at.RESERVE] = self.payment.reserve
        row[at.COMMISSION] = self.payment.commission
        row[at.CHARGE] = getattr(CHARGE, self.payment.charge)
        row[at.WANTS] = sum(getattr(WANTS, each) for each in self._needed)
        for index, (start, share) in enumerate(self.payment.tiers):
            row[at.TIER_1 + 2 * index], row[at.TIER_1 + 2 * index + 1] = start, share
        row[at.NOISE], row[at.DELAY] = self.disclosure.noise, self.disclosure.delay
        row[at.NOTICE], row[at.RELIABILITY] = self.disclosure.notice, self.disclosure.reliability
        row[at.LOGIT_SCALE] = self.scoring.logit_scale if self.scoring.price_signal == "logit" else 0.0
        row[at.ENTRY], row[at.ENTRY_RATE] = getattr(ENTRY, self.feedback.entry), self.feedback.entry_rate
        row[at.GAIN] = self.feedback.reputation_gain
        row[at.INFLATION] = self.feedback.inflation
        row[at.PERSISTENCE] = self.feedback.persistence
        row[at.PRIOR] = self.feedback.prior
        mechanism = find_mechanism(self.matching.mechanism)
        row[at.READS_PREFERENCES], row[at.READS_PRIORITIES] = mechanism.reads_preferences, mechanism.reads_priorities
        row[at.READS_COSTS], row[at.DRAWS_ORGANIZATIONS] = mechanism.reads_costs, mechanism.draws_organizations
        row[at.PROPOSER] = getattr(PROPOSER, self.matching.proposer)
        given = self.matching.parameters
        parameters = (*given, *(each.default for each in mechanism.parameters[len(given) :]))
        row[at.PARAMETER_0 : at.PARAMETER_0 + len(parameters)] = parameters
        return row


def list_rules() -> tuple[str, ...]:
    """Return the names of the rules that come with the suite, in alphabetical order."""
    return names_in(_FOLDER)


def load_rule(rule: "str | Path | Rule") -> Rule:
    """Load a rule by its name or by the path of its TOML file; a `Rule` is returned as it is.

    Raises:
        ValueError: if there is no rule of that name, or if the file does not describe one; names the file and the key.
        FileNotFoundError: if there is no such file.
        TypeError: if `rule` is not a name, a path or a Rule.
    """
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str | Path):
        raise TypeError(f"rule is {brief(rule)}; it must be a name, a path or a Rule")
    path = find_file("rule", rule, _FOLDER)
    return Rule.from_content(read_file(path), path.name)
