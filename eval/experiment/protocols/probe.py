"""Probe: what a policy knows of the rule, read from its last hidden layer, and what it earns with the rule hidden.

A linear reading of the layer is fitted under rules that are drawn from the training part of the structure, one for each
market, and scored under the held-out rules. The layer holds what the policy has made of its observation and of its
memory, so that what is read is what its conduct could have used. In both kinds of market scripted organizations hold
the other seats, since there are no natives of so many training rules: only the rule differs.

An arm to which the rule is disclosed is also played with the rule hidden, in the markets of the protocol `frozen`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ruleshift.agents import Policy
from ruleshift.agents.policy import Memory
from ruleshift.envs import Economy, Rule, Structure
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.context import Context, training_cell
from ruleshift.eval.experiment.deployment import FOCAL, Deployment
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol, episode_seconds
from ruleshift.eval.experiment.protocols.training import missing_natives
from ruleshift.eval.experiment.ridge import Reading, fit_reading
from ruleshift.eval.panels import scripted_panel
from ruleshift.eval.play import MarketSetup

RULES = 512
"""Number of training rules under which readings are fitted, shared out over the economies."""
ROUNDS = (0, 1, 2, 4, 8, 16, 32)
"""Rounds that have been played when a policy is asked what it knows; it is asked once more in its last round."""
LEAST_VARIANCE = 1e-9
"""A feature of the rule that varies less than this over training rules cannot be learned, and is not asked for."""


class Watched(Policy):
    """A policy that acts as another one does, while what that one carries is noted in certain rounds of one episode.

    Args:
        policy: the policy that acts.
        rounds: numbers of the rounds, rising from 0 for the first.
    """

    def __init__(self, policy: Policy, rounds: Sequence[int]) -> None:
        self._policy, self._rounds, self._round = policy, rounds, 0
        self.uses_noise = policy.uses_noise
        self.hidden_layers: list[np.ndarray] = []
        """Its hidden layer (n, W) in each of the rounds so far."""
        self.names: list[np.ndarray] = []
        """What it named (n, F) in each of these; empty if it names nothing."""

    def initial_memory(self, count: int) -> Memory:
        return self._policy.initial_memory(count)

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        if self._round in self._rounds:
            inputs = self._policy.inputs(observations, memory)
            self.hidden_layers.append(self._policy.hidden(inputs))
            named = self._policy.named(inputs)
            if named is not None:
                self.names.append(named)
        self._round += 1
        return self._policy.act(observations, memory, noise)


@dataclass(frozen=True)
class ProbedMarkets:
    """Markets of one economy under a rule, or of a structure that each draws its own rule from."""

    rule: Rule | Structure
    """The rule, or the structure."""
    economy: Economy
    """The economy."""
    markets: int
    """Number of markets, M."""
    first_market: int
    """Number of the first market."""

    def features(self, seed: int) -> np.ndarray:
        """Features (M, F) of the rule in force in each market."""
        if isinstance(self.rule, Rule):
            return np.tile(self.rule.features(), (self.markets, 1))
        numbers = range(self.first_market, self.first_market + self.markets)
        return np.array([self.rule.draw(seed, number, 0).features() for number in numbers])


def cells(design: Design) -> Iterator[Cell]:
    """One cell per trained arm, home and seed."""
    natives = missing_natives(design, [rule.name for rule in design.held_out])
    for seed in design.preset.seeds:
        for arm in design.arms.values():
            if arm.is_trained:
                for home in design.homes_of(arm):
                    needs = (*(natives if arm.aware else ()), training_cell(arm, home, seed))
                    yield Cell("probe", arm.name, home, seed=seed, needs=needs)


def training_markets(design: Design, *, aware: bool) -> list[ProbedMarkets]:
    """The markets in which readings are fitted, a training rule each; no other market has their numbers."""
    structure = design.structure.disclosed() if aware else design.structure
    count, first = markets_by_economy(design), 2 * len(design.groups) * design.preset.markets
    return [
        ProbedMarkets(structure, economy, count, first + number * count)
        for number, economy in enumerate(design.economies)
    ]


def markets_by_economy(design: Design) -> int:
    """Number of training rules in each economy."""
    return max(RULES // len(design.economies), 3)


def held_out_markets(design: Design, target: Rule, *, aware: bool) -> list[ProbedMarkets]:
    """The markets in which readings are scored under a held-out rule: those of the first panel, by economy."""
    rule = target.disclosed() if aware else target
    return [
        ProbedMarkets(rule, design.economies[group.economy], design.preset.markets, group.first_market)
        for group in design.groups
        if group.panel == 0
    ]


@dataclass(frozen=True)
class Carried:
    """What a policy carries in the focal seat of some markets, at each of `ROUNDS` and in its last round, R in all."""

    hidden: np.ndarray
    """(R, M, W) its last hidden layer."""
    named: np.ndarray | None
    """(R, M, F) what it names the features of the rule to be; None if it names nothing."""


def carried(policy: Policy, markets: Sequence[ProbedMarkets], deployment: Deployment) -> list[Carried]:
    """What a policy carries in each set of markets, in the same order; all with as many rounds are played at once."""
    found: dict[int, Carried] = {}
    for rounds in sorted({each.economy.rounds for each in markets}):
        own = {index: each for index, each in enumerate(markets) if each.economy.rounds == rounds}
        watched = Watched(policy, (*ROUNDS, rounds - 1))
        deployment.run([_setup(each, watched) for each in own.values()])
        ends = np.cumsum([each.markets for each in own.values()])[:-1]
        hidden = np.split(np.array(watched.hidden_layers), ends, axis=1)
        named = np.split(np.array(watched.names), ends, axis=1) if watched.names else [None] * len(own)
        found |= zip(own, map(Carried, hidden, named), strict=True)
    return [found[index] for index in range(len(markets))]


def _setup(markets: ProbedMarkets, focal: Policy) -> MarketSetup:
    economy = markets.economy
    seats = scripted_panel(economy).seats("", focal, economy.organizations, FOCAL)
    return MarketSetup(markets.rule, seats, economy, markets.markets, markets.first_market)


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return what is read of each held-out rule, what is named, and what an arm that is aware earns when it is not."""
    design, aware = context.design, context.design.arms[cell.arm].aware
    policy = context.policy(cell)
    entries = knowledge(policy, context, aware=aware)
    for target in design.held_out if aware else ():
        entries += context.deployment.frozen(policy, target.name, "undisclosed")
    return entries


