"""Where a curriculum meets the learner: it hands the markets their rules and plays new ones without learning.

Between two rollouts each market whose episode is about to end is given the rule of its next one. Now and then a probe
plays candidates in markets of its own: the policy as it is, whole episodes, no gradient. Its agent-steps count towards
the budget as those of a rollout do.
"""

from collections import deque
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ruleshift.envs import Rule, Structure
from ruleshift.envs.structure import NUMBERS
from ruleshift.train.callbacks import LearnerCallback
from ruleshift.train.checkpoint import MarketEnvs
from ruleshift.train.curricula import CURRICULA, Curriculum, Outcomes, check_levels, probe_cost, probe_rounds
from ruleshift.train.groups import MarketGroup, MixedVecEnv
from ruleshift.train.memory import MemoryVecEnv
from ruleshift.train.plan import TrainingPlan
from ruleshift.train.ppo import Learner
from ruleshift.train.vec_env import MarketVecEnv, check_alike, part_of

PROBED_SHARE = 0.2
"""Share of the agent-steps that probes may take; a choice of our own, as levels are replayed for the other four fifths
in Parker-Holder et al. (2022)."""
MARKETS_PER_LEVEL = 2
"""Markets in which a probe plays a level, in different economies where there are several."""
FIRST_PROBE_MARKET = 2**24
"""Number of the first market of a probe, so that its noise is none that is learned from."""


class ChosenStructure(Structure):
    """A structure whose training rules are those that it was told for each market and episode, and no others.

    Whoever draws twice gets the same rule: a market may ask for its rule again in mid-episode, or when it is restored.
    """

    def __init__(self, structure: Structure) -> None:
        for each in fields(structure):
            object.__setattr__(self, each.name, getattr(structure, each.name))
        object.__setattr__(self, "_chosen", {})

    def choose(self, market: int, episode: int, level: np.ndarray) -> None:
        """Say what level (NUMBERS,) the market of that number plays in an episode."""
        self._chosen[market, episode] = self.rule_of(level)  # type: ignore[attr-defined]

    def keep(self, episodes: Collection[tuple[int, int]]) -> None:
        """Forget what was chosen for all but these episodes, each (market, episode)."""
        chosen = self._chosen  # type: ignore[attr-defined]
        for key in chosen.keys() - set(episodes):
            del chosen[key]

    def draw(self, seed: int, market: int, episode: int, part: str = "train", stage: int = 0) -> Rule:
        """The rule that was chosen for the market and episode.

        Raises:
            RuntimeError: none was.
        """
        try:
            return self._chosen[market, episode]  # type: ignore[attr-defined]
        except KeyError:
            raise RuntimeError(
                f"structure {self.name}: no rule is chosen for market {market}, episode {episode}"
            ) from None


def parts_of(env: MarketEnvs) -> list[MarketVecEnv]:
    """The markets of each group of a VecEnv."""
    inner: Any = env.venv if isinstance(env, MemoryVecEnv) else env
    return list(inner.parts) if isinstance(inner, MixedVecEnv) else [inner]


class Ledger:
    """Adds up what each market's episode is worth, over as many rollouts as it lasts.

    Args:
        env: the markets, in which every group's episodes end together.
    """

    def __init__(self, env: MarketEnvs) -> None:
        self._parts = parts_of(env)
        shapes = [(part.market.markets, part.market.organizations) for part in self._parts]
        learning = [len(part.seats.learning) for part in self._parts]
        self._earned = [np.zeros(shape) for shape in shapes]
        self._sums = [np.zeros((3, shape[0], seats)) for shape, seats in zip(shapes, learning, strict=True)]
        self._rewards: list[list[np.ndarray]] = []
        self._clocks: list[tuple[int, int]] = []

    def begin(self) -> None:
        """A rollout begins."""
        self._rewards = [[] for _ in self._parts]
        self._clocks = [(part.market.episode, part.market.round) for part in self._parts]

    def watch(self) -> None:
        """A round was played."""
        for kept, part in zip(self._rewards, self._parts, strict=True):
            kept.append(part.rewards)

    def settle(self, advantages: np.ndarray, values: np.ndarray) -> list[tuple[int, int, Outcomes]]:
        """The rollout has ended: (group, episode, what came out in each of its markets) of the episodes that ended.

        Args:
            advantages: float32 (rounds, rows), as the learner uses them.
            values: float32 (rounds, rows), of the critic.
        """
        ended, first = [], 0
        signals = np.stack([np.maximum(advantages, 0), advantages + values, values]).astype(np.float64)
        for group, part in enumerate(self._parts):
            episode, played = self._clocks[group]
            rounds, seats = part.market.economy.rounds, len(part.seats.learning)
            own = signals[:, :, first : first + part.num_envs].reshape(3, signals.shape[1], -1, seats)
            first, start = first + part.num_envs, 0
            while start < signals.shape[1]:
                stop = min(start + rounds - played, signals.shape[1])
                self._sums[group] += own[:, start:stop].sum(axis=1)
                self._earned[group] += np.sum(self._rewards[group][start:stop], axis=0, dtype=np.float64)
                played, start = played + stop - start, stop
                if played == rounds:
                    ended.append((group, episode, self._outcomes(group, rounds)))
                    episode, played = episode + 1, 0
        return ended

    def _outcomes(self, group: int, rounds: int) -> Outcomes:
        """What came out of a group's episode, which is then forgotten."""
        loss, returns, values = self._sums[group] / rounds
        learning = list(self._parts[group].seats.learning)
        rivals = np.delete(self._earned[group], learning, axis=1)
        bar = rivals.mean(axis=1, keepdims=True) if rivals.size else 0.0
        success = (self._earned[group][:, learning] > bar).mean(axis=1)
        self._sums[group][:], self._earned[group][:] = 0.0, 0.0
        return Outcomes(loss.mean(axis=1), returns.max(axis=1) - values.mean(axis=1), success)

    def state(self) -> dict[str, np.ndarray]:
        """What is added up so far, as arrays that are written to when it is restored."""
        sums = {f"sums.{group}": each for group, each in enumerate(self._sums)}
        return sums | {f"earned.{group}": each for group, each in enumerate(self._earned)}


