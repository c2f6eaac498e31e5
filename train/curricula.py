"""Curricula: which rules of a structure a learner meets, chosen while it learns.

A level is the uniform numbers that `Structure.rule_of` makes a rule of the training part from, so that any change of
them gives a rule of that part. A curriculum keeps a buffer of levels with what came out where they were played, and
says which of them the markets play next. It draws from a generator that is made anew for each decision, so that its
state is a few arrays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from ruleshift.envs import Structure
from ruleshift.envs.structure import NUMBERS
from ruleshift.train.groups import MarketGroup

CAPACITY = 64
"""Levels that a curriculum keeps: as many as there are markets by default."""
TEMPERATURE, STALENESS = 0.3, 0.3
"""Of prioritised replay, those of Jiang et al. (2021) for mazes: the power of a rank is -1 / TEMPERATURE, and STALENESS
is the share of the probability that goes by how long ago a level was played."""
BEST_SHARE = 0.25
"""Share of the known levels, the most learnable ones, that sampling for learnability plays."""
EDITED_NUMBERS = 2
"""Numbers of a level that an edit draws anew."""


@dataclass(frozen=True)
class Outcomes:
    """What came out where levels were played, float64 arrays (M,): each number is a mean over episodes."""

    value_loss: np.ndarray
    """Positive value loss (Jiang et al. 2021): the mean over rounds and seats of the positive part of the advantage."""
    max_mc: np.ndarray
    """The highest mean return of a seat less the mean value: the MaxMC of Jiang et al. (2021), with the returns that
    the critic is trained on, since a round's return is not over when the episode is truncated."""
    success: np.ndarray
    """Share of the learning seats that earned more in the episode than the rivals in the same market did on average."""

    def table(self) -> np.ndarray:
        """The three as one array, float64 (3, M)."""
        return np.stack([getattr(self, each.name) for each in fields(self)]).astype(np.float64)


def rank_weights(scores: np.ndarray, temperature: float = TEMPERATURE) -> np.ndarray:
    """Probabilities in proportion to (1 / rank) ** (1 / temperature), rank 1 for the highest score (Jiang et al. 2021).

    Of equal scores the earlier has the better rank.

    >>> rank_weights(np.array([5.0, 9.0, 7.0]), temperature=1.0).round(3).tolist()
    [0.182, 0.545, 0.273]
    """
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    weights = ranks ** (-1 / temperature)
    return weights / weights.sum()


def staleness_weights(ages: np.ndarray) -> np.ndarray:
    """Probabilities in proportion to how long ago levels were played (n,), and equal ones where all are of age 0."""
    total = ages.sum()
    return ages / total if total > 0 else np.full(len(ages), 1 / len(ages))


def learnability(success: np.ndarray) -> np.ndarray:
    """The variance p (1 - p) of success (Rutherford et al. 2024): highest where it comes half of the time."""
    return success * (1 - success)


