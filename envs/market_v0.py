"""The market for PettingZoo: `parallel_env(...)` and `env(...)`, thin views of one batched `Market`.

Observations: Box(-10, 10) float32 (F,), laid out by `observation_layout(kinds)`.
Actions: Box(-1, 1) float32 (3 + kinds,), laid out by `action_layout(kinds)`; finite numbers outside the box are clipped
and counted.
Reward: the organization's profit in the round, in mean job values.
End: all organizations are truncated after round T; none of them terminates.
Infos: the same keys (`LEDGER`) for every organization in every round; all values are floats, and 0 at reset.
State: all organizations' observations, then the features of the rule in force, Box(-10, 10) float32 (N * F + 23,).

Version history: v0, first release.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import OrderEnforcingWrapper
from pettingzoo.utils.conversions import parallel_to_aec_wrapper

from ruleshift.envs.economy import Economy
from ruleshift.envs.fields import listed
from ruleshift.envs.layout import FEATURES
from ruleshift.envs.market import Market
from ruleshift.envs.rule import Rule
from ruleshift.envs.scene import Ended
from ruleshift.envs.schedule import Shift, check_schedule
from ruleshift.envs.seeds import fresh_seed, read_seed
from ruleshift.envs.structure import Structure
from ruleshift.envs.views import (
    LEDGER,
    OBSERVATION_BOUND,
    RENDER_MODES,
    Screen,
    fit_economy,
    read_action,
    read_only,
    rule_option,
    settable,
)


class ParallelMarket(ParallelEnv[str, np.ndarray, np.ndarray]):
    """One market as a PettingZoo ParallelEnv; see `parallel_env` for the arguments and the module for the spaces.

    `rule`, `schedule` and `max_cycles` may be set at any time: the value is checked at once, and the next episode is
    played by it.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - PettingZoo's own declaration
        "name": "market_v0",
        "render_modes": list(RENDER_MODES),
        "is_parallelizable": True,
        "render_fps": 4,
    }

    def __init__(
        self,
        rule: str | Path | Rule | Structure,
        economy: Economy,
        *,
        schedule: Iterable[Shift] = (),
        mechanisms: Iterable[str] = (),
        render_mode: str | None = None,
        first_market: int = 0,
    ) -> None:
        self._screen = Screen(render_mode)
        self._market = Market(
            rule,
            economy=economy,
            schedule=listed(schedule, "schedule", Shift),
            mechanisms=listed(mechanisms, "mechanisms", str),
            first_market=first_market,
        )
        self._next_economy = economy
        self._observations = np.zeros((self._market.organizations, self._market.observation_size), np.float32)
        self._rule_played: Rule | None = None
        self._started = False
        self._seed: int | None = None
        self.np_random = np.random.default_rng()
        """A generator of the seed last given, for wrappers that need one; the market itself never uses it."""
        self.possible_agents = [f"org_{i}" for i in range(economy.organizations)]
        self.agents: list[str] = []
        low_high = (-OBSERVATION_BOUND, OBSERVATION_BOUND)
        size = self._market.observation_size
        self._observation_spaces = {a: Box(*low_high, (size,), np.float32) for a in self.possible_agents}
        self._action_spaces = {a: Box(-1, 1, (self._market.action_size,), np.float32) for a in self.possible_agents}
        self.state_space = Box(*low_high, (economy.organizations * size + len(FEATURES),), np.float32)

    @property
    def market(self) -> Market:
        """The batched market (of one) of which this is a view."""
        return self._market

    economy = read_only("_market", "economy", "The numbers of the market that are not part of its rule, an Economy.")
    schedule = settable("_market", "schedule", "The shifts of the rule within an episode, a tuple of Shift.")
    render_mode = settable("_screen", "mode", 'None, "human", "ansi" or "rgb_array".')

    @property
    def rule(self) -> Any:
        """The Rule of the round to be played next or, after the end of an episode, of its last round.

        Set it to whatever `parallel_env` takes as a rule. Before the first reset it is what was given or set.
        """
        if not self._started:
            return self._market.rule
        return self._rule_played if self._rule_played and not self.agents else self._market.rule_in_force(0)

    @rule.setter
    def rule(self, rule: str | Path | Rule | Structure) -> None:
        self._market.rule = rule

    @property
    def max_cycles(self) -> int:
        """The number of rounds of the next episode."""
        return self._next_economy.rounds

    @max_cycles.setter
    def max_cycles(self, rounds: int) -> None:
        economy = replace(self._next_economy, rounds=rounds)
        check_schedule(self._market.schedule, economy.rounds)
        self._next_economy = economy

    def observation_space(self, agent: str) -> Box:
        """Return the space of the agent's observations, the same object at each call."""
        return _of_agent(self._observation_spaces, agent)

    def action_space(self, agent: str) -> Box:
        """Return the space of the agent's actions, the same object at each call."""
        return _of_agent(self._action_spaces, agent)

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        """Start an episode: the first one of a seed if it is given, else the next one.

        An episode of which no round was played is not over, and is started again. If no seed was ever given, it comes
        from the operating system, so that unseeded copies differ. `options={"rule": ...}` changes the rule from now on,
        and other options are ignored.

        Returns:
            Observations and infos by agent.

        Raises:
            TypeError, ValueError: if the seed, the options or the rule are wrong; nothing has changed.
        """
        seed, rule = read_seed(seed), rule_option(options)
        is_first = not self._started or self._next_economy != self.economy
        market = self._market if self._next_economy == self.economy else self._of_next_economy(self._market.schedule)
        if seed is None and is_first:
            seed = fresh_seed() if self._seed is None else self._seed
        observations = market.reset(seed=seed, rule=rule)
        self._market = market
        if seed is not None:
            self._seed, self.np_random = seed, np.random.default_rng(seed)
        self._started, self._rule_played = True, None
        self.agents = self.possible_agents[:]
        self._observations = observations[0]
        self._screen.show(self._market, self._ended)
        return self._by_agent(), {agent: dict.fromkeys(LEDGER, 0.0) for agent in self.agents}

    def step(
        self, actions: dict[str, np.ndarray]
    ) -> tuple[
        dict[str, np.ndarray], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:  # fmt: skip
        """Play one round.

        Returns:
            Observations, rewards (in mean job values), terminations, truncations and infos by agent: five empty dicts
            if the episode is over and there are no actions.

        Raises:
            RuntimeError: before the first reset or after the end of the episode.
            TypeError, ValueError: if there are not actions of exactly the agents, or if `read_action` refuses one;
                nothing has changed.
        """
        self._require_reset("step")
        if not self.agents and not actions:
            return {}, {}, {}, {}, {}
        if not self.agents:
            raise RuntimeError("step: the episode is over; call reset")
        batch = self._gather(actions)
        rule = self._market.rule_in_force(0)
        observations, rewards, truncated = self._market.step(batch)
        self._rule_played = rule
        if truncated:
            assert self._market.last_observations is not None
            observations, self.agents = self._market.last_observations, []
        self._observations = observations[0].copy()
        self._screen.show(self._market, self._ended)
        agents = self.possible_agents
        return (
            self._by_agent(),
            dict(zip(agents, rewards[0].tolist(), strict=True)),
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, bool(truncated)),
            self._ledger(),
        )

    def state(self) -> np.ndarray:
        """Return all observations in the order of the agents, then the features of the rule in force."""
        self._require_reset("state")
        return np.concatenate([self._observations.ravel(), self.rule.features()]).astype(np.float32)

    def render(self) -> Any:
        """Return the market as text (`ansi`) or as uint8 (H, W, 3) (`rgb_array`); None in mode `human`.

        After the end of an episode its last round is shown until the next reset.
        """
        self._require_reset("render")
        return self._screen.render(self._market, self._ended)

    def close(self) -> None:
        """Release the renderer; calling this twice is safe."""
        self._screen.close()

    def twin(self) -> "ParallelMarket":
        """Return the same environment with the same noise but without the schedule, not yet reset."""
        market = self._of_next_economy(schedule=())
        other = ParallelMarket(
            market.rule,
            market.economy,
            mechanisms=market.mechanisms,
            render_mode=self.render_mode,
            first_market=market.first_market,
        )
        other._seed = self._seed
        return other

    def _of_next_economy(self, schedule: tuple[Shift, ...]) -> Market:
        """Return another market, not yet reset, as the next episode has it."""
        return Market(
            self._market.rule,
            first_market=self._market.first_market,
            economy=self._next_economy,
            schedule=schedule,
            mechanisms=self._market.mechanisms,
        )

    def _gather(self, actions: Any) -> np.ndarray:
        """Return the actions of all agents as float32 (1, N, A)."""
        if not isinstance(actions, Mapping):
            raise TypeError(f"actions: expected a dict from agent to action, got {type(actions).__name__}")
        for agent in self.possible_agents:
            if agent not in actions:
                raise ValueError(f"{agent}: no action given")
        if len(actions) > len(self.possible_agents):
            stranger = next(name for name in actions if name not in self._action_spaces)
            raise ValueError(f"{stranger}: no such agent in this market")
        shape = (self._market.action_size,)
        return np.stack([read_action(actions[agent], shape, agent) for agent in self.possible_agents])[None]

    def _by_agent(self) -> dict[str, np.ndarray]:
        return {agent: self._observations[i].copy() for i, agent in enumerate(self.possible_agents)}

    def _ledger(self) -> dict[str, dict[str, Any]]:
        columns = self._market.outcomes[0, : len(LEDGER)].T.tolist()
        rows = zip(self.possible_agents, columns, strict=True)
        return {agent: dict(zip(LEDGER, column, strict=True)) for agent, column in rows}

    def _require_reset(self, what: str) -> None:
        if not self._started:
            raise RuntimeError(f"{what}: call reset first")

    @property
    def _ended(self) -> Ended | None:
        """What is left of the episode if it is over, else None."""
        over = self._rule_played is not None and not self.agents
        return Ended(self.rule, self._observations) if over else None

    def __repr__(self) -> str:
        return "market_v0"


