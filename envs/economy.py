"""The economy: the numbers of a market that are not part of its rule."""

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from ruleshift.envs import layout as at
from ruleshift.envs.enumerations import DEMAND, DEMANDS, LEARNING, SHARE, SHARES, SHOCK_LAW, SHOCK_LAWS
from ruleshift.envs.fields import Count, Number, OneOf, Range, check_fields, option
from ruleshift.envs.numerics import rounded_log


@dataclass(frozen=True)
class Economy:
    """Sizes, costs, demand and shocks of a market. Money is in units of the mean job value.

    Raises:
        ValueError: if a field has the wrong type or is out of its range; names the field.
    """

    organizations: int = option(8, Count(1, 1_000_000))
    """N, the number of organizations (seats) in the market."""
    jobs: int = option(8, Count(1, 1_000_000))
    """J, the number of jobs posted per round."""
    kinds: int = option(3, Count(1, 1_000))
    """K, the number of kinds of job."""
    rounds: int = option(100, Count(1, 1_000_000_000))
    """T, the number of rounds after which an episode is truncated."""
    capacity: int = option(3, Count(1, 1_000_000))
    """Number of jobs that one organization can serve per round."""
    blocs: int = option(1, Count(1, 1_000))
    """Number of blocs: organization i belongs to bloc i mod blocs, and kind k to bloc k mod blocs."""

    base_cost: float = option(0.5, Number(0, 10))
    """Cost of serving at capability 0, as a share of the job's value."""
    effort_cost: float = option(0.3, Number(0, 10))
    """Cost of full effort, as a share of the job's value."""
    promotion_price: float = option(0.2, Number(0, 10))
    """Price of full promotion, in mean job values per round, or as a share of the value of each job won; which of the
    two depends on `Payment.charge`."""

    outside_share: float = option(0.1, Number(0, 0.99))
    """Share of the jobs that leave the platform if every organization is like the reference organization, which has
    ask `outside_ask`, capability and reputation .5, promotion .25, mean popularity and even focus."""
    outside_ask: float = option(0.75, Number(0.02, 1.25))
    """Ask of the reference organization, as a share of the job's value; the higher it is, the fewer jobs leave."""

    learning: str = option("endogenous", OneOf(*LEARNING))
    """`endogenous`: capability grows by participation; `exogenous`: it is drawn once, ex ante."""
    progress_ratio: float = option(0.8, Number(0.5, 1))
    """Unit cost after experience has doubled, relative to unit cost before (Wright 1936)."""
    depreciation: float = option(0.01, Number(0, 1))
    """Share of experience that is lost per round."""
    initial_capability: tuple[float, float] = option((0.1, 0.5), Range(0, 1))
    """Bounds between which capability without experience is drawn uniformly, for each organization and kind."""

    infrastructure: tuple[float, float] = option((0.0, 0.0), Range(0, 100))
    """Bounds between which the infrastructure of each organization is drawn uniformly."""
    infrastructure_gain: float = option(0.3, Number(0, 10))
    """g in base cost * (1 + infrastructure)**-g."""

    shock_law: str = option("uniform", OneOf(*SHOCK_LAWS))
    """Distribution of the private cost shock, drawn for each organization, kind and round."""
    shock_mean: float = option(0.0, Number(-10, 10))
    """Mean of the shock, as a share of the job's value."""
    shock_sd: float = option(0.1, Number(0, 10))
    """Standard deviation of the shock, as a share of the job's value."""

    value_spread: float = option(0.5, Number(0, 1))
    """Job values are drawn uniformly from 1 - spread .. 1 + spread."""
    demand: str = option("random", OneOf(*DEMANDS))
    """`random`: the kind of each job is drawn; `even`: kinds are posted in equal numbers (job j is of kind j mod K), in
    random order of arrival."""
    demand_drift: float = option(0.0, Number(0, 1))
    """How far the mix of kinds moves, under random demand only: in round t kind k has weight
    1 + demand_drift * wave(t / drift_period + k / K), where wave is a triangle wave of period 1 between -1 and 1 that
    starts at 0 and rises."""
    value_drift: float = option(0.0, Number(0, 1))
    """How far job values move: in round t all are multiplied by 1 + value_drift * wave(t / drift_period)."""
    drift_period: int = option(50, Count(2, 1_000_000))
    """Number of rounds after which drifts repeat."""
    shares: str = option("sampled", OneOf(*SHARES))
    """`sampled`: each job goes to the organization drawn; `expected`: it is divided among all organizations by their
    odds (divisible demand)."""

    quality_capability: float = option(0.4, Number(0, 1))
    """Weight of capability in quality; the rest is the weight of effort."""
    quality_noise: float = option(0.05, Number(0, 1))
    """Half-width of the uniform noise on the quality of a job."""
    initial_reputation: float = option(0.5, Number(0.01, 1))
    """Reputation of an organization when it enters."""
    initial_cash: float = option(5.0, Number(0, 1e6))
    """Cash of an organization when it enters, in mean job values."""

    def __post_init__(self) -> None:
        check_fields(self, "economy")
        if self.demand == "even" and self.demand_drift > 0:
            raise ValueError(f"economy: demand_drift is {self.demand_drift:g}; under even demand it must be 0")
        if self.shares == "expected" and self.capacity < self.jobs:
            raise ValueError(
                f"economy: capacity is {self.capacity}; where shares are expected it must be at least jobs, {self.jobs}"
            )

    @property
    def hash(self) -> str:
        """The economy's fingerprint: sixteen hexadecimal digits of all its fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def features(self) -> np.ndarray:
        """Return what sets economies apart as numbers a network can read: float32 (20,) in [-10, 10].

        Sizes are logarithms, to base 10, of jobs per organization and the like, so that a market of a thousand
        organizations does not drown one of ten.
        """
        sizes = (self.organizations, self.jobs, self.capacity, self.rounds)
        numbers = (
            *(np.log10(size) for size in sizes), self.base_cost, self.effort_cost, self.promotion_price,
            self.outside_share, self.outside_ask, self.learning == "endogenous", self.progress_ratio,
            10 * self.depreciation, *self.initial_capability, np.mean(self.infrastructure), self.shock_sd,
            self.value_spread, self.demand_drift, self.value_drift, self.initial_reputation,
        )  # fmt: skip
        return np.clip(np.array(numbers, np.float64), -10.0, 10.0).astype(np.float32)

    def row(self) -> np.ndarray:
        """Return the economy as the kernel reads it: float64 (ECONOMY_ROW,), by the positions in `layout`."""
        row = np.zeros(at.ECONOMY_ROW)
        share = self.outside_share
        odds = self.organizations * share / (1 - share)
        for index, value in (
            (at.ROUNDS, self.rounds),
            (at.CAPACITY, self.capacity),
            (at.BLOCS, self.blocs),
            (at.BASE_COST, self.base_cost),
            (at.EFFORT_COST, self.effort_cost),
            (at.PROMOTION_PRICE, self.promotion_price),
            (at.LOG_OUTSIDE_ODDS, rounded_log(odds) if share > 0 else -np.inf),
            (at.OUTSIDE_ASK, self.outside_ask),
            (at.LEARNING_EXPONENT, -rounded_log(self.progress_ratio, 2.0) if self.learning == "endogenous" else 0.0),
            (at.DEPRECIATION, self.depreciation),
            (at.CAPABILITY_LOW, self.initial_capability[0]),
            (at.CAPABILITY_HIGH, self.initial_capability[1]),
            (at.INFRASTRUCTURE_LOW, self.infrastructure[0]),
            (at.INFRASTRUCTURE_HIGH, self.infrastructure[1]),
            (at.INFRASTRUCTURE_GAIN, self.infrastructure_gain),
            (at.SHOCK_LAW, getattr(SHOCK_LAW, self.shock_law)),
            (at.SHOCK_MEAN, self.shock_mean),
            (at.SHOCK_SD, self.shock_sd),
            (at.VALUE_SPREAD, self.value_spread),
            (at.DEMAND, getattr(DEMAND, self.demand)),
            (at.QUALITY_CAPABILITY, self.quality_capability),
            (at.QUALITY_NOISE, self.quality_noise),
            (at.INITIAL_REPUTATION, self.initial_reputation),
            (at.INITIAL_CASH, self.initial_cash),
            (at.SHARES, getattr(SHARE, self.shares)),
            (at.DEMAND_DRIFTS, self.demand_drift > 0),
        ):
            row[index] = value
        return row

    def calendar(self) -> np.ndarray:
        """Return the drifts of values and demand, float64 (P, 1 + K), one row per round of a period.

        Each row holds the factor on job values, then the cumulative shares of the kinds. P is 1 if nothing drifts, else
        the number of rounds after which drifts repeat, or of the episode if that is shorter.
        """
        drifts = self.demand_drift > 0 or self.value_drift > 0
        rounds = np.arange(min(self.drift_period, self.rounds + 1) if drifts else 1)[:, None] / self.drift_period
        weights = 1 + self.demand_drift * _wave(rounds + np.arange(self.kinds) / self.kinds)
        table = np.empty((len(rounds), 1 + self.kinds))
        table[:, :1] = 1 + self.value_drift * _wave(rounds)
        table[:, 1:] = np.cumsum(weights, axis=1)
        table[:, 1:] /= np.where(table[:, -1:] > 0, table[:, -1:], 1)  # a single kind may have weight 0
        return table


def _wave(phase: np.ndarray) -> np.ndarray:
    """Return a triangle wave of period 1 between -1 and 1 that starts at 0 and rises."""
    return 1 - 4 * np.abs((phase + 0.25) % 1 - 0.5)
