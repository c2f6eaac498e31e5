"""The arms: what a learner trains on. The one list of them; everything that names an arm derives from it.

All arms are one code path, `training_groups`: each is a set of markets. What a learner remembers is the other half of
its name: `NAME+memory` is the arm NAME of a learner that remembers running means over the episode, `NAME+stack` of one
that remembers the last `HISTORY_ROUNDS` rounds, `NAME+recurrent` of one with an LSTM of `LSTM_UNITS` units.

What rules an arm of a structure meets may be chosen while it learns, see `curricula`; without a curriculum they are
drawn at random. An arm of the latter kind may train on fewer rules: `randomized@4` trains on the first four of the
frozen sample of its training part, from which studies take their home rules.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ruleshift.agents.policy import Policy
from ruleshift.agents.running_means import MEAN_RATES
from ruleshift.agents.scripted import rival_population
from ruleshift.agents.seats import Seats
from ruleshift.envs import Economy, Rule, Shift, Structure, load_rule, load_structure
from ruleshift.envs.economies import economy_set
from ruleshift.envs.structure import SAMPLE_SEED
from ruleshift.train.curricula import CURRICULA
from ruleshift.train.groups import MarketGroup

HISTORY_ROUNDS, LSTM_UNITS = 4, 64
"""Rounds that a learner with a stack remembers, and the width of the LSTM of a recurrent one."""
NUISANCE, FIRST_ECONOMY = 8, 1024
"""Economies of an arm with nuisance, and the number of the first in the frozen set; studies score on other ones."""
NOTICE, TRUE_NOTICES = 10, 0.75
"""Rounds of notice before a change in the training of an arm that is noticed, and the share of true notices."""
_CANDIDATES = 256

TrainsOn = Literal["home", "central", "structure", "nothing"]


@dataclass(frozen=True)
class Arm:
    """A way to train: in which markets, and what the learner is told of their rule.

    Raises:
        ValueError: a name that is no name, or nothing that an arm can train on.
    """

    name: str
    """Words of small letters, digits and `_`, joined by `+`, such as `fixed+nuisance`."""
    summary: str
    """What the arm trains on, in words for a reader."""
    trains_on: TrainsOn
    """A home rule; the one rule nearest to all that a structure trains; all of these; or nothing before deployment."""
    nuisance: bool = True
    """Whether economies, demand, initial states and rivals are randomized; else they are the default ones."""
    aware: bool = False
    """Whether the rule is disclosed, in training and in deployment."""
    noticed: bool = False
    """Whether the rule changes in each episode to another one of those that it trains on, see `noticed_change`."""
    breadth: int = 0
    """How many rules of a structure it trains on, 0 for all; the name says so by `@`, see `variant`."""
    curriculum: str = ""
    """What chooses the rules of a structure while the arm learns, a key of `CURRICULA`; nothing where they are drawn
    at random."""
    names: bool = False
    """Whether the learner names the features of the rule in force, and acts on what it names, see `train.schema`. It
    learns to name from training rules alone, so that it must train on a structure."""

    teacher: str = ""
    """Name of the arm that is trained for half of the steps, and of which it learns in the other half, or nothing; see
    `train.distill`. Both train on a structure, and the rule is disclosed to the teacher alone."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+(\+[a-z0-9_]+)*", self.name.removesuffix(f"@{self.breadth}")):
            raise ValueError(f"arm {self.name!r}: a name is words of small letters, digits and _, joined by +")
        if self.trains_on not in get_args(TrainsOn):
            raise ValueError(
                f"arm {self.name}: trains_on is {self.trains_on!r}; it must be one of {', '.join(get_args(TrainsOn))}"
            )
        if self.curriculum and (self.curriculum not in CURRICULA or self.trains_on != "structure"):
            raise ValueError(
                f"arm {self.name}: curriculum is {self.curriculum!r}; it must be one of {', '.join(CURRICULA)}, for an "
                "arm that trains on a structure"
            )
        if self.names and self.trains_on != "structure":
            raise ValueError(f"arm {self.name}: it names features of rules, and only arms of a structure learn to")
        if self.teacher and (self.trains_on != "structure" or self.aware):
            raise ValueError(f"arm {self.name}: one with a teacher trains on a structure that is not disclosed to it")


