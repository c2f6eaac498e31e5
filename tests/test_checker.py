"""`check_market`: our market passes, and an environment that breaks one promise is caught by name."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from broken_by_others import BROKEN
from gymnasium.spaces import Box

from ruleshift.cli import main
from ruleshift.envs import Economy, Shift, check_market, inspect_market, list_rules, market_v0
from ruleshift.envs.checker import CHECKS, MarketError
from ruleshift.envs.market_v0 import ParallelMarket

Change = Callable[..., object]

ECONOMY = Economy(organizations=3, jobs=5, kinds=2, rounds=7, capacity=2)


@pytest.mark.parametrize("rule", list_rules())
def test_check_market__passes_every_named_rule(rule: str) -> None:
    check_market(lambda: market_v0.parallel_env(rule, economy=ECONOMY), seed=3, processes=False)


def test_check_market__passes_an_instance_with_a_shift() -> None:
    check_market(market_v0.parallel_env(rounds=20, schedule=[Shift(at=10, to="promoted_listing")]), episodes=1)


class Broken(ParallelMarket):
    """A market in which `spoil` may change what round 4 returns (see `results`) before the caller gets it."""

    def __init__(self) -> None:
        super().__init__("price_board", ECONOMY)
        self.count = 0

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.count = 0
        return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        results = super().step(actions)
        self.count += 1
        return self.spoil(*results) if self.count == 4 else results

    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> Any:
        return observations, rewards, terminations, truncations, infos


def spoiler(change: Change) -> type[Broken]:
    """A Broken market whose round 4 is changed in place by `change`, given what `step` returns."""

    class Spoiled(Broken):
        def spoil(self, *results: Any) -> Any:
            change(*results)
            return results

    return Spoiled


def put(which: int, agent: str, value: Any) -> Change:
    def change(*results: Any) -> None:
        results[which][agent] = value

    return change


def fill(number: float) -> Change:
    def change(observations: Any, *_: Any) -> None:
        observations["org_1"][7] = number

    return change


def info(key: str, value: Any) -> Change:
    def change(*results: Any) -> None:
        results[4]["org_1"][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (fill(10.5), "episode 0, round 4, org_1: the observation is outside the space: 10.5 at 7"),
        (fill(np.nan), "episode 0, round 4, org_1: the observation is not finite: nan at 7"),
        (put(0, "org_1", np.zeros(5, np.float32)), "round 4, org_1: the observation has shape"),
        (put(0, "org_1", np.zeros(53)), "round 4, org_1: the observation is float64, not a float32 array"),
        (put(0, "org_7", np.zeros(53)), "round 4: the observations are wrong about org_7"),
        (lambda o, *_: o.pop("org_2"), "round 4: the observations are wrong about org_2"),
        (lambda o, *_: o.update(org_0=o.pop("org_0")), "round 4: the observations are in another order"),
        (put(1, "org_1", 99.0), "round 4, org_1: the reward is 99.0, but paid - commission - cost - charge is"),
        (put(1, "org_1", np.nan), "round 4, org_1: the reward is nan"),
        (put(2, "org_1", True), "round 4, org_1: the termination is True"),
        (put(3, "org_1", True), "round 4, org_1: the truncation is True in an episode of 7"),
        (put(3, "org_1", 0), "round 4, org_1: the truncation is of type int"),
        (info("rule", "price_board"), "round 4, org_1: info rule is not a number: price_board"),
        (info("extra", 1.0), "round 4, org_1: the info has other keys"),
        (info("quality", np.inf), "round 4, org_1: info quality is inf"),
        (info("served", 3.0), "round 4, org_1: served 3.0 jobs at a capacity of 2"),
        (info("commission", -0.5), "round 4, org_1: commission is negative: -0.5"),
        (info("clipped", 4.0), "round 4, org_1: clipped is 4.0, but 0 were outside the box"),
        (lambda *r: r[4]["org_1"].pop("paid"), "round 4, org_1: the info lacks paid"),
    ],
)
def test_check_market__catches_one_bad_round(change: Change, message: str) -> None:
    with pytest.raises(MarketError) as caught:
        check_market(spoiler(change))
    assert message in str(caught.value)


class ServesTooMany(Broken):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> Any:
        for entry in infos.values():
            entry["served"] = 2.0
        return observations, rewards, terminations, truncations, infos


class EndsEarly(Broken):
    def spoil(self, observations: Any, rewards: Any, terminations: Any, truncations: Any, infos: Any) -> Any:
        self.agents = []
        return observations, rewards, terminations, dict.fromkeys(truncations, True), infos


class EndsLate(Broken):
    """Says 7 rounds and plays 9."""

    economy = ECONOMY

    def __init__(self) -> None:
        ParallelMarket.__init__(self, "price_board", replace(ECONOMY, rounds=9))
        self.max_cycles, self.count = 7, 0


class Forgetful(Broken):
    """Each reset draws its own seed."""

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=int(np.random.SeedSequence().generate_state(1)[0]), options=options)


class OneSeed(Broken):
    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=None if seed is None else 0, options=options)


class OneEpisode(Broken):
    last = 0

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.last = self.last if seed is None else seed
        return super().reset(seed=self.last, options=options)


class NewSpaces(Broken):
    def observation_space(self, agent: str) -> Any:
        return Box(-10, 10, super().observation_space(agent).shape, np.float32)


class UnboundedSpace(Broken):
    def __init__(self) -> None:
        super().__init__()
        shape = self._observation_spaces["org_2"].shape
        self._observation_spaces["org_2"] = Box(-np.inf, np.inf, shape, np.float32)


class OneBuffer(Broken):
    """Writes every observation of an agent into the same array."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers = {agent: np.zeros_like(self._observations[0]) for agent in self.possible_agents}

    def _by_agent(self) -> dict[str, Any]:
        for i, agent in enumerate(self.possible_agents):
            self.buffers[agent][:] = self._observations[i]
        return dict(self.buffers)


