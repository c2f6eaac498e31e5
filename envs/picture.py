"""A scene as a picture, drawn with Pillow alone: it needs neither a display nor system fonts."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ruleshift.envs.scene import JobLine, Scene, describe, kind_letter

WIDTH = 1120
_SCALE = 2  # drawn twice as large, then reduced, for smooth lines
_INK, _SOFT, _FAINT, _PAPER = "#1b1f24", "#5c6670", "#dfe3e8", "#ffffff"
_GAIN, _LOSS, _ALARM, _ALARM_PAPER = "#00734f", "#b3261e", "#b3261e", "#fde7e4"
_KINDS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a7a00")
_CURVES = (("ask", "#0072b2", 1.25), ("effort", "#009e73", 1.0), ("promotion", "#d55e00", 1.0))
_TOP, _TIMELINE, _TITLES, _FOOT = 78, 92, 26, 34
_NODE, _JOB = 640, 880  # horizontal positions of the two sides of the market

# Title, left end and right end of each column of bars.
_COLUMNS = (
    ("ask", 82, 152), ("effort", 164, 224), ("promotion", 236, 296), ("reputation", 308, 368),
    ("popularity", 380, 440), ("capability", 452, 532), ("profit", 544, 584), ("won", 596, 622),
)  # fmt: skip


class _Canvas:
    """Draws in the units of the finished picture."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.image = Image.new("RGB", (WIDTH * _SCALE, height * _SCALE), _PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def text(self, x: float, y: float, text: str, size: int = 13, color: str = _INK, anchor: str = "lm") -> None:
        self.pen.text((x * _SCALE, y * _SCALE), text, fill=color, font=_font(size * _SCALE), anchor=anchor)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, outline: str | None = None) -> None:
        if right > left and bottom > top:
            corners = [left * _SCALE, top * _SCALE, right * _SCALE, bottom * _SCALE]
            self.pen.rectangle(corners, fill=fill, outline=outline, width=_SCALE)

    def line(self, points: Sequence[tuple[float, float]], color: str, width: float = 1) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self.pen.line(scaled, fill=color, width=max(1, round(width * _SCALE)), joint="curve")

    def disc(self, x: float, y: float, radius: float, fill: str, outline: str) -> None:
        corners = [(x - radius) * _SCALE, (y - radius) * _SCALE, (x + radius) * _SCALE, (y + radius) * _SCALE]
        self.pen.ellipse(corners, fill=fill, outline=outline, width=2 * _SCALE)

    def array(self) -> np.ndarray:
        return np.asarray(self.image.reduce(_SCALE), dtype=np.uint8).copy()


@functools.cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def paint(scene: Scene, history: dict[int, tuple[float, ...]]) -> np.ndarray:
    """Return the picture of a scene, uint8 (height, 1120, 3); the height depends only on the sizes of the market.

    Args:
        scene: what to draw.
        history: mean ask, effort and promotion of each round drawn in this episode, by the number of rounds played.
    """
    row = min(44.0, max(16.0, 470 / scene.shown))
    job_row = min(44.0, max(12.0, 470 / max(1, len(scene.jobs))))
    body = max(row * scene.shown, job_row * len(scene.jobs))
    top = _TOP + _TIMELINE + _TITLES
    canvas = _Canvas(int(top + body + _FOOT))
    _header(canvas, scene)
    _timeline(canvas, scene, history)
    rows = [top + (i + 0.5) * body / scene.shown for i in range(scene.shown)]
    jobs = [top + (j + 0.5) * body / len(scene.jobs) for j in range(len(scene.jobs))]
    _matches(canvas, scene, rows, jobs)
    _organizations(canvas, scene, rows, body / scene.shown)
    for y, job in zip(jobs, scene.jobs, strict=True):
        _job(canvas, scene, job, y, min(body / len(scene.jobs), 30))
    _footer(canvas, scene)
    return canvas.array()


