"""The design of a study: a preset with the content of all that it names, such as rules, structure and economies."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ruleshift.envs import Economy, Rule, Structure, load_rule, load_structure
from ruleshift.envs.economies import economy_set
from ruleshift.envs.fields import check_keys
from ruleshift.envs.mechanisms import load_mechanisms
from ruleshift.envs.structure import SAMPLE_SEED
from ruleshift.envs.support import outside
from ruleshift.eval.claims import asked
from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.experiment.preset import Preset
from ruleshift.eval.extensions import load_extensions
from ruleshift.eval.statistics import Sizes, balanced_blocks

if TYPE_CHECKING:
    from ruleshift.train.arms import ArmVariant

PRIMARY = (GENERALIST, SPECIALIST)
"""The two arms of the primary contrast, which differ in nothing but the rules that they are trained on."""


@dataclass(frozen=True)
class EvaluationGroup:
    """A group of markets in which policies are scored: those of one economy among one panel."""

    economy: int
    """Number of the economy in the frozen set."""
    panel: int
    """Number of the panel: the index of its natives' seed."""
    first_market: int
    """Number of the first market of the group."""


@dataclass(frozen=True)
class Design:
    """A preset with the content of all that it names, so that a cell gives the same result wherever it is computed.

    Raises:
        ValueError: an arm is unknown, or trained on a held-out rule; the message names the arm or the rule.
    """

    preset: Preset
    """The preset, with the names of rules and structure in place of paths."""
    homes: tuple[Rule, ...]
    """Rules that the specialists are trained on."""
    held_out: tuple[Rule, ...]
    """Rules that come with the shift, and that no judged policy is trained on."""
    central: Rule
    """The rule nearest to all that the generalists are trained on."""
    structure: Structure
    """The structure that the generalists are trained on."""

    @classmethod
    def of(cls, preset: Preset) -> "Design":
        """Read all that a preset names.

        Raises:
            ValueError: a rule or the structure cannot be read, or a rule is named twice; the message names it.
        """
        from ruleshift.train.arms import central_rule

        _load_own(preset)  # a rule's file may name the mechanisms
        structure = _read("structure", preset.structure, load_structure)
        rules = {key: [_rule(key, each, structure) for each in getattr(preset, key)] for key in ("homes", "held_out")}
        names = [rule.name for rule in (*rules["homes"], *rules["held_out"])]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"study: homes and held_out hold the rule {name} twice")
        central = central_rule(structure).replace(name=f"{structure.name}_central")
        preset = replace(
            preset,
            structure=_named([preset.structure], [structure.name])[0],
            homes=_named(preset.homes, [rule.name for rule in rules["homes"]]),
            held_out=_named(preset.held_out, [rule.name for rule in rules["held_out"]]),
        )
        return cls(preset, tuple(rules["homes"]), tuple(rules["held_out"]), central, structure)

    def __post_init__(self) -> None:
        self._check_arms()
        self._check_claims()
        trained = {rule.hash for rule in self.homes}
        for rule in self.held_out:
            if self.inside(rule.name) or rule.hash in trained:
                raise ValueError(f"study: held_out has {rule.name}, which lies inside what arms are trained on")

    def _check_claims(self) -> None:
        try:
            asked(self.preset.claims)
        except ValueError as error:
            raise ValueError(f"study: claims has an unknown one: {error}") from None

    def _check_arms(self) -> None:
        from ruleshift.train.arms import variant

        for arm in self.preset.arms:
            try:
                variant(arm)
            except ValueError as error:
                raise ValueError(f"study: arms has {arm!r}: {error}") from None

    @property
    def targets(self) -> tuple[Rule, ...]:
        """All rules that policies are scored under: the homes, then the held-out rules."""
        return (*self.homes, *self.held_out)

    def rule(self, name: str) -> Rule:
        """Return the rule of that name among all `scored` rules."""
        return next(each for each in self.scored if each.name == name)

    @property
    def scored(self) -> tuple[Rule, ...]:
        """All rules that need natives and best replies: the targets, and the central rule for the gate of its arm."""
        return (*self.targets, self.central)

    @cached_property
    def outside(self) -> dict[str, tuple[str, ...]]:
        """By name of a rule, its fields that lie outside the generalists' training support; none if it lies inside."""
        return {rule.name: outside(self.structure, rule) for rule in self.scored}

    def inside(self, name: str) -> bool:
        """Whether a target lies inside the generalists' training support."""
        return not self.outside[name]

    @cached_property
    def economies(self) -> tuple[Economy, ...]:
        """The economies in which all policies are scored."""
        return tuple(self.shortened(each) for each in economy_set(self.preset.economies))

    def shortened(self, economy: Economy) -> Economy:
        """Return an economy with the number of rounds that the preset sets, or unchanged if it sets none."""
        return replace(economy, rounds=self.preset.rounds) if self.preset.rounds else economy

    @property
    def sizes(self) -> Sizes:
        """Number of homes, held-out rules, seeds, panels and economies."""
        preset = self.preset
        return (
            len(self.homes), len(self.held_out), len(preset.seeds), len(preset.panel_seeds), preset.economies,
        )  # fmt: skip

    @property
    def groups(self) -> list[EvaluationGroup]:
        """One group for each pair of economy and panel; no two groups share noise."""
        panels, markets = len(self.preset.panel_seeds), self.preset.markets
        return [
            EvaluationGroup(economy, panel, (economy * panels + panel) * markets)
            for economy in range(self.preset.economies)
            for panel in range(panels)
        ]

    @cached_property
    def arms(self) -> "dict[str, ArmVariant]":
        """The arms that the study compares, by name."""
        from ruleshift.train.arms import variant

        return {name: variant(name) for name in self.preset.arms}

    @property
    def budgets(self) -> "list[tuple[ArmVariant, float]]":
        """Pairs of an arm and a multiple of the budget: every arm at 1, and those of the primary contrast at each."""
        primary = [arm for name, arm in self.arms.items() if name in PRIMARY]
        return [(arm, 1.0) for arm in self.arms.values()] + [(arm, b) for b in self.preset.budgets for arm in primary]

    def homes_of(self, arm: "ArmVariant") -> list[str]:
        """Names of the home rules for which an arm has a policy; one empty name if it has one policy for all."""
        return [rule.name for rule in self.homes] if arm.has_policy_per_home else [""]

    def adapts(self, arm: "ArmVariant", home: str, target: str) -> bool:
        """Whether an arm keeps learning at a held-out target: one with a policy per home does where the two `meet`."""
        if not arm.has_policy_per_home:
            return True
        homes, held_out = ([rule.name for rule in rules] for rules in (self.homes, self.held_out))
        return bool(self.meet[homes.index(home), held_out.index(target)])

    @property
    def tiers(self) -> tuple[str, ...]:
        """Part of the structure that each held-out rule is taken from; empty for rules from elsewhere."""
        parts = [given.partition(":")[0] for given in self.preset.held_out]
        return tuple(part if part in self.structure.parts else "" for part in parts)

    @cached_property
    def meet(self) -> np.ndarray:
        """Which homes adapt to which held-out rules, (H, G) bool: all, or balanced blocks of `targets_per_home`."""
        targets = len(self.held_out)
        return balanced_blocks(len(self.homes), targets, self.preset.targets_per_home or targets)

    def gates_of(self, arm: "ArmVariant", home: str) -> list[str]:
        """Names of the rules on which a policy must be competent: its training rules, or the homes for generalists.

        A generalist of few rules must be so on those of the homes that it trains on, if there are any.
        """
        own = {"home": [home], "central": [self.central.name]}
        homes = [rule.name for rule in self.homes]
        if arm.arm.breadth:
            trained = {each.hash for each in self.structure.sample("train", arm.arm.breadth, SAMPLE_SEED)}
            homes = [rule.name for rule in self.homes if rule.hash in trained] or homes
        return own.get(arm.trains_on, homes)

    def gate_of(self, arm: "ArmVariant", home: str) -> str:
        """Name of the rule on which an arm is tested in place of a home rule: that itself if it trains on it."""
        gates = self.gates_of(arm, home)
        homes = [rule.name for rule in self.homes]
        return home if home in gates else gates[homes.index(home) % len(gates)]

    def plain(self) -> dict[str, Any]:
        """The design as JSON holds it, with rules by content; `from_plain` is the inverse."""
        return {
            "preset": json.loads(json.dumps(asdict(self.preset))),
            "homes": [rule.to_toml() for rule in self.homes],
            "held_out": [rule.to_toml() for rule in self.held_out],
            "central": self.central.to_toml(),
            "structure": {
                "name": self.structure.name,
                "base": self.structure.base.to_toml(),
                "parts": self.structure.to_toml(),
                "hash": self.structure.hash,
            },
            "economies": [each.hash for each in self.economies],
        }

    @classmethod
    def from_plain(
        cls, values: Any, source: str, *, mechanisms: Sequence[str] = (), extensions: Sequence[str] = ()
    ) -> "Design":
        """Read a design from what `plain` gave, whoever gave it: no code runs that the arguments do not name.

        Args:
            values: the plain values.
            source: where they are from, for errors.
            mechanisms: mechanisms that the design may name.
            extensions: modules that the design may name.

        Raises:
            ValueError: the values are not what `plain` gives, or name code that the arguments do not name.
        """
        kinds = {"preset": dict, "homes": list, "held_out": list, "central": str, "structure": dict, "economies": list}
        _check_kinds(values, kinds, f"{source}: design")
        _check_kinds(values["structure"], dict.fromkeys(("name", "base", "parts"), str), f"{source}: design.structure")
        preset = _preset(values["preset"], f"{source}: design.preset")
        preset.check_named(mechanisms, extensions, source)
        _load_own(preset)
        homes, held_out = (
            tuple(_from_toml(text, f"{source}: design.{key}.{n}") for n, text in enumerate(values[key]))
            for key in ("homes", "held_out")
        )
        held = values["structure"]
        base = _from_toml(held["base"], f"{source}: design.structure.base")
        structure = Structure.from_toml(held["name"], base, held["parts"], f"{source}: design.structure.parts")
        return cls(preset, homes, held_out, _from_toml(values["central"], f"{source}: design.central"), structure)

    @property
    def hash(self) -> str:
        """Hash of the whole design, sixteen hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()[:16]


def _load_own(preset: Preset) -> None:
    """Import the modules and mechanisms that a preset names."""
    try:
        load_extensions(preset.extensions)
        load_mechanisms(preset.mechanisms)
    except ValueError as error:
        raise ValueError(f"study: {error}") from None


def _named(given: Sequence[str], names: list[str]) -> tuple[str, ...]:
    """Put names in place of paths, so that a study does not depend on where its files are."""
    return tuple(name if each.endswith(".toml") else each for each, name in zip(given, names, strict=True))


def _check_kinds(values: Any, kinds: Mapping[str, type], where: str) -> None:
    for key, kind in kinds.items():
        if not isinstance(values, dict) or not isinstance(values.get(key), kind):
            raise ValueError(f"{where}.{key} is missing or malformed")


def _preset(values: dict[str, Any], where: str) -> Preset:
    try:
        return Preset(**check_keys(Preset, values, where))
    except ValueError as error:
        raise ValueError(f"{where}: {str(error).removeprefix('study: ').removeprefix(f'{where}: ')}") from None


def _from_toml(text: Any, where: str) -> Rule:
    if not isinstance(text, str):
        raise ValueError(f"{where} is malformed; it must be a rule as TOML")
    return Rule.from_toml(text, where)


def _rule(key: str, given: str, structure: Structure) -> Rule:
    part, colon, number = given.partition(":")
    if colon and part in structure.parts and number.isdigit():
        return structure.sampled(part, int(number), SAMPLE_SEED)
    if colon and not given.endswith(".toml"):
        raise ValueError(f"study: {key} has {given!r}; a part is one of {', '.join(structure.parts)}, as in family:3")
    rule: Rule = _read(key, given, load_rule)
    return rule


def _read(key: str, given: str, load: Any) -> Any:
    try:
        return load(given)
    except (ValueError, OSError) as error:
        raise ValueError(f"study: {key} has {given!r}, which cannot be read: {error}") from None
