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
from pettingzoo.utils import BaseWrapper, OrderEnforcingWrapper
from pettingzoo.utils.conversions import parallel_to_aec_wrapper

from ruleshift.envs.economy import Economy
from ruleshift.envs.layout import FEATURES
from ruleshift.envs.market import Market
from ruleshift.envs.rule import Rule
from ruleshift.envs.scene import Ended
from ruleshift.envs.schedule import Shift
from ruleshift.envs.structure import Structure
from ruleshift.envs.views import (
    LEDGER,
    OBSERVATION_BOUND,
    RENDER_MODES,
    Screen,
    fit_economy,
    fresh_seed,
    listed,
    read_action,
    read_seed,
    rule_option,
)


class ParallelMarket(ParallelEnv[str, np.ndarray, np.ndarray]):
    """One market as a PettingZoo ParallelEnv; see `parallel_env` for the arguments and the module for the spaces."""

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
        self.render_mode, self._screen = render_mode, Screen(render_mode)
        self.max_cycles = economy.rounds  # may be changed, which takes effect at the next reset
        self._options: dict[str, Any] = {
            "schedule": listed(schedule, Shift), "mechanisms": listed(mechanisms, str), "first_market": first_market
        }  # fmt: skip
        self._open(rule, economy)
        self._seed: int | None = None
        self.possible_agents = [f"org_{i}" for i in range(economy.organizations)]
        self.agents: list[str] = []
        low_high = (-OBSERVATION_BOUND, OBSERVATION_BOUND)
        size = self._market.observation_size
        self._observation_spaces = {a: Box(*low_high, (size,), np.float32) for a in self.possible_agents}
        self._action_spaces = {a: Box(-1, 1, (self._market.action_size,), np.float32) for a in self.possible_agents}
        self.state_space = Box(*low_high, (economy.organizations * size + len(FEATURES),), np.float32)

    def _open(self, rule: Any, economy: Economy) -> None:
        self._market = Market(rule, markets=1, economy=economy, **self._options)
        self._observations = np.zeros((self._market.organizations, self._market.observation_size), np.float32)
        self._rule_played: Rule | None = None
        self._started = False

    @property
    def market(self) -> Market:
        """The batched market (of one) of which this is a view."""
        return self._market

    @property
    def economy(self) -> Economy:
        """The numbers of the market that are not part of its rule."""
        return self._market.economy

    @property
    def rule(self) -> Rule:
        """The rule of the round to be played next or, after the end of an episode, of its last round."""
        return self._rule_played if self._rule_played and not self.agents else self._market.rule_in_force(0)

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
            TypeError, ValueError: if the seed, the options or the rule are wrong.
        """
        seed, rule = read_seed(seed), rule_option(options)
        if self.max_cycles != self.economy.rounds:
            self._open(self._market.rule, replace(self.economy, rounds=self.max_cycles))
        if seed is None and not self._started:
            seed = fresh_seed() if self._seed is None else self._seed
        observations = self._market.reset(seed=seed, rule=rule)
        self._seed = self._seed if seed is None else seed
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
            Observations, rewards (in mean job values), terminations, truncations and infos by agent.

        Raises:
            RuntimeError: before the first reset or after the end of the episode.
            TypeError, ValueError: if there are not actions of exactly the agents, or if `read_action` refuses one;
                nothing has changed.
        """
        self._require_reset("step")
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
        options = {**self._options, "schedule": ()}
        other = ParallelMarket(self._market.rule, self.economy, render_mode=self.render_mode, **options)
        other._seed = self._seed
        return other

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

    def __getstate__(self) -> dict[str, Any]:
        attributes = {name: value for name, value in vars(self).items() if name not in ("_market", "_screen")}
        snapshot = self._market.snapshot() if self._started else None
        return {**attributes, "rule": self._market.rule, "economy": self.economy, "snapshot": snapshot}

    def __setstate__(self, state: dict[str, Any]) -> None:
        rule, economy, snapshot = (state.pop(name) for name in ("rule", "economy", "snapshot"))
        self.__dict__.update(state, _screen=Screen(state["render_mode"]))
        self._market = Market(rule, markets=1, economy=economy, **self._options)
        if snapshot is not None:
            self._market.restore(snapshot)

    def __repr__(self) -> str:
        return "market_v0"


class RefuseBadActions(BaseWrapper):
    """Refuses an agent's bad action when it is handed in, not when the round is played."""

    def step(self, action: Any) -> None:
        """Hand in the action of the selected agent, or None if its episode is over.

        Raises:
            TypeError, ValueError: if `read_action` refuses the action; names the agent.
        """
        agent = self.env.agent_selection
        if not (self.env.terminations[agent] or self.env.truncations[agent]):
            action = read_action(action, self.env.action_space(agent).shape, agent)
        super().step(action)


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
    return _one_by_one(parallel_env(*args, **kwargs))


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
    return _one_by_one(inner.twin()) if isinstance(env, AECEnv) else inner.twin()


def _one_by_one(market: ParallelMarket) -> AECEnv:
    return OrderEnforcingWrapper(RefuseBadActions(parallel_to_aec_wrapper(market)))


def _of_agent(spaces: Mapping[str, Box], agent: str) -> Box:
    if agent not in spaces:
        raise ValueError(f"{agent}: no such agent in this market")
    return spaces[agent]
