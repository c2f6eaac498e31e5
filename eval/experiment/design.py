"""A study with everything that its preset names in hand: rules, structure, economies, deployment groups."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ruleshift.envs import Economy, Rule, Structure, load_rule, load_structure
from ruleshift.envs.economies import economy_set
from ruleshift.envs.mechanisms import load_mechanisms
from ruleshift.envs.support import outside
from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.experiment.preset import Preset

if TYPE_CHECKING:
    from ruleshift.train.arms import ArmVariant

SAMPLE_SEED = 2026
"""Seed of the frozen sample of a structure's parts, which presets take rules from by number."""
PRIMARY = (GENERALIST, SPECIALIST)
"""The arms of the primary contrast: like with like."""


@dataclass(frozen=True)
class EvaluationGroup:
    """Markets in which policies are scored: those of one economy, among one panel."""

    economy: int
    """Number in the frozen set."""
    panel: int
    """Number of the panel: the index of its natives' seed."""
    first_market: int


@dataclass(frozen=True)
class Design:
    """A preset, and the content of what it names, so that a cell computes the same wherever it is computed.

    Raises:
        ValueError: rules that cannot be read, or held-out rules that an arm trains on; named.
    """

    preset: Preset
    homes: tuple[Rule, ...]
    held_out: tuple[Rule, ...]
    central: Rule
    """The one rule nearest to all that the generalists are trained on."""
    structure_hash: str

    @classmethod
    def of(cls, preset: Preset) -> "Design":
        """Read what a preset names."""
        from ruleshift.train.arms import central_rule

        load_mechanisms(preset.mechanisms)  # a rule's file may name them
        structure = _read("structure", preset.structure, load_structure)
        rules = {key: [_rule(key, each, structure) for each in getattr(preset, key)] for key in ("homes", "held_out")}
        names = [rule.name for rule in (*rules["homes"], *rules["held_out"])]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"study: homes and held_out hold the rule {name} twice")
        central = central_rule(structure).replace(name=f"{structure.name}_central")
        return cls(preset, tuple(rules["homes"]), tuple(rules["held_out"]), central, structure.hash)

    def __post_init__(self) -> None:
        trained = {rule.hash for rule in self.homes}
        for rule in self.held_out:
            if self.inside(rule.name) or rule.hash in trained:
                raise ValueError(f"study: held_out has {rule.name}, which lies inside what arms are trained on")

    @cached_property
    def structure(self) -> Structure:
        """What the generalists are trained on."""
        return load_structure(self.preset.structure)

    @property
    def targets(self) -> tuple[Rule, ...]:
        """All rules that policies are scored under: homes first."""
        return (*self.homes, *self.held_out)

    def rule(self, name: str) -> Rule:
        """The rule of that name."""
        return next(each for each in self.scored if each.name == name)

    @property
    def scored(self) -> tuple[Rule, ...]:
        """All rules that need natives and best replies: the targets, and the central rule for its arm's gate."""
        return (*self.targets, self.central)

    @cached_property
    def outside(self) -> dict[str, tuple[str, ...]]:
        """By rule, the fields that lie outside what the generalists are trained on; none where it is inside."""
        return {rule.name: outside(self.structure, rule) for rule in self.scored}

    def inside(self, name: str) -> bool:
        """Whether a target lies inside the generalists' training support."""
        return not self.outside[name]

    @cached_property
    def economies(self) -> tuple[Economy, ...]:
        """The economies that everything is scored in."""
        return tuple(self.shortened(each) for each in economy_set(self.preset.economies))

    def shortened(self, economy: Economy) -> Economy:
        """An economy of the frozen set, with the preset's rounds where it says so."""
        return replace(economy, rounds=self.preset.rounds) if self.preset.rounds else economy

    @property
    def groups(self) -> list[EvaluationGroup]:
        """Every economy among every panel; no two share a market's noise."""
        panels, markets = len(self.preset.panel_seeds), self.preset.markets
        return [
            EvaluationGroup(economy, panel, (economy * panels + panel) * markets)
            for economy in range(self.preset.economies)
            for panel in range(panels)
        ]

    @cached_property
    def arms(self) -> "dict[str, ArmVariant]":
        """The arms that are compared, by name."""
        from ruleshift.train.arms import variant

        return {name: variant(name) for name in self.preset.arms}

    @property
    def budgets(self) -> "list[tuple[ArmVariant, float]]":
        """Every arm at the budget, and those of the primary contrast at its multiples, too."""
        primary = [arm for name, arm in self.arms.items() if name in PRIMARY]
        return [(arm, 1.0) for arm in self.arms.values()] + [(arm, b) for b in self.preset.budgets for arm in primary]

    def homes_of(self, arm: "ArmVariant") -> list[str]:
        """Names of the home rules that an arm has a policy for; one empty name where it has one policy for all."""
        return [rule.name for rule in self.homes] if arm.has_policy_per_home else [""]

    def gates_of(self, arm: "ArmVariant", home: str) -> list[str]:
        """Names of the rules on which a policy has to be competent: those it was trained on, or the homes for them."""
        own = {"home": [home], "central": [self.central.name]}
        return own.get(arm.trains_on, [rule.name for rule in self.homes])

    def plain(self) -> dict[str, Any]:
        """All of it as plain values, rules by content; `from_plain` gives it back."""
        return {
            "preset": json.loads(json.dumps(asdict(self.preset))),
            "homes": [rule.to_toml() for rule in self.homes],
            "held_out": [rule.to_toml() for rule in self.held_out],
            "central": self.central.to_toml(),
            "structure_hash": self.structure_hash,
            "economies": [each.hash for each in self.economies],
        }

    @classmethod
    def from_plain(cls, values: dict[str, Any]) -> "Design":
        """The inverse of `plain`.

        Raises:
            KeyError, TypeError, ValueError: not what `plain` gives.
        """
        preset = Preset(**values["preset"])
        load_mechanisms(preset.mechanisms)
        homes, held_out = (
            tuple(Rule.from_toml(text, f"{key} of the study") for text in values[key]) for key in ("homes", "held_out")
        )
        central = Rule.from_toml(values["central"], "central of the study")
        return cls(preset, homes, held_out, central, values["structure_hash"])

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of the whole design."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()[:16]


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
