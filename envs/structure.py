"""Structure: a distribution over rules."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ruleshift.envs.draws import Draw, read_draw, unchecked
from ruleshift.envs.files import find_file, names_in, read_file
from ruleshift.envs.numerics import PURPOSES, RULE, market_key, uniforms
from ruleshift.envs.rule import Rule, load_rule
from ruleshift.envs.support import check_parts

PARTS = ("train", "interpolation", "extrapolation", "composition", "family")
_LEVEL = "disclosure.level"
_FOLDER = Path(__file__).parent / "structures"
_NEEDED = 64  # uniform numbers a draw of a rule may use
_key = lru_cache(maxsize=65_536)(market_key)


@dataclass(frozen=True)
class Part:
    """A part of a structure: alternatives, each equally likely."""

    alternatives: tuple[dict[str, Draw], ...]
    """Tables of draws by dotted field of the rule, fields in alphabetical order."""

    def __contains__(self, field: str) -> bool:
        """Whether a field is drawn."""
        return any(field in draws for draws in self.alternatives)

    def plain(self) -> list[dict[str, Any]]:
        """The content in plain values: two parts that look alike draw alike."""
        return [
            {field: [type(draw).__name__, asdict(draw)] for field, draw in draws.items()} for draws in self.alternatives
        ]

    def draw(self, base: Rule, numbers: list[float]) -> Rule:
        """The rule for these uniform numbers. Nothing is checked again: all that can be drawn is in range."""
        draws = self.alternatives[int(numbers[0] * len(self.alternatives))]
        changes: dict[str, dict[str, Any]] = {}
        used = 1
        for field, draw in draws.items():
            head, _, name = field.partition(".")
            changes.setdefault(head, {})[name] = draw.value(numbers[used : used + draw.takes])
            used += draw.takes
        return unchecked(base, {head: unchecked(getattr(base, head), inner) for head, inner in changes.items()})


@dataclass(frozen=True)
class Structure:
    """A distribution over rules: a base rule, and for each part the fields that are drawn, by dotted name.

    A part is a table of draws, or a list of such tables: alternatives, each equally likely. A draw is a value, or
    one of `{"choice": [...]}`; `{"uniform": [low, high]}` and `{"log_uniform": [low, high]}`, which also take a list
    of intervals, `[[low, high], ...]`; and for `scoring.weights` `{"dirichlet": [signals], "least": share}`: evenly
    from the simplex over these signals, each at least `least` (0 where left out), the others 0. Fields that are not
    drawn are the base's. Parts are disjoint, and each test part is what its name says: see `support.check_parts`.

    Raises:
        ValueError: an unknown part, draw or field, a range that is none, parts that overlap or that are not what they
            are called; named.
    """

    name: str
    base: Rule
    parts: dict[str, Any]
    """Given as tables or lists of tables of draws, held as `Part`s."""

    def __post_init__(self) -> None:
        if "train" not in self.parts:
            raise ValueError(f"structure {self.name}: the part [train] is missing")
        for part in self.parts:
            if part not in PARTS:
                raise ValueError(f"structure {self.name}: unknown part {part!r}; there are {', '.join(PARTS)}")
        parts = {part: _read_part(given, f"structure {self.name}: {part}") for part, given in self.parts.items()}
        object.__setattr__(self, "parts", parts)
        check_parts(self)

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """The structure's fingerprint: sixteen hexadecimal digits of its base rule and its parts."""
        return _digest([self.base.hash, self.hashes])

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The fingerprint of each part: sixteen hexadecimal digits of all that its draws depend on."""
        return {part: _digest([self.base.hash, each.plain()]) for part, each in self.parts.items()}

    def draw(self, seed: int, market: int, episode: int, part: str = "train", stage: int = 0) -> Rule:
        """The rule of one market and episode, the same on every machine; each part draws independently.

        So does each stage of an episode: 0 is its opening, s the shift s - 1 of its schedule.

        Raises:
            ValueError: a part that the structure does not have.
        """
        if part not in self.parts:
            raise ValueError(f"structure {self.name}: there is no part {part!r}; there are {', '.join(self.parts)}")
        purpose = RULE + PURPOSES * PARTS.index(part)
        numbers = uniforms(_key(seed, market), _NEEDED, round=stage, episode=episode, purpose=purpose)
        return self.parts[part].draw(self._named, numbers.tolist())

    def sample(self, part: str, count: int, seed: int) -> tuple[Rule, ...]:
        """`count` rules of a part, each by a name of its own, such as `platforms_family_03`."""
        return tuple(self.sampled(part, number, seed) for number in range(count))

    def sampled(self, part: str, number: int, seed: int) -> Rule:
        """The rule that `sample` has at `number`, counted from 0."""
        return self.draw(seed, number, 0, part).replace(name=f"{self.name}_{part}_{number:02}")

    def disclosed(self) -> "Structure":
        """The same structure, of which every rule is disclosed in full to every organization."""
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
    """A structure by its name, by the path of its TOML file, or as it is.

    A file that has a table `hashes` is frozen: each part's content must have the hash that stands there.

    Raises:
        ValueError: there is none of that name, a file that is not one, or a frozen part that was changed.
        FileNotFoundError: no such file.
    """
    if isinstance(structure, Structure):
        return structure
    path = find_file("structure", structure, _FOLDER)
    content = read_file(path)
    unknown = set(content) - {"name", "base", "hashes", *PARTS}
    if unknown or "base" not in content:
        raise ValueError(f"{path.name}: {f'unknown key {min(unknown)!r}' if unknown else 'the key base is missing'}")
    parts = {part: content[part] for part in PARTS if part in content}
    try:
        loaded = Structure(content.get("name", path.stem), load_rule(content["base"]), parts)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if "hashes" in content:
        _check_hashes(loaded, content["hashes"], path.name)
    return loaded


def list_structures() -> tuple[str, ...]:
    """Names of the structures that come with the suite, in alphabetical order."""
    return names_in(_FOLDER)


def _check_hashes(structure: Structure, frozen: Any, where: str) -> None:
    if not isinstance(frozen, dict) or frozen.keys() != structure.parts.keys():
        raise ValueError(f"{where}: hashes must be a table with one for each part: {', '.join(structure.parts)}")
    for part, digest in structure.hashes.items():
        if frozen[part] != digest:
            raise ValueError(
                f"{where}: the part {part} is frozen as {frozen[part]}, but its content is {digest}; "
                "a changed part belongs in a new structure"
            )


def _read_part(given: Any, where: str) -> Part:
    if isinstance(given, Part):
        return given
    alternatives = (given,) if isinstance(given, dict) else given
    if not isinstance(alternatives, list | tuple) or not alternatives:
        raise ValueError(f"{where} is {given!r}; it must be a table of draws, or a list of them")
    draws = []
    for number, each in enumerate(alternatives, 1):
        if not isinstance(each, dict):
            raise ValueError(f"{where} is {each!r}; it must be a table of draws")
        called = where if len(alternatives) == 1 else f"{where} ({number})"
        draws.append({field: read_draw(field, each[field], f"{called}.{field}") for field in sorted(each)})
        if 1 + sum(draw.takes for draw in draws[-1].values()) > _NEEDED:
            raise ValueError(f"{where}: draws {len(each)} fields; they take more than {_NEEDED - 1} random numbers")
    return Part(tuple(draws))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
