"""Numbers: what enters a trajectory has the same bits on every processor, and nothing in it is impossible."""

import hashlib
import os
import platform
import subprocess
import sys
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.envs import (
    MEASURES,
    Economy,
    Market,
    Structure,
    list_rules,
    load_rule,
    load_structure,
    register_mechanism,
)
from ruleshift.envs.blend import between
from ruleshift.envs.economies import economy_set
from ruleshift.envs.layout import outcome_view
from ruleshift.envs.mechanisms import MECHANISMS
from ruleshift.envs.numerics import rounded_log

# The same bits on every processor


@settings(deadline=None)
@given(st.floats(1e-6, 1e6), st.sampled_from([None, 2.0]))
def test_rounded_log__is_the_nearest_number(x: float, base: float | None) -> None:
    found = rounded_log(x, base)
    with localcontext(prec=60):
        exact = Decimal(x).ln() / (Decimal(1) if base is None else Decimal(base).ln())
        for other in (np.nextafter(found, -np.inf), np.nextafter(found, np.inf)):
            assert abs(Decimal(found) - exact) <= abs(Decimal(float(other)) - exact)


_SERIAL: tuple[str, ...] = tuple(name for name in list_rules() if load_rule(name).matching.mechanism == "serial")


def fingerprint() -> str:
    """Hash what enters a trajectory from outside the kernel, and the trajectory of a market that uses all of it."""
    digest = hashlib.sha256()
    for economy in (*economy_set(64), *economy_set(8, 1024, nuisance=True), Economy()):
        digest.update(economy.row().tobytes())
        digest.update(economy.calendar().tobytes())
    for drawn in load_structure("platforms").sample("train", 100, seed=0):
        digest.update(drawn.row().tobytes())
        digest.update(drawn.features().tobytes())
    random = np.random.default_rng(1)
    for rule in _SERIAL:
        market = Market(rule, markets=4, economy=Economy(rounds=5))
        digest.update(market.reset(seed=5).tobytes())
        for _ in range(7):
            observations, rewards, _ = market.step(random.random((4, 8, 6)) * 2 - 1)
            digest.update(observations.tobytes())
            digest.update(rewards.tobytes())
    return digest.hexdigest()


@pytest.mark.compiles_alone
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the promise is about x86-64")
def test_market__has_the_same_bits_without_fused_multiplication(tmp_path: Path) -> None:
    """The C library, numpy and the compiler are told that the processor has none; the kernel is compiled for it."""
    plain = {
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX,-FMA,-FMA4",
        "NPY_DISABLE_CPU_FEATURES": " ".join(_fused()),
        "NUMBA_CPU_NAME": "x86-64",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_OPT": "0",  # compiles sooner, and shows that the bits do not depend on it
        "XDG_CACHE_HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", "from test_numbers import fingerprint; print(fingerprint())"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **plain})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == fingerprint()