ARMS = {
    arm.name: arm
    for arm in (
        Arm("fixed", "one home rule, one economy: a specialist", "home", nuisance=False),
        Arm("fixed+nuisance", "one home rule, many economies and rivals: a robust specialist", "home"),
        Arm("central", "the one rule nearest to all that a structure trains", "central"),
        Arm("randomized", "rules drawn from the training part of a structure: a generalist", "structure"),
        Arm("aware", "a generalist to whom the rule is disclosed", "structure", aware=True),
        Arm(
            "noticed",
            "a generalist whose rule also changes in mid-episode after a notice, one in four of which is false",
            "structure",
            noticed=True,
        ),
        Arm("replay", "rules of a fixed buffer from a structure, replayed uniformly", "structure", curriculum="replay"),
        Arm(
            "prioritised",
            "rules of a structure, ranked by positive value loss: robust prioritised level replay",
            "structure",
            curriculum="prioritised",
        ),
        Arm(
            "learnability",
            "rules of a structure under which it succeeds now and then: sampling for learnability",
            "structure",
            curriculum="learnability",
        ),
        Arm(
            "edits",
            "as prioritised, but half of the new rules are edits of replayed ones",
            "structure",
            curriculum="edits",
        ),
        Arm("schema", "a generalist that names the features of the rule, and acts on these", "structure", names=True),
        Arm(
            "distilled",
            "`aware` for half of the steps, then a generalist that learns from it",
            "structure",
            teacher="aware",
        ),
        Arm("scratch", "nothing: learns from its first round in deployment", "nothing"),
    )
}


@dataclass(frozen=True)
class MemoryKind:
    """What a learner remembers."""

    summary: str = ""
    """The same in words for a reader."""
    rates: tuple[float, ...] = ()
    """Rates of the running means of outcomes that the learner reads beside the observation."""
    history: int = 0
    """Rounds whose outcomes the learner reads beside the observation."""
    units: int = 0
    """Width of the LSTM that reads the learner's observations."""


MEMORIES = {
    "": MemoryKind(),
    "+memory": MemoryKind("with a memory of the whole episode", rates=MEAN_RATES),
    "+stack": MemoryKind("with a memory of the last rounds", history=HISTORY_ROUNDS),
    "+recurrent": MemoryKind("with a recurrent memory (an LSTM)", units=LSTM_UNITS),
}
"""Memories by the suffix that they add to the name of an arm. Presets ask for the first two."""


@dataclass(frozen=True)
class ArmVariant:
    """An arm with a kind of memory: what a name such as `randomized+memory` stands for. `variant` makes it."""

    name: str
    """The whole name."""
    arm: Arm
    """What the learner trains on."""
    memory: MemoryKind
    """What the learner remembers."""

    @property
    def trains_on(self) -> TrainsOn:
        """What the arm trains on: `home`, `central`, `structure` or `nothing`."""
        return self.arm.trains_on

    @property
    def aware(self) -> bool:
        """Whether the rule is disclosed to the learner, in training and in deployment."""
        return self.arm.aware

    @property
    def is_trained(self) -> bool:
        """Whether the learner trains before it is deployed."""
        return self.arm.trains_on != "nothing"

    @property
    def teacher(self) -> str:
        """Name of the arm, with the same breadth and memory, of which it learns; nothing where there is none."""
        breadth = f"@{self.arm.breadth}" if self.arm.breadth else ""
        return f"{self.arm.teacher}{breadth}{self.name.removeprefix(self.arm.name)}" if self.arm.teacher else ""

    @property
    def has_policy_per_home(self) -> bool:
        """Whether each home rule has a policy of its own; else one policy serves them all."""
        return self.arm.trains_on == "home"

    @property
    def summary(self) -> str:
        """What the learner trains on and what it remembers, in words for a reader."""
        return f"{self.arm.summary}, {self.memory.summary}" if self.memory.summary else self.arm.summary


def variants() -> tuple[str, ...]:
    """Names of all arms, with every kind of memory."""
    return tuple(name + suffix for name in ARMS for suffix in MEMORIES)


def variant(name: str) -> ArmVariant:
    """The arm of a name such as `randomized+memory`, and what its learner remembers.

    Raises:
        ValueError: no such arm.
    """
    for suffix, memory in MEMORIES.items():
        plain = name.removesuffix(suffix)
        if plain + suffix == name and (arm := _arm(plain)) is not None:
            return ArmVariant(name, arm, memory)
    also = " or ".join(suffix for suffix in MEMORIES if suffix)
    *some, last = (name for name, arm in ARMS.items() if arm.trains_on == "structure" and not arm.curriculum)
    raise ValueError(
        f"arm {name!r} is unknown; the arms are {', '.join(ARMS)}, each also with {also}; {', '.join(some)} and "
        f"{last} also with @ and a number of training rules before that"
    )


def _arm(name: str) -> Arm | None:
    """The arm of a name without a memory, such as `randomized` or `randomized@4`."""
    plain, _, breadth = name.partition("@")
    arm = ARMS.get(plain)
    if arm is None or plain == name:
        return arm
    if arm.trains_on != "structure" or arm.curriculum or not re.fullmatch(r"[1-9]\d{0,3}", breadth):
        return None
    rules = "one rule" if breadth == "1" else f"{breadth} rules"
    summary = f"{arm.summary}, but {rules} of it only"
    return replace(arm, name=name, summary=summary, breadth=int(breadth))


