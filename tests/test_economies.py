"""The frozen set of economies: even, within its ranges, and the same for ever."""

import hashlib

import numpy as np
import pytest
from scipy.stats.qmc import discrepancy

from ruleshift.envs import Market
from ruleshift.envs.economies import ROUNDS, SIZES, economy_set


def test_economy_set__is_frozen() -> None:
    """Results of different years are averaged over the same economies."""
    hashes = "".join(each.hash for each in economy_set(64))
    assert hashlib.sha256(hashes.encode()).hexdigest()[:16] == "23e0c00be9f81219"


def test_economy_set__a_larger_one_begins_with_the_smaller() -> None:
    assert economy_set(64)[:8] == economy_set(8)
    assert economy_set(4, first=3) == economy_set(7)[3:]


def test_economy_set__stays_in_the_ranges_of_the_design() -> None:
    ranges = {
        "base_cost": (0.3, 0.7), "effort_cost": (0.1, 0.5), "promotion_price": (0.05, 0.5),
        "outside_share": (0.05, 0.3), "progress_ratio": (0.75, 0.95), "depreciation": (0, 0.05), "shock_sd": (0, 0.2),
    }  # fmt: skip
    for each in economy_set(256):
        assert all(low <= getattr(each, name) <= high for name, (low, high) in ranges.items())
        assert each.organizations * each.capacity / each.jobs in (1.25, 1.5, 2.0, 3.0)
        assert each.rounds in ROUNDS


def test_economy_set__fills_the_ranges_more_evenly_than_chance() -> None:
    """64 economies have each size 16 times, and a lower discrepancy than most random samples of the same number."""
    drawn = economy_set(64)
    sizes = [(each.organizations, each.capacity) for each in drawn]
    assert [sizes.count(size) for size in SIZES] == [16, 16, 16, 16]
    names = {"base_cost": (0.3, 0.4), "effort_cost": (0.1, 0.4), "shock_sd": (0.0, 0.2)}
    points = np.array([[(getattr(e, name) - low) / width for name, (low, width) in names.items()] for e in drawn])
    rng = np.random.default_rng(0)
    chance = [discrepancy(rng.random(points.shape)) for _ in range(100)]
    assert discrepancy(points) < np.quantile(chance, 0.05)


def test_economy_set__nuisance_draws_initial_states_and_demand_as_well() -> None:
    plain, nuisance = economy_set(8), economy_set(8, nuisance=True)
    assert len({each.initial_reputation for each in plain}) == len({each.demand_drift for each in plain}) == 1
    assert len({each.initial_reputation for each in nuisance}) == len({each.demand_drift for each in nuisance}) == 8
    assert [each.base_cost for each in plain] == [each.base_cost for each in nuisance]


def test_economy_set__every_one_makes_a_market() -> None:
    sizes = {Market("price_board", economy=each).observation_size for each in economy_set(8)}
    assert sizes == {64}  # one policy can play them all


@pytest.mark.parametrize(("count", "first"), [(0, 0), (1, -1)])
def test_economy_set__refuses_what_is_no_set(count: int, first: int) -> None:
    with pytest.raises(ValueError, match="economy_set: "):
        economy_set(count, first)
