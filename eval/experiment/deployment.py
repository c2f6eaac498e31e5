"""Deployment: policies are scored in one focal seat among a frozen panel, in every economy and against every panel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ruleshift.agents import Constant, Policy, Undisclosed
from ruleshift.agents.seats import Seats
from ruleshift.envs import Economy, Rule, Shift
from ruleshift.eval.experiment.cell import Entry
from ruleshift.eval.experiment.design import Design, EvaluationGroup
from ruleshift.eval.panels import Panel, scripted_panel
from ruleshift.eval.play import CONDUCT, MarketSetup, Played, play_all

if TYPE_CHECKING:
    from ruleshift.train.groups import MarketGroup

FOCAL = 0
"""Index of the seat that is scored."""


@dataclass(frozen=True)
class Deployment:
    """Plays the policies of a study in its groups of markets."""

    design: Design
    """Design of the study."""
    natives: Callable[[int, str], Policy]
    """Function from the number of a panel and the name of a rule to the native of that rule in that panel."""

    def seats(
        self, economy: Economy, panel: int, rule: str, focal: Policy, *, aware: bool = False
    ) -> tuple[Policy, ...]:
        """Return the N policies of a market under a rule. Natives never read the rule, even if the focal seat does.

        Args:
            economy: economy of the market.
            panel: number of the panel.
            rule: name of the rule in force.
            focal: the policy that is scored.
            aware: whether the rule is disclosed to the focal seat.
        """
        native = self.natives(panel, rule)
        background = Panel(scripted_panel(economy).scripted, {rule: _undisclosed(native) if aware else native})
        return background.seats(rule, focal, economy.organizations, FOCAL)

    def play(
        self,
        groups: Sequence[EvaluationGroup],
        focal: Callable[[EvaluationGroup], Mapping[str, Policy]],
        rule: str,
        shift: Callable[[Economy], Shift | None] = lambda economy: None,
        *,
        aware: bool = False,
        seed: int | None = None,
    ) -> list[Played]:
        """Play one episode of each group's markets; groups with the same number of rounds are played at once.

        Args:
            groups: the groups of markets.
            focal: function from a group to the policies in the focal seat, by name of the rule in force.
            rule: name of the rule in force at the start.
            shift: function from an economy to the shift in mid-episode, or None; natives change with the rule.
            aware: whether the rule is disclosed to the focal seat.
            seed: seed of the markets; the preset's evaluation seed if None.

        Returns:
            The outcome of each group, in the same order.
        """
        economies = self.design.economies
        return self.run(
            [self._setup(group, focal(group), rule, shift(economies[group.economy]), aware) for group in groups], seed
        )

    def run(self, setups: Sequence[MarketSetup], seed: int | None = None) -> list[Played]:
        """Play one episode of each set-up; those with the same number of rounds are played at once."""
        preset = self.design.preset
        seed = preset.evaluation_seed if seed is None else seed
        played: dict[int, Played] = {}
        for rounds in sorted({setup.economy.rounds for setup in setups}):
            alike = [index for index, setup in enumerate(setups) if setup.economy.rounds == rounds]
            found = play_all([setups[index] for index in alike], seed=seed, mechanisms=preset.mechanisms, focal=FOCAL)
            played |= zip(alike, found, strict=True)
        return [played[index] for index in range(len(setups))]

    def _setup(
        self, group: EvaluationGroup, focal: Mapping[str, Policy], rule: str, shift: Shift | None, aware: bool
    ) -> MarketSetup:
        economy, successors = self.design.economies[group.economy], {}
        if shift is not None and not shift.placebo:
            assert isinstance(shift.to, Rule)
            to = shift.to.name
            successors = {shift.at: self.seats(economy, group.panel, to, focal[to], aware=aware)}
            shift = Shift(at=shift.at, to=shift.to.disclosed() if aware else shift.to, notice=shift.notice)
        return MarketSetup(
            rule=self._shown(rule, aware),
            seats=self.seats(economy, group.panel, rule, focal[rule], aware=aware),
            economy=economy,
            markets=self.design.preset.markets,
            first_market=group.first_market,
            schedule=() if shift is None else (shift,),
            successors=successors,
        )

    def _shown(self, rule: str, aware: bool) -> Rule:
        """Return a rule of the study by its name, with disclosure in full if the focal organization is aware of it."""
        found = self.design.rule(rule)
        return found.disclosed() if aware else found

    def frozen(
        self, policy: Policy | Callable[[EvaluationGroup], Policy], rule: str, protocol: str, **options: Any
    ) -> list[Entry]:
        """Score a policy that does not learn, under one rule throughout.

        Args:
            policy: one policy for all groups, or a function from a group to its policy.
            rule: name of the rule.
            protocol: name of the measurement, for the entries.
            options: further arguments of `play`.

        Returns:
            One entry per group: the return, and the conduct early and late in the episode.
        """
        groups = self.design.groups

        def focal(group: EvaluationGroup) -> Mapping[str, Policy]:
            return {rule: policy if isinstance(policy, Policy) else policy(group)}

        return [
            Entry(rule, protocol, {"return": float(played.focal.mean()), **conduct(played)}, group.panel, group.economy)
            for group, played in zip(groups, self.play(groups, focal, rule, **options), strict=True)
        ]

    def learning(
        self, rule: str, groups: Sequence[tuple[Economy, int, int]], markets: int, *, aware: bool = False
    ) -> "list[MarketGroup]":
        """Return groups of markets with a learner in the focal seat.

        Args:
            rule: name of the rule.
            groups: economy, number of the panel and number of the first market of each group.
            markets: number of markets of each group.
            aware: whether the rule is disclosed to the focal seat.
        """
        from ruleshift.train.groups import MarketGroup

        found = []
        for economy, panel, first_market in groups:
            policies = self.seats(economy, panel, rule, Constant(), aware=aware)
            held: dict[int, list[int]] = {}
            for seat, policy in enumerate(policies):
                if seat != FOCAL:
                    held.setdefault(id(policy), []).append(seat)
            background = tuple((policies[seats[0]], tuple(seats)) for seats in held.values())
            found.append(
                MarketGroup(
                    rule=self._shown(rule, aware),
                    economy=economy,
                    seats=Seats((FOCAL,), background),
                    markets=markets,
                    first_market=first_market,
                )
            )
        return found


def conduct(played: Played) -> dict[str, float]:
    """Mean ask, effort and promotion of the focal seat in the first and in the last tenth of the episode, by name."""
    tenth = max(len(played.conduct) // 10, 1)
    early, late = played.conduct[:tenth].mean(axis=0), played.conduct[-tenth:].mean(axis=0)
    values = {f"{name}_early": float(value) for name, value in zip(CONDUCT, early, strict=True)}
    return values | {f"{name}_late": float(value) for name, value in zip(CONDUCT, late, strict=True)}


@lru_cache(maxsize=256)
def _undisclosed(policy: Policy) -> Policy:
    """Wrap each policy once, so that seats which share a policy share a call."""
    return Undisclosed(policy)
