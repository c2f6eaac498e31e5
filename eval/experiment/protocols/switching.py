"""Changes in mid-episode beyond a single abrupt one: how far frozen policies fall below the unshifted twin.

The rule changes abruptly, periodically, in small steps or at random rounds, and each of these hidden, announced, or
announced falsely, while it stays the same. All runs share the same noise, and the rivals stay natives of the home rule,
so that nothing but the rule changes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ruleshift.envs import Economy, Rule, Shift
from ruleshift.envs.schedule import drift, periodic, placebo
from ruleshift.eval.claims.recovery import NOTICES, SWITCHING
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.design import PRIMARY, Design, EvaluationGroup
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.rivals import met
from ruleshift.eval.experiment.protocols.shift import NOTICE
from ruleshift.eval.experiment.protocols.training import missing_natives
from ruleshift.eval.play import MarketSetup

ARMS = (*PRIMARY, "noticed+memory")
"""Arms that meet such changes, where the study has them."""
STEPS = 5
"""Steps of a drift."""
CHANGES = 4
"""Changes of an episode that are expected where the rule changes at random rounds."""
RECOVERED = 0.8
"""Share of what the twin earns from which on an organization counts as recovered."""


def abrupt(home: Rule, target: Rule, rounds: int, rng: np.random.Generator) -> tuple[Shift, ...]:
    """One change in the middle of the episode."""
    return (Shift(at=rounds // 2, to=target),)


def periodical(home: Rule, target: Rule, rounds: int, rng: np.random.Generator) -> tuple[Shift, ...]:
    """Home rule and target in turn, each for a quarter of the episode."""
    return periodic([target, home], -(-rounds // 4), rounds)


def drifting(home: Rule, target: Rule, rounds: int, rng: np.random.Generator) -> tuple[Shift, ...]:
    """From the home rule to the target in five equal steps, between the first and the last quarter of the episode."""
    return drift(home, target, rounds // 4, 3 * rounds // 4, STEPS)


def random(home: Rule, target: Rule, rounds: int, rng: np.random.Generator) -> tuple[Shift, ...]:
    """Home rule and target in turn, a change in each round with the same probability: four an episode on average."""
    at = 1 + np.flatnonzero(rng.random(rounds - 1) < CHANGES / rounds)
    return tuple(Shift(int(each), target if turn % 2 == 0 else home) for turn, each in enumerate(at))


Pattern = Callable[[Rule, Rule, int, np.random.Generator], tuple[Shift, ...]]
PATTERNS: dict[str, Pattern] = {"abrupt": abrupt, "periodic": periodical, "drifting": drifting, "random": random}
"""Patterns of change by name: functions from home rule, target, rounds of the episode and a generator to shifts."""


def cells(design: Design) -> Iterator[Cell]:
    """One cell per home rule, seed and arm of `ARMS`."""
    for home in design.homes:
        natives = missing_natives(design, [home.name])
        for seed in design.preset.seeds:
            for arm in design.arms.values():
                if arm.name in ARMS:
                    needs = (*natives, training_cell(arm, home.name, seed))
                    yield Cell(SWITCHING, arm.name, home.name, seed=seed, needs=needs)


def schedule(pattern: str, notice: str, home: Rule, target: Rule, economy: Economy, seed: int) -> tuple[Shift, ...]:
    """The shifts of an episode.

    Args:
        pattern: one of `PATTERNS`.
        notice: one of `NOTICES`.
        home: the rule at the start.
        target: the rule that it changes to.
        economy: of the market, for its number of rounds.
        seed: of the rounds of random changes, which are the same for all arms.
    """
    rng = np.random.default_rng((seed, economy.rounds))
    shifts = PATTERNS[pattern](home, target, economy.rounds, rng)
    if notice == "hidden":
        return shifts
    announced = tuple(replace(shift, notice=min(NOTICE, shift.at)) for shift in shifts)
    return placebo(announced) if notice == "false" else announced


def recovery(own: Sequence[float] | np.ndarray, twin: Sequence[float] | np.ndarray, window: int) -> int:
    """Rounds after a change until an organization has recovered, of R; R if it has not at the end.

    It has once its mean over `window` rounds stays at no less than 80 % of its twin's, or above it by as much of the
    size where the twin makes a loss.

    Args:
        own: (R,) profit in each round after the change.
        twin: (R,) profit of the same policy where the new rule was in force all along.
        window: rounds that a mean is taken over, 1 .. R.
    """
    weights = np.full(window, 1 / window)
    earned, aim = (np.convolve(each, weights, "valid") for each in (own, twin))
    behind = np.flatnonzero(earned < aim - (1 - RECOVERED) * np.abs(aim) - 1e-12)
    if len(behind) == 0:
        return 0
    return len(own) if behind[-1] == len(earned) - 1 else int(behind[-1]) + 1


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry per target and group of the first panel, with the measures of each `PATTERN_NOTICE`.

    These are `PATTERN_NOTICE_regret`, the profit that the episode falls short of that of the twin without a change,
    `PATTERN_NOTICE_lost`, the same per round, and for the abrupt ones that happen `abrupt_NOTICE_recovery`, the rounds
    until `recovery` over those after the change.
    """
    design = context.design
    groups = [group for group in design.groups if group.panel == 0]
    targets = met(design, cell.home)
    twin = _play(cell, context, groups, cell.home)
    entries: list[Entry] = []
    for done, name in enumerate(targets):
        context.on_progress(done / len(targets))
        settled = _play(cell, context, groups, name)
        values: list[dict[str, float]] = [{} for _ in groups]
        for pattern in PATTERNS:
            for notice in NOTICES:
                played = _play(cell, context, groups, cell.home, name, pattern, notice)
                for held, own, unshifted, after in zip(values, played, twin, settled, strict=True):
                    held |= _measures(pattern, notice, own, unshifted, after)
        for group, held in zip(groups, values, strict=True):
            entries.append(Entry(name, SWITCHING, held, group.panel, group.economy))
    return entries


