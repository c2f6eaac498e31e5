"""What the views of a market (PettingZoo, Gymnasium) share: names, and the reading of what users hand in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from ruleshift.envs.economy import Economy
from ruleshift.envs.layout import OUTCOME_SINGLE, Outcome

if TYPE_CHECKING:
    from ruleshift.envs.market import Market
    from ruleshift.envs.scene import Ended

LEDGER = Outcome._fields[:OUTCOME_SINGLE]
"""Keys of an organization's info: what it did and got in the round, as described at `ruleshift.envs.layout.Outcome`."""

OBSERVATION_BOUND = 10.0
"""Observations are clipped to this on both sides."""

RENDER_MODES = ("human", "ansi", "rgb_array")
_FAR = 1e6  # beyond any box and within float32; larger numbers are brought there before the market clips them


def fit_economy(
    economy: Economy | None,
    organizations: int | None = None,
    jobs: int | None = None,
    kinds: int | None = None,
    rounds: int | None = None,
) -> Economy:
    """The economy (None: the default one) with the sizes that are given; None keeps the economy's.

    Raises:
        TypeError: not an Economy.
        ValueError: an impossible size, named.

    >>> fit_economy(Economy(jobs=5), rounds=20).jobs
    5
    """
    if economy is not None and not isinstance(economy, Economy):
        raise TypeError(f"economy: expected an Economy or None, got {type(economy).__name__}")
    sizes = {"organizations": organizations, "jobs": jobs, "kinds": kinds, "rounds": rounds}
    return replace(economy or Economy(), **{name: size for name, size in sizes.items() if size is not None})  # type: ignore[arg-type]


def read_action(action: Any, shape: tuple[int, ...], who: str) -> np.ndarray:
    """An action as a new float32 array, from any real array or sequence of that shape.

    Raises:
        TypeError: not numbers.
        ValueError: another shape, NaN or infinity. Both begin with `who`.
    """
    try:
        array = np.asarray(action)
    except ValueError as error:
        raise ValueError(f"{who}: the action is ragged, expected shape {shape}") from error
    if array.dtype.kind not in "fiu":
        kind = type(action).__name__ if array.ndim == 0 else array.dtype
        raise TypeError(f"{who}: the action must hold real numbers, got {kind}")
    if array.shape != shape:
        raise ValueError(f"{who}: the action has shape {array.shape}, expected {shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        position = ", ".join(str(index) for index in np.argwhere(bad)[0])
        raise ValueError(f"{who}: the action holds {array[bad][0]} at [{position}]")
    return np.clip(array, -_FAR, _FAR).astype(np.float32)


def listed(given: Any, single: type) -> tuple[Any, ...]:
    """Several things as a tuple, or one of type `single` alone."""
    return (given,) if isinstance(given, single) else tuple(given)


class Screen:
    """What a view shows of its market, by its render mode: None, "human", "ansi" or "rgb_array".

    Raises:
        ValueError: another mode.
    """

    def __init__(self, mode: str | None) -> None:
        if mode is not None and mode not in RENDER_MODES:
            raise ValueError(f"render_mode: {mode!r} is none of {', '.join(RENDER_MODES)}")
        self.mode = mode
        self._renderer: Any = None

    def show(self, market: "Market", ended: "Ended | None") -> None:
        """Draw the market at once, where the mode is `human`; see `Renderer.draw`."""
        if self.mode == "human":
            self._draw(market, ended)

    def render(self, market: "Market", ended: "Ended | None") -> Any:
        """What `render()` gives: text or a picture; None where it was shown at once, or without a mode."""
        if self.mode is None:
            gymnasium.logger.warn("render: this environment was made without a render_mode")
        return None if self.mode in (None, "human") else self._draw(market, ended)

    def close(self) -> None:
        """Release the renderer; a second call does no harm."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _draw(self, market: "Market", ended: "Ended | None") -> Any:
        if self._renderer is None:
            from ruleshift.envs.render import Renderer

            self._renderer = Renderer(str(self.mode))
        return self._renderer.draw(market, ended=ended)


def rule_option(options: Any) -> Any:
    """The rule named in the options of a reset, or None; other options are left to whom they concern."""
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise TypeError(f"options: expected a dict or None, got {type(options).__name__}")
    return options.get("rule")


def read_seed(seed: Any) -> int | None:
    """The seed of a reset: None or a whole number from 0.

    Raises:
        TypeError, ValueError: anything else.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"seed: expected a whole number or None, got {type(seed).__name__}")
    if seed < 0:
        raise ValueError(f"seed: {seed} is below 0")
    return int(seed)


def fresh_seed() -> int:
    """A seed from the operating system, below 2**31."""
    return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