class TurnBasedMarket(OrderEnforcingWrapper):
    """The market as a PettingZoo AECEnv: `env` returns it. What a ParallelMarket lets you set can be set here, too."""

    rule = settable("unwrapped", "rule", "As `ParallelMarket.rule`.")
    schedule = settable("unwrapped", "schedule", "As `ParallelMarket.schedule`.")
    max_cycles = settable("unwrapped", "max_cycles", "As `ParallelMarket.max_cycles`.")
    economy = read_only("unwrapped", "economy", "As `ParallelMarket.economy`.")

    def __init__(self, market: ParallelMarket) -> None:
        super().__init__(parallel_to_aec_wrapper(market))

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode, as `ParallelMarket.reset`; where that refuses an argument, nothing has changed."""
        self.env.reset(seed=seed, options=options)
        self._has_reset = self._has_updated = True

    def step(self, action: Any) -> None:
        """Hand in the action of the selected agent, or None if its episode is over.

        Raises:
            TypeError, ValueError: if `read_actions` refuses the action, or if it is not None after the end; names the
                agent. Nothing has changed.
        """
        if self._has_reset and self.agents:
            agent = self.agent_selection
            if not (self.terminations[agent] or self.truncations[agent]):
                action = read_action(action, self.action_space(agent).shape, agent)
            elif action is not None:
                raise ValueError(f"{agent}: its episode is over, so that its action must be None")
        super().step(action)

    def observe(self, agent: str) -> np.ndarray:
        """Return what the agent sees, a fresh array."""
        return np.array(super().observe(agent))

    def last(self, observe: bool = True) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Return observation, cumulated reward, termination, truncation and info of the selected agent, all fresh."""
        *others, info = super().last(observe)
        return (*others, dict(info))  # type: ignore[return-value]


