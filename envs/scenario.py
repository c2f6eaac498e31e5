"""Scenarios: platforms as published figures describe them, each with a change of its rule that is on record.

A scenario stylizes a platform, it is not that platform: its figures say what was published and which field each sets;
every other number is ours; its gaps say what of the platform the market cannot express.
"""

import hashlib
import json
import math
import tomllib
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from ruleshift.envs.economy import Economy
from ruleshift.envs.rule import Rule
from ruleshift.envs.schedule import Shift, check_schedule

CONTEXT = "context"
"""What a figure sets that sets no field: it tells what to compare outcomes with, or how the platform was."""
_FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Figure:
    """One thing that was published of a platform, and the field of the scenario that it sets."""

    what: str
    """What it is, in words."""
    value: float | str
    """As published, in `unit`; a word where the field is one."""
    unit: str
    year: int
    """Of what is described."""
    source: str
    """Author or organization, title, and where it appeared."""
    sets: str
    """Dotted path of a field of the scenario, such as `rule.payment.commission` or `schedule.0.to.payment.tiers.0.1`;
    or `context` for none."""
    scale: float = 1.0
    """The field is value * scale, such as the mean job values that one dollar stands for."""

    def agrees(self, setting: Any) -> bool:
        """Whether a field's value is the figure's, to nine digits."""
        if isinstance(self.value, str) or isinstance(setting, str):
            return self.value == setting
        return math.isclose(self.value * self.scale, setting, rel_tol=1e-9)


@dataclass(frozen=True)
class Scenario:
    """A platform, stylized: the rule before, the market that it is in, and the rules that came after.

    >>> load_scenario("ride_hailing").schedule[0].to.payment.commission
    0.25
    """

    name: str
    platform: str
    """Whose published figures it is calibrated on."""
    rationale: str
    """Which kind of platform it stylizes, and how."""
    rule: Rule
    """In force when an episode begins."""
    economy: Economy
    schedule: tuple[Shift, ...]
    """The changes on record, in order of time, each to a whole rule."""
    figures: tuple[Figure, ...]
    gaps: tuple[str, ...]
    """What of the platform the market cannot express."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rule before, and those that come after, in order."""
        return (self.rule, *(cast(Rule, shift.to) for shift in self.schedule))

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of what is played: rules, economy and schedule."""
        times = [[shift.at, shift.notice, shift.chance] for shift in self.schedule]
        content = json.dumps([self.economy.hash, times, [rule.hash for rule in self.rules]])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `Market`, `market_v0.parallel_env`, `MarketEnv` and `MarketVecEnv`."""
        return {"rule": self.rule, "economy": self.economy, "schedule": self.schedule}

    def setting(self, path: str) -> Any:
        """The value of a field by its dotted path, as in `Figure.sets`.

        Raises:
            ValueError: there is no such field.
        """
        value: Any = self
        for word in path.split("."):
            try:
                value = value[int(word)] if isinstance(value, tuple) else getattr(value, word)
            except (AttributeError, IndexError, ValueError):
                raise ValueError(f"there is no field {path!r}, for want of {word!r}") from None
        return value


