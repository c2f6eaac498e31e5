"""Rules: one value, three forms, and errors that name file and key."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.envs import FEATURES, Market, Rule, list_rules, load_rule
from ruleshift.envs.enumerations import CHARGES, LEVELS, PRICINGS, PROPOSERS
from ruleshift.envs.rule import Weights

SIGNALS = [each.name for each in fields(Weights)]
NAME = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="/\\"), min_size=1, max_size=10)
SHARE = st.floats(0, 1, allow_subnormal=False)


@st.composite
def rules(draw: Any) -> Rule:
    raw = np.array(draw(st.lists(st.floats(0.001, 1), min_size=7, max_size=7)))
    raw[: draw(st.integers(0, 6))] = 0.0
    weights = Weights(**dict(zip(SIGNALS, (raw / raw.sum()).tolist(), strict=True)))
    return Rule(name=draw(NAME), rationale=draw(st.text(max_size=10))).replace(
        **{
            "disclosure.level": draw(st.sampled_from(LEVELS)),
            "scoring.weights": weights,
            "scoring.amplification": draw(st.floats(0, 1e6) | st.just(math.inf)),
            "scoring.promotion_floor": draw(SHARE),
            "matching.mechanism": draw(st.sampled_from(["serial", "deferred_acceptance"])),
            "matching.proposer": draw(st.sampled_from(PROPOSERS)),
            "matching.parameters": tuple(draw(st.lists(st.floats(-1e9, 1e9), max_size=4))),
            "payment.pricing": draw(st.sampled_from(tuple(PRICINGS))),
            "payment.reserve": draw(SHARE),
            "payment.commission": draw(SHARE),
            "payment.charge": draw(st.sampled_from(tuple(CHARGES))),
            "feedback.persistence": draw(SHARE),
            "feedback.prior": draw(st.floats(0, 1000)),
        }
    )


@settings(max_examples=60, deadline=None)
@given(rules())
def test_rule__toml_is_a_round_trip(rule: Rule) -> None:
    again = Rule.from_toml(rule.to_toml())
    assert again == rule
    assert again.hash == rule.hash
    np.testing.assert_array_equal(again.row(), rule.row())


@settings(max_examples=60, deadline=None)
@given(rules())
def test_rule__features_are_shares(rule: Rule) -> None:
    features = rule.features()
    assert features.dtype == np.float32
    assert features.shape == (len(FEATURES),)
    assert np.all((features >= 0) & (features <= 1))


@pytest.mark.parametrize("name", list_rules())
def test_load_rule__every_named_rule(name: str) -> None:
    rule = load_rule(name)
    assert rule.name == name
    assert rule.rationale
    assert Rule.from_toml(rule.to_toml()) == rule


def test_hash__reads_the_five_parts_and_not_the_name() -> None:
    rule = load_rule("price_board")
    assert rule.replace(name="other", rationale="none").hash == rule.hash
    assert rule.replace(**{"scoring.amplification": 6}).hash == rule.hash
    assert rule.replace(**{"scoring.amplification": 5}).hash != rule.hash
    assert len({load_rule(name).hash for name in list_rules()}) == len(list_rules())


def _edited(tmp_path: Path, old: str, new: str) -> Path:
    text = load_rule("price_board").to_toml()
    assert old in text
    path = tmp_path / "my_rule.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("amplification", "amplificaton", "amplificaton"),
        ("[feedback]", "[feedbck]", "feedback"),
        ("amplification = 6.0", "amplification = nan", "amplification"),
        ("amplification = 6.0", "amplification = -1.0", "amplification"),
        ("amplification = 6.0", 'amplification = "6"', "amplification"),
        ("price = 0.85", "price = -0.85", "price"),
        ("price = 0.85", "price = 0.5", "sum to"),
        ('level = "outcomes"', 'level = "outcome"', "level"),
        ("reserve = 1.0", "reserve = 1.1", "reserve"),
        ("[scoring]", "extra = 1\n[scoring]", "extra"),
        ("[scoring]", "[scoring", "TOML"),
        ('name = "price_board"', "name = 3", "name"),
    ],
)
def test_load_rule__names_file_and_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    with pytest.raises(ValueError, match=key) as caught:
        load_rule(_edited(tmp_path, old, new))
    assert "my_rule.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "changes", "expected"),
    [
        ("clearing_house", {}, True),
        ("clearing_house", {"matching.proposer": "jobs"}, False),
        ("clearing_house", {"scoring.weights.focus": 0.2, "scoring.weights.price": 0.0}, False),
        ("open_enrolment", {}, False),
        ("open_enrolment", {"matching.mechanism": "top_trading_cycles", "matching.proposer": "jobs"}, True),
        ("price_board", {}, False),
        ("price_board", {"matching.mechanism": "welfare_maximizing", "payment.commission": 0}, False),
        ("sealed_tender", {"matching.mechanism": "welfare_maximizing", "payment.pricing": "externality"}, True),
        ("price_board", {"matching.mechanism": "welfare_maximizing", "payment.pricing": "externality"}, False),
        ("sealed_tender", {"matching.mechanism": "position_auction", "payment.charge": "externality"}, True),
        ("sealed_tender", {"matching.mechanism": "position_auction", "payment.charge": "next_bid"}, False),
    ],
)
def test_features__strategy_proof_by_mechanism_payment_and_focus(rule: str, changes: dict, expected: bool) -> None:
    made = load_rule(rule).replace(**changes)
    assert made.strategy_proof == expected
    assert made.features()[FEATURES.index("strategy_proof")] == expected


@pytest.mark.parametrize(
    ("mechanism", "payment", "needed", "told"),
    [
        ("greedy", {"pricing": "second_price"}, "margin", "must be one of as_asked, posted"),
        ("serial", {"pricing": "externality"}, "price", "must be one of as_asked, second_price, posted, uniform"),
        ("serial", {"charge": "next_bid"}, "bid", "must be one of sunk, if_matched"),
        ("position_auction", {"pricing": "uniform"}, "margin", "must be one of as_asked, posted"),
    ],
)
def test_market__a_payment_that_the_mechanism_does_not_tell(
    mechanism: str, payment: dict, needed: str, told: str
) -> None:
    ((key, value),) = payment.items()
    changes = {"matching.mechanism": mechanism, f"payment.{key}": value}
    why = rf"which '{mechanism}' does not tell \(it declares no payment '{needed}'\); with it, {key} {told}$"
    with pytest.raises(ValueError, match=rf"payment.* {why}"):
        Market(load_rule("price_board").replace(**changes))


def test_market__a_mechanism_that_nobody_registered(tmp_path: Path) -> None:
    path = _edited(tmp_path, 'mechanism = "serial"', 'mechanism = "seriel"')
    with pytest.raises(ValueError, match=r"seriel.*serial"):
        Market(path).reset()


def test_load_rule__an_unknown_name_or_file() -> None:
    with pytest.raises(ValueError, match=r"price_bord.*price_board"):
        load_rule("price_bord")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.toml"):
        load_rule("nowhere.toml")


def test_replace__an_unknown_field() -> None:
    with pytest.raises(ValueError, match=r"scoring.*loudness"):
        load_rule("price_board").replace(**{"scoring.loudness": 1})
