"""Templates become pages: how the content of every report is escaped, rounded and coloured."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ruleshift.eval.claims import wording


def render(template: Path, content: dict[str, Any]) -> str:
    """A page from a template, which may include the style and the macros of this folder; the content is escaped."""
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
    }
    return environment.get_template(template.name).render(content)


def _soft(name: str) -> Markup:
    """A name that may be broken after its underscores, escaped."""
    return Markup("_<wbr>").join(name.split("_"))


def _colour(shade: float) -> str:
    """Blue for the generalist's side and for what earns much, orange for the specialist's, white in the middle."""
    end, share = ((150, 187, 226) if shade > 0 else (240, 190, 150)), min(abs(shade), 1.0)
    return "#" + "".join(f"{round(255 + (b - 255) * share):02x}" for b in end)
