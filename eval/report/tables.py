"""The numbers of a study as a report asks for them. Nothing here rounds, and nothing chooses what to show."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ruleshift.eval.preset import Preset
from ruleshift.eval.results import Entry


@dataclass(frozen=True)
class Pair:
    """The generalist and a specialist of one seed in the same markets, among the same others, with the same noise."""

    home: str
    target: str
    seed: int
    specialist: float
    generalist: float

    @property
    def difference(self) -> float:
        """Generalist less specialist, in mean job values a round."""
        return self.generalist - self.specialist


class Tables:
    """Look-ups in the entries of a finished study. Returns are focal profit a round after the shift, unless said."""

    def __init__(self, preset: Preset, entries: Iterable[Entry]) -> None:
        self.preset = preset
        self.homes = [rule.name for rule in preset.homes]
        self.targets = [rule.name for rule in preset.targets]
        self.away = [name for name in self.targets if not preset.inside(name)]
        self._entries = {(e.arm, e.home, e.target, e.seed, e.protocol, e.steps): e for e in entries}

    def entry(self, arm: str, home: str, target: str, seed: int | None, protocol: str = "shift") -> Entry:
        """The entry of one arm and seed from one home at one target."""
        return self._entries[(arm, home, target, seed, protocol, None)]

    def after(self, arm: str, home: str, target: str, seed: int | None, protocol: str = "shift") -> float:
        """Focal return from the shift on."""
        return self.entry(arm, home, target, seed, protocol).values["after"]

    def seeds(self, arm: str) -> list[int | None]:
        """Training seeds of an arm; one None for conducts that were never trained."""
        if arm in ("fixed", "randomized"):
            return list(self.preset.seeds)
        return [self.preset.panel_seed if arm == "native" else None]

    def over_homes(self, arm: str, target: str, seed: int | None, protocol: str = "shift") -> float:
        """Return at a target, mean over the home rules that the episode began under."""
        return float(np.mean([self.after(arm, home, target, seed, protocol) for home in self.homes]))

    @property
    def constants(self) -> list[str]:
        """Arms that never react."""
        return [f"constant_{name}" for name, _ in self.preset.constants]

    @cached_property
    def best_constant(self) -> str | None:
        """The constant conduct that earned most on the home rules without a shift: chosen there, judged elsewhere."""
        if not self.constants:
            return None
        return max(self.constants, key=lambda arm: sum(self.at_home(arm, home, None) for home in self.homes))

    def at_home(self, arm: str, home: str, seed: int | None) -> float:
        """Return over the whole episode in which the home rule stays."""
        values = self.entry(arm, home, home, seed).values
        at, rounds = self.preset.at, self.preset.economy.rounds
        return (values["before"] * at + values["after"] * (rounds - at)) / rounds

    def native_at_home(self, home: str) -> float:
        """The same of the panel's native, in the focal seat."""
        return self.at_home("native", home, self.preset.panel_seed)

    def pairs(self, targets: Iterable[str]) -> list[Pair]:
        """Generalist against specialist, every home, target and seed; at home where the target is the home."""
        return [
            Pair(
                home,
                target,
                seed,
                self.after("fixed", home, target, seed),
                self.after("randomized", home, target, seed),
            )
            for target in targets
            for home in self.homes
            for seed in self.preset.seeds
        ]

    def home_pairs(self) -> list[Pair]:
        """Generalist against specialist on the specialist's own home rule, over unshifted episodes."""
        return [
            Pair(home, home, seed, self.at_home("fixed", home, seed), self.at_home("randomized", home, seed))
            for home in self.homes
            for seed in self.preset.seeds
        ]

    def mean(self, arm: str, targets: Iterable[str], measure: str = "after", protocol: str = "shift") -> float:
        """A measure's mean over homes, targets and the arm's seeds."""
        values = [
            self.entry(arm, home, target, seed, protocol).values[measure]
            for target in targets
            for home in self.homes
            for seed in self.seeds(arm)
        ]
        return float(np.mean(values))

    def share(self, arm: str, targets: Iterable[str]) -> float | None:
        """An arm's return over the natives', as a ratio of sums; None where natives earn nothing to compare with."""
        targets = list(targets)
        natives = self.mean("native", targets)
        return self.mean(arm, targets) / natives if natives > 0 else None

    def curve(self, arm: str, home: str, seed: int) -> list[tuple[int, float]]:
        """(agent-steps, return on the home rule against the panel) of the policies kept on the way."""
        points = [
            (key[5], entry.values["return"])
            for key, entry in self._entries.items()
            if key[:2] == (arm, home) and key[3] == seed and key[4] == "curve" and key[5] is not None
        ]
        return sorted(points)

    def profile(self, arm: str, target: str | None) -> np.ndarray:
        """(T,) focal profit by round, mean over homes and seeds; of the unshifted twins where target is None."""
        rows = [self.entry(arm, home, target or home, seed).profile for home in self.homes for seed in self.seeds(arm)]
        return np.mean(rows, axis=0)

    def market(self, target: str) -> dict[str, float]:
        """Market measures after the shift to a target with natives in the focal seat, mean over homes."""
        found = [self.entry("native", home, target, self.preset.panel_seed).values for home in self.homes]
        names = [name for name in found[0] if name.startswith("market_")]
        return {name.removeprefix("market_"): float(np.mean([each[name] for each in found])) for name in names}
