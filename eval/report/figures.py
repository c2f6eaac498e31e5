"""Figures as inline SVG. Text stays text, so that it scales, is read aloud and is small; names of users never enter."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ruleshift.eval.report.tables import Tables

COLOURS = {"fixed": "#b4521a", "randomized": "#1d5fa8", "native": "#3d4248", "constant": "#4c8a3f"}
LABELS = {"fixed": "specialists", "randomized": "generalist", "native": "natives", "constant": "constant conduct"}
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a8f96",
    "axes.labelcolor": "#3d4248",
    "xtick.color": "#5b6168",
    "ytick.color": "#5b6168",
    "axes.grid": True,
    "grid.color": "#e6e8ea",
    "legend.frameon": False,
}
_WINDOW = 5


def shift_figure(tables: Tables, target: str, limits: tuple[float, float]) -> str:
    """Mean focal profit by round around the shift to a target; dashed, the twins without it."""
    arms = ["native", "fixed", "randomized", *([tables.best_constant] if tables.best_constant else [])]
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"shift-{tables.targets.index(target)}"}):
        figure, axes = _figure()
        at = tables.preset.at
        for arm in arms:
            kind = "constant" if arm == tables.best_constant else arm
            profile, twin = tables.profile(arm, target), tables.profile(arm, None)
            axes.plot(_smooth(profile, at), color=COLOURS[kind], linewidth=1.8, label=LABELS[kind])
            rounds = np.arange(at, len(twin))
            axes.plot(rounds, _smooth(twin, at)[at:], color=COLOURS[kind], linewidth=1, linestyle=(0, (3, 2)))
        axes.axvline(at - 0.5, color="#9aa0a6", linewidth=1)
        axes.set(xlabel="round", ylabel="focal profit a round", ylim=limits, xlim=(0, len(profile) - 1))
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.22), ncols=2, fontsize=9, borderaxespad=0)
        return _svg(figure, f"shift{tables.targets.index(target)}")


def shift_limits(tables: Tables) -> tuple[float, float]:
    """One range of profits for all shift figures, so that they can be compared."""
    arms = ["native", "fixed", "randomized", *([tables.best_constant] if tables.best_constant else [])]
    lines = [_smooth(tables.profile(arm, target), tables.preset.at) for arm in arms for target in tables.targets]
    low, high = min(line.min() for line in lines), max(line.max() for line in lines)
    margin = 0.05 * (high - low) or 0.05
    return float(low - margin), float(high + margin)


def curve_figure(tables: Tables, home: str) -> str:
    """Learning curves on a home rule, one line a seed, against the frozen panel; the native's return as a level."""
    number = tables.homes.index(home)
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"curve-{number}"}):
        figure, axes = _figure()
        for arm in ("fixed", "randomized"):
            for index, seed in enumerate(tables.preset.seeds):
                steps, values = zip(*tables.curve(arm, home, seed), strict=True)
                label = LABELS[arm].rstrip("s") if index == 0 else None
                millions = np.array(steps) / 1e6
                axes.plot(millions, values, color=COLOURS[arm], linewidth=1.6, marker="o", markersize=3, label=label)
        level = tables.native_at_home(home)
        axes.axhline(level, color=COLOURS["native"], linewidth=1, linestyle=(0, (3, 2)), label="native, fully trained")
        axes.set(xlabel="agent-steps of training, millions", ylabel="focal profit a round")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.22), ncols=2, fontsize=9, borderaxespad=0)
        return _svg(figure, f"curve{number}")


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 3.1), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    return figure, axes


def _smooth(values: np.ndarray, at: int) -> np.ndarray:
    """Running means over a few rounds, separately on the two sides of the shift, so that nothing leaks across it."""
    return np.concatenate([_running(values[:at]), _running(values[at:])])


def _running(values: Sequence[float] | np.ndarray) -> np.ndarray:
    reach = _WINDOW // 2
    return np.array([np.mean(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))])


def _svg(figure: Figure, prefix: str) -> str:
    """The figure as an `<svg>` element whose ids are its own, the same bytes at each call."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    return re.sub(r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true" focusable="false">', text)
