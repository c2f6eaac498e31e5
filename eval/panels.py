"""Panels: frozen background populations, the same for every arm that they judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ruleshift.agents import Constant, Follower, Policy, PostedPrice
from ruleshift.envs import Economy


@dataclass(frozen=True)
class Panel:
    """A background population: half native specialists of the rule in force, half scripted organizations.

    A panel without natives is scripted throughout; a panel with natives needs one for every rule that it is used under.

    Raises:
        ValueError: there is no scripted policy.
    """

    scripted: tuple[Policy, ...]
    """Scripted policies, which take turns over the seats that they hold; at least one."""
    natives: Mapping[str, Policy] = field(default_factory=dict)
    """Specialist of each rule, by the rule's name, trained with a seed that no judged policy has."""

    def __post_init__(self) -> None:
        if not self.scripted:
            raise ValueError("panel: at least one scripted policy is needed")

    @property
    def description(self) -> str:
        """Who sits in the background, as tables and reports say it."""
        return "half native specialists, half scripted" if self.natives else "scripted organizations only"

    def seats(self, rule: str, focal: Policy, organizations: int, seat: int = 0) -> tuple[Policy, ...]:
        """Return the N policies of a market under `rule`, with `focal` in `seat`.

        Natives and scripted organizations alternate over the background seats, a native first.

        Args:
            rule: name of the rule in force.
            focal: the policy that is scored.
            organizations: number of seats, N.
            seat: the focal seat, 0 .. N - 1.

        Raises:
            ValueError: the panel has natives, but none of this rule.
        """
        if self.natives and rule not in self.natives:
            raise ValueError(f"panel: no native of the rule {rule}; it has natives of {', '.join(self.natives)}")
        background: list[Policy] = []
        for index in range(organizations - 1):
            native = bool(self.natives) and index % 2 == 0
            background.append(self.natives[rule] if native else self._scripted(index))
        return (*background[:seat], focal, *background[seat:])

    def _scripted(self, index: int) -> Policy:
        return self.scripted[(index // 2 if self.natives else index) % len(self.scripted)]


def scripted_panel(economy: Economy | None = None) -> Panel:
    """Return a panel of a posted price, a follower of the public winner statistics and a constant, without natives."""
    economy = economy or Economy()
    return Panel((PostedPrice(economy=economy), Follower(economy=economy), Constant()))
