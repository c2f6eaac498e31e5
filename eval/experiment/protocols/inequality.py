"""Inequality: identical organizations hold every seat, and the rule or what they start with is varied, one at a time.

In the settings of the first part, only luck, initial capability and cost shocks tell organizations apart; in those of
the second they also differ in infrastructure and competence, and some of the three are equalized. All settings of a
rule share their noise. Learned organizations were never trained with infrastructure, so it is not shown to them: it
lowers their costs, but their asks do not react. Last, the tail of jobs won is tested in one market of a crowd.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any

import numpy as np

from ruleshift.agents import Policy, PostedPrice
from ruleshift.agents.policy import Memory
from ruleshift.envs import Economy, Rule
from ruleshift.envs.layout import observation_layout
from ruleshift.envs.rule import Weights
from ruleshift.eval.claims.arms import GENERALIST
from ruleshift.eval.claims.infrastructure_equalizes import FACTORS, GAINS, at_gain, equal
from ruleshift.eval.claims.spread import HIGH, INEQUALITY, KINDS, LOW, NATIVE
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import Design, EvaluationGroup
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_natives
from ruleshift.eval.inequality import gini, top_share
from ruleshift.eval.panels import scripted_panel
from ruleshift.eval.play import MarketSetup, Played
from ruleshift.eval.tails import judge_tail

AMPLIFICATIONS = ("0", LOW, HIGH, "inf")
"""Levels of amplification that are played."""
POPULAR = 0.5
"""Weight that popularity gets where it counts; the other weights shrink to make room."""
FADING = 0.5
"""Persistence of popularity that fades; where it lasts, it is 1."""
INFRASTRUCTURE = (0.0, 6.0)
"""Bounds of unequal infrastructure; equal infrastructure is half-way. At the economies' gain, they move unit cost by as
much as the bounds of initial capability do."""
CROWD = Economy(organizations=1_000, jobs=100, capacity=100, rounds=100)
"""The economy in which tails are tested: many organizations, and no capacity that would cut a tail off."""
CROWDED = "posted_price"
"""The scripted organization that makes up the crowds."""
BOOTSTRAPS = 50
"""Bootstrap samples of a tail test."""
ENTRY_RATE = 0.05
"""Probability that a job in a crowd with entry goes to an organization that has won none (Simon 1955)."""


@dataclass(frozen=True)
class Setting:
    """What is changed of a rule and an economy, and who holds the seats."""

    rule: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the rule, by dotted names."""
    popular: bool = False
    """Whether popularity gets the weight `POPULAR`."""
    economy: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the economy."""
    competent: float = 1.0
    """Share of the seats that the policy holds, 0, .5 or 1; a posted price holds the others."""

    def of_rule(self, rule: Rule) -> Rule:
        """The rule with what the setting changes."""
        changes = dict(self.rule)
        if self.popular:
            rest = {each.name: (1 - POPULAR) * getattr(rule.scoring.weights, each.name) for each in fields(Weights)}
            changes["scoring.weights"] = Weights(**{**rest, "popularity": rest["popularity"] + POPULAR})
        return rule.replace(**changes) if changes else rule


def _amplified(at: str, **economy: Any) -> Setting:
    return Setting({"scoring.amplification": float(at)}, economy=economy)


IDENTICAL: dict[str, Setting] = {
    "plain": Setting(),
    **{f"amplification_{at}": _amplified(at) for at in AMPLIFICATIONS},
    **{f"exogenous_{at}": _amplified(at, learning="exogenous") for at in (LOW, HIGH)},
    "fading": Setting({"feedback.persistence": FADING}, popular=True),
    "lasting": Setting({"feedback.persistence": 1.0}, popular=True),
    "entry": Setting({"feedback.entry": "replacement"}),
    "opaque": Setting({"disclosure.level": "opaque"}),
}
"""Settings in which all organizations are the same policy with the same infrastructure, by name."""


def _heterogeneous(economy: Economy, equalized: Sequence[str], competent: float = 0.5, **more: Any) -> Setting:
    """Organizations that differ in all `FACTORS` but those that are equalized, each at the middle of its range."""
    ranges = {"capability": economy.initial_capability, "infrastructure": INFRASTRUCTURE}
    held = {name: (sum(ends) / 2,) * 2 if name in equalized else ends for name, ends in ranges.items()}
    changes = {"initial_capability": held["capability"], "infrastructure": held["infrastructure"], **more}
    return Setting(economy=changes, competent=1.0 if "competence" in equalized else competent)


def unequal(economy: Economy) -> dict[str, Setting]:
    """Settings in which organizations differ, by name: a factorial of what is equalized, and some more.

    Of these, `CONTRASTED` are enough for the contrast between infrastructure and competence.
    """
    subsets = [chosen for count in range(len(FACTORS) + 1) for chosen in combinations(FACTORS, count)]
    found = {equal(*chosen): _heterogeneous(economy, chosen) for chosen in subsets}
    found["equal_down"] = _heterogeneous(economy, (), 0.0)
    for gain in GAINS:
        for factor in ("infrastructure", "competence"):
            found[at_gain(equal(factor), gain)] = _heterogeneous(economy, (factor,), infrastructure_gain=gain)
    return found


CONTRASTED = tuple(equal(*chosen) for chosen in ((), ("infrastructure",), ("competence",)))
_LINEAR: dict[str, Any] = {"scoring.amplification": 1 / POPULAR, "feedback.persistence": 1.0}
CROWDS: dict[str, Setting] = {
    "low": _amplified(LOW),
    "high": _amplified(HIGH),
    "linear": Setting(_LINEAR, popular=True),
    "entry": Setting({**_LINEAR, "feedback.prior": 0.0, "feedback.entry_rate": ENTRY_RATE}, popular=True),
}
"""Settings in which tails are tested, by name. In the last two the odds are linear in popularity, as in a Polya urn and
in Simon's process."""


