"""Panels: frozen background populations, the same for every arm that they judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ruleshift.agents import Constant, Follower, Policy, PostedPrice
from ruleshift.envs import Economy


@dataclass(frozen=True)
class Panel:
    """Half native specialists of the rule in force, half scripted.

    `natives` maps the name of a rule to a specialist of it, trained with a seed that no judged policy has. A panel
    without natives is scripted throughout; a panel with natives knows every rule that it is asked for.
    """

    scripted: tuple[Policy, ...]
    natives: Mapping[str, Policy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.scripted:
            raise ValueError("panel: at least one scripted policy is needed")

    @property
    def description(self) -> str:
        """In words, for tables and reports."""
        return "half native specialists, half scripted" if self.natives else "scripted organizations only"

    def seats(self, rule: str, focal: Policy, organizations: int, seat: int = 0) -> tuple[Policy, ...]:
        """The N policies of a market under `rule`, with `focal` in `seat`.

        Natives and scripted organizations alternate over the background seats, a native first.

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
    """A posted price, a follower of the public winner statistics and a constant conduct, and no natives."""
    economy = economy or Economy()
    return Panel((PostedPrice(economy=economy), Follower(economy=economy), Constant()))