class Curriculum:
    """Which levels the markets play next.

    Args:
        structure: what levels are drawn from, its training part.
        seed: of all decisions.
    """

    probes = True
    """Whether levels enter the buffer by being played without learning; else the buffer is as it was drawn."""

    def __init__(self, structure: Structure, seed: int) -> None:
        self._part, self._seed = structure.parts["train"], seed
        self._levels = np.full((CAPACITY, NUMBERS), 0.5)
        self._ids = np.full(CAPACITY, -1, np.int64)
        self._outcomes = np.zeros((len(fields(Outcomes)), CAPACITY))
        self._played = np.zeros(CAPACITY, np.int64)
        self._counts = np.zeros(4, np.int64)

    @property
    def _held(self) -> int:
        return int(self._counts[0])

    @property
    def ids(self) -> np.ndarray:
        """The numbers (n,) of the levels in the buffer: a level keeps its own for as long as it is there."""
        return self._ids[: self._held]

    @property
    def levels(self) -> np.ndarray:
        """The levels in the buffer, float64 (n, NUMBERS)."""
        return self._levels[: self._held]

    @property
    def scores(self) -> np.ndarray:
        """The scores (n,) of the levels in the buffer; every one has been played, so that all are finite."""
        return self.score(self._outcomes[:, : self._held])

    def score(self, table: np.ndarray) -> np.ndarray:
        """Score (n,) the outcomes (3, n): of too many levels the buffer keeps those of the highest."""
        return table[0]

    def probabilities(self) -> np.ndarray:
        """With which probability each level of the buffer is played next, (n,)."""
        return np.full(self._held, 1 / self._held)

    def candidates(self, count: int) -> np.ndarray:
        """Levels to be played for the first time, float64 (count, NUMBERS)."""
        return self._fresh(self._generator(), count)

    def admit(self, levels: np.ndarray, outcomes: Outcomes) -> None:
        """Take levels (M, NUMBERS) that were played into the buffer, which keeps those of the highest scores."""
        named = int(self._counts[1])
        count = len(levels)
        table = np.concatenate([self._outcomes[:, : self._held], outcomes.table()], axis=1)
        every = np.concatenate([self.levels, levels])
        ids = np.concatenate([self.ids, np.arange(named, named + count)])
        played = np.concatenate([self._played[: self._held], np.full(count, self._counts[2])])
        best = np.sort(np.argsort(-self.score(table), kind="stable")[:CAPACITY])
        held = len(best)
        self._levels[:held], self._ids[:held], self._played[:held] = every[best], ids[best], played[best]
        self._outcomes[:, :held] = table[:, best]
        self._counts[:2] = held, named + count

    def next_rules(self, markets: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers (markets,) and the levels (markets, NUMBERS) that so many markets play next.

        Raises:
            RuntimeError: no level has been admitted yet.
        """
        if not self._held:
            raise RuntimeError("the curriculum has no level yet; play candidates and admit them first")
        chosen = self._generator().choice(self._held, size=markets, p=self.probabilities())
        self._counts[2] += 1
        self._played[chosen] = self._counts[2]
        return self._ids[chosen], self._levels[chosen]

    def update(self, ids: np.ndarray, outcomes: Outcomes) -> None:
        """Replace what came out of levels (M,) by what came out now; where one was played often, by the mean."""
        table = outcomes.table()
        for place, number in enumerate(self.ids.tolist()):
            if (own := ids == number).any():
                self._outcomes[:, place] = table[:, own].mean(axis=1)

    def state(self) -> dict[str, np.ndarray]:
        """All that the next decisions depend on, as arrays."""
        return {
            "levels": self._levels.copy(), "ids": self._ids.copy(), "outcomes": self._outcomes.copy(),
            "played": self._played.copy(), "counts": self._counts.copy(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on where `state` was taken; names, shapes and types must be those of `state`.

        Raises:
            ValueError: a number that no curriculum can hold.
        """
        check_levels(state["levels"])
        if not 0 <= state["counts"][0] <= CAPACITY or (state["counts"] < 0).any():
            raise ValueError("state: counts of a curriculum are out of their range")
        for name, value in state.items():
            getattr(self, f"_{name}")[:] = value

    def _generator(self) -> np.random.Generator:
        """The generator of the next decision."""
        self._counts[3] += 1
        return np.random.default_rng([self._seed, int(self._counts[3])])

    def _fresh(self, generator: np.random.Generator, count: int) -> np.ndarray:
        return np.clip(generator.random((count, NUMBERS)), 2.0**-53, 1 - 2.0**-53)


class Replay(Curriculum):
    """Uniform replay of a buffer that is drawn at the start: what coming back to rules does by itself."""

    probes = False

    def __init__(self, structure: Structure, seed: int) -> None:
        super().__init__(structure, seed)
        nothing = np.zeros(CAPACITY)
        self.admit(self.candidates(CAPACITY), Outcomes(nothing, nothing, nothing))


class Prioritised(Curriculum):
    """Prioritised level replay in its robust form (Jiang et al. 2021, "Replay-guided adversarial environment design").

    Rules are learned from only after they have been played without learning. Which one is replayed goes by the rank of
    its positive value loss and, for a share `STALENESS`, by how long ago it was played.
    """

    def probabilities(self) -> np.ndarray:
        ages = (self._counts[2] - self._played[: self._held]).astype(np.float64)
        return (1 - STALENESS) * rank_weights(self.scores) + STALENESS * staleness_weights(ages)


class Learnability(Curriculum):
    """Sampling for learnability (Rutherford et al. 2024): the rules under which success is neither sure nor hopeless.

    Success is to earn more than the scripted rivals in the same market. A best reply, by which the competence gate of a
    study is set, is known for a few rules only, and not for those that a structure draws. Of the known rules, the share
    `BEST_SHARE` with the highest p (1 - p) is played, each as often. Training episodes count, too, so that a rule
    leaves when it is mastered.
    """

    def score(self, table: np.ndarray) -> np.ndarray:
        return learnability(table[2])

    def probabilities(self) -> np.ndarray:
        chosen = np.argsort(-self.scores, kind="stable")[: max(1, round(BEST_SHARE * self._held))]
        weights = np.zeros(self._held)
        weights[chosen] = 1 / len(chosen)
        return weights


class Edits(Prioritised):
    """Prioritised replay whose new rules are half drawn and half edits of replayed ones (Parker-Holder et al. 2022).

    An edit draws a few numbers of a level anew, which stays in the training part. Like any new rule, it is played
    without learning, and the buffer keeps it if its score is high.
    """

    def candidates(self, count: int) -> np.ndarray:
        generator = self._generator()
        drawn = self._fresh(generator, count)
        if self._held:
            parents = generator.choice(self._held, size=count // 2, p=self.probabilities())
            for place, level in enumerate(self._levels[parents]):
                drawn[place] = self._edited(level, generator)
        return drawn

    def _edited(self, level: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        used = self._part.used(level[0])
        changed, edited = generator.choice(used, size=min(EDITED_NUMBERS, used), replace=False), level.copy()
        edited[changed] = self._fresh(generator, 1)[0, : len(changed)]
        return edited


def probe_rounds(groups: Sequence[MarketGroup]) -> int:
    """Rounds of a probe: every market plays at least one whole episode."""
    return max(group.economy.rounds for group in groups)


def probe_cost(groups: Sequence[MarketGroup]) -> int:
    """Agent-steps of a probe."""
    return probe_rounds(groups) * sum(group.markets * len(group.seats.learning) for group in groups)


def check_levels(levels: np.ndarray) -> None:
    """Refuse levels that are not numbers between 0 and 1, neither included: ValueError."""
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError("state: levels of a curriculum must be between 0 and 1")


CURRICULA: dict[str, type[Curriculum]] = {
    "replay": Replay,
    "prioritised": Prioritised,
    "learnability": Learnability,
    "edits": Edits,
}
"""Curricula by the name that an arm gives."""
