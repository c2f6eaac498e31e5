"""Which rules lie inside what a generalist was trained on."""

from dataclasses import fields, is_dataclass
from typing import Any

from ruleshift.envs import Rule, Structure


def outside(structure: Structure, rule: Rule) -> tuple[str, ...]:
    """Dotted names of the fields in which `rule` lies outside the training part of `structure`; none: it is inside.

    A field that is drawn must lie in its range, any other must be that of the structure's base rule.
    """
    draws = structure.parts["train"]
    own, base = dict(flat_fields(rule)), dict(flat_fields(structure.base))
    found = []
    for name, value in own.items():
        draw = next((draws[key] for key in draws if name == key or name.startswith(f"{key}.")), None)
        allowed = value == base[name] if draw is None else _allowed(draw, name.rpartition(".")[2], value)
        if not allowed:
            found.append(name)
    return tuple(found)


def flat_fields(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted names and values of all fields of a rule, without its name and rationale, which are labels."""
    found: list[tuple[str, Any]] = []
    for each in fields(value):
        inner = getattr(value, each.name)
        if is_dataclass(inner):
            found += flat_fields(inner, f"{prefix}{each.name}.")
        elif prefix or each.name not in ("name", "rationale"):
            found.append((prefix + each.name, inner))
    return found


def _allowed(draw: dict[str, Any], signal: str, value: Any) -> bool:
    ((law, argument),) = draw.items()
    if law == "choice":
        return value in argument
    if law == "dirichlet":
        return value == 0 or signal in argument
    return argument[0] <= value <= argument[1]
