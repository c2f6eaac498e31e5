"""What decides how a training run ends: its markets, its learner, and where that begins."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from ruleshift.agents.policy import Card, Policy
from ruleshift.envs import FEATURES, Economy, Rule, Shift, Structure
from ruleshift.envs.fields import Count, Flag, Maybe, Numbers, Of, Sizes, brief, check_fields, checked, listed, option
from ruleshift.envs.mechanisms import load_mechanisms
from ruleshift.train.arms import ArmVariant, MemoryKind, fitting, training_groups, variant
from ruleshift.train.checkpoint import MarketEnvs
from ruleshift.train.curricula import CURRICULA, probe_cost
from ruleshift.train.distill import TaughtVecEnv, hidden_columns
from ruleshift.train.groups import MarketGroup, MixedVecEnv, check_groups
from ruleshift.train.memory import MemoryVecEnv
from ruleshift.train.networks import WarmStart, load_warm_start
from ruleshift.train.ppo import Learner, PPOSettings, make_learner
from ruleshift.train.recurrent import check_installed
from ruleshift.train.vec_env import MarketVecEnv

FORMAT = 4


@dataclass(frozen=True)
class TrainingPlan:
    """All that the weights of a training run follow from: same plan, machine and library versions, same bits.

    A plan is checked when it is made, and the networks that it starts from are read then.

    Raises:
        ValueError, TypeError: a field that is impossible, or fields that contradict each other; one line that names
            them.

    >>> plan = TrainingPlan("price_board", arm="fixed+memory", steps=1_000_000, seed=3)
    >>> plan.label, plan.memory.rates
    ('fixed+memory price_board seed 3', (0.25, 0.08, 0.03, 0.0))
    """

    rule: str | Rule | Structure | None = None
    """What the arm trains on: the name or path of a rule or a structure, or one itself."""
    _: KW_ONLY
    steps: int = field(metadata={"kind": Count(1, 10**12)})
    """Agent-steps to learn from, rounded up to whole rollouts."""
    seed: int = option(0, Count(0, 2**32 - 1))
    """Seed of weights, exploration, minibatches and markets."""
    arm: str | None = None
    """A name of `variants()`; by default `randomized` for a Structure and else `fixed`."""
    economy: Economy | None = field(default=None, metadata={"kind": Maybe(Of(Economy))})
    """The economy of every market, in place of those of the arm and without its randomized rivals."""
    rivals: Sequence[Policy] | None = None
    """Policies of the seats that do not learn, in turn, in place of those of the arm."""
    schedule: Sequence[Shift] = ()
    """Shifts of the rule in mid-episode."""
    groups: Sequence[MarketGroup] | None = None
    """The markets themselves, in place of all that the arm would make of `rule`; of the arm only its memory counts, and
    whether it names features of the rule, which it must have learned before."""
    history: int | None = option(None, Maybe(Count(0, 1_000)))
    """Rounds that the policy remembers."""
    rates: Sequence[float] | None = option(None, Maybe(Numbers(16, 0, 1)))
    """Rates of the running means that it remembers in place of a history."""
    units: int | None = option(None, Maybe(Count(0, 65_536)))
    """Width of an LSTM in place of a history; it needs sb3-contrib. Where no memory is given, it is that of the
    `start`, or of the arm."""
    start: str | os.PathLike[str] | None = None
    """Folder of a finished run, whose policy and critic are where this one begins; new networks where None."""
    mechanisms: Sequence[str] = ()
    """Users' mechanisms, as `module:function`."""
    settings: PPOSettings = field(default_factory=PPOSettings, metadata={"kind": Of(PPOSettings)})
    """Hyper-parameters of the learner."""
    snapshots: int | Sequence[int] = 10
    """Policies saved for the learning curve: so many, evenly spaced, after the untrained one; or agent-steps after
    which one is saved."""
    record: bool = option(False, Flag())
    """Whether to keep the reward of every row in every step, for `load_rewards`."""

    def __post_init__(self) -> None:
        check_fields(self, "plan")
        for name, kind in (("rivals", Policy), ("schedule", Shift), ("groups", MarketGroup), ("mechanisms", str)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, listed(value, f"plan: {name}", kind))
        if not isinstance(self.rule, str | os.PathLike | Rule | Structure | None):
            raise TypeError(f"plan: rule is {brief(self.rule)}; it must be a name, a path, a Rule or a Structure")
        if not isinstance(self.start, str | os.PathLike | None):
            raise TypeError(f"plan: start is {brief(self.start)}; it must be the folder of a finished run")
        if not isinstance(self.arm, str | None):
            raise TypeError(f"plan: arm is {brief(self.arm)}; it must be the name of an arm")
        if self.groups is None and self.rule is None:
            raise ValueError("plan: a rule, a structure or groups are needed to train on")
        if self.groups is not None and not (self.rule is self.economy is self.rivals is None and not self.schedule):
            raise ValueError("plan: groups say all about the markets; leave out rule, economy, rivals and schedule")
        several = isinstance(self.snapshots, list | tuple)
        allowed = Sizes(0, 10**12, 10_000) if several else Count(0, 10_000)
        object.__setattr__(self, "snapshots", checked(self.snapshots, allowed, "plan: snapshots"))
        self._check_memory()
        self._check_names()
        self._check_teacher()
        load_mechanisms(tuple(self.mechanisms))  # a rule's file may name them
        check_groups(self.market_groups)
        if self.curriculum and CURRICULA[self.curriculum].probes and self.steps <= probe_cost(self.market_groups):
            raise ValueError(
                f"plan: steps is {self.steps}; arm {self.arm_name} first plays rules for "
                f"{probe_cost(self.market_groups)} agent-steps without learning"
            )
        if self.memory.units:
            check_installed(self.arm_name)
        if self.warm_start is not None:
            self.warm_start.check(self.card)

    def _check_memory(self) -> None:
        given = {name: getattr(self, name) for name in ("history", "rates", "units")}
        if sum(bool(value) for value in given.values()) > 1:
            both = " and ".join(f"{name} is {value}" for name, value in given.items() if value)
            raise ValueError(f"plan: {both}; a policy has one memory")

    def _check_names(self) -> None:
        if not self.named:
            return
        if self.memory.units:
            raise ValueError(f"plan: arm {self.arm_name} names features of the rule; it has no recurrent memory")
        if self.learns_names and (self.groups is not None or self.schedule):
            raise ValueError(
                f"plan: arm {self.arm_name} learns to name rules from those of its structure alone; groups and a "
                "schedule may hold others, so give them with a start"
            )

    def _check_teacher(self) -> None:
        if self.teacher is None:
            return
        if self.memory.units:
            raise ValueError(f"plan: arm {self.arm_name} learns from a teacher; it has no recurrent memory")
        if self.schedule:
            raise ValueError(f"plan: arm {self.arm_name} learns from a teacher of its structure's rules; no schedule")
        for group in self.market_groups:
            assert isinstance(group.rule, Structure)
            hidden_columns(group.rule, group.economy.kinds)

    @cached_property
    def arm_variant(self) -> ArmVariant | None:
        """The arm with its memory; None where groups are trained in without one."""
        if self.arm is not None:
            return variant(self.arm)
        return None if self.rule is None else variant(fitting(self.rule))

    @property
    def arm_name(self) -> str:
        """The name of the arm, or nothing where there is none."""
        return self.arm_variant.name if self.arm_variant is not None else ""

    @property
    def curriculum(self) -> str:
        """What chooses the rules of the markets, a key of `CURRICULA`; nothing without, and where groups are given."""
        return self.arm_variant.arm.curriculum if self.arm_variant is not None and self.groups is None else ""

    @cached_property
    def market_groups(self) -> tuple[MarketGroup, ...]:
        """Where the policy learns: the groups that were given, or those that the arm makes of the rule."""
        if self.groups is not None:
            return tuple(self.groups)
        assert self.arm_variant is not None
        assert self.rule is not None
        arm, economies = self.arm_variant.arm, None
        if self.economy is not None:
            arm, economies = replace(arm, nuisance=False), (self.economy,)
        return training_groups(
            arm, self.rule, self.settings.markets, economies=economies, rivals=self.rivals, schedule=self.schedule
        )

    @cached_property
    def warm_start(self) -> WarmStart | None:
        """The networks that the policy begins with, or None for new ones."""
        return None if self.start is None else load_warm_start(self.start)

    @cached_property
    def teacher(self) -> "TrainingPlan | None":
        """The plan by which the arm's teacher is trained first, for half of the rollouts; None where there is none.

        Its steps count among those of this plan. There is none in `groups` and after a `start`: where an arm keeps
        learning, the rules may be held out, and nobody tells.

        Raises:
            ValueError: there are fewer than two rollouts.
        """
        taught = self.arm_variant is not None and self.arm_variant.arm.teacher
        if not taught or self.groups is not None or self.start is not None:
            return None
        rows = sum(group.markets * len(group.seats.learning) for group in self.market_groups)
        rollout = self.settings.n_steps(rows) * rows
        half = -(-self.steps // rollout) // 2 * rollout
        if not half:
            raise ValueError(f"plan: steps is {self.steps}; arm {self.arm_name} and its teacher need {rollout + 1}")
        assert self.arm_variant is not None
        return replace(self, arm=self.arm_variant.teacher, steps=half, snapshots=0, record=False)

    @property
    def memory(self) -> MemoryKind:
        """What the policy remembers: as given, or as that of the start, or of the arm."""
        if not self.history is self.rates is self.units is None:
            return MemoryKind(rates=tuple(self.rates or ()), history=self.history or 0, units=self.units or 0)
        if self.warm_start is not None:
            card = self.warm_start.policy.card
            return MemoryKind(rates=card.rates, history=card.history, units=card.units)
        return self.arm_variant.memory if self.arm_variant is not None else MemoryKind()

    @property
    def named(self) -> int:
        """How many features of the rule the policy names and acts on: all if the arm does, or as many as the start."""
        if self.arm_variant is not None and self.arm_variant.arm.names:
            return len(FEATURES)
        return self.warm_start.policy.card.named if self.warm_start is not None else 0

    @property
    def learns_names(self) -> bool:
        """Whether it learns to name them: never after a start, since what is learned on then may be held out."""
        return self.named > 0 and self.start is None

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Agent-steps after which a policy is saved, in rising order."""
        if not isinstance(self.snapshots, int):
            return tuple(sorted(set(self.snapshots)))
        parts = range(self.snapshots + 1) if self.snapshots else ()
        return tuple(self.steps * part // self.snapshots for part in parts)

    @cached_property
    def card(self) -> Card:
        """The card of the policy, before any training."""
        rules = {group.rule.hash: group.rule.name for group in self.market_groups}
        economies = {group.economy.hash for group in self.market_groups}
        first, digest = self.market_groups[0].economy, hashlib.sha256("".join(rules).encode()).hexdigest()[:16]
        return Card(
            kinds=first.kinds,
            hidden=self.settings.net_arch,
            history=self.memory.history,
            rates=self.memory.rates,
            units=self.memory.units,
            named=self.named,
            arm=self.arm_name,
            rule=", ".join(dict.fromkeys(rules.values())),
            rule_hash=next(iter(rules)) if len(rules) == 1 else digest,
            economy=asdict(first) if len(economies) == 1 else {},
            seed=self.seed,
        )

    @property
    def label(self) -> str:
        """What the console calls the run."""
        return f"{self.arm_name} {self.card.rule} seed {self.seed}"

    def config(self) -> dict[str, Any]:
        """The plan in JSON, rules and networks by their hashes: equal plans have equal ones."""
        card = self.card
        return {
            "format": FORMAT,
            "arm": card.arm,
            "rule": card.rule,
            "rule_hash": card.rule_hash,
            "groups": [group.describe() for group in self.market_groups],
            "history": card.history,
            "rates": list(card.rates),
            "units": card.units,
            "start": self.warm_start.digest if self.warm_start is not None else None,
            "mechanisms": list(self.mechanisms),
            "steps": self.steps,
            "seed": self.seed,
            "settings": asdict(self.settings),
            "snapshots": list(self.snapshot_steps),
            "record": self.record,
            **({"teacher": self.teacher.config()} if self.teacher is not None else {}),
        }

    def make_env(self, threads: int = 1, groups: Sequence[MarketGroup] | None = None) -> MarketEnvs:
        """The markets, not yet begun, each group's stepped on so many threads, which change no bit.

        `groups` takes the place of the plan's where something else than chance chooses their rules. Where the plan has
        a teacher, the `TaughtVecEnv` is to be given it.
        """
        if self.teacher is not None:
            first = self.market_groups[0]
            assert isinstance(first.rule, Structure)
            markets: Any = self.teacher.make_env(threads)
            return TaughtVecEnv(markets, hidden_columns(first.rule, first.economy.kinds))
        groups, mechanisms = groups or self.market_groups, tuple(self.mechanisms)
        options: dict[str, Any] = {"threads": threads, "read_only": True, "privileged": not self.memory.units}
        env: MarketVecEnv | MixedVecEnv
        if len(groups) > 1:
            env = MixedVecEnv(groups, self.seed, mechanisms, **options)
        else:
            env = groups[0].make_env(self.seed, mechanisms, **options)
        remembers = self.memory.history or self.memory.rates
        return MemoryVecEnv(env, self.card.outcome_memory) if remembers else env

    def make_learner(self, env: MarketEnvs) -> Learner:
        """The learner as it begins, in the markets of `make_env`."""
        own: dict[str, Any] = {"units": self.memory.units, "named": self.named, "learns_names": self.learns_names}
        taught = self.teacher.steps if self.teacher is not None else 0
        model = make_learner(env, self.settings, seed=self.seed, spent=taught / self.steps, **own)
        model.num_timesteps = taught
        if self.warm_start is not None:
            self.warm_start.put_into(model)
        return model
