"""`check_market` and `inspect_market`: check that a PettingZoo environment keeps its promises in every round.

The official checkers read a single step, or check neither bounds nor NaN. This one plays whole episodes many times,
each time with another disturbance, and compares them. A check is one small function with the decorator
`registry.check`, in the module of its theme:

- `spaces`: agents, spaces, observations and the global state;
- `protocol`: what calls return, when an episode ends, and what is refused;
- `ledger`: the numbers in a market's infos;
- `meaning`: what actions do and observations say;
- `rules`: a market's rule and its schedule;
- `determinism`: what a trajectory depends on;
- `isolation`: what is shared with the caller, other instances and the process.

Any parallel environment can be checked. What only a market promises is checked if there is an attribute `economy` with
`organizations`, `jobs`, `capacity` and `rounds`, and if infos hold at least `LEDGER_KEYS`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pettingzoo import AECEnv

from ruleshift.envs.checker import determinism, isolation, ledger, meaning, protocol, rules, spaces
from ruleshift.envs.checker.registry import CHECKS
from ruleshift.envs.checker.report import EnvironmentFailed, Finding, MarketError, Report, Unchecked
from ruleshift.envs.checker.subject import LEDGER_KEYS, Subject

__all__ = [
    "CHECKS",
    "LEDGER_KEYS",
    "THEMES",
    "Finding",
    "MarketError",
    "Report",
    "Unchecked",
    "check_market",
    "inspect_market",
]

THEMES = (spaces, protocol, ledger, meaning, rules, determinism, isolation)
"""The modules that hold checks, in the order in which these are made."""
_NEEDED = ("possible_agents", "reset", "step", "observation_space", "action_space")


def check_market(market: Any, *, episodes: int = 2, seed: int = 0, rounds: int = 200, processes: bool = True) -> None:
    """Check that an environment keeps its promises; see `inspect_market` for the arguments.

    Raises:
        TypeError: if it is not a parallel environment.
        MarketError: if it breaks a promise; lists all that was found.
    """
    report = inspect_market(market, episodes=episodes, seed=seed, rounds=rounds, processes=processes)
    if report.findings:
        raise MarketError(report)


def inspect_market(
    market: Any,
    *,
    episodes: int = 2,
    seed: int = 0,
    rounds: int = 200,
    processes: bool = True,
    only: Iterable[str] = (),
) -> Report:
    """Make all checks of an environment and return what they found.

    Args:
        market: a function or class that makes a PettingZoo ParallelEnv or, for fewer checks, such an environment.
        episodes: number of episodes in each play, from 1.
        seed: seed of the environment and of the actions, from 0.
        rounds: number of rounds after which an episode is left if it has not ended before.
        processes: whether to play the environment in other processes too, which takes seconds to start.
        only: names of the checks to make, from `CHECKS`; by default all of them.

    Raises:
        TypeError: if it is not a parallel environment.
        ValueError: if a number is out of range or a check is unknown.
    """
    for name, number, least in (("episodes", episodes, 1), ("seed", seed, 0), ("rounds", rounds, 1)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ValueError(f"{name} is {number!r}; it must be a whole number from {least}")
    chosen = _chosen(only)
    is_factory = isinstance(market, type) or (callable(market) and not hasattr(market, "step"))
    make: Callable[..., Any] = market if is_factory else lambda: market
    subject = Subject(make, is_factory, seed, episodes, rounds, processes, isolation.process_state())
    with isolation.generators():
        return _inspect(subject, chosen)


def _chosen(only: Iterable[str]) -> list[str]:
    names = list(only) or [each.kind for theme in THEMES for each in CHECKS.values() if each.theme == theme.__name__]
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise ValueError(f"only: {unknown[0]!r} is none of {', '.join(CHECKS)}")
    return names


def _inspect(subject: Subject, chosen: list[str]) -> Report:
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    checked: list[str] = []
    try:
        _require_parallel(subject)
        plays = bool(subject.plain.calls)
    except EnvironmentFailed as failed:
        return Report((Finding("calls", failed.where, failed.what),), (), ("calls",))
    for name in chosen if plays else ["calls"]:
        found, reason = CHECKS[name].run(subject)
        findings += found
        if reason is not None:
            unchecked.append(reason)
        if reason is None or found:
            checked.append(name)
    if not plays:
        unchecked += [Unchecked(name, "the environment cannot be reset") for name in chosen if name != "calls"]
    return Report(tuple(findings), tuple(unchecked), tuple(checked))


def _require_parallel(subject: Subject) -> None:
    env = subject.env
    if isinstance(env, AECEnv):
        raise TypeError("check_market: give the parallel market, not its AEC view")
    missing = [name for name in _NEEDED if not hasattr(env, name)]
    if missing:
        raise TypeError(f"check_market: {type(env).__name__} is no ParallelEnv: it has no {missing[0]}")
