"""Where policies are scored: one focal seat among a frozen panel, in every economy, against every panel."""

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
"""The seat that is scored."""


@dataclass(frozen=True)
class Deployment:
    """Plays policies of a study in its groups of markets.

    `natives(panel, rule name)` is the native of a rule in a panel.
    """

    design: Design
    natives: Callable[[int, str], Policy]

    def seats(
        self, economy: Economy, panel: int, rule: str, focal: Policy, *, aware: bool = False
    ) -> tuple[Policy, ...]:
        """Who sits where. Where the rule is disclosed to the focal seat, natives go on without reading it."""
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
        """One episode of each group's markets; groups of equally many rounds are played at once.

        Args:
            focal: by group, the policy in the focal seat, by name of the rule in force.
            rule: name of the rule in force at the start.
            shift: by economy, what comes in mid-episode, with the natives of its rule.
            aware: whether the rule is disclosed to the focal seat.
            seed: of the markets; the preset's evaluation seed where None.
        """
        economies = self.design.economies
        return self.run(
            [self._setup(group, focal(group), rule, shift(economies[group.economy]), aware) for group in groups], seed
        )

    def run(self, setups: Sequence[MarketSetup], seed: int | None = None) -> list[Played]:
        """One episode of each set-up; those of equally many rounds are played at once."""
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
            shift = Shift(at=shift.at, to=disclosed(shift.to, aware), notice=shift.notice)
        return MarketSetup(
            rule=disclosed(self.design.rule(rule), aware),
            seats=self.seats(economy, group.panel, rule, focal[rule], aware=aware),
            economy=economy,
            markets=self.design.preset.markets,
            first_market=group.first_market,
            schedule=() if shift is None else (shift,),
            successors=successors,
        )

    def frozen(
        self, policy: Policy | Callable[[EvaluationGroup], Policy], rule: str, protocol: str, **options: Any
    ) -> list[Entry]:
        """Entries of a policy that does not learn, under one rule throughout: its return, and its conduct early and
        late in the episode.

        Args:
            policy: one for all groups, or for each its own.
            options: of `play`.
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
        """Groups of markets with a learner in the focal seat.

        Args:
            groups: economy, panel and first market of each.
            markets: of each group.
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
                    rule=disclosed(self.design.rule(rule), aware),
                    economy=economy,
                    seats=Seats((FOCAL,), background),
                    markets=markets,
                    first_market=first_market,
                )
            )
        return found


def conduct(played: Played) -> dict[str, float]:
    """What the focal seat did in the first and in the last tenth of the episode."""
    tenth = max(len(played.conduct) // 10, 1)
    early, late = played.conduct[:tenth].mean(axis=0), played.conduct[-tenth:].mean(axis=0)
    values = {f"{name}_early": float(value) for name, value in zip(CONDUCT, early, strict=True)}
    return values | {f"{name}_late": float(value) for name, value in zip(CONDUCT, late, strict=True)}


def disclosed(rule: Rule, aware: bool) -> Rule:
    """The rule, disclosed in full where the focal organization is aware of it."""
    return rule.replace(**{"disclosure.level": "full"}) if aware else rule


@lru_cache(maxsize=256)
def _undisclosed(policy: Policy) -> Policy:
    """One wrapper a policy, so that seats which share a policy share a call."""
    return Undisclosed(policy)
