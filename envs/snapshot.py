"""What a market accepts when it is restored: a snapshot can come from a file, and a kernel trusts what it is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ruleshift.envs.buffers import Arrays
from ruleshift.envs.economy import Economy
from ruleshift.envs.layout import State, state_view
from ruleshift.envs.rule import MAX_DELAY

_MOST = 1e15  # no amount of a market comes near it, and sums of such numbers are finite
_AMOUNTS = ("outcomes", "payments", "measures", "totals")
_STATE_RANGES = State(
    reputation=(0.01, 1.0), popularity=(0.0, _MOST), cash=(-_MOST, _MOST), infrastructure=(0.0, 100.0),
    relief=(0.0, 1.0), newcomer=(0.0, 1.0), experience=(0.0, _MOST), initial=(0.0, 1.0), capability=(0.0, 1.0),
    shock=(-_MOST, _MOST), billed=(-_MOST, _MOST),
)  # fmt: skip


def check_snapshot(snapshot: Any, arrays: Arrays, economy: Economy) -> None:
    """Refuse what is not a snapshot of such markets, or holds a number that no market can hold.

    Args:
        snapshot: the arrays by name.
        arrays: arrays of the market that is to be restored, which have the right shapes and types.
        economy: its economy.

    Raises:
        TypeError: if it is not a mapping.
        ValueError: if an array is missing or wrong; names it.
    """
    if not isinstance(snapshot, Mapping):
        raise TypeError(f"snapshot is {type(snapshot).__name__}; it must be what Market.snapshot() returned")
    wanted = {**arrays._asdict(), "clock": np.zeros(3, np.int64), "seeds": np.zeros(len(arrays.keys), np.uint64)}
    for name, array in wanted.items():
        if name not in snapshot:
            raise ValueError(f"snapshot: {name} is missing")
        _check_form(name, snapshot[name], array)
    for name in ("economy", "calendar"):
        if not np.array_equal(snapshot[name], wanted[name]):
            raise ValueError(f"snapshot: {name} is that of another economy")
    _check_ranges(snapshot, economy)


def _check_form(name: str, given: Any, wanted: np.ndarray) -> None:
    shape = wanted.shape
    if name == "history" and isinstance(given, np.ndarray) and given.ndim == 3:
        shape = (shape[0], min(max(given.shape[1], shape[1]), MAX_DELAY + 1), shape[2])  # a longer one does no harm
    if not isinstance(given, np.ndarray) or given.dtype != wanted.dtype or given.shape != shape:
        found = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
        raise ValueError(f"snapshot: {name} is {found}; it must be {wanted.dtype} {shape}")


def _check_ranges(snapshot: Mapping[str, np.ndarray], economy: Economy) -> None:
    kinds = (0, economy.kinds - 1)
    opened, played, episode = snapshot["clock"]
    for name, values, (low, high) in (
        ("clock", opened, (0, 1)),
        ("clock", played, (0, economy.rounds - 1)),
        ("clock", episode, (0, 2**32 - 1)),
        ("job_kinds", snapshot["job_kinds"], kinds),
        ("served_kinds", snapshot["served_kinds"], kinds),
        ("winners", snapshot["winners"], (-1, economy.organizations - 1)),
        ("faults", snapshot["faults"], (0, 0)),
        ("job_values", snapshot["job_values"], (0, _MOST)),
        ("served_values", snapshot["served_values"], (0, _MOST)),
        *((name, snapshot[name], (-_MOST, _MOST)) for name in _AMOUNTS),
        *_state_ranges(snapshot["state"], economy.kinds, bool(opened)),
    ):
        if not np.all((values >= low) & (values <= high)):  # NaN is in no range
            raise ValueError(f"snapshot: {name} holds a number that is not from {low:g} to {high:g}")


def _state_ranges(state: np.ndarray, kinds: int, opened: bool) -> list[tuple[str, np.ndarray, tuple[float, float]]]:
    """Return the fields of the markets' states with their names and ranges; before the first reset they are all 0."""
    if not opened:
        return [("state", state, (0.0, 0.0))]
    fields = state_view(np.moveaxis(state, 1, 0), kinds)
    return [
        (f"state.{name}", values, _STATE_RANGES[index]) for index, (name, values) in enumerate(fields._asdict().items())
    ]


def bounded(history: np.ndarray) -> np.ndarray:
    """Return past disclosure (B, H, W) as finite numbers; where nothing was disclosed it holds whatever was there."""
    return np.clip(np.nan_to_num(history, nan=0.0), -_MOST, _MOST)


def lengthened(history: np.ndarray, length: int, played: int) -> np.ndarray:
    """Return what was disclosed in past rounds (B, H, W) in a history of `length` rounds, which is at least H.

    What was disclosed before round r is at r modulo the length; `played` is the round up to which it reaches.
    """
    longer = np.zeros((history.shape[0], length, history.shape[2]))
    for before in range(max(played - history.shape[1] + 1, 0), played + 1):
        if history.shape[1]:
            longer[:, before % length] = history[:, before % history.shape[1]]
    return longer