def parallel_env(
    rule: str | Path | Rule | Structure = "price_board",
    organizations: int | None = None,
    jobs: int | None = None,
    kinds: int | None = None,
    rounds: int | None = None,
    economy: Economy | None = None,
    schedule: Iterable[Shift] = (),
    mechanisms: Iterable[str] = (),
    render_mode: str | None = None,
    max_cycles: int | None = None,
    first_market: int = 0,
) -> ParallelMarket:
    """Return a market in which all organizations act at once.

    Args:
        rule: a Rule, or a Structure, which is drawn anew in each episode; or the name of either (`list_rules()`,
            `list_structures()`), or the path of its file.
        organizations, jobs, kinds, rounds: sizes that replace those of the economy (by default 8, 8, 3, 100).
        economy: the numbers that are not part of the rule; None means `Economy()`.
        schedule: the shifts of the rule within an episode.
        mechanisms: mechanisms of your own to load, each as "module:function".
        render_mode: None, "human", "ansi" or "rgb_array".
        max_cycles: another name for `rounds`, which it overrides.
        first_market: which market of a seed this is; market b of `Market(markets=B)` is `first_market=b` here.

    Raises:
        TypeError, ValueError: if an argument is wrong; names the argument, file or key.
    """
    length = rounds if max_cycles is None else max_cycles
    return ParallelMarket(
        rule,
        fit_economy(economy, organizations, jobs, kinds, length),
        schedule=schedule,
        mechanisms=mechanisms,
        render_mode=render_mode,
        first_market=first_market,
    )


def env(*args: Any, **kwargs: Any) -> AECEnv:
    """Return the market as an AEC environment, in which organizations act in turn; arguments as for `parallel_env`."""
    return TurnBasedMarket(parallel_env(*args, **kwargs))


def twin(env: Any) -> Any:
    """Return the same environment with the same noise but without its schedule: what happens if the rule stays.

    The twin is not yet reset. If it is reset without a seed, it takes the last seed of the original, so that the two
    are identical until the first shift.

    Args:
        env: a market of this package with any of its interfaces, or a `Market`.

    Raises:
        TypeError: if `env` is not a market of this package.
    """
    inner = getattr(env, "unwrapped", env)
    if not hasattr(inner, "twin"):
        raise TypeError(f"twin: {type(inner).__name__} is no market of ruleshift")
    return TurnBasedMarket(inner.twin()) if isinstance(env, AECEnv) else inner.twin()


def _of_agent(spaces: Mapping[str, Box], agent: str) -> Box:
    if agent not in spaces:
        raise ValueError(f"{agent}: no such agent in this market")
    return spaces[agent]
