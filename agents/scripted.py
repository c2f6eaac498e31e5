"""Organizations that follow a script: what learned ones are measured against, and what the theory of auctions knows.

Every one reads only its observation and the economy, so that any of them can sit under any rule.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import ndtr

from ruleshift.agents.policy import Memory, Policy
from ruleshift.envs.act import MAX_ASK, to_action
from ruleshift.envs.draws import unchecked
from ruleshift.envs.economy import Economy
from ruleshift.envs.fields import Count, Maybe, Number, Numbers, Of, check_fields, option
from ruleshift.envs.layout import action_layout, observation_layout


@lru_cache
def _layout(size: int) -> tuple[dict[str, slice], int]:
    """Layout of an observation of `size` numbers, and its kinds."""
    fixed = _size(2) - 2 * (per_kind := _size(2) - _size(1))
    kinds = (size - fixed) // per_kind
    if kinds < 1 or _size(kinds) != size:
        raise ValueError(f"observations have {size} numbers; no number of kinds gives that")
    return observation_layout(kinds), kinds


def _size(kinds: int) -> int:
    return max(part.stop for part in observation_layout(kinds).values())


class _Costs(NamedTuple):
    """What unit costs read of the economies of n organizations, float64 (n, 1)."""

    base_cost: np.ndarray
    infrastructure_gain: np.ndarray
    effort_cost: np.ndarray


def unit_costs(observations: np.ndarray, economy: Economy | _Costs, effort: float | np.ndarray = 0.0) -> np.ndarray:
    """The cost of serving a job of each kind, as a share of its value, as the organization itself can work it out.

    base_cost * (1 - capability) * (1 + infrastructure)**-g + effort_cost * effort + shock.

    Args:
        observations: (n, F) float32.
        economy: of the market.
        effort: number or (n, 1), in [0, 1].

    Returns:
        float64 (n, K), never below 0.
    """
    layout, _ = _layout(observations.shape[1])
    infrastructure = observations[:, layout["infrastructure"]].astype(np.float64)
    relief = (1.0 + infrastructure) ** -economy.infrastructure_gain
    base = np.float32(economy.base_cost) * (1.0 - observations[:, layout["capability"]]) * relief
    return np.maximum(base + economy.effort_cost * effort + observations[:, layout["shock"]], 0.0)


class _Scripted(Policy):
    columns: ClassVar[bool]
    """Set by a class, for itself alone, whose `act` takes a column of numbers, one a row, in place of a number."""

    def __post_init__(self) -> None:
        check_fields(self, type(self).__name__)

    def describe(self) -> dict[str, Any]:
        return {"policy": type(self).__name__, **asdict(self)}  # type: ignore[call-overload]

    @classmethod
    def joined(cls, policies: Sequence[Any], counts: Sequence[int]) -> Policy | None:
        if "columns" not in vars(cls):
            return None
        joined = {}
        for name in (each.name for each in fields(cls)):  # type: ignore[arg-type]
            values = [getattr(policy, name) for policy in policies]
            if all(value == values[0] for value in values):
                joined[name] = values[0]
            elif not isinstance(values[0], float | Economy):
                return None
            elif isinstance(values[0], Economy):
                read = [[getattr(value, cost) for value in values] for cost in _Costs._fields]
                joined[name] = _Costs(*(np.repeat(numbers, counts)[:, None] for numbers in read))
            else:
                joined[name] = np.repeat(values, counts)
        return unchecked(policies[0], joined)


def _column(number: float | np.ndarray) -> np.ndarray:
    """A number, or one for each row, beside the kinds: (1, 1) or (n, 1)."""
    return np.reshape(number, (-1, 1))


def _actions(observations: np.ndarray, ask: Any, effort: Any, promotion: Any, focus: Any = 0.0) -> np.ndarray:
    count, kinds = len(observations), _layout(observations.shape[1])[1]
    return to_action(ask=ask * np.ones(count), effort=effort, promotion=promotion, focus=focus, kinds=kinds)


@dataclass(frozen=True)
class RandomPolicy(_Scripted):
    """Draws actions uniformly, by the distribution function of the noise; without noise, plays the box's centre."""

    columns = True
    uses_noise = True

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        _, kinds = _layout(observations.shape[1])
        if noise is None:
            size = max(part.stop for part in action_layout(kinds).values())
            return np.zeros((len(observations), size), np.float32), memory
        return (2.0 * ndtr(noise) - 1.0).astype(np.float32), memory


@dataclass(frozen=True)
class Constant(_Scripted):
    """Shows the same conduct in every round, whatever it sees.

    Args:
        ask: in [0, 1.25], a share of the job's value.
        effort: in [0, 1].
        promotion: in [0, 1].
        focus: K numbers in [-1, 1], attention to each kind before the softmax; even where empty.
    """

    columns = True

    ask: float = option(0.6, Number(0, MAX_ASK))
    effort: float = option(0.3, Number(0, 1))
    promotion: float = option(0.5, Number(0, 1))
    focus: tuple[float, ...] = option((), Numbers(1_000, -1, 1))

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        _, kinds = _layout(observations.shape[1])
        if self.focus and len(self.focus) != kinds:
            raise ValueError(f"focus has {len(self.focus)} numbers; the market has {kinds} kinds")
        focus = self.focus or 0.0
        return _actions(observations, self.ask, self.effort, self.promotion, focus), memory


