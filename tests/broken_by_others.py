"""Markets with one fault each, of the kinds that authors make; written without knowledge of the checker.

Each class is a whole environment that runs from reset to the end of an episode. `BROKEN` lists them by name.
"""

import copy
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box
from pettingzoo import ParallelEnv

from ruleshift.envs import Economy, Shift, observation_layout
from ruleshift.envs.market_v0 import ParallelMarket
from ruleshift.envs.views import LEDGER

KINDS, ROUNDS = 2, 8
SEEN = observation_layout(KINDS)


class Sound(ParallelMarket):
    """The market in which the faults are put; it has none itself."""

    def __init__(self, organizations: int = 4, schedule: tuple[Shift, ...] = ()) -> None:
        economy = Economy(organizations=organizations, jobs=organizations, kinds=KINDS, rounds=ROUNDS)
        super().__init__("price_board", economy, schedule=schedule)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start an episode."""
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        """Play one round."""
        return super().step(actions)


class IdleQualityIsNaN(Sound):
    """The mean quality of an organization that served no job is 0 / 0."""

    def step(self, actions: Any) -> Any:
        *rest, infos = super().step(actions)
        for info in infos.values():
            if info["served"] == 0:
                info["quality"] = float("nan")
        return *rest, infos


class NaNIsTakenForZero(Sound):
    """Actions that are not finite are played as 0 instead of being refused."""

    def step(self, actions: Any) -> Any:
        return super().step({agent: np.nan_to_num(np.asarray(a, np.float32)) for agent, a in actions.items()})


class EffortIsNeverRead(Sound):
    """The effort in the action is ignored, because a slice begins one place too late."""

    def step(self, actions: Any) -> Any:
        read = {agent: np.array(a, np.float32) for agent, a in actions.items()}
        for action in read.values():
            if action.shape == (3 + KINDS,):
                action[1] = 0.0
        return super().step(read)


class PlaysThePreviousActions(Sound):
    """From the second round on, each round plays the actions of the round before."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._waiting: Any = None
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        batch = dict(zip(self.possible_agents, self._gather(actions)[0], strict=True))
        played, self._waiting = self._waiting or batch, batch
        return super().step(played)


class ReadsActionsInDictOrder(Sound):
    """The first action in the dict is given to the first agent, whatever its key is."""

    def step(self, actions: Any) -> Any:
        if set(actions) == set(self.possible_agents):
            actions = dict(zip(self.possible_agents, actions.values(), strict=True))
        return super().step(actions)


class ClipsTheCallersArray(Sound):
    """Actions outside the box are clipped in the array of the caller."""

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        for action in actions.values():
            if isinstance(action, np.ndarray):
                np.clip(action, -1.0, 1.0, out=action)
        return result


class StateReadsTheCallersArrays(Sound):
    """The last asks in `state()` come from the caller's action arrays, which may have changed since."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._actions: Any = None
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self._actions = actions
        return result

    def state(self) -> np.ndarray:
        state = super().state()
        if self._actions is not None:
            rows = state[: -len(self.rule.features())].reshape(len(self.possible_agents), -1)
            for row, agent in zip(rows, self.possible_agents, strict=True):
                row[SEEN["last_ask"]] = (np.clip(np.float32(self._actions[agent][0]), -1, 1) + 1) / 2 * 1.25
        return state


class CopiesReplayTheCallersArrays(Sound):
    """A copy replays the recorded actions, which are the arrays of the caller, and may have changed since."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        result = super().reset(seed=seed, options=options)
        self._start: Any = self._market.snapshot()
        self._record: list[Any] = []
        return result

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self._record.append(actions)
        return result

    def __setstate__(self, state: dict[str, Any]) -> None:
        record = state.get("_record", [])
        super().__setstate__(state)
        if record and self.agents:
            self._market.restore(self._start)
            for actions in record:
                observations, _, _ = self._market.step(self._gather(actions))
                self._observations = observations[0].copy()


class BonusOutsideTheLedger(Sound):
    """Whoever serves a job gets a bonus in the reward that no entry of the ledger holds."""

    def step(self, actions: Any) -> Any:
        observations, rewards, *flags, infos = super().step(actions)
        bonus = {agent: rewards[agent] + 0.01 * infos[agent]["served"] for agent in rewards}
        return observations, bonus, *flags, infos


class IdleIsPaid(Sound):
    """An organization that served nothing is paid a little, and its profit agrees with it: money from nowhere."""

    def step(self, actions: Any) -> Any:
        observations, rewards, *flags, infos = super().step(actions)
        for agent, info in infos.items():
            if info["served"] == 0:
                info["paid"] += 0.05
                info["profit"] += 0.05
                observations[agent][SEEN["profit"]] += 0.05
                rewards[agent] += 0.05
        return observations, rewards, *flags, infos


