"""Figures as inline SVG. Text stays text, so that it scales and stays small; names that users chose never enter."""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.head_start import THRESHOLD as LEARNED
from ruleshift.eval.claims.wording import in_order, label
from ruleshift.eval.experiment.protocols.probe import ROUNDS
from ruleshift.eval.experiment.protocols.shift import BINS
from ruleshift.eval.report.findings import Findings
from ruleshift.eval.report.tables import THRESHOLDS
from ruleshift.eval.report.views import MIDDLE, Knowledge, doses, profile
from ruleshift.eval.statistics import Interval

COLOURS = {
    GENERALIST: "#1d5fa8", SPECIALIST: "#b4521a", "best_reply": "#3d4248", "constant": "#4c8a3f", "floor": "#8a8f96",
    "central+memory": "#8456a8", "randomized": "#5aa3d6", "aware+memory": "#0f8b8d", "aware": "#0f8b8d",
    "fixed+memory": "#d99a6c", "fixed": "#d99a6c", "fixed+nuisance": "#d97f3f", "scratch+memory": "#b03a68",
    "scratch": "#b03a68", "central": "#8456a8",
    **{name + memory: colour for memory in ("", "+memory") for name, colour in (
        ("schema", "#2f7d32"), ("distilled", "#7a8f1f"), ("noticed", "#9a6b2f"), ("replay", "#c25fb0"),
        ("prioritised", "#6f4fd0"), ("learnability", "#d04f6f"), ("edits", "#4f63b8"),
    )},
}  # fmt: skip
"""Colour of each arm and reference. Arms that share a colour differ in memory only: the one without a memory is drawn
with dots, and variants of the memory have dashes of their own."""
_DASHED, _DOTTED, _DASHDOT = (0, (4, 2)), (0, (1, 1.6)), (0, (6, 2, 1, 2))
_MEMORIES: dict[str, Any] = {"+recurrent": _DASHDOT, "+stack": (0, (3, 1.5))}
_PROTOCOLS: dict[str, Any] = {"shift": "-", "announced": _DOTTED, "placebo": _DASHDOT, "twin": _DASHED}
_BROADEST = 6
"""Twofold increases of the number of training rules up to the colour of the generalist."""
LEVELS = ("best_reply", "constant", "floor")
"""References that are drawn as horizontal lines."""
AROUND = ("best_reply", SPECIALIST, GENERALIST, "constant")
"""Arms and references that are drawn around the shift in mid-episode."""
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
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
_Key = tuple[str, str, str]
"""A line of a legend: its label, its colour, and its dashes as SVG writes them."""


def legend(arms: Iterable[str], levels: Iterable[str] = ()) -> list[_Key]:
    """Return the legend of figures that show these arms, and these references as dashed horizontal lines."""
    arms = list(arms)
    lines = [(label(arm), _colour(arm), _dashes(_line(arm, arms))) for arm in arms]
    return lines + [(label(level), COLOURS[level], _dashes(_DASHED)) for level in levels]


def notice_legend() -> list[_Key]:
    """Return the legend of `notice_figure`: colours by arm, dashes by protocol."""
    plain = [(protocol, "#5b6168", _dashes(style)) for protocol, style in _PROTOCOLS.items()]
    return [*legend([GENERALIST, SPECIALIST]), *plain]


def _dashes(style: Any) -> str:
    return "" if style == "-" else " ".join(f"{2 * length:g}" for length in style[1])


def curve_figure(findings: Findings, home: int | None = None) -> str:
    """Draw learning curves averaged over the home rules, or on the one with this index; bands span the seeds."""
    own, chosen = findings.returns, slice(None) if home is None else slice(home, home + 1)
    floor, best = (float(each[chosen].mean()) for each in (own.home_floor, own.home_best_reply))
    with _figure(f"curve{'' if home is None else home}") as (axes, done):
        for arm in reversed(in_order(own.curves)):
            by_seed = own.curves[arm][:, chosen].mean(axis=(1, 3, 4))
            steps, colour, line = own.curve_steps / 1e6, _colour(arm), _line(arm, own.curves)
            axes.plot(steps, by_seed.mean(axis=1), marker="o", markersize=3.5, color=colour, linestyle=line)
            axes.fill_between(steps, by_seed.min(axis=1), by_seed.max(axis=1), color=colour, alpha=0.15, lw=0)
        for height, name in ((floor, "floor"), (best, "best_reply")):
            axes.axhline(height, color=COLOURS[name], linewidth=1.2, linestyle=_DASHED)
        axes.axhline(floor + LEARNED * (best - floor), color=COLOURS["best_reply"], linewidth=1, linestyle=_DOTTED)
        axes.set(xlabel="agent-steps of training, millions", ylabel="focal profit per round")
        return done()


