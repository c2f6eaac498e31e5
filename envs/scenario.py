"""Scenarios: platforms as published figures describe them, each with a documented change of its rule.

A scenario stylizes a platform and is not that platform. Its figures say what was published and which field each of them
sets, and every other number is ours. Its gaps say what of the platform the market cannot express.
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
"""The value of `Figure.sets` for a figure that sets no field: it describes the platform or its outcomes."""
_FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Figure:
    """One published fact about a platform, and the field of the scenario that it sets."""

    what: str
    """What the figure is, in words."""
    value: float | str
    """The value as published, in `unit`; a word if the field takes words."""
    unit: str
    """The unit of the value as published."""
    year: int
    """The year that the figure describes."""
    source: str
    """Author or organization, title, and where it appeared."""
    sets: str
    """Dotted path of a field of the scenario, such as `rule.payment.commission` or `schedule.0.to.payment.tiers.0.1`;
    or `context` for none."""
    scale: float = 1.0
    """Factor from the value to the field, such as the mean job values that correspond to one dollar."""

    def agrees(self, setting: Any) -> bool:
        """Return whether a field has the value of the figure, times its scale, to nine digits."""
        if isinstance(self.value, str) or isinstance(setting, str):
            return self.value == setting
        return math.isclose(self.value * self.scale, setting, rel_tol=1e-9)


@dataclass(frozen=True)
class Scenario:
    """A stylized platform: its first rule, the economy of its market, and the rules that came later.

    >>> load_scenario("ride_hailing").schedule[0].to.payment.commission
    0.25
    """

    name: str
    """The name by which it is loaded."""
    platform: str
    """The platform on whose published figures it is calibrated."""
    rationale: str
    """Which kind of platform it stylizes, and how."""
    rule: Rule
    """The rule in force when an episode begins."""
    economy: Economy
    """The numbers of the market that are not part of its rule."""
    schedule: tuple[Shift, ...]
    """The documented changes, in order of time, each to a whole rule."""
    figures: tuple[Figure, ...]
    """What was published about the platform, and which fields that sets."""
    gaps: tuple[str, ...]
    """What of the platform the market cannot express."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The first rule and those that come after it, in order."""
        return (self.rule, *(cast(Rule, shift.to) for shift in self.schedule))

    @property
    def hash(self) -> str:
        """The scenario's fingerprint: sixteen hexadecimal digits that depend on its rules, economy and schedule."""
        times = [[shift.at, shift.notice, shift.placebo, shift.chance] for shift in self.schedule]
        content = json.dumps([self.economy.hash, times, [rule.hash for rule in self.rules]])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def arguments(self) -> dict[str, Any]:
        """Return keyword arguments for `Market`, `market_v0.parallel_env`, `MarketEnv` and `MarketVecEnv`."""
        return {"rule": self.rule, "economy": self.economy, "schedule": self.schedule}

    def setting(self, path: str) -> Any:
        """Return the value of a field by its dotted path, as in `Figure.sets`.

        Raises:
            ValueError: if there is no such field.
        """
        value: Any = self
        for word in path.split("."):
            try:
                value = value[int(word)] if isinstance(value, tuple) else getattr(value, word)
            except (AttributeError, IndexError, ValueError):
                raise ValueError(f"there is no field {path!r}, for want of {word!r}") from None
        return value


def list_scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that come with the suite, in alphabetical order."""
    return names_in(_FOLDER)


def find_scenario(scenario: str | Path) -> Path:
    """Return the file of a scenario, given its name or the path of the file.

    Raises:
        ValueError: if no scenario has that name.
        FileNotFoundError: if there is no such file.
    """
    return find_file("scenario", scenario, _FOLDER)


def is_scenario(name: str | Path) -> bool:
    """Return whether a name or the path of a TOML file is that of a scenario: its file has a table `economy`."""
    path = Path(name)
    if name in list_scenarios() or path.suffix != ".toml" or not path.is_file():
        return name in list_scenarios()
    try:
        return "economy" in read_file(path)
    except ValueError:
        return False


def load_scenario(scenario: str | Path | Scenario) -> Scenario:
    """Load a scenario by its name or by the path of its TOML file; a `Scenario` is returned as it is.

    Raises:
        ValueError: if there is no scenario of that name, or if the file does not describe one; names the file and the
            key.
        FileNotFoundError: if there is no such file.
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
