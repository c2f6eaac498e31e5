"""Act: the one place where actions in the box become economic units.

`ask = (a + 1) / 2 * 1.25`, `effort` and `promotion = (a + 1) / 2`, `focus = softmax(3 a)` over the K kinds. An ask that
exceeds the reserve by no more than the rounding of a float32 action is the reserve.
"""

from typing import Any

import numpy as np

from ruleshift.envs.compile import inlined, jit
from ruleshift.envs.layout import ACTION
from ruleshift.envs.numerics import exp

MAX_ASK = 1.25
FOCUS_SCALE = 3.0
_ROUNDING = MAX_ASK * 2.0**-23
"""By how much an ask that was turned into an action in float32 arithmetic can exceed the ask that was meant."""


@inlined
def act(actions, reserve, outcome, total):
    """Write `ask`, `effort`, `promotion`, `focus` and `clipped` of `outcome` from actions (N, 3 + K).

    Actions are clipped to the box, and `clipped` counts the numbers outside it. `reserve` is that of the rule, and
    `total` (N,) is scratch memory.
    """
    organizations, size = actions.shape
    kinds = size - ACTION.focus
    for i in range(organizations):
        clipped = np.int64(0)
        for a in range(size):
            clipped += np.int64(abs(actions[i, a]) > np.float32(1.0))
        outcome.clipped[i] = clipped
        ask = (_in_box(actions[i, ACTION.ask]) + 1.0) * 0.5 * MAX_ASK
        outcome.ask[i] = reserve if reserve < ask <= reserve + _ROUNDING else ask
        outcome.effort[i] = (_in_box(actions[i, ACTION.effort]) + 1.0) * 0.5
        outcome.promotion[i] = (_in_box(actions[i, ACTION.promotion]) + 1.0) * 0.5
        total[i] = 0.0
    for k in range(kinds):
        for i in range(organizations):
            outcome.focus[k, i] = exp(FOCUS_SCALE * _in_box(actions[i, ACTION.focus + k]))
            total[i] += outcome.focus[k, i]
    for k in range(kinds):
        for i in range(organizations):
            outcome.focus[k, i] /= total[i]


@jit
def all_finite(actions):
    """Return whether float32 numbers (n,) hold neither NaN nor infinity."""
    finite = True
    for index in range(len(actions)):
        finite &= actions[index] - actions[index] == np.float32(0.0)
    return finite


_FAR = 1e6  # outside any box but within float32; larger numbers are reduced to it before the market clips them


def read_actions(actions: Any, shape: tuple[int, ...], who: str = "actions") -> np.ndarray:
    """Return actions as a C-contiguous float32 array of the given shape; this is the check of every view.

    An array that is one already is returned as it is. Lists, other real numbers, and strided or read-only arrays are
    converted, and finite numbers beyond float32 are reduced to 1,000,000, which the market clips and counts.

    Args:
        actions: array or nested sequence of real numbers; integers count as real, booleans do not.
        shape: the shape that it must have, such as (B, N, 3 + K).
        who: what the actions are of, with which an error begins.

    Raises:
        TypeError: if it does not hold real numbers.
        ValueError: if it has another shape, or holds NaN or infinity; says where.
    """
    ready = type(actions) is np.ndarray and actions.dtype == np.float32 and actions.flags.carray
    array = actions if ready else _real_numbers(actions, shape, who)
    if array.shape != shape:
        raise ValueError(f"{who}: the action has shape {array.shape}, expected {shape}")
    if not ready:
        _check_finite(array, bool(np.isfinite(array).all()), who)
        wide = array.astype(np.result_type(array.dtype, np.float32), copy=False)
        array = np.ascontiguousarray(np.clip(wide, -_FAR, _FAR), np.float32)
    else:
        _check_finite(array, all_finite(array.reshape(-1)), who)
    return array


def _real_numbers(actions: Any, shape: tuple[int, ...], who: str) -> np.ndarray:
    try:
        array = np.asarray(actions)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{who}: the action is ragged, expected shape {shape}") from None
    if array.dtype.kind not in "fiu":
        kind = type(actions).__name__ if array.ndim == 0 else array.dtype
        raise TypeError(f"{who}: the action must hold real numbers, got {kind}")
    return array


def _check_finite(array: np.ndarray, finite: bool, who: str) -> None:
    if finite:
        return
    where = np.argwhere(~np.isfinite(array))[0]
    value = array[tuple(where)]
    raise ValueError(f"{who}: the action holds {value} at [{', '.join(map(str, where))}]; numbers must be finite")


@inlined
def _in_box(value):
    return min(max(np.float64(value), -1.0), 1.0)


def to_action(
    *,
    ask: np.ndarray | float,
    effort: np.ndarray | float,
    promotion: np.ndarray | float,
    focus: np.ndarray | float = 0.0,
    kinds: int = 3,
) -> np.ndarray:
    """Convert economic units to actions, float32 (n, 3 + K): the inverse of `act`.

    `ask` (a share of the job's value, 0 .. 1.25), `effort` and `promotion` (0 .. 1) are scalars or (n,). `focus` is
    (n, K) or (K,), in [-1, 1], and `act` takes its softmax; a scalar means even attention. The ask of an action is
    never above the one given, and below it only by rounding.

    >>> to_action(ask=0.625, effort=1, promotion=0, kinds=2)
    array([[ 0.,  1., -1.,  0.,  0.]], dtype=float32)
    """
    ask, effort, promotion = np.broadcast_arrays(np.atleast_1d(ask), effort, promotion)
    actions = np.empty((len(ask), ACTION.focus + kinds), np.float32)
    asks = actions[:, ACTION.ask]
    asks[:] = ask * (2 / MAX_ASK) - 1
    above = (asks.astype(np.float64) + 1) * 0.5 * MAX_ASK > ask  # rounding up could exceed a reserve
    asks[above] = np.nextafter(asks[above], np.float32(-1))
    actions[:, ACTION.effort] = effort * 2 - 1
    actions[:, ACTION.promotion] = promotion * 2 - 1
    actions[:, ACTION.focus :] = focus
    return np.clip(actions, -1, 1)