class RewardComesLate(Sound):
    """Each reward is that of the round before, 0 in the first, and the last one is never given."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._late = dict.fromkeys(self.possible_agents, 0.0)
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = super().step(actions)
        late, self._late = self._late, rewards
        return observations, late, *rest


class RewardsGoByAlphabet(Sound):
    """Rewards are handed out in alphabetical order, in which org_10 comes before org_2."""

    def __init__(self) -> None:
        super().__init__(organizations=11)

    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = super().step(actions)
        return observations, dict(zip(sorted(rewards), rewards.values(), strict=True)), *rest


class ReseedsNumpy(Sound):
    """A reset with a seed reseeds numpy's global generator, which belongs to the user."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        result = super().reset(seed=seed, options=options)
        if seed is not None:
            np.random.seed(seed % 2**32)  # noqa: NPY002
        return result


class DrawsFromPython(Sound):
    """A tiny noise of the observations is drawn from Python's global generator, so that no seed reproduces it."""

    def step(self, actions: Any) -> Any:
        _, *rest = super().step(actions)
        self._observations[:, SEEN["shock"]] += np.float32(random.gauss(0.0, 1e-3))
        return self._by_agent(), *rest


class ClockOfTheClass(Sound):
    """The rounds are counted in an attribute of the class, so that two environments end each other's episodes."""

    clock: ClassVar[list[int]] = [0]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.clock[0] = 0
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        observations, rewards, terminations, truncations, infos = super().step(actions)
        self.clock[0] += 1
        if self.clock[0] >= ROUNDS:
            self.agents = []
            truncations = dict.fromkeys(truncations, True)
        return observations, rewards, terminations, truncations, infos


class FadesByTheWallClock(Sound):
    """The popularity that is observed fades with the time that passed on the clock of the computer."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._since = time.perf_counter()
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        _, *rest = super().step(actions)
        self._observations[:, SEEN["popularity"]] *= np.float32(np.exp(self._since - time.perf_counter()))
        return self._by_agent(), *rest


class SeesAnUnannouncedShift(Sound):
    """The observation foretells a shift of the rule that is not announced: `notice` rises before it."""

    def __init__(self, schedule: tuple[Shift, ...] = (Shift(at=5, to="promoted_listing"),)) -> None:
        super().__init__(schedule=schedule)

    def step(self, actions: Any) -> Any:
        _, *rest = super().step(actions)
        for shift in self._options["schedule"]:
            if 0 < shift.at - self._market.round <= 3 and self.agents:
                self._observations[:, SEEN["notice"]] = 1 / (shift.at - self._market.round)
        return self._by_agent(), *rest

    def twin(self) -> ParallelMarket:
        other = SeesAnUnannouncedShift(schedule=())
        other._seed = self._seed
        return other


class SeesTheNextShocks(Sound):
    """The cost shocks in the observation are those of the round after the one to be played."""

    def step(self, actions: Any) -> Any:
        _, *rest = super().step(actions)
        if self.agents and self._market.round + 1 < ROUNDS:
            idle = np.zeros((1, len(self.possible_agents), 3 + KINDS), np.float32)
            later, _, _ = copy.deepcopy(self._market).step(idle)
            self._observations[:, SEEN["shock"]] = later[0, :, SEEN["shock"]]
        return self._by_agent(), *rest


class LastObservationIsTheNextFirst(Sound):
    """The observation after the last round is already the first one of the next episode."""

    def step(self, actions: Any) -> Any:
        _, *rest = super().step(actions)
        if not self.agents:
            self._observations = copy.deepcopy(self._market).reset()[0]
        return self._by_agent(), *rest


class EpisodesGrow(Sound):
    """Each later episode is one round longer than the one before."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if self._started:
            self.max_cycles += 1
        return super().reset(seed=seed, options=options)


class RefusedStepsCount(Sound):
    """A step that is refused counts as a round, so that the episode then ends early."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self._count = 0
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        self._count = getattr(self, "_count", 0) + 1
        observations, rewards, terminations, truncations, infos = super().step(actions)
        if self._count >= ROUNDS:
            self.agents = []
            truncations = dict.fromkeys(truncations, True)
        return observations, rewards, terminations, truncations, infos


class RefusedResetReseeds(Sound):
    """A reset that is refused for its rule has already taken the seed and begun anew."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        result = super().reset(seed=seed)
        return super().reset(seed=seed, options=options) if options else result


class EndsOneRoundEarly(Sound):
    """The episode is truncated one round before its declared length, by a comparison that is off by one."""

    def step(self, actions: Any) -> Any:
        observations, rewards, terminations, truncations, infos = super().step(actions)
        if self._market.round >= ROUNDS - 1:
            self.agents = []
            truncations = dict.fromkeys(truncations, True)
        return observations, rewards, terminations, truncations, infos


class TerminatesAtTheEnd(Sound):
    """The end of the episode is called a termination, so that learners take the value there for 0."""

    def step(self, actions: Any) -> Any:
        observations, rewards, terminations, truncations, infos = super().step(actions)
        return observations, rewards, truncations, terminations, infos


