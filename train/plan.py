"""What decides how a training run ends: its markets, its learner, and where that begins."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ruleshift.agents.policy import Card, Policy
from ruleshift.envs import Economy, Rule, Shift, Structure
from ruleshift.train.arms import MemoryKind, fitting, training_groups, variant
from ruleshift.train.checkpoint import MarketEnvs
from ruleshift.train.groups import Group, MixedVecEnv, check_groups
from ruleshift.train.history import HistoryVecEnv
from ruleshift.train.networks import Start
from ruleshift.train.ppo import Learner, PPOSettings, make_learner
from ruleshift.train.recurrent import check_installed
from ruleshift.train.vec_env import MarketVecEnv

FORMAT = 3


@dataclass(frozen=True)
class Plan:
    """All that a run's weights follow from.

    Raises:
        ValueError: groups that no one learner can learn in, two memories, an LSTM where sb3-contrib is missing, or a
            start of another shape.
    """

    arm: str
    """Its name, a label."""
    groups: tuple[Group, ...]
    """Where it learns."""
    history: int
    """Rounds that the policy remembers."""
    units: int
    """Width of its LSTM."""
    start: Start | None
    """The networks that it begins with, or None for new ones."""
    mechanisms: tuple[str, ...]
    steps: int
    seed: int
    settings: PPOSettings
    counts: tuple[int, ...]
    """Agent-steps after which a policy is kept."""
    record: bool
    """Whether rewards are recorded."""

    def __post_init__(self) -> None:
        check_groups(self.groups)
        for name in ("history", "units"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0")
        if self.units and self.history:
            raise ValueError(f"history is {self.history} and units is {self.units}; a policy has one memory")
        if self.units:
            check_installed(self.arm)
        if self.start is not None:
            self.start.check(self.card)

    def config(self) -> dict[str, Any]:
        """The same in JSON."""
        return {
            "format": FORMAT,
            "arm": self.arm,
            "rule": self.card.rule,
            "rule_hash": self.card.rule_hash,
            "groups": [group.describe() for group in self.groups],
            "history": self.history,
            **({"units": self.units} if self.units else {}),  # runs without an LSTM are what they were before it
            "start": self.start.digest if self.start is not None else None,
            "mechanisms": list(self.mechanisms),
            "steps": self.steps,
            "seed": self.seed,
            "settings": asdict(self.settings),
            "snapshots": list(self.counts),
            "record": self.record,
        }

    @property
    def card(self) -> Card:
        """Of the policy, untrained."""
        rules = {group.rule.hash: group.rule.name for group in self.groups}
        economies = {group.economy.hash for group in self.groups}
        digest = hashlib.sha256("".join(rules).encode()).hexdigest()[:16]
        return Card(
            kinds=self.groups[0].economy.kinds,
            hidden=self.settings.net_arch,
            history=self.history,
            units=self.units,
            arm=self.arm,
            rule=", ".join(dict.fromkeys(rules.values())),
            rule_hash=next(iter(rules)) if len(rules) == 1 else digest,
            economy=asdict(self.groups[0].economy) if len(economies) == 1 else {},
            seed=self.seed,
        )

    @property
    def label(self) -> str:
        """What the console calls it."""
        return f"{self.arm} {self.card.rule} seed {self.seed}"

    def env(self, threads: int) -> MarketEnvs:
        """The markets, not yet begun."""
        env: MarketVecEnv | MixedVecEnv
        if len(self.groups) > 1:
            env = MixedVecEnv(self.groups, self.seed, self.mechanisms, threads)
        else:
            only = self.groups[0]
            env = MarketVecEnv(
                only.rule, only.markets, only.first_market, self.seed, only.economy, only.seats, only.schedule,
                self.mechanisms, threads,
            )  # fmt: skip
        return HistoryVecEnv(env, self.history) if self.history else env

    def learner(self, env: MarketEnvs) -> Learner:
        """The learner as it begins."""
        model = make_learner(env, self.settings, seed=self.seed, units=self.units)
        if self.start is not None:
            self.start.put_into(model)
        return model


def markets_of(
    rule: str | Rule | Structure | None,
    arm: str | None,
    groups: Sequence[Group] | None,
    markets: int,
    economy: Economy | None,
    rivals: Sequence[Policy] | None,
    schedule: Sequence[Shift],
) -> tuple[str, tuple[Group, ...]]:
    """The name of the arm and where it learns, from the arguments of `train`."""
    if groups is not None:
        if rule is not None or economy is not None or rivals is not None or schedule:
            raise ValueError("groups say all about the markets; leave out rule, economy, rivals and schedule")
        return arm or "", tuple(groups)
    if rule is None:
        raise ValueError("a rule, a structure or groups are needed to train on")
    name = arm or fitting(rule)
    chosen, _ = variant(name)
    if economy is not None:
        chosen = replace(chosen, nuisance=False)
    economies = None if economy is None else (economy,)
    return name, training_groups(chosen, rule, markets, economies=economies, rivals=rivals, schedule=schedule)


def memory_of(history: int | None, units: int | None, arm: str, start: Start | None) -> tuple[int, int]:
    """Rounds remembered and width of the LSTM: as given, or of the start, or of the arm."""
    if history is not None or units is not None:
        return history or 0, units or 0
    kept = start.policy.card if start is not None else variant(arm)[1] if arm else MemoryKind()
    return kept.history, kept.units
