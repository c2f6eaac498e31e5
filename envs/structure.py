"""Structure: a distribution over rules."""

import hashlib
import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs.numerics import RULE, exp, log, market_key, uniforms
from ruleshift.envs.rule import Rule, Weights, load_rule

PARTS = ("train", "interpolation", "extrapolation", "composition", "family")
_FOLDER = Path(__file__).parent / "structures"
_DRAWS = {"choice", "uniform", "log_uniform", "dirichlet"}
_SIGNALS = {each.name for each in fields(Weights)}
_NEEDED = 64  # uniform numbers a draw of a rule may use


@dataclass(frozen=True)
class Structure:
    """A distribution over rules: a base rule, and for each part the fields that are drawn, by dotted name.

    A draw is one of `{"choice": [...]}`, `{"uniform": [low, high]}`, `{"log_uniform": [low, high]}` or, for the
    weights, `{"dirichlet": [signals]}`: a flat draw from the simplex over these signals, the others 0.

    Raises:
        ValueError: an unknown part, draw or field, or a range that is none; named.
    """

    name: str
    base: Rule
    parts: dict[str, dict[str, dict[str, Any]]]

    def __post_init__(self) -> None:
        if "train" not in self.parts:
            raise ValueError(f"structure {self.name}: the part [train] is missing")
        for part, draws in self.parts.items():
            if part not in PARTS:
                raise ValueError(f"structure {self.name}: unknown part {part!r}; there are {', '.join(PARTS)}")
            for dotted, draw in draws.items():
                _check_draw(draw, f"structure {self.name}: {part}.{dotted}")
            self.draw(0, 0, 0, part)

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of the content."""
        content = json.dumps([self.base.hash, self.parts], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def draw(self, seed: int, market: int, episode: int, part: str = "train") -> Rule:
        """The rule of one market and episode, the same on every machine."""
        numbers = uniforms(market_key(seed, market), _NEEDED, round=0, episode=episode, purpose=RULE)
        changes: dict[str, Any] = {}
        used = 0
        for dotted, draw in sorted(self.parts[part].items()):
            ((law, argument),) = draw.items()
            take = len(argument) if law == "dirichlet" else 1
            changes[dotted] = _drawn(law, argument, numbers[used : used + take])
            used += take
        return self.base.replace(**changes, name=self.name)


def load_structure(structure: "str | Path | Structure") -> Structure:
    """A structure by its name, by the path of its TOML file, or as it is.

    Raises:
        ValueError: there is none of that name, or a file that is not one.
        FileNotFoundError: no such file.
    """
    if isinstance(structure, Structure):
        return structure
    names = list_structures()
    path = _FOLDER / f"{structure}.toml" if structure in names else Path(structure)
    if path.suffix != ".toml":
        raise ValueError(f"no structure is named {str(structure)!r}; there are {', '.join(names)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such structure file")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name}: not a TOML file: {error}") from None
    unknown = set(content) - {"name", "base", *PARTS}
    if unknown or "base" not in content:
        raise ValueError(f"{path.name}: {f'unknown key {min(unknown)!r}' if unknown else 'the key base is missing'}")
    parts = {part: content[part] for part in PARTS if part in content}
    return Structure(content.get("name", path.stem), load_rule(content["base"]), parts)


def list_structures() -> tuple[str, ...]:
    """Names of the structures that come with the suite, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def _check_draw(draw: Any, place: str) -> None:
    if not isinstance(draw, dict) or len(draw) != 1 or next(iter(draw)) not in _DRAWS:
        raise ValueError(f"{place} is {draw!r}; it must be one of {', '.join(sorted(_DRAWS))}")
    ((law, argument),) = draw.items()
    if law == "choice" and not (isinstance(argument, list) and argument):
        raise ValueError(f"{place}: choice is {argument!r}; it must be a list that is not empty")
    if law in ("uniform", "log_uniform"):
        numbers = isinstance(argument, list) and len(argument) == 2
        if not numbers or not all(isinstance(each, int | float) for each in argument) or argument[0] > argument[1]:
            raise ValueError(f"{place}: {law} is {argument!r}; it must be [low, high]")
        if law == "log_uniform" and argument[0] <= 0:
            raise ValueError(f"{place}: log_uniform is {argument!r}; both must be above 0")
    if law == "dirichlet" and not (isinstance(argument, list) and argument and set(argument) <= _SIGNALS):
        signals = ", ".join(sorted(_SIGNALS))
        raise ValueError(f"{place}: dirichlet is {argument!r}; it must list signals that share the weight: {signals}")


def _drawn(law: str, argument: Any, numbers: np.ndarray) -> Any:
    u = float(numbers[0])
    if law == "choice":
        return argument[int(u * len(argument))]
    if law == "uniform":
        return argument[0] + (argument[1] - argument[0]) * u
    if law == "log_uniform":
        low, high = argument
        drawn = float(exp(log(low) + (log(high) - log(low)) * u))
        return min(max(drawn, low), high)
    shares = [-float(log(float(number))) for number in numbers]
    total = sum(shares)
    return Weights(**{signal: share / total for signal, share in zip(argument, shares, strict=True)})
