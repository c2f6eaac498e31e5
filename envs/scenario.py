"""Scenarios: platforms as published figures describe them, each with a change of its rule that is on record.

A scenario stylizes a platform, it is not that platform: its figures say what was published and which field each sets;
every other number is ours; its gaps say what of the platform the market cannot express.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ruleshift.envs.economy import Economy
from ruleshift.envs.fields import check_keys
from ruleshift.envs.files import find_file, names_in, read_file
from ruleshift.envs.rule import Rule
from ruleshift.envs.schedule import Shift, check_schedule, read_schedule

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
        times = [[shift.at, shift.notice, shift.placebo, shift.chance] for shift in self.schedule]
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
    return names_in(_FOLDER)


def find_scenario(scenario: str | Path) -> Path:
    """The file of a scenario, by its name or its own path.

    Raises:
        ValueError: no scenario has that name.
        FileNotFoundError: no such file.
    """
    return find_file("scenario", scenario, _FOLDER)


def is_scenario(name: str | Path) -> bool:
    """Whether a name, or the path of a TOML file, is a scenario's and not a rule's: only that has an economy."""
    path = Path(name)
    if name in list_scenarios() or path.suffix != ".toml" or not path.is_file():
        return name in list_scenarios()
    try:
        return "economy" in read_file(path)
    except ValueError:
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
    return _read(read_file(path), path.name)


def _read(content: dict[str, Any], where: str) -> Scenario:
    check_keys(Scenario, content, where)
    rule = Rule.from_content(content["rule"], f"{where}: rule")
    economy = _made(Economy, content["economy"], f"{where}: economy")
    figures, gaps, shifts = (_listed(content, key, where) for key in ("figures", "gaps", "schedule"))
    scenario = Scenario(
        **{key: _text(content[key], f"{where}: {key}") for key in ("name", "platform", "rationale")},
        rule=rule,
        economy=economy,
        schedule=_fitting(read_schedule(shifts, where, rule), economy, where),
        figures=tuple(_made(Figure, each, f"{where}: figures.{i}") for i, each in enumerate(figures)),
        gaps=tuple(_made(_Gap, each, f"{where}: gaps.{i}").what for i, each in enumerate(gaps)),
    )
    for i, figure in enumerate(scenario.figures):
        _check_figure(scenario, figure, f"{where}: figures.{i}")
    return scenario


@dataclass(frozen=True)
class _Gap:
    what: str


def _fitting(schedule: tuple[Shift, ...], economy: Economy, where: str) -> tuple[Shift, ...]:
    try:
        return check_schedule(schedule, economy.rounds)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _check_figure(scenario: Scenario, figure: Figure, where: str) -> None:
    for key in ("what", "unit", "source", "sets"):
        _text(getattr(figure, key), f"{where}.{key}")
    for key, kinds, meant in (
        ("value", int | float | str, "a number or a word"),
        ("scale", int | float, "a number"),
        ("year", int, "a whole number"),
    ):
        value = getattr(figure, key)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{where}.{key} is {value!r}; it must be {meant}")
    if figure.sets != CONTEXT:
        try:
            scenario.setting(figure.sets)
        except ValueError as error:
            raise ValueError(f"{where}.sets: {error}; a figure that sets none says {CONTEXT!r}") from None


def _made(kind: type, content: Any, where: str) -> Any:
    check_keys(kind, content, where)
    try:
        return kind(**content)
    except ValueError as error:
        raise ValueError(f"{where.split(': ')[0]}: {error}") from None


def _listed(content: dict[str, Any], key: str, where: str) -> list[Any]:
    if not isinstance(content[key], list) or not content[key]:
        raise ValueError(f"{where}: {key} is {content[key]!r}; it must be a list of tables that is not empty")
    return content[key]


def _text(content: Any, where: str) -> str:
    if not isinstance(content, str) or not content:
        raise ValueError(f"{where} is {content!r}; it must be text")
    return content
