"""How far apart two rules are: in whom they would choose, state by state.

The distance is the total variation between the laws of who serves a job of a kind, under one rule and under the other,
averaged over kinds and over 4,096 frozen states and actions. It knows nothing of payment, feedback or disclosure, which
do not move this round's matching: `regret` measures what all of a rule does to conduct.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.act import to_action
from ruleshift.envs.layout import state_view

STATES, DRAWS, FOLDS = 4096, 128, 8
FROZEN = "c3887643581fc79e"
"""Content hash of the frozen states and actions."""
ECONOMY = Economy(organizations=4, jobs=6, kinds=3, capacity=2, demand="even")
_SEED = 20_240_701
_CACHED = 64  # rules whose draws are kept, one megabyte each


def rule_distance(a: Rule | str, b: Rule | str, *, mechanisms: tuple[str, ...] = ()) -> float:
    """Mean total variation between the assignment probabilities of two rules, 0 (alike) .. 1; symmetric.

    Probabilities are shares of 128 draws in which both rules meet the same noise: rules that match alike are at exactly
    0. Shares have noise, and its absolute value a floor: with other noise price_board would read as .06 from itself.
    So the sign of each difference is taken from seven eighths of the draws and its size from the other one, all eight
    in turn; their product has no floor. What bias remains is downward and comes from differences that are smaller than
    their noise: below .005 against exact laws, see docs/structures.md.

    Args:
        a, b: a Rule, its name or the path of its file.
        mechanisms: mechanisms of one's own that the rules name, as `module:function`.

    Raises:
        ValueError: no such rule or mechanism.
    """
    first, second = assignments(load_rule(a), mechanisms), assignments(load_rule(b), mechanisms)
    apart = (first.astype(np.int32) - second) / (DRAWS * ECONOMY.jobs // ECONOMY.kinds)
    signs = np.sign(apart.sum(axis=0) - apart)
    return float(np.clip(0.5 * (signs * apart).sum(axis=(0, 3)).mean(), 0.0, 1.0))


def assignments(rule: Rule, mechanisms: tuple[str, ...] = ()) -> np.ndarray:
    """Jobs of each kind that nobody and each organization got, by fold of draws: int16 (FOLDS, STATES, K, 1 + N)."""
    return _drawn(replace(rule, name="", rationale=""), mechanisms)


@lru_cache(maxsize=_CACHED)
def _drawn(rule: Rule, mechanisms: tuple[str, ...]) -> np.ndarray:
    market = Market(rule, markets=STATES, economy=ECONOMY, mechanisms=mechanisms)
    market.reset(seed=_SEED)
    snapshot, actions = _arranged(market.snapshot())
    columns = 1 + ECONOMY.organizations
    bins = (np.arange(STATES)[:, None] * ECONOMY.kinds + snapshot["job_kinds"]) * columns
    counts = np.zeros((FOLDS, STATES * ECONOMY.kinds * columns), np.int16)
    for draw in range(DRAWS):
        snapshot["clock"][2] = draw  # the episode: other noise for the same state
        market.restore(snapshot)
        market.step(actions)
        counts[draw % FOLDS] += np.bincount((bins + 1 + market.winners).ravel(), minlength=counts.shape[1]).astype(
            np.int16
        )
    return counts.reshape(FOLDS, STATES, ECONOMY.kinds, columns)


def frozen_states() -> dict[str, np.ndarray]:
    """The states, boards and actions on which rules are compared, by name; STATES first, then (K,) N.

    Drawn independently over all that conduct and history could bring about, not from the play of any rule.
    """
    rng = np.random.default_rng(_SEED)
    n, k, j = ECONOMY.organizations, ECONOMY.kinds, ECONOMY.jobs

    def between(low: float, high: float, *shape: int) -> np.ndarray:
        return low + (high - low) * rng.random((STATES, *shape))

    return {
        "reputation": between(0.1, 1.0, n),
        "popularity": between(0.2, 4.0, n) ** 2,
        "capability": between(0.1, 0.95, k, n),
        "shock": between(-0.15, 0.15, k, n),
        "job_kinds": np.argsort(between(0, 1, j), axis=1, kind="stable") % k,
        "job_values": between(0.5, 1.5, j),
        "ask": between(0.2, 1.05, n),
        "effort": between(0.0, 1.0, n),
        "promotion": between(0.0, 1.0, n),
        "focus": between(-1.0, 1.0, n, k),
    }


def frozen_hash() -> str:
    """Sixteen hexadecimal digits of the frozen states and actions."""
    digest = hashlib.sha256()
    for name, array in sorted(frozen_states().items()):
        digest.update(name.encode() + np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:16]


def _arranged(snapshot: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A snapshot with the frozen states and boards in place of its own, and the frozen actions (STATES, N, A)."""
    frozen = frozen_states()
    state = state_view(np.moveaxis(snapshot["state"], 1, 0), ECONOMY.kinds)
    state.reputation[:], state.popularity[:] = frozen["reputation"], frozen["popularity"]
    capability = np.moveaxis(frozen["capability"], 1, 0)
    state.capability[:], state.initial[:] = capability, capability
    state.shock[:] = np.moveaxis(frozen["shock"], 1, 0)
    snapshot["job_kinds"][:], snapshot["job_values"][:] = frozen["job_kinds"], frozen["job_values"]
    conduct = {name: frozen[name].ravel() for name in ("ask", "effort", "promotion")}
    actions = to_action(**conduct, focus=frozen["focus"].reshape(-1, ECONOMY.kinds), kinds=ECONOMY.kinds)
    return snapshot, actions.reshape(STATES, ECONOMY.organizations, -1)