class PlaysOnAfterTheEnd(Sound):
    """A step after the end of the episode plays the next one instead of being refused."""

    def step(self, actions: Any) -> Any:
        if self._started and not self.agents:
            self.agents = self.possible_agents[:]
        return super().step(actions)


class AgentsAreThePossibleAgents(Sound):
    """`agents` is the list `possible_agents` itself, so that the end of an episode empties both."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        result = super().reset(seed=seed, options=options)
        self.agents = self.possible_agents
        return result

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        if not self.agents:
            self.possible_agents.clear()
        return result


class OptionsAreSpent(Sound):
    """A reset takes the rule out of the caller's dict of options."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        result = super().reset(seed=seed, options=options)
        if isinstance(options, dict):
            options.pop("rule", None)
        return result


class OptionsAreIgnored(Sound):
    """The rule in the options of a reset is checked, but not played."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        before = self._market.rule
        super().reset(seed=seed, options=options)
        return super().reset(options={"rule": before})


class InfosAreOneDict(Sound):
    """At reset all agents get the same info dict, so that writing to one writes to all."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observations, _ = super().reset(seed=seed, options=options)
        return observations, dict.fromkeys(self.agents, dict.fromkeys(LEDGER, 0.0))


class InfosAreSparse(Sound):
    """What is 0 is left out of the infos, so that their keys come and go."""

    def step(self, actions: Any) -> Any:
        *rest, infos = super().step(actions)
        return *rest, {agent: {key: n for key, n in info.items() if n} for agent, info in infos.items()}


class ObservationsAreReused(Sound):
    """Observations are written into the arrays that the step before last returned."""

    def __init__(self) -> None:
        super().__init__()
        size = self.observation_space("org_0").shape
        self._arrays = deque({agent: np.zeros(size, np.float32) for agent in self.possible_agents} for _ in range(2))

    def step(self, actions: Any) -> Any:
        observations, *rest = super().step(actions)
        self._arrays.rotate()
        for agent, seen in observations.items():
            self._arrays[0][agent][:] = seen
        return dict(self._arrays[0]), *rest


class ObservationsAreDoubles(Sound):
    """After the first step, observations are float64 although their space is float32."""

    def step(self, actions: Any) -> Any:
        observations, *rest = super().step(actions)
        return {agent: seen.astype(np.float64) for agent, seen in observations.items()}, *rest


class CashLeavesTheBox(Sound):
    """Cash is observed in a hundredth of its unit, and is then often beyond the bounds of the space."""

    def step(self, actions: Any) -> Any:
        _, *rest = super().step(actions)
        self._observations[:, SEEN["cash"]] *= 100
        return self._by_agent(), *rest


class SpacesAreRebuilt(Sound):
    """Each call makes a new space, so that seeding an agent's space has no effect."""

    def action_space(self, agent: str) -> Box:
        space = super().action_space(agent)
        return Box(space.low, space.high, space.shape, np.float32)


class StateIsNormalizedInPlace(Sound):
    """`state()` normalizes the observations where they are kept, so that a second call returns something else."""

    def state(self) -> np.ndarray:
        self._require_reset("state")
        self._observations *= np.float32(0.5)
        return super().state()


class MidEpisodeResetIsIgnored(Sound):
    """A reset without a seed in the middle of an episode is taken for a mistake, and the episode goes on."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if self.agents and seed is None and not options:
            return self._by_agent(), {agent: dict.fromkeys(LEDGER, 0.0) for agent in self.agents}
        return super().reset(seed=seed, options=options)


class SecondSeedIsIgnored(Sound):
    """Only the first seed is used; a seed given to a later reset changes nothing."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=None if self._started and self._seed is not None else seed, options=options)


class SeedIsOneByte(Sound):
    """Only the lowest eight bits of the seed are used, so that 1 and 257 are the same."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=seed % 256 if isinstance(seed, int) and seed >= 0 else seed, options=options)


class EveryEpisodeIsTheSame(Sound):
    """A reset without a seed repeats the episode of the last seed instead of beginning the next one."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=self._seed if seed is None else seed, options=options)


class UnseededIsSeedZero(Sound):
    """Without any seed the environment uses 0, so that workers that forget the seed all play the same episodes."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=0 if seed is None and self._seed is None else seed, options=options)


class CopiesShareTheMarket(Sound):
    """A deep copy has the same market as its original, so that a step in one is a step in both."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "CopiesShareTheMarket":
        other = object.__new__(type(self))
        other.__dict__.update(vars(self), agents=self.agents[:])
        return other


class CopiesBeginAnew(Sound):
    """A pickle keeps the seed but not the round, so that a copy in mid-episode is back at the start."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self._started:
            self._observations = self._market.reset(seed=self._seed)[0]


def _all_faults() -> dict[str, Callable[[], ParallelEnv]]:
    return {each.__name__: each for each in Sound.__subclasses__()}


BROKEN: dict[str, Callable[[], ParallelEnv]] = _all_faults()
"""Every environment of this module that has a fault, by the name of its class."""
