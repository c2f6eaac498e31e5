"""What the views of a market (PettingZoo, Gymnasium) share: names, and checks of what users pass in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from ruleshift.envs.act import read_actions
from ruleshift.envs.economy import Economy
from ruleshift.envs.layout import OUTCOME_SINGLE, Outcome

if TYPE_CHECKING:
    from ruleshift.envs.market import Market
    from ruleshift.envs.scene import Ended

LEDGER = Outcome._fields[:OUTCOME_SINGLE]
"""Keys of an organization's info, as described at `ruleshift.envs.layout.Outcome`."""

OBSERVATION_BOUND = 10.0
"""Observations are clipped to plus or minus this number."""

RENDER_MODES = ("human", "ansi", "rgb_array")


def fit_economy(
    economy: Economy | None,
    organizations: int | None = None,
    jobs: int | None = None,
    kinds: int | None = None,
    rounds: int | None = None,
) -> Economy:
    """Return the economy (by default `Economy()`) with the given sizes; None keeps the economy's own.

    Raises:
        TypeError: if it is not an Economy.
        ValueError: if a size is out of range; names it.

    >>> fit_economy(Economy(jobs=5), rounds=20).jobs
    5
    """
    if economy is not None and not isinstance(economy, Economy):
        raise TypeError(f"economy: expected an Economy or None, got {type(economy).__name__}")
    sizes = {"organizations": organizations, "jobs": jobs, "kinds": kinds, "rounds": rounds}
    return replace(economy or Economy(), **{name: size for name, size in sizes.items() if size is not None})  # type: ignore[arg-type]


def read_action(action: Any, shape: tuple[int, ...], who: str) -> np.ndarray:
    """Return actions as `act.read_actions` does, in an array that nobody else holds.

    Raises:
        TypeError, ValueError: as `act.read_actions`.
    """
    array = read_actions(action, shape, who)
    return array.copy() if array is action else array


def settable(owner: str, name: str, doc: str) -> Any:
    """Return a property that stands for attribute `name` of attribute `owner`, so that both always agree."""
    return property(
        lambda view: getattr(getattr(view, owner), name),
        lambda view, value: setattr(getattr(view, owner), name, value),
        doc=doc,
    )


def read_only(owner: str, name: str, doc: str) -> Any:
    """Return such a property that refuses to be set, and says what can be set."""

    def refuse(view: Any, value: Any) -> None:
        raise AttributeError(cannot_be_set(name))

    return property(lambda view: getattr(getattr(view, owner), name), refuse, doc=doc)


def cannot_be_set(name: str) -> str:
    """Return the line that refuses to set an attribute of a view."""
    return f"{name[:80]} cannot be set; rule and schedule can, for the next episode (otherwise make a new environment)"


class Screen:
    """Shows the market of a view by its render mode: None, "human", "ansi" or "rgb_array".

    Raises:
        ValueError: if the mode is unknown.
    """

    def __init__(self, mode: str | None) -> None:
        self._mode: str | None = None
        self._renderer: Any = None
        self.mode = mode

    @property
    def mode(self) -> str | None:
        """The render mode; another one may be set."""
        return self._mode

    @mode.setter
    def mode(self, mode: str | None) -> None:
        if mode is not None and mode not in RENDER_MODES:
            raise ValueError(f"render_mode: {mode!r} is none of {', '.join(RENDER_MODES)}")
        self.close()
        self._mode = mode

    def show(self, market: "Market", ended: "Ended | None") -> None:
        """Draw the market at once if the mode is `human`; see `Renderer.draw`."""
        if self.mode == "human":
            self._draw(market, ended)

    def render(self, market: "Market", ended: "Ended | None") -> Any:
        """Return what `render()` gives: a text or a picture, or None in mode `human` and without a mode."""
        if self.mode is None:
            gymnasium.logger.warn("render: this environment was made without a render_mode")
        return None if self.mode in (None, "human") else self._draw(market, ended)

    def close(self) -> None:
        """Release the renderer; calling this twice is safe."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _draw(self, market: "Market", ended: "Ended | None") -> Any:
        if self._renderer is None:
            from ruleshift.envs.render import Renderer

            self._renderer = Renderer(str(self.mode))
        return self._renderer.draw(market, ended=ended)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_renderer": None}


def rule_option(options: Any) -> Any:
    """Return the rule given in the options of a reset, or None; other options are ignored.

    Raises:
        TypeError: if the options are neither a mapping nor None.
    """
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dict or None, got {type(options).__name__}")
    return options.get("rule")
