"""Structures: distributions over rules."""

from pathlib import Path

import numpy as np
import pytest

from ruleshift.envs import Economy, Market, Structure, load_rule, load_structure

BASE = load_rule("price_board")


def test_draw__the_same_for_the_same_seed_market_and_episode() -> None:
    structure = load_structure("platforms")
    again = load_structure("platforms")
    draws = {
        (seed, market, episode): structure.draw(seed, market, episode).hash
        for seed in range(3)
        for market in range(4)
        for episode in range(3)
    }
    assert all(again.draw(*place).hash == drawn for place, drawn in draws.items())
    assert len(set(draws.values())) == len(draws)


def test_draw__stays_in_the_ranges() -> None:
    rules = [load_structure("platforms").draw(0, market, 0) for market in range(400)]
    amplification = np.array([rule.scoring.amplification for rule in rules])
    assert amplification.min() >= 2
    assert amplification.max() <= 8
    assert abs(np.log(amplification).mean() - np.log(4)) < 4 * np.log(4) / np.sqrt(12 * 400)
    assert all(0.05 <= rule.payment.commission <= 0.2 for rule in rules)
    assert {rule.payment.charge for rule in rules} == {"sunk", "if_matched"}
    weights = np.array([rule.row()[:7] for rule in rules])
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[:, :4].mean(axis=0), 0.25, atol=4 * np.sqrt(0.25 * 0.75 / 5 / 400))
    assert not weights[:, 4:].any()


def test_market__a_structure_is_drawn_anew_in_each_market_and_episode() -> None:
    structure = load_structure("platforms")
    market = Market(structure, markets=3, first_market=10, economy=Economy(rounds=2))
    actions = np.zeros((3, 8, 6), np.float32)
    market.reset(seed=4)
    for episode in range(3):
        expected = [structure.draw(4, 10 + b, episode).hash for b in range(3)]
        for _ in range(2):
            assert [market.rule_in_force(b).hash for b in range(3)] == expected
            market.step(actions)


def test_structure__hash_reads_the_content() -> None:
    parts = {"train": {"payment.commission": {"uniform": [0.0, 0.1]}}}
    wider = {"train": {"payment.commission": {"uniform": [0.0, 0.2]}}}
    assert Structure("a", BASE, parts).hash == Structure("b", BASE, dict(parts)).hash
    assert Structure("a", BASE, parts).hash != Structure("a", BASE, wider).hash


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "train"),
        ({"train": {}, "testing": {}}, "testing"),
        ({"train": {"payment.commission": {"normal": [0, 1]}}}, "payment.commission"),
        ({"train": {"payment.commission": {"uniform": [1, 0]}}}, "payment.commission"),
        ({"train": {"scoring.amplification": {"log_uniform": [0, 1]}}}, "scoring.amplification"),
        ({"train": {"disclosure.level": {"choice": []}}}, "disclosure.level"),
        ({"train": {"payment.tip": {"choice": [1]}}}, "tip"),
        ({"train": {"scoring.weights": {"dirichlet": ["charm"]}}}, "charm"),
    ],
)
def test_structure__mistakes_are_named(parts: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Structure("mine", BASE, parts)


def test_load_structure__a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "sealed_tender"\n[train]\n"payment.reserve" = { uniform = [0.5, 1.0] }\n', encoding="utf-8")
    structure = load_structure(path)
    assert structure.name == "mine"
    assert 0.5 <= structure.draw(0, 0, 0).payment.reserve <= 1
    path.write_text('base = "sealed_tender"\n[training]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml.*training"):
        load_structure(path)
    with pytest.raises(ValueError, match=r"platform.*platforms"):
        load_structure("platform")