def _header(canvas: _Canvas, scene: Scene) -> None:
    canvas.text(16, 24, scene.rule.name, 22)
    width = _font(22).getlength(scene.rule.name)
    canvas.text(16 + width + 14, 26, "the rule in force", 13, _SOFT)
    canvas.text(16, 54, describe(scene.rule), 13, _SOFT)
    canvas.text(WIDTH - 16, 24, f"round {scene.round} of {scene.rounds}", 20, anchor="rm")
    canvas.text(WIDTH - 16, 54, f"market {scene.market}, episode {scene.episode}", 13, _SOFT, anchor="rm")


def _timeline(canvas: _Canvas, scene: Scene, history: dict[int, tuple[float, ...]]) -> None:
    left, right, top, bottom = 82, WIDTH - 16, _TOP + 20, _TOP + 74

    def x_of(round_: float) -> float:
        return left + (right - left) * round_ / scene.rounds

    canvas.box(left, top, right, bottom, "#f4f6f8")
    canvas.box(left, bottom, x_of(scene.round), bottom + 5, _SOFT)
    canvas.box(x_of(scene.round), bottom, right, bottom + 5, _FAINT)
    for index, (name, color, most) in enumerate(_CURVES):
        canvas.text(16, top + 9 + index * 18, name, 12, color)
        points = [
            (x_of(played - 0.5), bottom - (bottom - top) * min(1.0, values[index] / most))
            for played, values in sorted(history.items())
            if played <= scene.round
        ]
        if len(points) > 1:
            canvas.line(points, color, 1.6)
        elif points:
            canvas.disc(*points[0], 1.5, color, color)
    free = [0.0, 0.0, 0.0]  # where the next label may start, on each line
    for index, mark in enumerate(scene.marks):
        x, line = x_of(mark.at), index % len(free)
        label = f"placebo ({mark.label})" if mark.placebo else mark.label
        if x < free[line]:
            label = ""
        else:
            free[line] = x + _font(12).getlength(label)
        _mark(canvas, x, (top, top + 8 + 16 * line, bottom), label)
    if scene.news:
        canvas.box(left, _TOP - 12, right, _TOP + 12, _ALARM_PAPER, _ALARM)
        canvas.text((left + right) / 2, _TOP, scene.news, 15, _ALARM, anchor="mm")


def _mark(canvas: _Canvas, x: float, levels: tuple[float, float, float], label: str) -> None:
    """Draw a vertical line with its label; `levels` are its top, the middle of the label, and its bottom."""
    top, middle, bottom = levels
    canvas.line([(x, top - 6), (x, bottom + 9)], _ALARM, 2)
    end = x + 6 + _font(12).getlength(label)
    if end < WIDTH - 16:
        canvas.text(x + 6, middle, label, 12, _ALARM)
    else:
        canvas.text(x - 6, middle, label, 12, _ALARM, anchor="rm")


def _matches(canvas: _Canvas, scene: Scene, rows: list[float], jobs: list[float]) -> None:
    for y, job in zip(jobs, scene.jobs, strict=True):
        if 0 <= job.winner < scene.shown:
            start, end = (_NODE + 6, rows[job.winner]), (_JOB - 8, y)
            bend = (end[0] - start[0]) / 3
            canvas.line(_curve(start, end, bend), _color(job.kind), 2.2)


def _curve(start: tuple[float, float], end: tuple[float, float], bend: float) -> list[tuple[float, float]]:
    """Return the points of a Bezier curve that is horizontal at both ends."""
    points = []
    for step in range(17):
        t = step / 16
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        x = a * start[0] + b * (start[0] + bend) + c * (end[0] - bend) + d * end[0]
        points.append((x, (a + b) * start[1] + (c + d) * end[1]))
    return points


def _organizations(canvas: _Canvas, scene: Scene, rows: list[float], height: float) -> None:
    y = _TOP + _TIMELINE + _TITLES / 2
    for title, left, right in _COLUMNS:
        numbers = title in ("profit", "won")
        canvas.text(right if numbers else left, y, title, 12, _SOFT, anchor="rm" if numbers else "lm")
    for title, right in (("job", 22), ("value", 62), ("paid", 100)):
        canvas.text(_JOB + right, y, title, 12, _SOFT, anchor="rm")
    size = 13 if height >= 20 else 11
    for i, y in enumerate(rows):
        _organization(canvas, scene, i, y, min(height, 30), size)


