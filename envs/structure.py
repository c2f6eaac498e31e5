"""Structure: a distribution over rules."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache, reduce
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs.draws import Choice, Draw, read_draw, unchecked
from ruleshift.envs.fields import Count, Name, Of, brief, check_fields, checked
from ruleshift.envs.files import as_toml, find_file, names_in, parse, read_file
from ruleshift.envs.numerics import PURPOSES, RULE, market_key, uniforms
from ruleshift.envs.rule import Rule, load_rule
from ruleshift.envs.support import check_parts

SAMPLE_SEED = 2026
"""Seed of the frozen sample of a structure's parts, from which studies take rules by number."""
NUMBERS = 64
"""How many uniform numbers the draw of a rule may use."""
PARTS = ("train", "interpolation", "extrapolation", "composition", "family")
_COUNT = Count(0, 2**32 - 1)
_LEVEL = "disclosure.level"
_DECIDING = (
    "matching.mechanism", "matching.parameters", "payment.pricing", "payment.charge", "feedback.entry_rate"
)  # fmt: skip
_FOLDER = Path(__file__).parent / "structures"
_key = lru_cache(maxsize=65_536)(market_key)


@dataclass(frozen=True)
class Part:
    """A part of a structure: alternatives that are equally likely."""

    alternatives: tuple[dict[str, Draw], ...]
    """For each alternative, the draws by the dotted names of the rule's fields, in alphabetical order."""

    def __contains__(self, field: str) -> bool:
        """Return whether any alternative draws a field."""
        return any(field in draws for draws in self.alternatives)

    def plain(self) -> list[dict[str, Any]]:
        """Return the content in plain values; two parts with the same plain values draw the same rules."""
        return [
            {field: [type(draw).__name__, asdict(draw)] for field, draw in draws.items()} for draws in self.alternatives
        ]

    def draw(self, base: Rule, numbers: list[float]) -> Rule:
        """Return the rule drawn by these uniform numbers, unchecked, because all possible values are in range."""
        draws = self.alternatives[int(numbers[0] * len(self.alternatives))]
        changes: dict[str, dict[str, Any]] = {}
        used = 1
        for dotted, draw in draws.items():
            head, _, name = dotted.partition(".")
            changes.setdefault(head, {})[name] = draw.value(numbers[used : used + draw.takes])
            used += draw.takes
        return unchecked(base, {head: unchecked(getattr(base, head), inner) for head, inner in changes.items()})

    def used(self, first: float) -> int:
        """Return how many uniform numbers a draw uses whose first is `first`, which chooses the alternative."""
        draws = self.alternatives[int(first * len(self.alternatives))]
        return 1 + sum(draw.takes for draw in draws.values())