@dataclass(frozen=True)
class PostedPrice(_Scripted):
    """Prices at cost plus: asks its mean unit cost times a markup.

    Args:
        markup: ask over unit cost.
        effort: in [0, 1].
        promotion: in [0, 1].
        economy: of the market.
    """

    columns = True

    markup: float = option(1.5, Number(0, 100))
    effort: float = option(0.3, Number(0, 1))
    promotion: float = option(0.0, Number(0, 1))
    economy: Economy = field(default_factory=Economy, metadata={"kind": Of(Economy)})

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        cost = unit_costs(observations, self.economy, _column(self.effort))
        ask = np.minimum(self.markup * cost.mean(axis=1), 1.0)
        return _actions(observations, ask, self.effort, self.promotion), memory


@dataclass(frozen=True)
class Follower(_Scripted):
    """Imitates winners: moves its own last conduct by a step towards what sets them apart from everyone.

    Where the rule discloses no winners it stays with its last conduct; it starts from the one given, and never asks
    less than its mean unit cost.

    Args:
        step: share of the public difference (winners' mean less everyone's) to move by.
        ask: at the start, in [0, 1.25].
        effort: at the start, in [0, 1].
        promotion: at the start, in [0, 1].
        economy: of the market.
    """

    columns = True

    step: float = option(0.5, Number(0, 1))
    ask: float = option(0.75, Number(0, MAX_ASK))
    effort: float = option(0.4, Number(0, 1))
    promotion: float = option(0.25, Number(0, 1))
    economy: Economy = field(default_factory=Economy, metadata={"kind": Of(Economy)})

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        layout, _ = _layout(observations.shape[1])
        # Shares of focus sum to 1 once a round has been played, and are all 0 before.
        played = observations[:, layout["last_focus"]].sum(axis=1) > 0.5
        public = observations[:, layout["public"]] * observations[:, layout["public_mask"]]
        conduct, begin = [], {"ask": self.ask, "effort": self.effort, "promotion": self.promotion}
        for column, (name, start) in enumerate(begin.items()):
            last = observations[:, layout[f"last_{name}"]][:, 0].astype(np.float64)
            conduct.append(np.where(played, last + np.float32(self.step) * public[:, column], start))
        ask, effort, promotion = conduct
        effort, promotion = np.clip(effort, 0.0, 1.0), np.clip(promotion, 0.0, 1.0)
        cost = unit_costs(observations, self.economy, effort[:, None]).mean(axis=1)
        return _actions(observations, np.clip(ask, cost, 1.0), effort, promotion), memory


@dataclass(frozen=True)
class FirstPriceBidder(_Scripted):
    """Plays the equilibrium of the first-price procurement auction with costs uniform up to a ceiling.

    ask = (c + (ceiling - c) / n) / (1 - commission), c its lowest unit cost over kinds (Krishna 2009, section 2.3).

    Args:
        bidders: n, itself included; the economy's organizations by default.
        ceiling: the highest cost that there can be, a share of the job's value.
        commission: share of the payment that the platform keeps.
        effort: in [0, 1].
        economy: of the market.
    """

    bidders: int | None = option(None, Maybe(Count(1, 1_000_000)))
    ceiling: float = option(1.0, Number(0, 10))
    commission: float = option(0.0, Number(0, 0.99))
    effort: float = option(0.0, Number(0, 1))
    economy: Economy = field(default_factory=Economy, metadata={"kind": Of(Economy)})

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        costs = unit_costs(observations, self.economy, self.effort)
        cost, rivals = costs.min(axis=1), self.bidders or self.economy.organizations
        ask = (cost + np.maximum(self.ceiling - cost, 0.0) / rivals) / (1.0 - self.commission)
        return _actions(observations, ask, self.effort, 0.0), memory


@dataclass(frozen=True)
class SecondPriceBidder(_Scripted):
    """Asks what is dominant in the second-price procurement auction, the truth: c / (1 - commission) (Vickrey 1961).

    Args:
        commission: share of the payment that the platform keeps.
        effort: in [0, 1].
        economy: of the market.
    """

    commission: float = option(0.0, Number(0, 0.99))
    effort: float = option(0.0, Number(0, 1))
    economy: Economy = field(default_factory=Economy, metadata={"kind": Of(Economy)})

    def act(
        self, observations: np.ndarray, memory: Memory = None, noise: np.ndarray | None = None
    ) -> tuple[np.ndarray, Memory]:
        costs = unit_costs(observations, self.economy, self.effort)
        return _actions(observations, costs.min(axis=1) / (1.0 - self.commission), self.effort, 0.0), memory


def rival_population(economy: Economy, seed: int | None = None) -> tuple[Policy, ...]:
    """The common rivals that hold half of the seats while an arm learns: one of each conduct, none of them learned.

    Args:
        economy: of the market.
        seed: draws each conduct around the common one, evenly over a range of which that is the middle; None is the
            common population itself.
    """
    if seed is None:
        return (PostedPrice(economy=economy), Follower(economy=economy), Constant(), RandomPolicy())
    near = np.random.default_rng(seed).uniform
    posted = PostedPrice(near(1.2, 1.8), near(0.1, 0.5), economy=economy)
    follower = Follower(near(0.25, 0.75), near(0.6, 0.9), near(0.2, 0.6), near(0.1, 0.4), economy)
    constant = Constant(near(0.45, 0.75), near(0.1, 0.5), near(0.25, 0.75))
    return (posted, follower, constant, RandomPolicy())
