"""The market for Gymnasium: one organization learns, in seat 0, and background policies hold the other seats.

Observations, actions, reward and end are those of `ruleshift.envs.market_v0`, of the focal organization alone. The
background acts on its own observations, with noise that depends on (seed, market, episode, round, seat) only.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ruleshift.agents.background import Background
from ruleshift.agents.policy import Policy
from ruleshift.agents.scripted import rival_population
from ruleshift.agents.seats import Seats
from ruleshift.envs.economy import Economy
from ruleshift.envs.fields import listed
from ruleshift.envs.market import Market
from ruleshift.envs.rule import Rule
from ruleshift.envs.scene import Ended
from ruleshift.envs.schedule import Shift
from ruleshift.envs.seeds import fresh_seed, read_seed, read_seeds
from ruleshift.envs.structure import Structure
from ruleshift.envs.views import (
    LEDGER,
    OBSERVATION_BOUND,
    RENDER_MODES,
    Screen,
    cannot_be_set,
    fit_economy,
    read_action,
    read_only,
    rule_option,
    settable,
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
        self.rivals = rivals
        """The policies of the other seats, which hold them in turn."""
        self.seed: Any = None
        """The seed last given, or a tuple of the markets' seeds."""
        self.playing = False
        self._observations = np.zeros(0, np.float32)

    def reset(self, seed: Any = None, rule: Any = None) -> np.ndarray:
        """Start an episode and return observations (B, F) float32 of the focal organizations, a fresh array.

        Never given a seed, the first episode takes one from the operating system.
        """
        if seed is None and not self.playing:
            seed = fresh_seed() if self.seed is None else self.seed
        self._observations = self.market.reset(seed=seed, rule=rule)
        self._background.reset()
        self.seed = self.seed if seed is None else seed
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
        market = self.market
        return {
            "rule": market.rule, "economy": market.economy, "background": self.rivals, "mechanisms": market.mechanisms,
            "first_market": market.first_market,
        }  # fmt: skip


