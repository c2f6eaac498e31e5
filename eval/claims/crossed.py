"""Numbers of further protocols as crossed arrays, for claims about them."""

from collections.abc import Sequence

import numpy as np

from ruleshift.eval.claims.returns import Returns, Run


def crossed(
    returns: Returns, protocol: str, arm: str, measures: Sequence[str] = (), *, at_home: bool = False
) -> dict[str, np.ndarray]:
    """By measure, the values (H, G, S, P, E) of an arm or reference, NaN where home and target do not meet.

    What has no training seed has an S of 1. P is 1 where nothing was played beyond the first panel.

    Args:
        returns: the numbers of a study; homes and targets come in its order.
        protocol: name of the measurement.
        arm: name of the arm or reference.
        measures: names of the measures; all that there are, if none is named.
        at_home: whether each home was measured under its own rule alone; then G is 1.

    Raises:
        ValueError: the study did not make this measurement, or not of this arm.
    """
    of_protocol = [run for run in returns.runs if run.protocol == protocol and run.budget == 1.0]
    runs = [run for run in of_protocol if run.arm == arm]
    if not runs:
        what = f"of the arm {arm} " if of_protocol else ""
        raise ValueError(f"the measurement {protocol} {what}is missing; a study makes it that asks this claim by name")
    homes = list(dict.fromkeys(run.home for run in of_protocol))
    targets = [""] if at_home else list(dict.fromkeys(run.target for run in of_protocol))
    seeds = list(dict.fromkeys(run.seed for run in runs))
    if (len(homes), len(targets)) != (returns.sizes[0], 1 if at_home else returns.sizes[1]):
        raise ValueError(f"the measurement {protocol} is of {len(homes)} homes and {len(targets)} targets only")
    held = {(run.home, "" if at_home else run.target, run.seed): run for run in runs}
    return {
        measure: _array(held, homes, targets, seeds, measure)
        for measure in measures or next(iter(held.values())).values
    }


def _array(
    held: dict[tuple[str, str, int | None], Run],
    homes: list[str],
    targets: list[str],
    seeds: list[int | None],
    measure: str,
) -> np.ndarray:
    shape = next(iter(held.values())).values[measure].T.shape
    array = np.full((len(homes), len(targets), len(seeds), *shape), np.nan)
    for h, g, s in np.ndindex(*array.shape[:3]):
        run = held.get((homes[h], targets[g], seeds[s]))
        if run is not None:
            array[h, g, s] = run.values[measure].T
    first_only = np.isnan(array[:, :, :, 1:]).all()
    return array[:, :, :, :1] if first_only else array