def _organization(canvas: _Canvas, scene: Scene, i: int, y: float, height: float, size: int) -> None:
    state, outcome = scene.state, scene.outcome
    canvas.text(16, y, f"org_{i}", size, _LOSS if state.newcomer[i] else _INK)
    most = max(float(state.popularity.max()), 1e-12)
    levels = {"reputation": float(state.reputation[i]), "popularity": float(state.popularity[i]) / most}
    if scene.played:
        levels |= {"ask": outcome.ask[i] / 1.25, "effort": outcome.effort[i], "promotion": outcome.promotion[i]}
    half = height * 0.28
    for title, left, right in _COLUMNS[:5]:
        canvas.box(left, y - half, right, y + half, _FAINT)
        if title in levels:
            share = min(1.0, max(0.0, levels[title]))
            canvas.box(left, y - half, left + (right - left) * share, y + half, "#7d8894")
    if scene.played:
        canvas.text(_COLUMNS[0][1] + 4, y, f"{outcome.ask[i]:.2f}", size - 1, _INK)
    _capability(canvas, scene, i, y, half)
    if scene.played:
        profit, won = float(outcome.profit[i]), int(outcome.served[i])
        canvas.text(_COLUMNS[6][2], y, f"{profit:+.2f}", size, _GAIN if profit >= 0 else _LOSS, anchor="rm")
        canvas.text(_COLUMNS[7][2], y, str(won), size, _INK if won else _SOFT, anchor="rm")
    busy = scene.played and outcome.served[i] > 0
    canvas.disc(_NODE, y, min(6.0, height * 0.35), _INK if busy else _PAPER, _INK if busy else _SOFT)


def _capability(canvas: _Canvas, scene: Scene, i: int, y: float, half: float) -> None:
    """Draw one vertical bar per kind, in the colour of the kind."""
    _, left, right = _COLUMNS[5]
    width = (right - left) / scene.kinds
    for k in range(scene.kinds):
        start = left + k * width
        level = min(1.0, max(0.0, float(scene.state.capability[k, i])))
        canvas.box(start, y - 1.4 * half, start + 0.85 * width, y + 1.4 * half, _FAINT)
        canvas.box(start, y + 1.4 * half - 2.8 * half * level, start + 0.85 * width, y + 1.4 * half, _color(k))


def _job(canvas: _Canvas, scene: Scene, job: JobLine, y: float, height: float) -> None:
    color = _color(job.kind)
    radius = min(6.5, height * 0.38) * min(1.0, 0.55 + 0.3 * job.value)
    served = job.winner >= 0
    canvas.disc(_JOB, y, radius, color if served or not scene.played else _PAPER, color)
    size = 13 if height >= 18 else 11
    canvas.text(_JOB + 14, y, kind_letter(job.kind), size, color)
    canvas.text(_JOB + 62, y, f"{job.value:.2f}", size, anchor="rm")
    if served:
        canvas.text(_JOB + 100, y, f"{job.payment:.2f}", size, anchor="rm")
        canvas.text(_JOB + 116, y, f"to org_{job.winner}", size, _SOFT)
    else:
        canvas.text(_JOB + 116, y, "left the platform" if scene.played else "waits", size, _SOFT)


def _footer(canvas: _Canvas, scene: Scene) -> None:
    y = canvas.height - _FOOT / 2
    if scene.played:
        m = scene.measures
        line = f"served {m['served']:.0%}   price {m['price']:.2f}   quality {m['quality']:.2f}   " + (
            f"surplus {m['surplus']:+.2f}   profit {m['profit']:+.2f}   revenue {m['revenue']:+.2f} (per job posted)"
        )
    else:
        line = "before the first round: the jobs on the board"
    canvas.text(16, y, line, 13)
    canvas.text(WIDTH - 16, y, scene.note, 12, _SOFT, anchor="rm")


def _color(kind: int) -> str:
    return _KINDS[kind % len(_KINDS)]
