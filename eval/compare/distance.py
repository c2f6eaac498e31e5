"""Distance of two rules: how differently they match, state by state.

The distance is the total variation between the probabilities of who serves a job of a kind, under one rule and under
the other, averaged over kinds and over 4,096 frozen states and actions. It ignores payment, feedback and disclosure,
which do not change the matching of the current round; `regret` measures what a whole rule does to conduct.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ruleshift.envs import Economy, Market, Rule, load_rule
from ruleshift.envs.act import to_action
from ruleshift.envs.layout import state_view

STATES, DRAWS, FOLDS = 4096, 128, 8
"""Number of frozen states, of draws in each, and of the groups into which the draws are split."""
FROZEN = "c3887643581fc79e"
"""Content hash of the frozen states and actions."""
ECONOMY = Economy(organizations=4, jobs=6, kinds=3, capacity=2, demand="even")
"""Economy in which rules are compared."""
_SEED = 20_240_701
_CACHED = 64  # number of rules whose draws are kept in memory, one megabyte each


def rule_distance(a: Rule | str, b: Rule | str, *, mechanisms: tuple[str, ...] = ()) -> float:
    """Mean total variation between the assignment probabilities of two rules, from 0 (alike) to 1; symmetric.

    Probabilities are estimated as shares of 128 draws in which both rules meet the same noise, so rules that match
    alike are at distance exactly 0. Taking absolute differences of noisy shares would put a floor under the distance:
    with other noise, price_board would be .06 from itself. So the sign of each difference is taken from seven eighths
    of the draws and its size from the last eighth, for each eighth in turn; their product has no floor. The remaining
    bias is downward and comes from differences smaller than their noise; it is below .005 against exact probabilities,
    see docs/structures.md.

    Args:
        a, b: a Rule, its name or the path of its file.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.

    Raises:
        ValueError: there is no such rule or mechanism.
    """
    first, second = assignments(load_rule(a), mechanisms), assignments(load_rule(b), mechanisms)
    apart = (first.astype(np.int32) - second) / (DRAWS * ECONOMY.jobs // ECONOMY.kinds)
    signs = np.sign(apart.sum(axis=0) - apart)
    return float(np.clip(0.5 * (signs * apart).sum(axis=(0, 3)).mean(), 0.0, 1.0))


def assignments(rule: Rule, mechanisms: tuple[str, ...] = ()) -> np.ndarray:
    """Number of jobs of each kind that nobody and each organization won, int16 (FOLDS, STATES, K, 1 + N)."""
    return _drawn(replace(rule, name="unnamed", rationale=""), mechanisms)


@lru_cache(maxsize=_CACHED)
def _drawn(rule: Rule, mechanisms: tuple[str, ...]) -> np.ndarray:
    market = Market(rule, markets=STATES, economy=ECONOMY, mechanisms=mechanisms)
    market.reset(seed=_SEED)
    snapshot, actions = _arranged(market.snapshot())
    columns = 1 + ECONOMY.organizations
    bins = (np.arange(STATES)[:, None] * ECONOMY.kinds + snapshot["job_kinds"]) * columns
    counts = np.zeros((FOLDS, STATES * ECONOMY.kinds * columns), np.int16)
    for draw in range(DRAWS):
        snapshot["clock"][2] = draw  # another episode, so the same state meets other noise
        market.restore(snapshot)
        market.step(actions)
        counts[draw % FOLDS] += np.bincount((bins + 1 + market.winners).ravel(), minlength=counts.shape[1]).astype(
            np.int16
        )
    return counts.reshape(FOLDS, STATES, ECONOMY.kinds, columns)


def frozen_states() -> dict[str, np.ndarray]:
    """The states, job boards and actions on which rules are compared, by name.

    Organizations' values have the shape (STATES, N), (STATES, K, N) or, for `focus`, (STATES, N, K), and jobs' values
    (STATES, J). They are drawn independently over all that conduct and history could bring about, not from the play of
    any rule.
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
    """Content hash of the frozen states and actions, sixteen hexadecimal digits; it must equal `FROZEN`."""
    digest = hashlib.sha256()
    for name, array in sorted(frozen_states().items()):
        digest.update(name.encode() + np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()[:16]


def _arranged(snapshot: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Put the frozen states and boards into a snapshot, and return it with the frozen actions (STATES, N, A)."""
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