def _measures(pattern: str, notice: str, own: np.ndarray, twin: np.ndarray, settled: np.ndarray) -> dict[str, float]:
    regret, rounds = float((twin - own).sum()), len(own)
    found = {f"{pattern}_{notice}_regret": regret, f"{pattern}_{notice}_lost": regret / rounds}
    if pattern == "abrupt" and notice != "false":
        at = rounds // 2
        taken = recovery(own[at:], settled[at:], max(rounds // 10, 1))
        found[f"{pattern}_{notice}_recovery"] = taken / (rounds - at)
    return found


def _play(
    cell: Cell,
    context: Context,
    groups: Sequence[EvaluationGroup],
    rule: str,
    target: str = "",
    pattern: str = "",
    notice: str = "",
) -> list[np.ndarray]:
    """Profit (T,) of the focal seat in each round, in each group, from the rule on; without a target it stays."""
    design = context.design
    aware = design.arms[cell.arm].aware

    def shown(name: str) -> Rule:
        return design.rule(name).disclosed() if aware else design.rule(name)

    setups = []
    for group in groups:
        economy = design.economies[group.economy]
        seats = context.deployment.seats(economy, group.panel, cell.home, context.policy(cell), aware=aware)
        seed = design.preset.evaluation_seed
        shifts = schedule(pattern, notice, shown(rule), shown(target), economy, seed) if target else ()
        setups.append(MarketSetup(shown(rule), seats, economy, design.preset.markets, group.first_market, shifts))
    return [played.focal.mean(axis=0) for played in context.deployment.run(setups)]


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for the twin, and for each target that stays and in each pattern and notice."""
    episodes = 1 + (1 + len(PATTERNS) * len(NOTICES)) * len(met(design, cell.home))
    return episodes * episode_seconds(design, panels=1)


PROTOCOL = Protocol(SWITCHING, cells, compute, seconds)
