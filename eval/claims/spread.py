"""What the protocol `inequality` measured, as claims read it: how unequal outcomes are, by setting and by who plays."""

from collections.abc import Mapping, Sequence

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST
from ruleshift.eval.claims.returns import Returns, Run
from ruleshift.eval.statistics import Interval, Ratio, interval

INEQUALITY = "inequality"
"""Name of the protocol. Its measurements are named `inequality_SETTING`, and `inequality_tail_SETTING` in crowds."""
LOW, HIGH = "1", "8"
"""Amplifications that are compared: signals count as they are, and at the top of what the structure trains."""
NATIVE = "native"
KINDS: Mapping[str, tuple[str, ...]] = {
    "scripted": ("posted_price", "follower"),
    NATIVE: (NATIVE,),
    GENERALIST: (GENERALIST,),
}
"""By kind of organization, the arms and references that hold the seats; those of a kind are averaged."""


def spread(returns: Returns, setting: str, measure: str = "gini", kinds: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """A measure of inequality in a setting, (1, G, S, P, E) by kind of organization, at all G rules of the study.

    S is 1 for organizations without a training seed; P is 1, since only the first panel's markets are played.

    Args:
        returns: numbers of the study.
        setting: name of the setting.
        measure: name of the measure.
        kinds: kinds of organization; all that were played if none is named.

    Raises:
        ValueError: the setting was not played by any of them.
    """
    protocol = f"{INEQUALITY}_{setting}"
    held: dict[str, list[Run]] = {}
    for run in returns.runs:
        if run.protocol == protocol and measure in run.values:
            held.setdefault(run.arm, []).append(run)
    found = {
        kind: np.mean([_array(held[arm], measure) for arm in arms], axis=0)
        for kind, arms in KINDS.items()
        if (not kinds or kind in kinds) and all(arm in held for arm in arms)
    }
    if not found:
        raise ValueError(f"the protocol {INEQUALITY} was not played ({setting}); it is if the study asks this claim")
    return found


def _array(runs: Sequence[Run], measure: str) -> np.ndarray:
    """Values (1, G, S, P, E) of one arm in the first panel."""
    targets, seeds = (list(dict.fromkeys(getattr(run, name) for run in runs)) for name in ("target", "seed"))
    by_run = {(run.target, run.seed): run.values[measure].T for run in runs}
    return np.array([[[by_run[target, seed][:1] for seed in seeds] for target in targets]])


def together(by_kind: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mean over kinds of organization, (1, G, S, P, E)."""
    arrays = np.broadcast_arrays(*by_kind.values())
    return np.mean(arrays, axis=0)


def less(these: Mapping[str, np.ndarray], those: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Differences by kind of organization, for the kinds that played both."""
    return {kind: these[kind] - those[kind] for kind in these if kind in those}


def mean_of(array: np.ndarray, fixed: Sequence[str] = ()) -> Interval:
    """The mean of an array (1, G, S, P, E), with its interval over rules, seeds, panels and economies.

    Args:
        array: the numbers.
        fixed: factors whose levels are taken as they are.
    """
    _, rules, seeds, panels, economies = array.shape
    return interval(Ratio(array, np.ones((1,) * 5)), (1, rules, seeds, panels, economies), fixed=fixed)


def unreplicated(returns: Returns, kinds: Sequence[str]) -> str:
    """Say why there is no verdict on the study's own arms; empty if they have two training seeds, or do not play."""
    seeds = {run.seed for run in returns.runs if run.arm == GENERALIST and run.protocol.startswith(INEQUALITY)}
    if GENERALIST in kinds and len(seeds) == 1:
        return "with 1 training seed, nothing is known about how another would have turned out"
    return ""