class ThreeBuffers(OneBuffer):
    """The same with a ring, which a look at the round before does not notice."""

    def _by_agent(self) -> dict[str, Any]:
        if not hasattr(self, "ring"):
            self.ring = [{a: b.copy() for a, b in self.buffers.items()} for _ in range(3)]
        self.ring.append(self.ring.pop(0))
        self.buffers = self.ring[0]
        return super()._by_agent()


class SharedByAgents(Broken):
    def _by_agent(self) -> dict[str, Any]:
        everyone = super()._by_agent()
        return everyone | {"org_2": everyone["org_1"]}


class ReusedDict(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.rewards: dict[str, float] = {}

    def step(self, actions: Any) -> Any:
        observations, rewards, *others = super().step(actions)
        self.rewards.update(rewards)
        return observations, self.rewards, *others


class ReadsWhatItHandedOut(Broken):
    """Lets the caller change its state: the next observations are made from the dict that it handed out."""

    given = None

    def step(self, actions: Any) -> Any:
        results = super().step(actions)
        if self.given is not None:
            results[0]["org_0"][0] = np.clip(self.given["org_0"][0], -1, 1)
        self.given = results[0]
        return results


class TakesAnything(Broken):
    def step(self, actions: Any) -> Any:
        size = self.action_space("org_0").shape
        return super().step({a: np.nan_to_num(np.resize(actions[a], size)) for a in self.possible_agents})


class ForgetsTheName(Broken):
    def step(self, actions: Any) -> Any:
        try:
            return super().step(actions)
        except ValueError as error:
            raise ValueError("bad action") from error


class CrashesOnBadActions(Broken):
    def step(self, actions: Any) -> Any:
        try:
            return super().step(actions)
        except (TypeError, ValueError) as error:
            raise KeyError("numpy") from error


class MovesWhenItRefuses(Broken):
    def step(self, actions: Any) -> Any:
        try:
            return super().step(actions)
        except (TypeError, ValueError):
            self.market.state[0, 2] -= 0.1  # everybody's cash
            raise


class PlaysOn(Broken):
    """Starts the next episode by itself."""

    def step(self, actions: Any) -> Any:
        if not self.agents:
            self.reset()
        return super().step(actions)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ServesTooMany, "round 4: 6.0 jobs served, but 5 posted"),
        (EndsEarly, "round 4, org_0: the truncation is True in an episode of 7"),
        (EndsLate, "episode 0, round 7: agents is ['org_0', 'org_1', 'org_2'], expected none"),
        (Forgetful, "two runs of the same seed differ"),
        (OneSeed, "seeds 0 and 1 give the same trajectory"),
        (OneEpisode, "reset() without a seed repeats the episode"),
        (NewSpaces, "org_0: observation_space gives another object at each call"),
        (UnboundedSpace, "org_2: the observation space is"),
        (OneBuffer, "episode 0, round 1"),
        (ThreeBuffers, "episode 0, reset, org_0: the observation changed after it had been returned"),
        (SharedByAgents, "the array shares memory with that of episode"),  # which one hangs on their addresses
        (ReusedDict, "the rewards are of ['org_0', 'org_1', 'org_2', '__all__'], not of ['org_0', 'org_1', 'org_2']"),
        (ReadsWhatItHandedOut, "writing: episode 0"),
        (TakesAnything, "was not refused, expected ValueError or TypeError"),
        (ForgetsTheName, "then an action with nan: the ValueError does not name org_2"),
        (CrashesOnBadActions, "then an action with nan: raised KeyError: 'numpy', expected ValueError or TypeError"),
        (MovesWhenItRefuses, "a refused action changed the market"),
        (PlaysOn, "was not refused, expected RuntimeError"),
    ],
)
def test_check_market__catches_a_broken_habit(broken: Callable[[], Any], message: str) -> None:
    with pytest.raises(MarketError) as caught:
        check_market(broken())
    assert message in str(caught.value)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")  # some of them convert whatever they get