class _WithoutInfrastructure(Policy):
    """Another policy, to which infrastructure is shown as 0, the only one that it was trained with."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.uses_noise = policy.uses_noise

    def initial_memory(self, count: int) -> Memory:
        return self._policy.initial_memory(count)

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        seen = observations.copy()
        seen[:, _AT] = 0.0
        return self._policy.act(seen, memory, noise)


_AT = observation_layout(Economy().kinds)["infrastructure"]


def cells(design: Design) -> Iterator[Cell]:
    """One cell for each scripted organization, for natives, and per seed for the generalist if the study has it."""
    for arm in KINDS["scripted"]:
        yield Cell(INEQUALITY, arm)
    yield Cell(INEQUALITY, NATIVE, needs=missing_natives(design, [rule.name for rule in design.targets]))
    if GENERALIST in design.arms:
        for seed in design.preset.seeds:
            yield Cell(INEQUALITY, GENERALIST, seed=seed, needs=(training_cell(design.arms[GENERALIST], "", seed),))


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per target, setting and group of the first panel; and those of the crowds."""
    design = context.design
    groups = [group for group in design.groups if group.panel == 0]
    entries: list[Entry] = []
    for done, target in enumerate(design.targets):
        context.on_progress(done / len(design.targets))
        holder = _holder(cell, context, target.name)
        named = [
            (name, setting.competent, group, _setup(design, target, setting, group, holder))
            for group in groups
            for name, setting in _settings(design.economies[group.economy], cell.arm).items()
        ]
        outcomes = context.deployment.run([setup for *_, setup in named])
        for (name, competent, group, _), played in zip(named, outcomes, strict=True):
            entries.append(
                Entry(target.name, f"{INEQUALITY}_{name}", _values(played, competent), group.panel, group.economy)
            )
        if cell.arm == CROWDED:
            entries += _crowds(target, context)
    return entries


def _settings(economy: Economy, arm: str) -> dict[str, Setting]:
    """The settings that an arm plays: scripted organizations the identical ones, and natives all."""
    if arm in KINDS["scripted"]:
        return IDENTICAL
    further = {name: each for name, each in unequal(economy).items() if arm == NATIVE or name in CONTRASTED}
    return {**IDENTICAL, **further}


def _holder(cell: Cell, context: Context, target: str) -> Policy | str:
    """The policy that holds the seats, or the name of a scripted organization, which reads the economy."""
    if cell.arm in KINDS["scripted"]:
        return cell.arm
    return _WithoutInfrastructure(context.native(0, target) if cell.arm == NATIVE else context.policy(cell))


def _setup(design: Design, target: Rule, setting: Setting, group: EvaluationGroup, holder: Policy | str) -> MarketSetup:
    """The markets of a setting; `holder` is a policy or the name of a scripted organization. Even seats are first."""
    economy = replace(design.economies[group.economy], **setting.economy)
    competent, naive = _scripted(holder, economy) if isinstance(holder, str) else holder, PostedPrice(economy=economy)
    second = competent if setting.competent == 1 else naive
    first = naive if setting.competent == 0 else competent
    seats = tuple(second if seat % 2 else first for seat in range(economy.organizations))
    return MarketSetup(setting.of_rule(target), seats, economy, design.preset.markets, group.first_market)


def _scripted(name: str, economy: Economy) -> Policy:
    """The scripted organization of that name among `KINDS`, which are the first of those in `scripted_panel`."""
    return scripted_panel(economy).scripted[KINDS["scripted"].index(name)]


def _values(played: Played, competent: float) -> dict[str, float]:
    """Measures of inequality within markets, averaged over them; incomes are profits per round over the episode.

    Where half of the seats are competent, also how much more these earn.
    """
    values = {
        "gini": float(gini(played.incomes).mean()),
        "top_tenth": float(top_share(played.incomes).mean()),
        "gini_jobs": float(gini(played.won).mean()),
        "income": float(played.incomes.mean()),
    }
    if competent == 0.5:
        values["lead"] = float(played.incomes[:, 0::2].mean() - played.incomes[:, 1::2].mean())
    return values


def _crowds(target: Rule, context: Context) -> Iterator[Entry]:
    """Yield the result of the tail test in each crowd; there is none where too few won jobs, or all as many."""
    policy = _scripted(CROWDED, CROWD)
    setups = [MarketSetup(each.of_rule(target), (policy,) * CROWD.organizations, CROWD, 1) for each in CROWDS.values()]
    for name, played in zip(CROWDS, context.deployment.run(setups), strict=True):
        try:
            tail = judge_tail(played.won[0], bootstraps=BOOTSTRAPS)
        except ValueError:
            continue
        values = {
            "rejected": float(tail.rejected),
            "exponent": tail.exponent,
            "fit": tail.fit,
            "top_tenth_jobs": float(top_share(played.won[0])),
        }
        yield Entry(target.name, f"{INEQUALITY}_tail_{name}", values)


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes to play all settings at every target, and to test the tails."""
    played = 1.5 * len(_settings(Economy(), cell.arm)) * episode_seconds(design, panels=1)  # every seat may be learned
    return len(design.targets) * (played + (1.5 if cell.arm == CROWDED else 0.0))


PROTOCOL = Protocol(INEQUALITY, cells, compute, seconds)