def _fused() -> list[str]:
    """Which instruction sets with fused multiplication numpy would use here."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]


# The reserve


@pytest.mark.parametrize("reserve", [*np.linspace(0.05, 1, 40).tolist(), 1 / 3, 0.1 + 0.2])
def test_ask__of_exactly_the_reserve_is_offered(reserve: float) -> None:
    """Whoever inverts the mapping of actions in float32 may come out above the reserve by a rounding."""
    rule = load_rule("dispatch_lottery").replace(**{"payment.reserve": reserve})
    market = Market(rule, economy=Economy(outside_share=0.0))
    market.reset(seed=0)
    actions, meant, one = np.zeros((1, 8, 6), np.float32), np.float32(reserve), np.float32(1)
    for inverse in (
        np.float32(2 * reserve / 1.25 - 1), meant * np.float32(1.6) - one, meant / np.float32(0.625) - one,
    ):  # fmt: skip
        actions[..., 0] = inverse
        market.step(actions)
        outcome = outcome_view(market.outcomes[0], 3)
        assert outcome.served.sum() == market.jobs
        assert np.all(outcome.ask <= reserve)
    actions[..., 0] = np.float32(2 * reserve / 1.25 - 1) + np.float32(6e-7)  # more than a rounding
    market.step(actions)
    assert outcome_view(market.outcomes[0], 3).served.sum() == 0


# What cannot be


def _played(rule: Any, economy: Economy, asks: float = 0.0, rounds: int = 20) -> list[dict[str, np.ndarray]]:
    market, random, seen = Market(rule, markets=8, economy=economy), np.random.default_rng(0), []
    market.reset(seed=0)
    for _ in range(rounds):
        actions = random.uniform(-1, 1, (8, market.organizations, market.action_size))
        actions[..., 0] += asks
        observations, rewards, _ = market.step(actions)
        held = {name: each.copy() for name, each in market.snapshot().items() if name not in ("economy", "history")}
        seen.append({**held, "observations": observations, "rewards": rewards})
    assert all(np.isfinite(array).all() for round_ in seen for array in round_.values())
    return seen


@pytest.mark.parametrize("economy", [
    Economy(shock_mean=-2.0), Economy(shock_sd=3.0), Economy(base_cost=0.0, effort_cost=0.0, shock_mean=-0.2),
], ids=["cheap", "wild", "free"])  # fmt: skip
@pytest.mark.parametrize("service_value", [0.0, -0.5, 2.0])
def test_externality__no_client_is_paid_for_being_served(economy: Economy, service_value: float) -> None:
    rule = load_rule("welfare_dispatch").replace(**{
        "payment.pricing": "externality", "matching.parameters": (service_value, 0.0),
    })  # fmt: skip
    for seen in _played(rule, economy):
        assert np.all(seen["payments"] >= 0)
        for b in range(8):
            outcome = outcome_view(seen["outcomes"][b], 3)
            assert np.all(outcome.commission >= 0)
            assert np.all(outcome.paid >= outcome.cost - 1e-9)  # and nobody serves at a loss


def test_expected_shares__concentration_is_a_number_where_next_to_nothing_is_served() -> None:
    rule = load_rule("price_board").replace(**{"scoring.amplification": 2000.0})
    seen = _played(rule, Economy(shares="expected", capacity=8, outside_ask=0.02), asks=1.0)
    served, concentration = (np.array([each["measures"][:, MEASURES.index(name)] for each in seen])
                             for name in ("served", "concentration"))  # fmt: skip
    assert served.min() < 1e-150
    assert np.all(concentration <= 1 + 1e-9)


@pytest.mark.parametrize("noise", [0.0, 1.0, 10.0])
def test_disclosure__what_is_blurred_stays_in_its_range(noise: float) -> None:
    rule = load_rule("reputation_ladder").replace(**{"disclosure.level": "scores", "disclosure.noise": noise})
    for seen in _played(rule, Economy(organizations=2)):
        for b in range(8):
            outcome = outcome_view(seen["outcomes"][b], 3)
            assert np.all((outcome.priority >= 0) & (outcome.priority <= 1 + noise / 2))
            assert np.all((outcome.rank >= 0) & (outcome.rank <= 1))


@pytest.mark.parametrize("price", [1e300, 100_001.0, -0.1, np.nan, np.inf])
def test_mechanism__an_impossible_price_is_named(price: float) -> None:
    @register_mechanism("dear", payments=("price",))
    def dear(problem, match, floats, integers):  # type: ignore[no-untyped-def]
        match.winner[:] = -1
        for i in range(len(problem.capacities)):
            if problem.capacities[i] > 0:
                match.winner[0] = i
        match.price[:] = price

    try:
        rule = load_rule("price_board").replace(**{"matching.mechanism": "dear", "payment.pricing": "externality"})
        market = Market(rule)
        market.reset(seed=0)
        with pytest.raises(RuntimeError, match="mechanism 'dear' made an invalid assignment in market 0"):
            market.step(np.zeros((1, 8, 6)))
    finally:
        del MECHANISMS["dear"]


@pytest.mark.parametrize("amplification", [1e6 + 1, 1e300, -1.0, np.nan])
def test_amplification__beyond_what_log_odds_can_hold_is_refused(amplification: float) -> None:
    with pytest.raises(ValueError, match=r"amplification is .*; it must be"):
        load_rule("price_board").replace(**{"scoring.amplification": amplification})
    drawn = {"train": {"scoring.amplification": {"choice": [1.0, amplification]}}}
    with pytest.raises(ValueError, match=r"amplification is .*; it must be"):
        Structure("steep", load_rule("price_board"), drawn)


def test_amplification__on_the_way_to_a_ranking_is_one_that_can_be_played() -> None:
    ranking = load_rule("price_board").replace(**{"scoring.amplification": np.inf})
    for share in (0.5, 0.999, 1 - 1e-9):
        found = between(load_rule("price_board"), ranking, share).scoring.amplification
        assert found == np.inf or 4 <= found <= 1e6
