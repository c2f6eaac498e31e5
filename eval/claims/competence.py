"""The competence gate: an arm that has not learned its own training rules says nothing about transfer."""

from collections.abc import Sequence

import numpy as np

from ruleshift.eval.claims.returns import Returns, of_arm

LEAST = 0.5
"""Least score that an arm needs on each of its training rules, where 0 is the floor and 1 the best reply."""
COMPETENT, INCOMPETENT = "competent", "not competent at this budget"
"""The two outcomes of the gate."""


def competence(returns: Returns, arm: str) -> np.ndarray:
    """Score (H,) of an arm on each training rule, where 0 is the floor and 1 the best reply.

    Scores are ratios of sums over seeds, panels and economies, and are measured in markets of a separate seed, so that
    luck does not pass the gate. A score is NaN if the best reply is no better than the floor.

    Raises:
        ValueError: the study lacks the arm.
    """
    floor, best_reply = returns.own_gates.get(arm, (returns.gate_floor, returns.gate_best_reply))
    gained = (of_arm(returns.gate, arm, "the gate") - floor[:, None, None]).mean(axis=(1, 2, 3, 4))
    scale = (best_reply - floor).mean(axis=(1, 2))
    return np.divide(gained, scale, out=np.full(len(scale), np.nan), where=scale > 0)


def gate_verdicts(returns: Returns, arm: str) -> list[str]:
    """Outcome of the gate for an arm on each training rule, `COMPETENT` or `INCOMPETENT`."""
    return [COMPETENT if share >= LEAST else INCOMPETENT for share in competence(returns, arm)]


def gate_failures(returns: Returns, arms: Sequence[str]) -> str:
    """Say which arms fail, on how many rules, and their worst score; empty if all pass. No seed is ever dropped."""
    failures = []
    for arm in arms:
        shares = competence(returns, arm)
        failed = ~(shares >= LEAST)
        if failed.any():
            worst = "no scale" if np.isnan(shares).any() else f"{shares.min():.2f} at worst, {LEAST:g} is needed"
            failures.append(f"{arm} is {INCOMPETENT} on {failed.sum()} of {len(shares)} training rules ({worst})")
    return "; ".join(failures)