def register_arm(arm: Arm) -> None:
    """Add an arm of one's own, such as from a module that a preset names among its extensions.

    Its name then works wherever the name of an arm does, with every kind of memory.

    Raises:
        ValueError: another arm has its name, or the name ends as that of a memory does.
    """
    for suffix in MEMORIES:
        if suffix and arm.name.endswith(suffix):
            raise ValueError(f"arm {arm.name}: {suffix} says what a learner remembers; choose another name")
    if ARMS.setdefault(arm.name, arm) is not arm:
        raise ValueError(f"an arm named {arm.name!r} is already registered")


def fitting(given: str | Rule | Structure) -> str:
    """The name of the arm that is meant where none is given: `randomized` for a Structure, else `fixed`."""
    return "randomized" if isinstance(given, Structure) else "fixed"


def training_rule(arm: Arm, given: str | Rule | Structure) -> Rule | Structure:
    """The rule or structure that an arm's markets play, made from a home rule or a structure.

    Args:
        arm: a value of `ARMS`.
        given: name, path or Rule for an arm of one home rule; name, path or Structure for the others. `central` also
            takes the central Rule itself.

    Raises:
        ValueError: an arm that trains on something else, or on nothing.
    """
    if arm.trains_on == "nothing":
        raise ValueError(f"arm {arm.name} trains on nothing; it begins to learn in deployment")
    if arm.trains_on == "home":
        if isinstance(given, Structure):
            raise ValueError(f"arm {arm.name} trains on one rule; a structure, {given.name}, is for arm randomized")
        rule: Rule | Structure = load_rule(given)
    elif arm.trains_on == "central":
        rule = given if isinstance(given, Rule) else central_rule(load_structure(given))
    elif isinstance(given, Rule):
        raise ValueError(f"arm {arm.name} trains on a structure; one rule, {given.name}, is for arm fixed")
    else:
        rule = load_structure(given)
        if arm.breadth:
            rule = rule.narrowed(arm.breadth, SAMPLE_SEED)
    return rule.disclosed() if arm.aware else rule


def central_rule(structure: Structure) -> Rule:
    """Of 256 rules of the training part, the one whose features are nearest to those of all of them.

    Distances are sums of absolute differences of `Rule.features()`.
    """
    rules = structure.sample("train", _CANDIDATES, seed=0)
    features = np.stack([rule.features() for rule in rules]).astype(np.float64)
    distances = np.abs(features[:, None] - features).sum(axis=(1, 2))
    return rules[int(distances.argmin())]


def noticed_change(rule: Rule | Structure, economy: Economy, number: int) -> tuple[Shift, ...]:
    """The change of rule in the episodes of one group of an arm that is noticed.

    It comes after a quarter, a half or three quarters of an episode, by turns of the groups, so that a learner cannot
    tell it by the clock; and where it does not take place, which is drawn anew in each episode, the notice was false.

    Args:
        rule: what the arm trains on, from which the new rule is drawn.
        economy: of the group, for its number of rounds.
        number: of the group, from 0.
    """
    at = max(economy.rounds * (number % 3 + 1) // 4, 1)
    return (Shift(at=at, to=rule, notice=min(NOTICE, at), chance=TRUE_NOTICES),)


def training_groups(
    arm: Arm,
    given: str | Rule | Structure,
    markets: int,
    *,
    economies: Sequence[Economy] | None = None,
    rivals: Sequence[Policy] | None = None,
    schedule: Sequence[Shift] = (),
    first_market: int = 0,
) -> tuple[MarketGroup, ...]:
    """The markets in which an arm learns: the first half of the seats of each learns, rivals hold the others.

    Args:
        arm: a value of `ARMS`.
        given: as in `training_rule`.
        markets: number of markets, shared out evenly over the economies.
        economies: those of the markets; by default the default economy, or with nuisance `NUISANCE` of the frozen set.
        rivals: policies of the other seats, in turn; by default the common population, with nuisance drawn around it
            for each economy.
        schedule: shifts of the rule in mid-episode; by default none, or those of an arm that is noticed.
        first_market: number of the first market.

    Raises:
        ValueError: as `training_rule`, or fewer markets than economies.
    """
    rule = training_rule(arm, given)
    if economies is None:
        economies = economy_set(NUISANCE, FIRST_ECONOMY, nuisance=True) if arm.nuisance else (Economy(),)
    if markets < len(economies):
        raise ValueError(f"markets is {markets}; arm {arm.name} shares them out over {len(economies)} economies")
    edges = [first_market + markets * index // len(economies) for index in range(len(economies) + 1)]
    groups = []
    for index, economy in enumerate(economies):
        own = rivals or rival_population(economy, seed=index if arm.nuisance else None)
        seats = Seats.shared(economy.organizations, own)
        shifts = noticed_change(rule, economy, index) if arm.noticed and not schedule else tuple(schedule)
        groups.append(MarketGroup(rule, economy, seats, edges[index + 1] - edges[index], edges[index], shifts))
    return tuple(groups)
