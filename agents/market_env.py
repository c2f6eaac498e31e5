"""The market for Gymnasium: one organization learns, in seat 0, and background policies hold the other seats.

Observations, actions, reward and end are those of `ruleshift.envs.market_v0`, of the focal organization alone. The
background acts on its own observations, with noise that depends on (seed, market, episode, round, seat) only.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ruleshift.agents.background import Background
from ruleshift.agents.policy import Policy
from ruleshift.agents.scripted import rival_population
from ruleshift.agents.seats import Seats
from ruleshift.envs.economy import Economy
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
    listed,
    read_action,
    read_seed,
    rule_option,
)

FOCAL = 0
"""The seat of the focal organization."""


class FocalMarkets:
    """B markets in lock-step, seat 0 of each played from outside, the others by the background.

    Args:
        rule: a Rule or a Structure, or the name of either, or the path of its file.
        markets: B.
        economy: sizes and numbers of the markets.
        background: None for `rival_population`, a policy for all other seats, or several that hold them in turn.
        options: further arguments of `Market`.

    Raises:
        TypeError: a background of anything but policies.
    """

    def __init__(
        self, rule: Any, markets: int, economy: Economy, background: Policy | Iterable[Policy] | None, **options: Any
    ) -> None:
        rivals = _rivals(background, economy)
        self.market = Market(rule, markets=markets, economy=economy, **options)
        self._background = Background(Seats.shared(economy.organizations, rivals, learning=1), markets)
        self._observations = np.zeros(0, np.float32)
        self._rivals, self._options = rivals, options
        self.playing = False

    def reset(self, seed: int | None, rule: Any) -> np.ndarray:
        """Start an episode and return observations (B, F) float32 of the focal organizations, a fresh array."""
        self._observations = self.market.reset(seed=seed, rule=rule)
        self._background.reset()
        self.playing = True
        return self._observations[:, FOCAL].copy()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
        """Play actions (B, A) float32; return observations (B, F), rewards (B,) float32, whether the episode ended.

        Where it did, the observations are those of the next episode, and `final` has the last ones.
        """
        market = self.market
        batch = np.zeros((market.markets, market.organizations, market.action_size), np.float32)
        self._background.act(self._observations, batch, market.key, round=market.round, episode=market.episode)
        batch[:, FOCAL] = actions
        self._observations, rewards, truncated = market.step(batch)
        if truncated:
            self._background.reset()
        return self._observations[:, FOCAL].copy(), rewards[:, FOCAL], bool(truncated)

    @property
    def final(self) -> np.ndarray:
        """The last observations (B, F) float32 of the episode that has ended, a fresh array."""
        assert self.market.last_observations is not None
        return self.market.last_observations[:, FOCAL].copy()

    def ledger(self) -> dict[str, np.ndarray]:
        """What the focal organizations did and got in the last round: fresh arrays (B,) float64 by name."""
        rows = self.market.outcomes[:, : len(LEDGER), FOCAL].T
        return {name: row.copy() for name, row in zip(LEDGER, rows, strict=True)}

    def twin_arguments(self) -> dict[str, Any]:
        """The arguments that make the same markets without the schedule."""
        same = {"rule": self.market.rule, "economy": self.market.economy, "background": self._rivals}
        return {**same, **self._options, "schedule": ()}

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name != "market"}
        given = {"rule": self.market.rule, "markets": self.market.markets, "economy": self.market.economy}
        return {**kept, "given": given, "snapshot": self.market.snapshot() if self.playing else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        given, snapshot = state.pop("given"), state.pop("snapshot")
        self.__dict__.update(state)
        self.market = Market(**given, **self._options)
        if snapshot is not None:
            self.market.restore(snapshot)


class MarketEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One organization's market, `gymnasium.make("ruleshift:ruleshift/Market-v0")`.

    Observation: Box(-10, 10) float32 (F,). Action: Box(-1, 1) float32 (3 + kinds,), clipped beyond it.
    Reward: profit of the round in mean job values. Truncated after round T, never terminated.
    Info: the organization's ledger, floats by the names of `market_v0.LEDGER`, zeros at reset.

    Args:
        rule, organizations, jobs, kinds, rounds, economy, schedule, mechanisms, first_market: as for
            `market_v0.parallel_env`.
        background: policies of seats 1 to N - 1: None for `rival_population`, one policy, or several in turn.
        render_mode: None, "human", "ansi" or "rgb_array".

    Raises:
        TypeError, ValueError: naming the argument, file or key that is wrong.
    """

    metadata: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012 - Gymnasium's own

    def __init__(
        self,
        rule: str | Path | Rule | Structure = "price_board",
        organizations: int | None = None,
        jobs: int | None = None,
        kinds: int | None = None,
        rounds: int | None = None,
        economy: Economy | None = None,
        schedule: Iterable[Shift] = (),
        mechanisms: Iterable[str] = (),
        background: Policy | Iterable[Policy] | None = None,
        render_mode: str | None = None,
        first_market: int = 0,
    ) -> None:
        self.render_mode, self._screen = render_mode, Screen(render_mode)
        self._play = FocalMarkets(
            rule, 1, fit_economy(economy, organizations, jobs, kinds, rounds), background,
            schedule=listed(schedule, Shift), mechanisms=listed(mechanisms, str), first_market=first_market,
        )  # fmt: skip
        self.observation_space, self.action_space = _spaces(self._play.market)
        self._seed: int | None = None
        self._over = True
        self._ended: Ended | None = None  # what is left of the episode that is over

    @property
    def market(self) -> Market:
        """The batched market of one that this is a view of."""
        return self._play.market

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode: the first one of a seed, or without a seed the next one.

        An episode of which no round was played is not over: it is started again.

        Never given a seed, it takes one from the operating system.
        `options={"rule": ...}` changes the rule from now on; other options are ignored.
        """
        seed, rule = read_seed(seed), rule_option(options)
        super().reset(seed=seed)
        if seed is None and not self._play.playing:
            seed = int(self.np_random.integers(2**31)) if self._seed is None else self._seed
        observations = self._play.reset(seed, rule)
        self._seed = self._seed if seed is None else seed
        self._over, self._ended = False, None
        self._screen.show(self.market, self._ended)
        return observations[0], dict.fromkeys(LEDGER, 0.0)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play a round.

        Raises:
            RuntimeError: before the first reset, or after the end.
            TypeError, ValueError: an action of the wrong type or shape, or not finite; nothing has changed.
        """
        if self._over:
            why = "the episode is over; call reset" if self._play.playing else "call reset first"
            raise RuntimeError(f"step: {why}")
        batch = read_action(action, self.action_space.shape, f"org_{FOCAL}")[None]  # type: ignore[arg-type]
        rule = self.market.rule_in_force(0)
        observations, rewards, truncated = self._play.step(batch)
        if truncated:
            assert self.market.last_observations is not None
            self._ended = Ended(rule, self.market.last_observations[0])
            observations, self._over = self._play.final, True
        self._screen.show(self.market, self._ended)
        info = {name: float(values[0]) for name, values in self._play.ledger().items()}
        return observations[0], float(rewards[0]), False, truncated, info

    def render(self) -> Any:
        """The market as text (`ansi`), as uint8 (H, W, 3) (`rgb_array`), or shown at once (`human`, None).

        After the end it is the last round that is shown, until the next reset.
        """
        if not self._play.playing:
            raise RuntimeError("render: call reset first")
        return self._screen.render(self.market, self._ended)

    def close(self) -> None:
        """Release the renderer; a second call does no harm."""
        self._screen.close()

    def twin(self) -> "MarketEnv":
        """The same environment with the same noise and without the schedule, to be reset."""
        other = MarketEnv(**self._play.twin_arguments(), render_mode=self.render_mode)
        other._seed = self._seed
        return other


class MarketVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """B markets in one batch, one focal organization each: what `gymnasium.make_vec` makes.

    Observations float32 (B, F), actions (B, 3 + kinds), rewards float64 (B,), terminations and truncations bool (B,).
    Autoreset is SAME_STEP: the last observations of an episode are in `infos["final_obs"]`, its last ledger in
    `infos["final_info"]`. Market b is the `MarketEnv` with `first_market + b` and the same seed, bit for bit.

    Args:
        num_envs: B.
        max_episode_steps: another name of `rounds`, which it overrides.
        threads: Python threads that share the markets.
        others: as for `MarketEnv`; rendering is that of a single environment.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's own declaration
        "render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP
    }  # fmt: skip

    def __init__(
        self,
        num_envs: int = 1,
        rule: str | Path | Rule | Structure = "price_board",
        organizations: int | None = None,
        jobs: int | None = None,
        kinds: int | None = None,
        rounds: int | None = None,
        economy: Economy | None = None,
        schedule: Iterable[Shift] = (),
        mechanisms: Iterable[str] = (),
        background: Policy | Iterable[Policy] | None = None,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        first_market: int = 0,
        threads: int = 1,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f"render_mode: {render_mode!r}, but a batch is not rendered; make a single environment")
        length = rounds if max_episode_steps is None else max_episode_steps
        self._play = FocalMarkets(
            rule, num_envs, fit_economy(economy, organizations, jobs, kinds, length), background,
            schedule=listed(schedule, Shift), mechanisms=listed(mechanisms, str), first_market=first_market,
            threads=threads,
        )  # fmt: skip
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self._play.market)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seed: int | None = None

    @property
    def market(self) -> Market:
        """The batched market that this is a view of."""
        return self._play.market

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in all markets: the first one of a seed, or without a seed the next one.

        `options={"rule": ...}` changes the rule of all markets from now on.

        Raises:
            TypeError: a list of seeds; the markets of one seed are already independent.
        """
        seed, rule = read_seed(seed), rule_option(options)
        super().reset(seed=seed)
        if seed is None and not self._play.playing:
            seed = int(self.np_random.integers(2**31)) if self._seed is None else self._seed
        observations = self._play.reset(seed, rule)
        self._seed = self._seed if seed is None else seed
        return observations, self._masked(self._no_ledger())

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play a round in all markets.

        Raises:
            RuntimeError: before the first reset.
            TypeError, ValueError: actions of the wrong type or shape, or not finite; nothing has changed.
        """
        if not self._play.playing:
            raise RuntimeError("step: call reset first")
        batch = read_action(actions, self.action_space.shape, "actions")  # type: ignore[arg-type]
        observations, rewards, truncated = self._play.step(batch)
        ledger = self._play.ledger()
        infos = self._masked(self._no_ledger() if truncated else ledger)
        if truncated:
            final = np.empty(self.num_envs, object)
            final[:] = list(self._play.final)
            infos |= self._masked({"final_obs": final, "final_info": self._masked(ledger)})
        ended = np.full(self.num_envs, truncated)
        return observations, rewards.astype(np.float64), np.zeros(self.num_envs, bool), ended, infos

    def twin(self) -> "MarketVectorEnv":
        """The same environment with the same noise and without the schedule, to be reset."""
        other = MarketVectorEnv(self.num_envs, **self._play.twin_arguments())
        other._seed = self._seed
        return other

    def _no_ledger(self) -> dict[str, np.ndarray]:
        return {name: np.zeros(self.num_envs) for name in LEDGER}

    def _masked(self, infos: dict[str, Any]) -> dict[str, Any]:
        """Each value with the mask, here of all markets, that Gymnasium puts beside it."""
        return infos | {f"_{name}": np.ones(self.num_envs, bool) for name in infos}


def _spaces(market: Market) -> tuple[Box, Box]:
    observation = Box(-OBSERVATION_BOUND, OBSERVATION_BOUND, (market.observation_size,), np.float32)
    return observation, Box(-1, 1, (market.action_size,), np.float32)


def _rivals(background: Any, economy: Economy) -> tuple[Policy, ...]:
    if background is None:
        return rival_population(economy)
    rivals = (background,) if isinstance(background, Policy) else tuple(background)
    if not rivals or not all(isinstance(policy, Policy) for policy in rivals):
        raise TypeError("background: expected a policy, or several")
    return rivals
