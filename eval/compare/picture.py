"""The picture of two rules: how odds respond to signals, and what share of the best profit each conduct keeps."""

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ruleshift.envs.files import whole_file
from ruleshift.eval.compare.compare import Comparison
from ruleshift.eval.compare.elasticities import odds_answers
from ruleshift.eval.compare.regret import AXES

COLOURS, MARKERS = ("#1d5fa8", "#b4521a"), ("o", "s")
"""Colour and marker of each of the two rules."""
_STYLE: Any = {
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#8a8f96",
    "axes.labelcolor": "#3d4248", "xtick.color": "#5b6168", "ytick.color": "#5b6168", "axes.grid": True,
    "grid.color": "#e6e8ea", "legend.frameon": False, "svg.fonttype": "none", "svg.hashsalt": "contrast",
    "text.parse_math": False,
}  # fmt: skip
_RANKING = 60.0
"""Factor of the odds at which bars end; a ranking's bar reaches it."""


def save_picture(comparison: Comparison, path: Path) -> Path:
    """Draw what the two rules of a comparison reward, side by side, and return the path of the picture.

    Args:
        comparison: what `compare_rules` found.
        path: path of the picture, which ends in .png or .svg.

    Raises:
        ValueError: the path has another ending, or its folder does not exist.
        OSError: the path cannot be written.
    """
    check_picture(path)
    draw_contrast(comparison, path)
    return path


def check_picture(path: Path | None) -> None:
    """Check the path of a picture, if there is one, before anything is measured.

    Raises:
        ValueError: the path ends neither in .png nor in .svg, or its folder does not exist.
    """
    if path is not None and path.suffix not in (".png", ".svg"):
        raise ValueError(f"{path}: a picture's name must end in .png or .svg")
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")


def draw_contrast(comparison: Comparison, path: Path) -> None:
    """Write the picture as PNG or SVG, depending on the ending of the path, with the same bytes at each call."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(13, 4.2), layout="constrained")
        panels = figure.subplots(1, 4, width_ratios=(1.25, 1, 1, 1))
        _odds(panels[0], comparison)
        for axes, name in zip(panels[1:], ("ask", "effort", "promotion"), strict=True):
            _profile(axes, comparison, name)
        panels[1].set_ylabel("share of the best profit kept")
        bars = [matplotlib.patches.Patch(color=colour) for colour in COLOURS]
        best = [f"at best {each.profit.max():.3f} per round" for each in comparison.returns]
        names = [f"{name} ({earned})" for name, earned in zip(comparison.names, best, strict=True)]
        figure.legend(bars, names, loc="outside upper left", ncols=2, fontsize=11)
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        with whole_file(path) as temporary:
            figure.savefig(temporary, dpi=120, metadata=metadata)


def _odds(axes: Axes, comparison: Comparison) -> None:
    answers = odds_answers(comparison.rules)
    positions = np.arange(len(answers))[::-1]
    for index, colour in enumerate(COLOURS):
        heights = [_shown(each[index]) for _, each in answers]
        bars = axes.barh(positions + 0.2 - 0.4 * index, heights, 0.36, color=colour)
        labels = ["decides" if math.isinf(each[index]) else f"x {each[index]:.3g}" for _, each in answers]
        axes.bar_label(bars, labels, padding=3, fontsize=9)
    axes.set_yticks(positions, [label.replace(" a tenth", "\na tenth") for label, _ in answers])
    axes.set_xlim(0, 1.25 * max([0.1, *(_shown(value) for _, each in answers for value in each)]))
    axes.set_xticks([])
    axes.grid(False)
    axes.set_title("what multiplies the odds", loc="left", fontsize=11)


def _shown(value: float) -> float:
    """Length of a bar: the logarithm of the factor, up to the length of a ranking's bar."""
    return min(math.log(value), math.log(_RANKING)) if value > 0 else 0.0


def _profile(axes: Axes, comparison: Comparison, name: str) -> None:
    """Draw the share of the best profit that the best conduct with each level of one part keeps."""
    axis, levels = list(AXES).index(name), AXES[name]
    for index, (found, colour, marker) in enumerate(zip(comparison.returns, COLOURS, MARKERS, strict=True)):
        kept = np.maximum(found.kept(axis), -0.05)
        axes.plot(levels, kept, color=colour, marker=marker, markersize=5, linewidth=1.8, zorder=3 - index)
    axes.set(ylim=(-0.08, 1.08), xlabel=f"{name}, as a share of the value" if name == "ask" else name)
    axes.set_title(f"what the {name} earns", loc="left", fontsize=11)
