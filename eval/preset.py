"""What a study asks, as a value: read from a TOML file, checked, and compared with what a folder already holds."""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ruleshift.envs import Economy, Rule, Structure, load_rule, load_structure
from ruleshift.envs.support import outside

PRESETS = Path(__file__).parent / "presets"
_SETTINGS = ("markets", "rollout", "minibatch", "epochs")
_WORD = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True)
class Preset:
    """A study before it is run. Rules are held by content, so that a cell needs no file.

    Raises:
        ValueError: a value that makes no study, named by its key.
    """

    homes: tuple[Rule, ...]
    """Rules that specialists are trained on. They lie inside the generalist's training support."""
    held_out: tuple[Rule, ...]
    """Rules that no judged policy is trained on."""
    structure: str
    """Name or path of the structure that the generalist is trained on."""
    structure_hash: str
    outside: tuple[tuple[str, ...], ...]
    """Of each target, the fields that lie outside what the generalist is trained on; none where it is inside."""
    seeds: tuple[int, ...]
    """Training seeds of the arms."""
    panel_seed: int
    """Training seed of the panel's natives, used nowhere else."""
    evaluation_seed: int
    """Seed of the markets that score, used nowhere else."""
    steps: int
    """Agent-steps of each training run."""
    curve_points: int
    """Policies kept on the way, and scored for the learning curves."""
    markets: int
    """Markets that score a cell."""
    at: int
    """Round of the shift, 1 .. rounds - 1."""
    constants: tuple[tuple[str, tuple[float, float, float]], ...]
    """Conducts that never react, by name: ask, effort, promotion."""
    economy: Economy
    settings: tuple[tuple[str, int], ...] = ()
    """Settings of the learner that are not its defaults, the same for every arm."""
    mechanisms: tuple[str, ...] = ()
    """Mechanisms from outside, as module:function."""

    @property
    def targets(self) -> tuple[Rule, ...]:
        """The rules that the market shifts to: the homes, then the rules held out."""
        return (*self.homes, *self.held_out)

    def inside(self, name: str) -> bool:
        """Whether a target lies inside the generalist's training support."""
        return not dict(zip((rule.name for rule in self.targets), self.outside, strict=True))[name]

    @property
    def learner(self) -> dict[str, Any]:
        """Settings of the learner that are not its defaults, by name."""
        return dict(self.settings)

    def rule(self, name: str) -> Rule:
        """The rule of that name."""
        return next(each for each in self.targets if each.name == name)

    def plain(self) -> dict[str, Any]:
        """The whole configuration as plain values, rules by content."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["homes"] = [rule.to_toml() for rule in self.homes]
        values["held_out"] = [rule.to_toml() for rule in self.held_out]
        values["economy"] = asdict(self.economy)
        return json.loads(json.dumps(values))

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Preset":
        """The inverse of `plain`."""
        own = dict(values)
        for key in ("homes", "held_out"):
            own[key] = tuple(Rule.from_toml(text, f"{key} of the study") for text in own[key])
        own["economy"] = Economy(**own["economy"])
        own["settings"] = tuple((name, value) for name, value in own["settings"])
        own["outside"] = tuple(tuple(names) for names in own["outside"])
        own["constants"] = tuple((name, tuple(conduct)) for name, conduct in own["constants"])
        own["seeds"], own["mechanisms"] = tuple(own["seeds"]), tuple(own["mechanisms"])
        return cls(**own)

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of the whole configuration."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()[:16]


def load_preset(preset: str | os.PathLike[str]) -> Preset:
    """Read a study by the name of a preset or the path of a TOML file.

    Raises:
        ValueError: no such study; a key unknown, missing or of the wrong type. Names the file and the key.
    """
    path = Path(preset)
    if path.suffix != ".toml":
        path = PRESETS / f"{preset}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in PRESETS.glob("*.toml")))
        raise ValueError(f"study: there is no preset {os.fspath(preset)!r}; there are {known}, or give a .toml file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from None
    return _preset(_Table(values, str(path), ""), path)


class _Table:
    """A table of a TOML file whose keys are taken one by one; what is left over is an error."""

    def __init__(self, values: dict[str, Any], path: str, prefix: str) -> None:
        self.values, self.path, self.prefix = dict(values), path, prefix
        self.taken: list[str] = []

    def take(self, key: str, problem: str, right: Any, default: Any = None) -> Any:
        """The value of a key, checked by the function `right`; required where there is no default."""
        self.taken.append(key)
        if key not in self.values:
            if default is None:
                raise self.error(key, "is missing")
            return default
        value = self.values.pop(key)
        if not right(value):
            raise self.error(key, f"is {value!r}; it must be {problem}")
        return value

    def count(self, key: str, low: int, high: int) -> int:
        return self.take(key, f"a whole number from {low} to {high}", lambda value: _whole(value, low, high))

    def words(self, key: str, low: int = 1) -> list[str]:
        return self.take(key, f"a list of at least {low} different words", lambda value: _words(value, low), [])

    def table(self, key: str) -> "_Table":
        inner = self.take(key, "a table", lambda value: isinstance(value, dict), {})
        return _Table(inner, self.path, f"{self.prefix}{key}.")

    def error(self, key: str, what: str) -> ValueError:
        return ValueError(f"{self.path}: {self.prefix}{key} {what}")

    def finish(self) -> None:
        for key in self.values:
            raise self.error(key, f"is not a key of a study; here the keys are {', '.join(self.taken)}")


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _words(value: Any, low: int) -> bool:
    listed = isinstance(value, list) and all(isinstance(each, str) and each for each in value)
    return listed and len(value) >= low and len(set(value)) == len(value)


def _seeds(value: Any) -> bool:
    listed = isinstance(value, list) and bool(value) and all(_whole(each, 0, 2**32 - 1) for each in value)
    return listed and len(set(value)) == len(value)


def _preset(table: _Table, path: Path) -> Preset:
    homes, held_out = table.words("homes"), table.words("held_out", 0)
    structure = table.take("structure", "the name or path of a structure", lambda value: isinstance(value, str))
    seeds = table.take("seeds", "a list of different whole numbers from 0", _seeds)
    panel_seed, evaluation_seed = (table.count(key, 0, 2**32 - 1) for key in ("panel_seed", "evaluation_seed"))
    mechanisms = table.words("mechanisms", 0)
    training, evaluation = table.table("training"), table.table("evaluation")
    steps, curve_points = training.count("steps", 1, 10**12), training.count("curve_points", 1, 100)
    settings = tuple((key, training.count(key, 1, 10**9)) for key in _SETTINGS if key in training.values)
    economy = _economy(table.table("economy"))
    markets, at = evaluation.count("markets", 1, 100_000), evaluation.count("at", 1, economy.rounds - 1)
    constants = _constants(table.table("constants"))
    for each in (training, evaluation, table):
        each.finish()
    _distinct(table, seeds, panel_seed, evaluation_seed)
    rules = _rules(table, [*homes, *held_out], path)
    trained_on = _structure(table, structure, path)
    return Preset(
        homes=rules[: len(homes)],
        held_out=rules[len(homes) :],
        structure=_place(structure, path),
        structure_hash=trained_on.hash,
        outside=tuple(outside(trained_on, rule) for rule in rules),
        seeds=tuple(seeds),
        panel_seed=panel_seed,
        evaluation_seed=evaluation_seed,
        steps=steps,
        curve_points=curve_points,
        markets=markets,
        at=at,
        constants=constants,
        economy=economy,
        settings=settings,
        mechanisms=tuple(mechanisms),
    )


def _distinct(table: _Table, seeds: list[int], panel_seed: int, evaluation_seed: int) -> None:
    if panel_seed in seeds:
        raise table.error("panel_seed", f"is {panel_seed}, a training seed; a panel has a seed of its own")
    if evaluation_seed in (*seeds, panel_seed):
        raise table.error("evaluation_seed", f"is {evaluation_seed}, a training seed; scoring has a seed of its own")


def _economy(table: _Table) -> Economy:
    known = {each.name for each in fields(Economy)}
    for key in table.values:
        if key not in known:
            raise table.error(key, "is not a field of an economy")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.values.items()
    }
    try:
        economy = Economy(**values)
    except ValueError as error:
        raise ValueError(f"{table.path}: {error}") from None
    if economy.rounds < 2 or economy.organizations < 2:
        raise table.error("rounds", "and organizations must be at least 2: a shift needs two rounds, a panel a rival")
    return economy


def _constants(table: _Table) -> tuple[tuple[str, tuple[float, float, float]], ...]:
    found = []
    for name in list(table.values):
        if not _WORD.fullmatch(name):
            raise table.error(name, "is not a name of small letters, digits and underscores")
        found.append((name, _conduct(table, name)))
    return tuple(found)


def _conduct(table: _Table, name: str) -> tuple[float, float, float]:
    highest = (1.25, 1.0, 1.0)

    def right(value: Any) -> bool:
        numbers = isinstance(value, list) and len(value) == 3 and all(isinstance(each, int | float) for each in value)
        return numbers and all(0 <= each <= most for each, most in zip(value, highest, strict=True))

    ask, effort, promotion = table.take(name, "an ask (0 to 1.25), an effort and a promotion (0 to 1)", right)
    return (float(ask), float(effort), float(promotion))


def _rules(table: _Table, given: list[str], path: Path) -> tuple[Rule, ...]:
    try:
        rules = tuple(load_rule(_place(each, path)) for each in given)
    except (ValueError, OSError) as error:
        raise table.error("homes and held_out", f"hold a rule that cannot be read: {error}") from None
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise table.error("homes and held_out", f"hold the rule {name} twice")
    return rules


def _structure(table: _Table, given: str, path: Path) -> Structure:
    try:
        return load_structure(_place(given, path))
    except (ValueError, OSError) as error:
        raise table.error("structure", f"cannot be read: {error}") from None


def _place(given: str, path: Path) -> str:
    """A path in a study file is meant from where the file lies; anything else is a name."""
    return str((path.parent / given).resolve()) if given.endswith(".toml") else given