@dataclass(frozen=True)
class Structure:
    """A distribution over rules: a base rule and, for each part, the fields that are drawn, by their dotted names.

    A part is a table of draws, or a list of such tables, which are equally likely alternatives. A draw is a value or
    one of `{"choice": [...]}`; `{"uniform": [low, high]}` and `{"log_uniform": [low, high]}`, which also take a list of
    intervals, `[[low, high], ...]`; and, for `scoring.weights`, `{"dirichlet": [signals], "least": share}`, which draws
    uniformly from the simplex over these signals, each at least `least` (by default 0), while the others are 0. Fields
    that are not drawn are those of the base. Parts are disjoint, and each test part is what its name says, see
    `support.check_parts`.

    Raises:
        ValueError: if a part, a draw or a field is unknown, a range is wrong, or parts overlap or are not what their
            names say; says which.
    """

    name: str = field(metadata={"kind": Name(most=150)})
    """The name by which it is loaded."""
    base: Rule = field(metadata={"kind": Of(Rule)})
    """The rule that gives the fields which are not drawn."""
    parts: dict[str, Any] = field(metadata={"kind": Of(dict)})
    """The parts by name, given as tables or lists of tables of draws and stored as `Part`s."""

    def __post_init__(self) -> None:
        check_fields(self, "structure")
        if "train" not in self.parts:
            raise ValueError(f"structure {self.name}: the part [train] is missing")
        for part in self.parts:
            if part not in PARTS:
                raise ValueError(f"structure {self.name}: unknown part {brief(part)}; there are {', '.join(PARTS)}")
        parts = {part: _read_part(given, f"structure {self.name}: {part}") for part, given in self.parts.items()}
        object.__setattr__(self, "parts", parts)
        check_parts(self)

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """The structure's fingerprint: sixteen hexadecimal digits that depend on its base rule and its parts."""
        return _digest([self.base.hash, self.hashes])

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The fingerprint of each part: sixteen hexadecimal digits that depend on the base rule and the part."""
        return {part: _digest([self.base.hash, each.plain()]) for part, each in self.parts.items()}

    def to_toml(self) -> str:
        """The content of the parts as the text of a TOML file; `from_toml` is the inverse, given name and base."""
        lines = []
        for part, held in self.parts.items():
            for draws in held.alternatives:
                lines += [f"[[{part}]]", *(f"{as_toml(name)} = {as_toml(draw.given)}" for name, draw in draws.items())]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_toml(cls, name: str, base: Rule, text: str, source: str) -> "Structure":
        """Read a structure from the text that `to_toml` gave; errors name its `source`.

        Raises:
            ValueError: if it is not TOML, or not the parts of a structure.
        """
        try:
            return cls(name, base, parse(text, source))
        except ValueError as error:
            raise ValueError(f"{source}: {str(error).removeprefix(f'{source}: ')}") from None

    def draw(self, seed: int, market: int, episode: int, part: str = "train", stage: int = 0) -> Rule:
        """Return the rule of one market and episode, the same on every machine.

        Draws are independent across parts and across the stages of an episode: 0 is its opening, and s the shift s - 1
        of its schedule.

        Raises:
            ValueError: if the structure does not have the part, or if a number is out of range.
        """
        for name, value in (("seed", seed), ("market", market), ("episode", episode), ("stage", stage)):
            checked(value, _COUNT, f"structure {self.name}: {name}")
        if part not in self.parts:
            raise ValueError(
                f"structure {self.name}: there is no part {brief(part)}; there are {', '.join(self.parts)}"
            )
        return self.rule_of(self.numbers(seed, market, episode, part, stage), part)

    def numbers(self, seed: int, market: int, episode: int, part: str = "train", stage: int = 0) -> np.ndarray:
        """Return the uniform numbers in (0, 1) by which `draw` draws, float64 (NUMBERS,)."""
        purpose = RULE + PURPOSES * PARTS.index(part)
        return uniforms(_key(seed, market), NUMBERS, round=stage, episode=episode, purpose=purpose)

    def rule_of(self, numbers: np.ndarray, part: str = "train") -> Rule:
        """Return the rule of a part that uniform numbers in (0, 1), float64 (NUMBERS,), draw: any such numbers do."""
        return self.parts[part].draw(self._named, numbers.tolist())

    def sample(self, part: str, count: int, seed: int) -> tuple[Rule, ...]:
        """Return `count` rules of a part, each with a name of its own, such as `platforms_family_03`."""
        count = checked(count, _COUNT, f"structure {self.name}: count")
        return tuple(self.sampled(part, number, seed) for number in range(count))

    def sampled(self, part: str, number: int, seed: int) -> Rule:
        """Return the rule that `sample` has at position `number`, counted from 0."""
        return self.draw(seed, number, 0, part).replace(name=f"{self.name}_{part}_{number:02}")

    def narrowed(self, count: int, seed: int) -> "Structure":
        """Return a structure that trains `count` rules only, each equally likely: those of `sample` for this seed.

        Those of a larger count hold those of a smaller one. Its name tells the count, such as `platforms@4`.

        Raises:
            ValueError: if the count is below 1.
        """
        count = checked(count, Count(1, 10_000), f"structure {self.name}: count")
        drawn = sorted({field for each in self.parts["train"].alternatives for field in each})
        rules = self.sample("train", count, seed)
        alternatives: tuple[dict[str, Draw], ...] = tuple(
            {field: Choice((_value(rule, field),)) for field in drawn} for rule in rules
        )
        return Structure(f"{self.name}@{count}", self.base, {"train": Part(alternatives)})

    def extremes(self, part: str = "train") -> Iterator[Rule]:
        """Yield rules of a part that cover all that decides whether any rule of it can be played.

        These are all combinations of the mechanisms, parameters, payments and charges that it can draw, each with the
        lowest and the highest entry rate.
        """
        for draws in self.parts[part].alternatives:
            deciding = [dotted for dotted in _DECIDING if dotted in draws]
            for values in product(*(dict.fromkeys(chain(*draws[dotted].pieces)) for dotted in deciding)):
                changes: dict[str, dict[str, Any]] = {}
                for dotted, value in zip(deciding, values, strict=True):
                    head, _, name = dotted.partition(".")
                    changes.setdefault(head, {})[name] = value
                parts = {head: unchecked(getattr(self.base, head), inner) for head, inner in changes.items()}
                yield unchecked(self._named, parts)

    def disclosed(self) -> "Structure":
        """Return the same structure, but with every rule disclosed in full to every organization."""
        parts = {
            name: Part(
                tuple({field: draw for field, draw in each.items() if field != _LEVEL} for each in part.alternatives)
            )
            for name, part in self.parts.items()
        }
        return Structure(self.name, self.base.disclosed(), parts)

    @cached_property
    def _named(self) -> Rule:
        return self.base.replace(name=self.name, rationale="")


def load_structure(structure: "str | Path | Structure") -> Structure:
    """Load a structure by its name or by the path of its TOML file; a `Structure` is returned as it is.

    A file with a table `hashes` is frozen: each part must have the hash that is stated there.

    Raises:
        ValueError: if there is no structure of that name, if the file does not describe one, or if a frozen part was
            changed.
        FileNotFoundError: if there is no such file.
    """
    if isinstance(structure, Structure):
        return structure
    path = find_file("structure", structure, _FOLDER)
    content = read_file(path)
    unknown = set(content) - {"name", "base", "hashes", *PARTS}
    if unknown or "base" not in content:
        problem = f"unknown key {brief(min(unknown))}" if unknown else "the key base is missing"
        raise ValueError(f"{path.name}: {problem}")
    parts = {part: content[part] for part in PARTS if part in content}
    try:
        loaded = Structure(content.get("name", path.stem), load_rule(content["base"]), parts)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    if "hashes" in content:
        _check_hashes(loaded, content["hashes"], path.name)
    return loaded


def is_structure(name: str | Path) -> bool:
    """Return whether a name or the path of a TOML file is that of a structure: its file has the key `base`."""
    path = Path(name)
    if name in list_structures() or path.suffix != ".toml" or not path.is_file():
        return name in list_structures()
    try:
        return "base" in read_file(path)
    except ValueError:
        return False


def load_rule_or_structure(given: "str | Path | Rule | Structure") -> Rule | Structure:
    """Load a rule or a structure by its name or by the path of its TOML file; a Rule or Structure is returned as it is.

    Raises:
        ValueError, TypeError, FileNotFoundError: as `load_rule` and `load_structure`.

    >>> type(load_rule_or_structure("platforms")).__name__, type(load_rule_or_structure("price_board")).__name__
    ('Structure', 'Rule')
    """
    if isinstance(given, str | Path) and is_structure(given):
        return load_structure(given)
    return given if isinstance(given, Structure) else load_rule(given)


def list_structures() -> tuple[str, ...]:
    """Return the names of the structures that come with the suite, in alphabetical order."""
    return names_in(_FOLDER)


def _check_hashes(structure: Structure, frozen: Any, where: str) -> None:
    if not isinstance(frozen, dict) or frozen.keys() != structure.parts.keys():
        raise ValueError(f"{where}: hashes must be a table with one for each part: {', '.join(structure.parts)}")
    for part, digest in structure.hashes.items():
        if frozen[part] != digest:
            raise ValueError(
                f"{where}: the part {part} is frozen as {brief(frozen[part])}, but its content is {digest}; "
                "a changed part belongs in a new structure"
            )


def _read_part(given: Any, where: str) -> Part:
    if isinstance(given, Part):
        return given
    alternatives = (given,) if isinstance(given, dict) else given
    if not isinstance(alternatives, list | tuple) or not alternatives:
        raise ValueError(f"{where} is {brief(given)}; it must be a table of draws, or a list of them")
    draws = []
    for number, each in enumerate(alternatives, 1):
        if not isinstance(each, dict):
            raise ValueError(f"{where} is {brief(each)}; it must be a table of draws")
        called = where if len(alternatives) == 1 else f"{where} ({number})"
        draws.append({field: read_draw(field, each[field], f"{called}.{field}") for field in sorted(each, key=str)})
        if 1 + sum(draw.takes for draw in draws[-1].values()) > NUMBERS:
            raise ValueError(f"{where}: draws {len(each)} fields; they take more than {NUMBERS - 1} random numbers")
    return Part(tuple(draws))


def _value(rule: Rule, dotted: str) -> Any:
    """The value of a rule's field by its dotted name."""
    return reduce(getattr, dotted.split("."), rule)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