def list_scenarios() -> tuple[str, ...]:
    """Names of the scenarios that come with the suite, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def find_scenario(scenario: str | Path) -> Path:
    """The file of a scenario, by its name or its own path.

    Raises:
        ValueError: no scenario has that name.
        FileNotFoundError: no such file.
    """
    if isinstance(scenario, str) and scenario in list_scenarios():
        return _FOLDER / f"{scenario}.toml"
    path = Path(scenario)
    if path.suffix != ".toml":
        names = ", ".join(list_scenarios())
        raise ValueError(f"no scenario is named {str(scenario)!r}; there are {names}, or the path of a .toml")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such scenario file")
    return path


def is_scenario(name: str | Path) -> bool:
    """Whether a name, or the path of a TOML file, is a scenario's and not a rule's: only that has an economy."""
    path = Path(name)
    if name in list_scenarios() or path.suffix != ".toml" or not path.is_file():
        return name in list_scenarios()
    try:
        return "economy" in tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError:
        return False


def load_scenario(scenario: str | Path | Scenario) -> Scenario:
    """A scenario by its name, by the path of its TOML file, or as it is.

    Raises:
        ValueError: no such scenario, or a file that is not one; names the file and the key.
        FileNotFoundError: no such file.
    """
    if isinstance(scenario, Scenario):
        return scenario
    path = find_scenario(scenario)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: not a TOML file: {error}") from None
    return _read(content, path.name)


def _read(content: dict[str, Any], place: str) -> Scenario:
    _check_keys(Scenario, content, place)
    rule = Rule.from_content(_table(content["rule"], f"{place}: rule"), f"{place}: rule")
    economy = _made(Economy, content["economy"], f"{place}: economy")
    figures = _tables(content["figures"], f"{place}: figures")
    gaps = _tables(content["gaps"], f"{place}: gaps")
    scenario = Scenario(
        **{key: _text(content[key], f"{place}: {key}") for key in ("name", "platform", "rationale")},
        rule=rule,
        economy=economy,
        schedule=_read_schedule(content["schedule"], rule, economy, place),
        figures=tuple(_made(Figure, each, f"{place}: figures.{i}") for i, each in enumerate(figures)),
        gaps=tuple(_made(_Gap, each, f"{place}: gaps.{i}").what for i, each in enumerate(gaps)),
    )
    for i, figure in enumerate(scenario.figures):
        _check_figure(scenario, figure, f"{place}: figures.{i}")
    return scenario


@dataclass(frozen=True)
class _Gap:
    what: str


def _read_schedule(content: Any, rule: Rule, economy: Economy, place: str) -> tuple[Shift, ...]:
    """The shifts of a file; the table `to` of each holds what changes in the rule in force before it."""
    shifts: list[Shift] = []
    for i, table in enumerate(_tables(content, f"{place}: schedule")):
        here = f"{place}: schedule.{i}"
        unknown = set(table) - {"at", "notice", "chance", "to"}
        if unknown or "to" not in table or "at" not in table:
            wrong = f"unknown key {min(unknown)!r}" if unknown else "a shift needs the keys at and to"
            raise ValueError(f"{here}: {wrong}; there are at, notice, chance and the table to")
        try:
            rule = rule.replace(**_flat(_table(table["to"], f"{here}.to")))
            shifts.append(Shift(**{**table, "to": rule}))
        except ValueError as error:
            raise ValueError(f"{here}: {error}") from None
    for first, second in pairwise(shifts):
        if first.at > second.at:
            late = f"round {second.at} comes after round {first.at}"
            raise ValueError(f"{place}: schedule: {late}; write shifts in order of time")
    try:
        return check_schedule(tuple(shifts), economy.rounds)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _check_figure(scenario: Scenario, figure: Figure, place: str) -> None:
    for key in ("what", "unit", "source", "sets"):
        _text(getattr(figure, key), f"{place}.{key}")
    for key, kinds, meant in (
        ("value", int | float | str, "a number or a word"),
        ("scale", int | float, "a number"),
        ("year", int, "a whole number"),
    ):
        value = getattr(figure, key)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{place}.{key} is {value!r}; it must be {meant}")
    if figure.sets != CONTEXT:
        try:
            scenario.setting(figure.sets)
        except ValueError as error:
            raise ValueError(f"{place}.sets: {error}; a figure that sets none says {CONTEXT!r}") from None


def _made(kind: type, content: Any, place: str) -> Any:
    _check_keys(kind, _table(content, place), place)
    try:
        return kind(**content)
    except ValueError as error:
        raise ValueError(f"{place.split(': ')[0]}: {error}") from None


def _check_keys(kind: type, content: dict[str, Any], place: str) -> None:
    known = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind)}
    unknown, missing = [key for key in content if key not in known], [key for key in known if key not in content]
    missing = [key for key in missing if known[key]]
    if unknown:
        raise ValueError(f"{place}: unknown key {unknown[0]!r}; there are {', '.join(known)}")
    if missing:
        raise ValueError(f"{place}: the key {missing[0]!r} is missing")


def _table(content: Any, place: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{place} is {content!r}; it must be a table")
    return content


def _tables(content: Any, place: str) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not content:
        raise ValueError(f"{place} is {content!r}; it must be a list of tables that is not empty")
    return [_table(each, f"{place}.{i}") for i, each in enumerate(content)]


def _text(content: Any, place: str) -> str:
    if not isinstance(content, str) or not content:
        raise ValueError(f"{place} is {content!r}; it must be text")
    return content