@pytest.mark.parametrize("name", BROKEN)
def test_inspect_market__finds_what_others_broke(name: str) -> None:
    """Their environments were written without knowledge of the checks."""
    assert inspect_market(BROKEN[name], processes=False).findings


def test_inspect_market__names_what_it_could_not_check() -> None:
    report = inspect_market(market_v0.parallel_env(rounds=5), processes=False)
    assert not report.findings
    assert {"instances", "processes"} & {each.kind for each in report.unchecked}
    assert "not checked:" in str(report)
    assert set(report.checked) <= set(CHECKS)
    with pytest.raises(ValueError, match="only: 'none_such' is none of"):
        inspect_market(market_v0.parallel_env(), only=["none_such"])


def test_command__lists_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "ruleshift.envs.market_v0:parallel_env", "--rounds", "5", "--only", "ledger", "spaces"]) == 0
    assert "nothing found in 2 checks" in capsys.readouterr().out
    assert main(["check", "test_checker:EndsEarly", "--only", "length"]) == 1
    assert "round 4, org_0: the truncation is True in an episode of 7" in capsys.readouterr().out
    for place in ("nowhere", "nowhere:env", "json:nothing", "math:pi"):
        assert main(["check", place]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_check_market__catches_a_step_before_the_first_reset() -> None:
    class StartsByItself(Broken):
        def step(self, actions: Any) -> Any:
            if not self._started:
                self.reset(seed=0)
            return super().step(actions)

    with pytest.raises(MarketError, match=r"before the first reset: step was not refused, expected RuntimeError"):
        check_market(StartsByItself)


def test_check_market__wants_a_parallel_market() -> None:
    with pytest.raises(TypeError, match="not its AEC view"):
        check_market(market_v0.env())
    with pytest.raises(TypeError, match="int is no ParallelEnv"):
        check_market(lambda: 3)
