"""The page docs/environment.md tells what markets show: every name, where it stands, its range, who may see it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from environment_page import ACTION, FEATURE, LEDGER, MEASURE, OBSERVATION, Part, environment_page, spaces
from hypothesis import given
from hypothesis import strategies as st
from strategies import actions, arguments, few

from ruleshift.envs import (
    FEATURES,
    MEASURES,
    Market,
    action_layout,
    list_rules,
    load_rule,
    market_v0,
    observation_layout,
)
from ruleshift.envs.rule import LEVELS

ROOT = Path(__file__).parents[1]


def test_page__is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "environment.md").read_text()
    assert written == environment_page(), "python docs/build/environment_page.py > docs/environment.md"


def test_readme__has_the_table_of_spaces() -> None:
    assert "\n".join(spaces()) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (ACTION, action_layout(3)), (OBSERVATION, observation_layout(3)), (FEATURE, FEATURES),
        (LEDGER, market_v0.LEDGER), (MEASURE, MEASURES),
    ],
    ids=["action", "observation", "features", "ledger", "measures"],
)  # fmt: skip
def test_table__has_every_name_and_no_other(table: Mapping[str, Any], names: Iterable[str]) -> None:
    assert sorted(table) == sorted(names)


def _outside(parts: Mapping[str, Part], seen: Mapping[str, np.ndarray]) -> list[str]:
    """Names of what lies outside the range that the page tells, but for rounding."""
    slack = 1e-6
    return [
        f"{name} in {seen[name].min()} .. {seen[name].max()}"
        for name, part in parts.items()
        if seen[name].min() < part.low - slack or seen[name].max() > part.high + slack
    ]


def _assert_in_range(market: Market, observations: np.ndarray) -> None:
    assert _outside(OBSERVATION, {name: observations[..., place] for name, place in market.layout.items()}) == []
    assert _outside(LEDGER, {name: market.outcomes[:, row] for row, name in enumerate(LEDGER)}) == []
    assert _outside(MEASURE, {name: market.measures[:, row] for row, name in enumerate(MEASURES)}) == []


def _play(market: Market, seed: int) -> Iterable[np.ndarray]:
    """Observations of an episode under random actions, the last ones too."""
    rng = np.random.default_rng(seed)
    yield market.reset(seed=seed)
    for _ in range(market.economy.rounds):
        yield market.step(actions(market, rng))[0]
    assert market.last_observations is not None
    yield market.last_observations


@pytest.mark.parametrize("name", list_rules())
def test_ranges__hold_under_every_named_rule(name: str) -> None:
    market = Market(load_rule(name).replace(**{"disclosure.level": "full"}), markets=4)
    for observations in _play(market, seed=1):
        _assert_in_range(market, observations)


@few
@given(given_=arguments(), seed=st.integers(0, 2**32 - 1))
def test_ranges__hold_in_any_market(given_: dict[str, Any], seed: int) -> None:
    market = Market(**given_, markets=2)
    for observations in _play(market, seed):
        _assert_in_range(market, observations)


@pytest.mark.parametrize("level", LEVELS)
def test_level__shows_what_the_page_says(level: str) -> None:
    market = Market(load_rule("price_board").replace(**{"disclosure.level": level}), markets=4)
    *_, observations = _play(market, seed=1)
    for name, part in OBSERVATION.items():
        if part.shown != "always":
            shown = LEVELS.index(level) >= LEVELS.index(part.shown)
            assert observations[..., market.layout[name]].any() == shown, name
