"""Rendering of templates: how the content of every report is escaped, rounded and coloured."""

import math
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ruleshift.eval.claims import wording


def render(template: Path, content: dict[str, Any]) -> str:
    """Fill in a template, which may include the style and the macros of this folder; the content is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "soft": _soft,
        "label": wording.label,
        "number": wording.number,
        "brief": wording.brief,
        "percent": wording.percent,
        "score": wording.score,
        "signed": lambda value: wording.whole(100 * value, signed=True),
        "plus": lambda value: wording.number(value, signed=True),
        "colour": _colour,
        "plain": _plain,
    }
    return environment.get_template(template.name).render(content)


def _soft(name: str) -> Markup:
    """Escape a name, and allow line breaks after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


def _plain(value: float) -> str:
    """Write a number of any size: with three decimals below 10, whole from 1,000 on, and infinity as such."""
    if not math.isfinite(value):
        return wording.whole(value)
    return f"{wording.number(value)}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.1f}"


def _colour(shade: float) -> str:
    """Colour of a shade, -1 .. 1: blue for the generalist's side or a high return, orange for the other, white at 0."""
    end, share = ((150, 187, 226) if shade > 0 else (240, 190, 150)), min(abs(shade), 1.0)
    return "#" + "".join(f"{round(255 + (b - 255) * share):02x}" for b in end)
