"""Watching a market as text or as a picture, in the terminal or in a file, without a display."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ruleshift.envs.files import whole_file
from ruleshift.envs.scene import Ended, Scene, describe, kind_letter, read_scene

if TYPE_CHECKING:
    from ruleshift.envs.market import Market

MODES = ("ansi", "rgb_array", "human")
_TO_TOP_AND_CLEAR = "\x1b[H\x1b[J"
_NAMED_MARKS = 6


class Renderer:
    """Draws one market of a batch after any reset or round, without changing it.

    Args:
        mode: `ansi` returns the text and `rgb_array` the picture; `human` prints the text to the standard output (in
            place if that is a terminal) and returns None.

    Raises:
        ValueError: if the mode is unknown.
    """

    def __init__(self, mode: str = "ansi") -> None:
        if mode not in MODES:
            raise ValueError(f"render mode is {mode!r}; it must be one of {', '.join(MODES)}")
        self.mode = mode
        self._seen: dict[int, tuple[int, dict[int, tuple[float, ...]]]] = {}

    def draw(self, market: "Market", b: int = 0, ended: Ended | None = None) -> Any:
        """Draw market `b`: return a str, a uint8 array (height, width, 3), or None in mode `human`.

        After the last step of an episode the market has already opened the next one; pass `ended` to draw the last
        round. The curves of the picture cover only those rounds of the episode that this renderer has drawn.

        Raises:
            IndexError: if there is no market `b`.
            RuntimeError: if the market has not been reset yet.
        """
        scene = read_scene(market, b, ended)
        if self.mode == "rgb_array":
            from ruleshift.envs.picture import paint

            return paint(scene, self._history(scene))
        text = as_text(scene)
        if self.mode == "ansi":
            return text
        sys.stdout.write((_TO_TOP_AND_CLEAR if sys.stdout.isatty() else "") + text + "\n")
        sys.stdout.flush()
        return None

    def close(self) -> None:
        """Forget what was drawn; calling this twice is safe."""
        self._seen.clear()

    def _history(self, scene: Scene) -> dict[int, tuple[float, ...]]:
        episode, history = self._seen.get(scene.market, (scene.episode, {}))
        if episode != scene.episode or (history and scene.round < max(history)):
            history = {}
        if scene.played:
            history[scene.round] = tuple(scene.measures[name] for name in ("ask", "effort", "promotion"))
        self._seen[scene.market] = (scene.episode, history)
        return history


def as_text(scene: Scene) -> str:
    """Return a scene as plain text about 100 columns wide: the rule, the timeline, the organizations and the jobs."""
    head = f"{scene.rule.name}   round {scene.round} of {scene.rounds}   market {scene.market}, episode {scene.episode}"
    lines = [head, describe(scene.rule), _timeline(scene)]
    lines.append(f"*** {scene.news} ***" if scene.news else "")
    lines.append(
        f"{'':8}{'ask':>5}  {'effort':8}{'promotion':11}{'reputation':12}{'popularity':12}{'profit':>7}  jobs won"
    )
    lines += [_organization(scene, i) for i in range(scene.shown)]
    lines.append("")
    lines.append(_market(scene))
    if scene.note:
        lines.append(scene.note)
    return "\n".join(lines)


def _timeline(scene: Scene, width: int = 60) -> str:
    cells = ["=" if (cell + 0.5) / width < scene.round / scene.rounds else "." for cell in range(width)]
    for mark in scene.marks:
        cells[min(width - 1, mark.at * width // scene.rounds)] = "p" if mark.placebo else "|"
    named = scene.marks[:_NAMED_MARKS]
    labels = [f"{'p' if mark.placebo else '|'} round {mark.at}: {mark.label}" for mark in named]
    labels += [f"and {len(scene.marks) - len(named)} more"] if len(scene.marks) > len(named) else []
    return "  ".join([f"[{''.join(cells)}]", *labels])


def _organization(scene: Scene, i: int) -> str:
    state, outcome = scene.state, scene.outcome
    popularity = state.popularity[i] / max(float(state.popularity.max()), 1e-12)
    standing = f"{_bar(state.reputation[i], 10)}  {_bar(popularity, 10)}"
    name = f"org_{i}{'*' if state.newcomer[i] else ''}"
    if not scene.played:
        return f"{name:8}{'-':>5}  {'-':8}{'-':11}{standing}"
    won = (job for job in scene.jobs if job.winner == i)
    jobs = " ".join(f"{kind_letter(job.kind)}{job.value:.2f}@{job.payment:.2f}" for job in won)
    return (
        f"{name:8}{outcome.ask[i]:5.2f}  {_bar(outcome.effort[i], 6)}  {_bar(outcome.promotion[i], 9)}  {standing}  "
        f"{outcome.profit[i]:+7.2f}  {jobs}"
    ).rstrip()


def _bar(share: float, width: int) -> str:
    """Return a bar of text.

    >>> _bar(0.5, 6)
    '###---'
    """
    full = round(min(1.0, max(0.0, float(share))) * width)
    return "#" * full + "-" * (width - full)


def _market(scene: Scene) -> str:
    if not scene.played:
        board = " ".join(f"{kind_letter(job.kind)}{job.value:.2f}" for job in scene.jobs)
        return f"before the first round; on the board (kind and value): {board}"
    lost = " ".join(f"{kind_letter(job.kind)}{job.value:.2f}" for job in scene.jobs if job.winner < 0) or "none"
    m = scene.measures
    return (
        f"served {m['served']:.0%}  price {m['price']:.2f}  quality {m['quality']:.2f}  surplus {m['surplus']:+.2f}"
        f"  profit {m['profit']:+.2f}  revenue {m['revenue']:+.2f}  left the platform: {lost}"
    )


def save_gif(frames: Iterable[np.ndarray], path: str | Path, *, seconds: float = 0.2) -> Path:
    """Write pictures, uint8 (height, width, 3), as an animation that repeats, and return its path.

    Each frame lasts `seconds`, the last one ten times as long.

    Raises:
        ValueError: if there are no frames.
        OSError: if `path` cannot be written.
    """
    from PIL import Image

    images = [Image.fromarray(frame).quantize(64) for frame in frames]
    if not images:
        raise ValueError("there are no frames to save")
    durations = [round(seconds * 1000)] * (len(images) - 1) + [round(seconds * 10_000)]
    with whole_file(path) as temporary:
        images[0].save(temporary, format="GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return Path(path)


def save_frames(frames: Iterable[np.ndarray], folder: str | Path) -> Path:
    """Write pictures, uint8 (height, width, 3), as `frame_0000.png`, `frame_0001.png`, ... and return their folder.

    The folder is made if it is missing.

    Raises:
        ValueError: if there are no frames.
        OSError: if `folder` cannot be written.
    """
    from PIL import Image

    folder = Path(folder)
    count = 0
    for count, frame in enumerate(frames, start=1):
        with whole_file(folder / f"frame_{count - 1:04d}.png") as temporary:
            Image.fromarray(frame).save(temporary)
    if not count:
        raise ValueError("there are no frames to save")
    return folder