class _FocalView:
    """What the two Gymnasium views share: what can be set, and a spec that knows the length of the episodes."""

    _play: FocalMarkets
    _spec: EnvSpec | None = None

    rule = settable("market", "rule", "The rule or the structure, drawn anew in each episode; it may be set.")
    schedule = settable("market", "schedule", "The shifts of the rule within an episode, a tuple; it may be set.")
    economy = read_only("market", "economy", "The numbers of the market that are not part of its rule, an Economy.")
    background = read_only("_play", "rivals", "The policies of the other seats, which hold them in turn.")

    @property
    def market(self) -> Market:
        """The batched market that this is a view of."""
        return self._play.market

    @property
    def spec(self) -> EnvSpec | None:
        """What Gymnasium's `make` wrote down about the environment; `max_episode_steps` is the number of rounds."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = copy.copy(spec)
        if self._spec is not None:
            self._spec.max_episode_steps = self.market.economy.rounds


class MarketEnv(_FocalView, gymnasium.Env[np.ndarray, np.ndarray]):
    """One organization's market, `gymnasium.make("ruleshift:ruleshift/Market-v0")`.

    Observation: Box(-10, 10) float32 (F,). Action: Box(-1, 1) float32 (3 + kinds,), clipped beyond it.
    Reward: profit of the round in mean job values. Truncated after round T, never terminated.
    Info: the organization's ledger, floats by the names of `market_v0.LEDGER`, zeros at reset.

    `rule` and `schedule` may be set at any time, through wrappers by `set_wrapper_attr`: the value is checked at once,
    and the next episode is played by it.

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
        self._screen = Screen(render_mode)
        self._play = FocalMarkets(
            rule, 1, fit_economy(economy, organizations, jobs, kinds, rounds), background,
            schedule=listed(schedule, "schedule", Shift), mechanisms=listed(mechanisms, "mechanisms", str),
            first_market=first_market,
        )  # fmt: skip
        self.observation_space, self.action_space = _spaces(self._play.market)
        self._over = True
        self._ended: Ended | None = None  # what is left of the episode that is over

    render_mode = settable("_screen", "mode", 'None, "human", "ansi" or "rgb_array"; it may be set.')

    def set_wrapper_attr(self, name: str, value: Any, *, force: bool = True) -> bool:
        """Set `rule`, `schedule` or `render_mode`; gymnasium's wrappers hand on what none of them has.

        Raises:
            TypeError, ValueError: if the name is another one, or if the value is wrong; nothing has changed.
        """
        if name not in ("rule", "schedule", "render_mode"):
            raise ValueError(cannot_be_set(name))
        setattr(self, name, value)
        return True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode: the first one of a seed, or without a seed the next one.

        An episode of which no round was played is not over: it is started again.

        Never given a seed, it takes one from the operating system.
        `options={"rule": ...}` changes the rule from now on; other options are ignored.

        Raises:
            TypeError, ValueError: if the seed, the options or the rule are wrong; nothing has changed.
        """
        seed = read_seed(seed)
        observations = self._play.reset(seed, rule_option(options))
        super().reset(seed=seed)
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
        other._play.seed = self._play.seed
        return other


class MarketVectorEnv(_FocalView, VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """B markets in one batch, one focal organization each: what `gymnasium.make_vec` makes.

    Observations float32 (B, F), actions (B, 3 + kinds), rewards float64 (B,), terminations and truncations bool (B,).
    Market b is the `MarketEnv` with `first_market + b` and the same seed, bit for bit. The markets share rule and
    schedule, which may be set at any time: the value is checked at once, and the next episode is played by it.

    All markets end in the same round. What happens then is Gymnasium's `autoreset_mode`:

    - SAME_STEP: they are reset in the step in which they end. The last observations are in `infos["final_obs"]`, the
      last ledger in `infos["final_info"]`.
    - NEXT_STEP: the step returns the last observations; the one after it ignores its actions, resets, and returns
      reward 0. Gymnasium's wrappers of observations and RLlib want this mode.
    - DISABLED: `reset` must be called before the next step.

    Args:
        num_envs: B.
        max_episode_steps: another name of `rounds`, which it overrides.
        autoreset_mode: a member of `gymnasium.vector.AutoresetMode`, or its name or value as a string.
        threads: Python threads that share the markets.
        others: as for `MarketEnv`; rendering is that of a single environment.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own declaration

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
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        self.autoreset_mode = read_autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        if render_mode is not None:
            raise ValueError(f"render_mode: {render_mode!r}, but a batch is not rendered; make a single environment")
        length = rounds if max_episode_steps is None else max_episode_steps
        self._play = FocalMarkets(
            rule, num_envs, fit_economy(economy, organizations, jobs, kinds, length), background,
            schedule=listed(schedule, "schedule", Shift), mechanisms=listed(mechanisms, "mechanisms", str),
            first_market=first_market,
            threads=threads,
        )  # fmt: skip
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self._play.market)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._over = False  # an episode has ended, and the next one was not handed out yet

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in all markets: the first one of a seed, or without a seed the next one.

        `options={"rule": ...}` changes the rule of all markets from now on. `options={"reset_mask": ...}` must be True
        everywhere, because the markets of a batch begin and end together. Other options are ignored.

        Args:
            seed: one for all markets, which are independent of each other all the same, or a list with one for each.
            options: see above.

        Raises:
            TypeError, ValueError: if the seed, the options or the rule are wrong; nothing has changed.
        """
        seeds, rule = read_seeds(seed, self.num_envs), rule_option(options)
        check_reset_mask(options, self.num_envs)
        observations = self._play.reset(seeds, rule)
        super().reset(seed=seeds[0] if isinstance(seeds, tuple) else seeds)
        self._over = False
        return observations, self._masked(self._no_ledger())

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play a round in all markets; after the end of an episode, as `autoreset_mode` says.

        Raises:
            RuntimeError: before the first reset, or after the end in mode DISABLED.
            TypeError, ValueError: actions of the wrong type or shape, or not finite; nothing has changed.
        """
        if not self._play.playing:
            raise RuntimeError("step: call reset first")
        if self._over and self.autoreset_mode is AutoresetMode.DISABLED:
            raise RuntimeError("step: the episode is over; call reset")
        batch = read_action(actions, self.action_space.shape, "actions")  # type: ignore[arg-type]
        if self._over:
            self._over = False
            return self._returned(self._play.reset(), np.zeros(self.num_envs), False, self._no_ledger())
        observations, rewards, ended = self._play.step(batch)
        ledger = self._play.ledger()
        if not ended:
            return self._returned(observations, rewards, False, ledger)
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._over = True
            return self._returned(self._play.final, rewards, True, ledger)
        final = np.empty(self.num_envs, object)
        final[:] = list(self._play.final)
        infos = {**self._no_ledger(), "final_obs": final, "final_info": self._masked(ledger)}
        return self._returned(observations, rewards, True, infos)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of this environment or of its market once, and return its result once for each market.

        Of what is no method, its value is returned, as Gymnasium's own vector environments do.
        """
        found = getattr(self if hasattr(self, name) else self.market, name)
        return (found(*args, **kwargs) if callable(found) else found,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of this environment or of its market, once for each market."""
        return (getattr(self if hasattr(self, name) else self.market, name),) * self.num_envs

    def set_attr(self, name: str, values: Any) -> None:
        """Set `rule` or `schedule` of all markets, which takes effect at the next episode.

        Args:
            name: which of the two.
            values: what all markets get, or a list of B of it, which must be equal.

        Raises:
            TypeError, ValueError: if the name is another one, the markets are to differ, or the value is wrong; nothing
                has changed.
        """
        if name not in ("rule", "schedule"):
            raise ValueError(cannot_be_set(name))
        if isinstance(values, list | tuple) and not all(isinstance(each, Shift) for each in values):
            if len(values) != self.num_envs or any(each != values[0] for each in values):
                raise ValueError(f"{name}: the {self.num_envs} markets of a batch share it, so that they get one value")
            values = values[0]
        setattr(self, name, values)

    def twin(self) -> "MarketVectorEnv":
        """The same environment with the same noise and without the schedule, to be reset."""
        given = {**self._play.twin_arguments(), "threads": self.market.threads, "autoreset_mode": self.autoreset_mode}
        other = MarketVectorEnv(self.num_envs, **given)
        other._play.seed = self._play.seed
        return other

    def _returned(
        self, observations: np.ndarray, rewards: np.ndarray, ended: bool, infos: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        never, ends = np.zeros(self.num_envs, bool), np.full(self.num_envs, ended)
        return observations, rewards.astype(np.float64), never, ends, self._masked(infos)

    def _no_ledger(self) -> dict[str, np.ndarray]:
        return {name: np.zeros(self.num_envs) for name in LEDGER}

    def _masked(self, infos: dict[str, Any]) -> dict[str, Any]:
        """Each value with the mask, here of all markets, that Gymnasium puts beside it."""
        return infos | {f"_{name}": np.ones(self.num_envs, bool) for name in infos}


def _spaces(market: Market) -> tuple[Box, Box]:
    observation = Box(-OBSERVATION_BOUND, OBSERVATION_BOUND, (market.observation_size,), np.float32)
    return observation, Box(-1, 1, (market.action_size,), np.float32)


def read_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Return the mode that a member of AutoresetMode, its value or its name in letters of any size stands for.

    Raises:
        ValueError: if it is anything else.
    """
    for each in AutoresetMode:
        if mode is each or (isinstance(mode, str) and mode.upper() in (each.name, each.value.upper())):
            return each
    known = ", ".join(each.name for each in AutoresetMode)
    raise ValueError(f"autoreset_mode: {str(mode)[:80]!r} is none of {known}")


def check_reset_mask(options: Mapping[str, Any] | None, markets: int) -> None:
    """Refuse options with a `reset_mask` (B,) that is not True for all markets.

    Raises:
        TypeError: if it holds anything but bool.
        ValueError: if it has another shape, or leaves markets out.
    """
    if options is None or "reset_mask" not in options:
        return
    mask = np.asarray(options["reset_mask"])
    if mask.dtype != bool:
        raise TypeError(f"options: reset_mask holds {mask.dtype}; it must hold bool")
    if mask.shape != (markets,):
        raise ValueError(f"options: reset_mask has shape {mask.shape}; it must have {(markets,)}")
    if not mask.all():
        raise ValueError(
            "options: reset_mask leaves markets out, but those of a batch begin and end together; "
            'make_vec(..., vectorization_mode="sync") resets each on its own'
        )


def _rivals(background: Any, economy: Economy) -> tuple[Policy, ...]:
    if background is None:
        return rival_population(economy)
    rivals = (background,) if isinstance(background, Policy) else tuple(background)
    if not rivals or not all(isinstance(policy, Policy) for policy in rivals):
        raise TypeError("background: expected a policy, or several")
    return rivals