def adaptation_figure(findings: Findings, target: int | None = None) -> str:
    """Draw returns by tenth of the adaptation phase, averaged over held-out targets or at the one with this index."""
    numbers = findings.numbers
    names = numbers.held_out if target is None else [numbers.held_out[target]]
    with _figure(f"adaptation{'' if target is None else target}") as (axes, done):
        for arm in findings.arms:
            heights = tenths(findings, arm, names)
            axes.plot(
                np.arange(1, len(heights) + 1) / len(heights), heights, color=_colour(arm),
                linestyle=_line(arm, findings.arms), linewidth=2.2 if arm in (GENERALIST, SPECIALIST) else 1.3,
            )  # fmt: skip
        for arm, height in (
            ("best_reply", numbers.reference("best_reply", names).mean()),
            ("constant", numbers.reference("constant", names).mean()),
            ("floor", numbers.floor(names).mean()),
        ):
            axes.axhline(height, color=COLOURS[arm], linewidth=1.2, linestyle=_DASHED)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="%"))
        axes.set(xlabel="share of the adaptation phase", ylabel="focal profit per round", xlim=(0.08, 1.02))
        return done()


def tenths(findings: Findings, arm: str, targets: list[str]) -> list[float]:
    """Returns of an arm in each tenth of the adaptation phase, averaged over everything else.

    There are fewer parts if the phase has fewer than ten rounds.
    """
    count = sum(name.startswith("return_") for name in findings.runs("adaptation", arm)[0].values)
    measures = [f"return_{tenth}" for tenth in range(1, count + 1)]
    return [float(np.nanmean(findings.numbers.array(arm, "adaptation", targets, measure=each))) for each in measures]


def shift_figure(findings: Findings, target: int | None = None) -> str:
    """Draw focal profit around the shift in mid-episode, averaged over targets or at one; twins are dashed."""
    name = None if target is None else findings.numbers.held_out[target]
    with _figure(f"shift{'' if target is None else target}") as (axes, done):
        for arm in AROUND:
            axes.plot(_places(), profile(findings, arm, "shift", name), color=COLOURS[arm])
            twin = profile(findings, arm, "twin")
            axes.plot(_places()[MIDDLE:], twin[MIDDLE:], color=COLOURS[arm], linewidth=1, linestyle=_DASHED)
        return _around(axes, done)


def notice_figure(findings: Findings) -> str:
    """Draw focal profit of generalist and specialist through a shift, one with notice, a placebo and the twin."""
    with _figure("notice") as (axes, done):
        for arm in (SPECIALIST, GENERALIST):
            for protocol, style in _PROTOCOLS.items():
                heights = profile(findings, arm, protocol)
                axes.plot(
                    _places(), heights, color=COLOURS[arm], linestyle=style,
                    linewidth=1.8 if protocol == "shift" else 1.2,
                )  # fmt: skip
        return _around(axes, done)


def _places() -> np.ndarray:
    return (np.arange(BINS) + 0.5) / BINS


def _around(axes: Axes, done: Callable[[], str]) -> str:
    axes.axvline(MIDDLE / BINS, color="#9aa0a6", linewidth=1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="%"))
    axes.set(xlabel="share of the episode; the shift is in the middle", ylabel="focal profit per round", xlim=(0, 1))
    return done()