def knowledge(policy: Policy, context: Context, *, aware: bool = False) -> list[Entry]:
    """What is read from a policy of each held-out rule, and what it names, if it does.

    By economy, `r2` is 1 minus the squared error in the last round over the variance over training rules, both summed
    over the features that vary there; `r2_of_mean` is the same for the mean of the training rules, which is what
    somebody knows who has seen nothing of the rule; in `r2_of_features` each feature has the same weight whatever its
    variance. `coverage` is the share of features inside the nominal 80% intervals of the reading. In each further
    entry, `slope` is that of the truth on what was read, both less the mean of the training rules (1 if it is
    calibrated, 0 if the mean is all that is read), `spread` is the mean square of the latter over the variance over
    training rules, and the profile is `r2` by round.

    Args:
        policy: the policy, in the focal seat.
        context: the study.
        aware: whether the rule is disclosed.

    Raises:
        ValueError: all training rules are alike.
    """
    design = context.design
    training = training_markets(design, aware=aware)
    features = np.concatenate([each.features(design.preset.evaluation_seed) for each in training])
    asked = features.var(axis=0) > LEAST_VARIANCE
    if not asked.any():
        raise ValueError(f"probe: all rules that {design.structure.name} trains are alike, so there is none to read")
    held_out = [held_out_markets(design, target, aware=aware) for target in design.held_out]
    found = iter(carried(policy, [*training, *(each for own in held_out for each in own)], context.deployment))
    seen = np.concatenate([next(found).hidden for _ in training], axis=1)
    readings = [fit_reading(layer, features[:, asked]) for layer in seen]
    entries: list[Entry] = []
    for target, markets in zip(design.held_out, held_out, strict=True):
        own = [next(found) for _ in markets]
        truth = target.features()[asked].astype(np.float64)
        read = [np.array([r.read(at) for r, at in zip(readings, each.hidden, strict=True)]) for each in own]
        entries += _scored("probe", target.name, read, truth, readings[-1])
        named = [each.named[:, :, asked].clip(0.0, 1.0) for each in own if each.named is not None]
        if named:
            entries += _scored("naming", target.name, named, truth, readings[-1])
    return entries


def _scored(protocol: str, target: str, read: Sequence[np.ndarray], truth: np.ndarray, reading: Reading) -> list[Entry]:
    """The entries for what was read, (R, M, F) in each economy, of a rule whose features (F,) are the truth."""
    whole = reading.variance.sum()
    by_round = np.array([1 - ((each - truth) ** 2).sum(axis=2).mean(axis=1) / whole for each in read])  # (E, R)
    of_mean = float(1 - ((reading.mean - truth) ** 2).sum() / whole)
    entries = []
    for economy, each in enumerate(read):
        missed = truth - each[-1]
        of_features = float(1 - (missed**2 / reading.variance).mean())
        values = {"r2": float(by_round[economy, -1]), "r2_of_mean": of_mean, "r2_of_features": of_features}
        if protocol == "probe":
            values["coverage"] = float(((reading.low <= missed) & (missed <= reading.high)).mean())
        entries.append(Entry(target, protocol, values, 0, economy))
    told = np.array([each[-1] - reading.mean for each in read])
    spread, along = (float((told * each).sum(axis=2).mean() / whole) for each in (told, truth - reading.mean))
    calibration = {"spread": spread, "slope": along / spread} if spread > 1e-9 else {"spread": 0.0, "slope": 0.0}
    return [*entries, Entry(target, f"{protocol}_profile", calibration, profile=tuple(by_round.mean(axis=0).tolist()))]


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes for the training rules, the held-out ones, and these again with the rule hidden."""
    rules = len(design.held_out)
    again = rules if design.arms[cell.arm].aware else 0
    return (
        1.0
        + 6 * episode_seconds(design, 1)
        + rules * episode_seconds(design, 1)
        + again * episode_seconds(design, len(design.preset.panel_seeds))
    )


PROTOCOL = Protocol("probe", cells, compute, seconds)
