"""Adaptation, the primary protocol: after the shift an arm goes on learning, and its return over that phase is scored.

The learner is the one it was trained by, in the focal seat, among the same panel as everybody, in every economy at
once. A specialist forbidden to learn would be a straw man; an arm that begins here is `scratch`.
"""

import tempfile
from collections.abc import Iterator

import numpy as np

from ruleshift.eval.cells import Cell
from ruleshift.eval.deployment import Entry, entry, is_aware
from ruleshift.eval.design import Design, home_names
from ruleshift.eval.desk import Desk, make_cell, trained
from ruleshift.eval.protocols.training import missing_natives, settings

TENTHS = 10


def cells(design: Design) -> Iterator[Cell]:
    """One an arm, home, held-out target, seed and budget."""
    for target in design.held_out:
        natives = missing_natives(design, [target.name])
        for seed in design.preset.seeds:
            for arm, budget in design.budgets:
                for home in home_names(design, arm):
                    needs = natives if arm.startswith("scratch") else [*natives, trained(arm, home, seed, budget)]
                    place = {"home": home, "target": target.name, "seed": seed, "budget": budget}
                    yield make_cell("adaptation", arm, **place, needs=needs)


def compute(cell: Cell, desk: Desk) -> list[Entry]:
    """By group, the mean return over the phase, and by tenth of it."""

    from ruleshift.train import train
    from ruleshift.train.arms import variant

    design, preset = desk.design, desk.design.preset
    arm, memory = variant(cell["arm"])
    places = [(design.economies[group.economy], group.panel, group.first_market) for group in design.groups]
    groups = desk.deployment.learning(cell["target"], places, preset.markets, aware=is_aware(cell["arm"]))
    steps = max(round(preset.steps * cell["budget"] * preset.adaptation), 1)
    record = _Record(len(groups), preset.markets, steps)
    own = desk.path(trained(cell["arm"], cell["home"], cell["seed"], cell["budget"]))
    with tempfile.TemporaryDirectory() as place:
        train(
            design.rule(cell["target"]),
            out=place,
            steps=steps,
            seed=cell["seed"],
            arm=arm.name,
            memory=memory,
            groups=groups,
            start=None if arm.trains_on == "nothing" else own,
            mechanisms=preset.mechanisms,
            settings=settings(design),
            snapshots=0,
            on_step=record,
            on_rollout=lambda learner: desk.progress(min(learner.num_timesteps / steps, 1.0)),
            tensorboard=False,
            quiet=True,
        )
    return [
        entry(cell["target"], "adaptation", group, values)
        for group, values in zip(design.groups, record.values(), strict=True)
    ]


class _Record:
    """Rewards of the focal seats as learning goes on, by group and tenth of the phase."""

    def __init__(self, groups: int, markets: int, steps: int) -> None:
        self._shape, self._rounds = (groups, markets), max(-(-steps // (groups * markets)), 1)
        self._sums, self._counts = np.zeros((groups, TENTHS)), np.zeros(TENTHS)
        self._round = 0

    def __call__(self, rewards: np.ndarray) -> None:
        if self._round < self._rounds:  # what a last rollout adds beyond the phase does not count
            tenth = self._round * TENTHS // self._rounds
            self._sums[:, tenth] += rewards.reshape(self._shape).mean(axis=1, dtype=np.float64)
            self._counts[tenth] += 1
            self._round += 1

    def values(self) -> list[dict[str, float]]:
        """For each group, the mean return of the phase and those of its tenths (of those that had a round)."""
        found: list[dict[str, float]] = []
        for sums in self._sums:
            tenths = {
                f"return_{number + 1}": float(sums[number] / self._counts[number])
                for number in range(TENTHS)
                if self._counts[number]
            }
            found.append({"return": float(sums.sum() / self._counts.sum()), **tenths})
        return found