class _Watch(LearnerCallback):
    """Lets a ledger see every round."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def _on_step(self) -> bool:
        self._ledger.watch()
        return True


class Probe:
    """Markets in which a policy plays levels without learning.

    All probes have the same noise, so that what differs between two is the levels and the policy.

    Args:
        plan: that of the run.
        structure: what levels are drawn from.
        threads: as of `train`.
    """

    def __init__(self, plan: TrainingPlan, structure: Structure, threads: int = 1) -> None:
        self._structure = ChosenStructure(structure)
        groups = [
            replace(group, rule=self._structure, first_market=FIRST_PROBE_MARKET + group.first_market)
            for group in plan.market_groups
        ]
        self._env, self._seed = plan.make_env(threads, groups), plan.seed
        self._groups, self._rounds = groups, probe_rounds(groups)
        self.cost = probe_cost(groups)
        """Agent-steps of one probe."""
        self.markets = sum(group.markets for group in groups)
        """Number of markets."""

    def play(self, model: Learner, levels: np.ndarray) -> Outcomes:
        """What comes out where `model` plays levels (M, NUMBERS), M at most the number of markets.

        Market m plays level m modulo M, in every episode of the probe. The agent-steps are added to those of the
        learner; otherwise it is as before, but for the noise that its generator has used up.
        """
        told = np.arange(self.markets) % len(levels)
        for group, places in self._places():
            for market, place in zip(group.numbers, places, strict=True):
                for episode in range(self._rounds // group.economy.rounds + 1):
                    self._structure.choose(market, episode, levels[told[place]])
        total, times = np.zeros((len(fields(Outcomes)), len(levels))), np.zeros(len(levels))
        for index, _, outcomes in self._rollout(model):
            own = told[self._places()[index][1]]
            np.add.at(total.T, own, outcomes.table().T)
            np.add.at(times, own, 1)
        return Outcomes(*(total / times))

    def _places(self) -> list[tuple[MarketGroup, range]]:
        """Each group with the places of its markets among all."""
        ends = np.cumsum([group.markets for group in self._groups]).tolist()
        return [(group, range(end - group.markets, end)) for group, end in zip(self._groups, ends, strict=True)]

    def _rollout(self, model: Learner) -> list[tuple[int, int, Outcomes]]:
        buffer: Any = copy(model.rollout_buffer)
        buffer.buffer_size = self._rounds
        if hasattr(buffer, "hidden_state_shape"):
            buffer.hidden_state_shape = (self._rounds, *buffer.hidden_state_shape[1:])
        before = {name: getattr(model, name) for name in _PUT_BACK if hasattr(model, name)}
        ledger = Ledger(self._env)
        watch = _Watch(ledger)
        watch.init_callback(model)
        self._env.seed(self._seed)
        model._last_obs = self._env.reset()  # type: ignore[assignment]
        model._last_episode_starts = np.ones(self._env.num_envs, bool)
        model.ep_info_buffer, model.ep_success_buffer = deque(maxlen=1), deque(maxlen=1)
        ledger.begin()
        try:
            model.collect_rollouts(self._env, watch, buffer, self._rounds)
        finally:
            for name, value in before.items():
                setattr(model, name, value)
        return ledger.settle(buffer.advantages, buffer.values)


_PUT_BACK = ("_last_obs", "_last_episode_starts", "_last_lstm_states", "ep_info_buffer", "ep_success_buffer")


class CurriculumCallback(LearnerCallback):
    """The curriculum of a run, its markets, and its probes.

    Args:
        plan: the run, whose arm has a curriculum.
        threads: as of `train`.
    """

    def __init__(self, plan: TrainingPlan, threads: int = 1) -> None:
        super().__init__()
        groups = plan.market_groups
        structure = groups[0].rule
        assert isinstance(structure, Structure)
        self.curriculum: Curriculum = CURRICULA[plan.curriculum](structure, plan.seed)
        """What chooses."""
        self._structure, self._steps = ChosenStructure(structure), plan.steps
        self.env = plan.make_env(threads, [replace(group, rule=self._structure) for group in groups])
        """The markets that are learned in."""
        self._probe = Probe(plan, structure, threads) if self.curriculum.probes else None
        self._ledger, self._parts = Ledger(self.env), parts_of(self.env)
        self._numbers = [group.numbers for group in groups]
        self._playing: dict[tuple[int, int], tuple[int, np.ndarray]] = {}
        self._probed = np.zeros(1, np.int64)
        unplayed = structure.numbers(plan.seed, 0, 0)  # replaced before the first round
        for number in self._all_markets:
            self._assign(number, 0, -1, unplayed)

    @property
    def probed(self) -> int:
        """Agent-steps that probes have taken so far."""
        return int(self._probed[0])

    @property
    def _all_markets(self) -> list[int]:
        return [number for numbers in self._numbers for number in numbers]

    def _assign(self, market: int, episode: int, number: int, level: np.ndarray) -> None:
        self._structure.choose(market, episode, level)
        self._playing[market, episode] = number, level.copy()

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps == 0:
            self._play_candidates()
            self._hand_out([(number, 0) for number in self._all_markets])
            self.model._last_obs = self.env.reset()  # type: ignore[assignment]
        elif self._probe is not None:
            steps, cost = self.model.num_timesteps, self._probe.cost
            if self.probed + cost <= PROBED_SHARE * (steps + cost) and steps + cost < self._steps:
                self._play_candidates()
        coming = [
            (number, part.market.episode + 1 + ended)
            for numbers, part in zip(self._numbers, self._parts, strict=True)
            for ended in range((part.market.round + self.model.n_steps) // part.market.economy.rounds)
            for number in numbers
        ]
        if coming:
            self._hand_out(coming)
        self._ledger.begin()

    def _play_candidates(self) -> None:
        if self._probe is None:
            return
        levels = self.curriculum.candidates(max(self._probe.markets // MARKETS_PER_LEVEL, 1))
        before = self.model.num_timesteps
        self.curriculum.admit(levels, self._probe.play(self.model, levels))
        self._probed += self.model.num_timesteps - before

    def _hand_out(self, episodes: Sequence[tuple[int, int]]) -> None:
        """Choose what is played in episodes, each of (market, episode)."""
        numbers, levels = self.curriculum.next_rules(len(episodes))
        for (market, episode), number, level in zip(episodes, numbers.tolist(), levels, strict=True):
            self._assign(market, episode, number, level)

    def _on_step(self) -> bool:
        self._ledger.watch()
        return True

    def _on_rollout_end(self) -> None:
        buffer: Any = self.model.rollout_buffer
        ended = self._ledger.settle(buffer.advantages, buffer.values)
        if ended:
            played = [
                [self._playing[number, episode][0] for number in self._numbers[group]] for group, episode, _ in ended
            ]
            table = np.concatenate([outcomes.table() for _, _, outcomes in ended], axis=1)
            self.curriculum.update(np.concatenate(played), Outcomes(*table))
        self._playing = {
            (number, part.market.episode): self._playing[number, part.market.episode]
            for numbers, part in zip(self._numbers, self._parts, strict=True)
            for number in numbers
        }
        self._structure.keep(self._playing.keys())

    def state_dict(self) -> dict[str, np.ndarray]:
        """All that the curriculum does next depends on, between two rollouts, as arrays."""
        playing = list(self._playing.values())
        own = {
            "probed": self._probed.copy(),
            "playing.ids": np.array([number for number, _ in playing], np.int64),
            "playing.levels": np.stack([level for _, level in playing]).reshape(-1, NUMBERS),
            "playing.episodes": np.array([episode for _, episode in self._playing], np.int64),
        }
        kept = {f"buffer.{name}": value for name, value in self.curriculum.state().items()}
        return own | kept | {f"ledger.{name}": value.copy() for name, value in self._ledger.state().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go on where `state_dict` was taken; the markets are to be restored after this.

        Raises:
            ValueError: an array is missing, unknown, or cannot be one of this curriculum; nothing has changed.
        """
        check_alike(state, self.state_dict())
        check_levels(state["playing.levels"])
        self.curriculum.restore(part_of(state, "buffer."))
        self._probed[:] = state["probed"]
        for name, value in self._ledger.state().items():
            value[:] = state[f"ledger.{name}"]
        self._playing = {}
        saved = zip(*(state[f"playing.{name}"] for name in ("episodes", "ids", "levels")), strict=True)
        for market, (episode, number, level) in zip(self._all_markets, saved, strict=True):
            self._assign(market, int(episode), int(number), level)
