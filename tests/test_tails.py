"""The tail test rejects samples without a power law, does not reject power laws, and never says that there is one."""

import numpy as np
import pytest

from ruleshift.eval.tails import LEVEL, judge_tail


def test_tails__estimate_the_exponent() -> None:
    rng = np.random.default_rng(1)
    found = [judge_tail(rng.zipf(2.5, 2_000), bootstraps=1).exponent for _ in range(20)]
    assert np.mean(found) == pytest.approx(2.5, abs=float(3 * np.std(found) / 20**0.5 + 0.02))


def test_tails__reject_a_power_law_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(2)
    rejected = [judge_tail(rng.zipf(2.2, 600), bootstraps=40, seed=seed).rejected for seed in range(40)]
    assert np.mean(rejected) <= LEVEL + 3 * (LEVEL * (1 - LEVEL) / 40) ** 0.5


@pytest.mark.parametrize("law", ["geometric", "gamma", "poisson"])
def test_tails__reject_tails_that_fall_exponentially(law: str) -> None:
    rng = np.random.default_rng(3)
    sizes = {
        "geometric": rng.geometric(1 / 16, 5_000),
        "gamma": rng.poisson(rng.gamma(3, 16 / 3, 5_000)),
        "poisson": rng.poisson(16, 5_000),
    }[law]
    found = judge_tail(sizes)
    assert found.rejected
    assert str(found) == "a power law is rejected"
    assert found.against_exponential[0] < 0 or found.fit < LEVEL


def test_tails__an_exponential_is_told_from_a_power_law_by_its_likelihood() -> None:
    rng = np.random.default_rng(4)
    assert judge_tail(rng.zipf(2.5, 5_000), bootstraps=1).against_exponential[0] > 3
    assert judge_tail(rng.geometric(1 / 16, 5_000), bootstraps=1).against_exponential[0] < -3


def test_tails__say_not_rejected_and_never_more() -> None:
    found = judge_tail(np.random.default_rng(5).zipf(2.5, 1_000), seed=1)
    assert str(found) == "a power law is not rejected"


def test_tails__same_seed_same_answer() -> None:
    sizes = np.random.default_rng(6).zipf(2.0, 500)
    assert judge_tail(sizes, bootstraps=20, seed=3) == judge_tail(sizes[::-1], bootstraps=20, seed=3)


@pytest.mark.parametrize("sizes", [np.arange(1, 20), np.full(100, 7), np.zeros(100)])
def test_tails__refuse_what_cannot_be_tested(sizes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a test needs 50 that are not all equal"):
        judge_tail(sizes)