def profile_figure(profiles: dict[str, list[Interval]]) -> str:
    """Draw the share of runs that score above each threshold, with intervals for the arms of the primary contrast."""
    with _figure("profile") as (axes, done):
        for arm, found in reversed(profiles.items()):
            primary = arm in (GENERALIST, SPECIALIST)
            heights = [each.estimate for each in found]
            line = {"color": _colour(arm), "linestyle": _line(arm, profiles), "linewidth": 2.2 if primary else 1.3}
            axes.plot(THRESHOLDS, heights, **line)
            if primary:
                low, high = ([getattr(each, end) for each in found] for end in ("low", "high"))
                axes.fill_between(THRESHOLDS, low, high, color=_colour(arm), alpha=0.15, lw=0)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=""))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol="%"))
        axes.set(xlabel="score (100: best reply)", ylabel="share of runs above this score", xlim=(0, THRESHOLDS[-1]))
        return done()


def dose_figure(findings: Findings) -> str:
    """Draw what frozen policies lose against the distance from the home rule, one dot per home and target."""
    found = doses(findings)
    size = 34 if len(found) <= 100 else 10
    with _figure("dose") as (axes, done):
        for arm, marker in ((SPECIALIST, "o"), (GENERALIST, "s")):
            lost = [each.specialist if arm == SPECIALIST else each.generalist for each in found]
            for inside in (False, True):
                chosen = [i for i, each in enumerate(found) if each.inside == inside]
                axes.scatter(
                    [found[i].distance for i in chosen], [lost[i] for i in chosen], marker=marker, s=size,
                    linewidths=1.3, edgecolors=COLOURS[arm], facecolors="none" if inside else COLOURS[arm],
                )  # fmt: skip
        axes.axhline(0, color="#9aa0a6", linewidth=1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=""))
        axes.set(xlabel="distance between the target and the home rule", ylabel="points short of the best reply")
        return done()


def knowledge_figure(known: Sequence[Knowledge]) -> str:
    """Draw how much of the rule is read from each arm by round of the episode; dashed, what an arm itself names."""
    with _figure("knowledge") as (axes, done):
        arms = [each.arm for each in known]
        for each in reversed(known):
            line = _DASHED if each.named else _line(each.arm, arms)
            axes.plot(each.by_round, marker="o", markersize=3.5, color=_colour(each.arm), linestyle=line)
        axes.axhline(0, color="#9aa0a6", linewidth=1)
        axes.set_xticks(range(len(ROUNDS) + 1), [*map(str, ROUNDS), "last"])
        axes.set(xlabel="rounds played", ylabel="R2 over held-out rules")
        return done()


def knowledge_legend(known: Sequence[Knowledge]) -> list[_Key]:
    """Return the legend of `knowledge_figure`."""
    read = legend([each.arm for each in known if not each.named])
    return read + [
        (f"{label(each.arm)}, as it names it", _colour(each.arm), _dashes(_DASHED)) for each in known if each.named
    ]


def _colour(arm: str) -> str:
    """Colour of an arm; of generalists of few rules, one between those of the specialist and the generalist."""
    for suffix in _MEMORIES:
        arm = arm.removesuffix(suffix)
    if match := re.search(r"@(\d+)", arm):
        share = min(np.log2(int(match[1])) / _BROADEST, 1.0)
        ends = [np.array(to_rgb(COLOURS[each])) for each in (SPECIALIST, GENERALIST)]
        return to_hex((1 - share) * ends[0] + share * ends[1])
    return COLOURS.get(arm, "#5b6168")


def _line(arm: str, among: Any) -> Any:
    """Line style of an arm: dotted if the same arm with a memory is shown in the same colour, solid otherwise.

    Variants of the memory have their own dashes.
    """
    for suffix, dashes in _MEMORIES.items():
        if arm.endswith(suffix):
            return dashes
    twin = f"{arm}+memory"
    return _DOTTED if twin in among and COLOURS.get(twin) == COLOURS.get(arm) else "-"


@contextmanager
def _figure(name: str) -> Iterator[tuple[Axes, Callable[[], str]]]:
    """Give axes to draw on, and a function that turns them into `<svg>` when all is drawn."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(5.4, 3.1), layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)

        yield axes, lambda: _svg(figure, name)


def _svg(figure: Figure, prefix: str) -> str:
    """Return the figure as an `<svg>` element with ids that no other figure has, the same bytes at each call."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    return re.sub(r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true" focusable="false">', text)
