"""The gate: an arm that has not learned its own training rules says nothing about transfer."""

from collections.abc import Sequence

import numpy as np

from ruleshift.eval.claims.returns import Returns, of_arm

LEAST = 0.5
"""Share of the way from the floor to the best reply that an arm must have gone on each of its training rules."""
COMPETENT, INCOMPETENT = "competent", "not competent at this budget"


def competence(returns: Returns, arm: str) -> np.ndarray:
    """By training rule, (H,): 0 at the floor, 1 at the best reply; a ratio of sums over seeds, panels and economies.

    Measured in markets of a separate seed, so that luck does not pass the gate. NaN where the best reply is no better
    than the floor: there is no scale.
    """
    floor, best_reply = returns.own_gates.get(arm, (returns.gate_floor, returns.gate_best_reply))
    gained = (of_arm(returns.gate, arm, "the gate") - floor[:, None, None]).mean(axis=(1, 2, 3, 4))
    scale = (best_reply - floor).mean(axis=(1, 2))
    return np.divide(gained, scale, out=np.full(len(scale), np.nan), where=scale > 0)


def gate_verdicts(returns: Returns, arm: str) -> list[str]:
    """`competent` or `not competent at this budget`, by training rule."""
    return [COMPETENT if share >= LEAST else INCOMPETENT for share in competence(returns, arm)]


def gate_failures(returns: Returns, arms: Sequence[str]) -> str:
    """Which arms fail, on how many rules, and how badly at worst; empty where all pass. No seed is ever dropped."""
    failures = []
    for arm in arms:
        shares = competence(returns, arm)
        failed = ~(shares >= LEAST)
        if failed.any():
            worst = "no scale" if np.isnan(shares).any() else f"{shares.min():.2f} at worst, {LEAST:g} is needed"
            failures.append(f"{arm} is {INCOMPETENT} on {failed.sum()} of {len(shares)} training rules ({worst})")
    return "; ".join(failures)
