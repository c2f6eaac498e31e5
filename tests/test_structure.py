"""Structures: distributions over rules, their parts, and what keeps the parts apart."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BUILT_IN

from ruleshift.agents.market_env import MarketEnv, MarketVectorEnv
from ruleshift.envs import (
    Economy,
    Market,
    Rule,
    Shift,
    Structure,
    list_rules,
    list_structures,
    load_rule,
    load_structure,
    market_v0,
)
from ruleshift.envs.draws import Dirichlet
from ruleshift.envs.enumerations import CHARGES, PRICINGS
from ruleshift.envs.episode import check_playable
from ruleshift.envs.numerics import log
from ruleshift.envs.structure import PARTS
from ruleshift.envs.support import outside, supports
from ruleshift.train import MarketVecEnv

BASE = load_rule("price_board")
PLATFORMS = Path(__file__).parents[1] / "envs" / "structures" / "platforms.toml"
TRAIN = {"scoring.amplification": {"uniform": [2.0, 8.0]}, "payment.charge": {"choice": ["sunk", "if_matched"]}}


def test_draw__the_same_for_the_same_seed_market_and_episode() -> None:
    structure = load_structure("platforms")
    again = load_structure(PLATFORMS)
    draws = {
        (seed, market, episode, part): structure.draw(seed, market, episode, part).hash
        for seed in range(3)
        for market in range(4)
        for episode in range(3)
        for part in PARTS
    }
    assert all(again.draw(*place).hash == drawn for place, drawn in draws.items())
    assert len(set(draws.values())) == len(draws)


def test_draw__has_the_law_that_it_names() -> None:
    part = {
        "scoring.weights": {"dirichlet": ["price", "reputation", "promotion", "capability"]},
        "scoring.amplification": {"log_uniform": [2.0, 8.0]},
        "payment.commission": {"uniform": [[0.0, 0.1], [0.5, 0.8]]},
        "payment.charge": {"choice": ["sunk", "if_matched"]},
    }
    structure = Structure("mine", BASE, {"train": part})
    rules = [structure.draw(0, market, 0) for market in range(400)]
    logs = np.log([rule.scoring.amplification for rule in rules])
    assert np.log(2) <= logs.min() < logs.max() <= np.log(8)
    assert abs(logs.mean() - np.log(4)) < 4 * np.log(4) / np.sqrt(12 * 400)
    weights = np.array([rule.row()[:7] for rule in rules])
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[:, :4].mean(axis=0), 0.25, atol=4 * np.sqrt(0.25 * 0.75 / 5 / 400))
    assert not weights[:, 4:].any()
    commission = np.array([rule.payment.commission for rule in rules])
    assert not ((commission > 0.1) & (commission < 0.5)).any()
    assert abs((commission <= 0.1).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)
    assert abs(np.mean([rule.payment.charge == "sunk" for rule in rules]) - 0.5) < 4 * np.sqrt(0.25 / 400)


def test_draw__takes_each_alternative_as_often() -> None:
    parts = [{"payment.commission": share / 10} for share in range(4)]
    structure = Structure("mine", BASE, {"train": parts})
    drawn = [structure.draw(5, market, 0).payment.commission for market in range(400)]
    counts = [drawn.count(share / 10) for share in range(4)]
    assert sum(counts) == 400
    assert max(abs(count - 100) for count in counts) < 4 * np.sqrt(400 * 0.25 * 0.75)


def test_draw__keeps_every_weight_above_the_least() -> None:
    part = {"scoring.weights": {"dirichlet": ["price", "popularity", "focus"], "least": 0.25}}
    structure = Structure("mine", BASE, {"train": part})
    weights = [structure.draw(0, market, 0).scoring.weights for market in range(300)]
    for each in weights:
        assert min(each.price, each.popularity, each.focus) >= 0.25
    assert abs(np.mean([each.price for each in weights]) - 1 / 3) < 4 * 0.25 * np.sqrt(1 / 18 / 300)


@pytest.mark.parametrize("part", PARTS)
def test_draw__skips_no_check_that_would_have_failed(part: str) -> None:
    for rule in load_structure("platforms").sample(part, 100, seed=1):
        assert Rule.from_toml(rule.to_toml()).hash == rule.hash, "a canonical rule, read back through every check"
        check_playable(rule, Economy())


def test_sample__sixteen_homes_and_sixteen_targets() -> None:
    structure = load_structure("platforms")
    homes = structure.sample("train", 16, seed=0)
    targets = (*structure.sample("composition", 8, seed=0), *structure.sample("family", 8, seed=0))
    assert len({rule.hash for rule in (*homes, *targets)}) == 32
    assert len({rule.name for rule in (*homes, *targets)}) == 32
    assert homes[3].name == "platforms_train_03"
    assert all(outside(structure, rule) == () for rule in homes)
    assert all(outside(structure, rule) for rule in targets)
    assert homes[:4] == structure.sample("train", 4, seed=0)
    with pytest.raises(ValueError, match=r"no part 'homes'; there are train"):
        structure.sample("homes", 2, seed=0)


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


# The parts that come with the suite


@pytest.mark.parametrize("name", list_structures())
def test_structures__every_part_is_there_and_frozen(name: str) -> None:
    structure = load_structure(name)
    assert tuple(structure.parts) == PARTS
    text = PLATFORMS.with_stem(name).read_text(encoding="utf-8")
    assert all(f'{part} = "{digest}"' in text for part, digest in structure.hashes.items())


def test_structures__homes_of_the_quick_study_are_trained_and_its_targets_are_not() -> None:
    structure = load_structure("platforms")
    homes = ("price_board", "promoted_listing", "reputation_ladder")
    for name in list_rules():
        assert (outside(structure, load_rule(name)) == ()) == (name in homes)


def test_structures__family_has_every_mechanism_and_payment_that_is_never_trained() -> None:
    structure = load_structure("platforms")
    every = {"matching.mechanism": BUILT_IN, "payment.pricing": PRICINGS, "payment.charge": CHARGES}
    for field, values in every.items():
        drawn = {part: {word for support in supports(structure, part) for word, _ in support[field]} for part in PARTS}
        assert drawn["train"] | drawn["family"] == set(values)
        assert all(drawn[part] <= drawn["train"] for part in PARTS if part != "family")


@pytest.mark.parametrize("part", PARTS[1:])
def test_structures__no_test_rule_lies_in_the_training_part(part: str) -> None:
    structure = load_structure("platforms")
    for rule in structure.sample(part, 200, seed=3):
        assert outside(structure, rule)
        assert outside(structure, rule, part) == ()


def test_load_structure__refuses_a_frozen_part_that_was_changed(tmp_path: Path) -> None:
    changed = tmp_path / "platforms.toml"
    text = PLATFORMS.read_text(encoding="utf-8")
    changed.write_text(text.replace("uniform = [4.2, 4.8]", "uniform = [4.2, 4.9]"), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"platforms\.toml: the part interpolation is frozen as '\w+', but its content"
    ):
        load_structure(changed)
    changed.write_text(text.replace('family = "', 'families = "'), encoding="utf-8")
    with pytest.raises(ValueError, match="hashes must be a table with one for each part"):
        load_structure(changed)


# Parts that overlap, or are not what they are called


def _structure(**parts: object) -> Structure:
    return Structure("mine", BASE, {"train": TRAIN, **parts})


@pytest.mark.parametrize(
    ("part", "draws", "field"),
    [
        ("interpolation", {"scoring.amplification": {"uniform": [3.0, 4.0]}}, "scoring.amplification"),
        ("extrapolation", {"scoring.amplification": {"uniform": [8.0, 9.0]}}, "scoring.amplification"),
        ("composition", {"payment.charge": "sunk", "scoring.amplification": 8.0}, "payment.charge"),
        ("family", {"scoring.amplification": {"choice": [1.0, 5.0]}}, "scoring.amplification"),
    ],
)
def test_structure__a_test_part_that_overlaps_training_is_refused(part: str, draws: dict, field: str) -> None:
    with pytest.raises(ValueError, match=rf"structure mine: train and {part} overlap: .*{field}"):
        _structure(**{part: draws})


def test_structure__test_parts_may_not_overlap_each_other() -> None:
    sharp = {"scoring.amplification": {"uniform": [10, 20]}}
    with pytest.raises(ValueError, match=r"extrapolation and family \(2\) overlap"):
        _structure(extrapolation=sharp, family=[{"payment.pricing": "posted"}, sharp])


def test_structure__one_field_is_enough_to_tell_parts_apart() -> None:
    train = [
        {"scoring.amplification": {"uniform": [2, 4]}, "payment.charge": "sunk"},
        {"scoring.amplification": {"uniform": [5, 8]}, "payment.charge": "if_matched"},
    ]
    crossed = {"scoring.amplification": {"uniform": [5, 8]}, "payment.charge": "sunk"}
    assert Structure("mine", BASE, {"train": train, "composition": crossed}).parts["composition"]


@pytest.mark.parametrize(
    ("part", "draws", "message"),
    [
        ("interpolation", {"scoring.amplification": {"uniform": [9, 10]}}, "scoring.amplification is not between"),
        ("interpolation", {"disclosure.level": "opaque"}, "disclosure.level is not between"),
        ("extrapolation", {"payment.pricing": "posted"}, "payment.pricing is none that is trained, .* family"),
        ("composition", {"payment.commission": 0.2}, "payment.commission takes values that are not trained"),
        ("composition", {"payment.pricing": "posted"}, "payment.pricing takes values that are not trained"),
        ("family", {"payment.commission": 0.2}, "none of matching.mechanism, payment.pricing, payment.charge"),
    ],
)
def test_structure__a_test_part_is_what_it_is_called(part: str, draws: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _structure(**{part: draws})


def test_structure__extrapolation_needs_a_field_beyond_its_range_not_a_gap() -> None:
    train = {"scoring.amplification": {"uniform": [[2, 4], [5, 8]]}}
    gap = {"scoring.amplification": {"uniform": [4.2, 4.8]}}
    with pytest.raises(ValueError, match="extrapolation: no field lies outside its trained range"):
        Structure("mine", BASE, {"train": train, "extrapolation": gap})
    assert "interpolation" in Structure("mine", BASE, {"train": train, "interpolation": gap}).parts


SIGNALS = ("price", "reputation", "promotion", "capability")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(SIGNALS), min_size=1, unique=True),
    st.lists(st.sampled_from(SIGNALS), min_size=1, unique=True),
    st.floats(0, 0.25),
    st.floats(0, 0.25),
)
def test_structure__weights_overlap_where_linear_programming_finds_a_common_point(
    some: list[str], others: list[str], least: float, other_least: float
) -> None:
    from scipy.optimize import linprog

    def bounds(signals: list[str], low: float) -> list[tuple[float, float]]:
        return [(low, 1.0) if name in signals else (0.0, 0.0) for name in SIGNALS]

    pairs = zip(bounds(some, least), bounds(others, other_least), strict=True)
    box = [(max(a[0], b[0]), min(a[1], b[1])) for a, b in pairs]
    common = all(low <= high for low, high in box) and (
        linprog([0.0] * 4, A_eq=[[1.0] * 4], b_eq=[1.0], bounds=box).status == 0
    )
    train = {"scoring.weights": {"dirichlet": some, "least": least}}
    family = {"scoring.weights": {"dirichlet": others, "least": other_least}}
    with pytest.raises(ValueError, match="overlap" if common else "none of matching.mechanism"):
        Structure("mine", BASE, {"train": train, "family": family})


def test_structure__weights_may_be_listed_one_by_one() -> None:
    choice = {"choice": [{"price": 1.0}, {"price": 0.5, "focus": 0.5}]}
    structure = Structure("mine", BASE, {"train": {"scoring.weights": choice}})
    assert {structure.draw(0, market, 0).scoring.weights.focus for market in range(20)} == {0.0, 0.5}
    between = BASE.replace(**{"scoring.weights.price": 0.75, "scoring.weights.reputation": 0.0,
                              "scoring.weights.focus": 0.25})  # fmt: skip
    assert outside(structure, between) == ("scoring.weights.price", "scoring.weights.focus")


# Content, files and mistakes


def test_structure__hash_reads_the_content() -> None:
    parts = {"train": {"payment.commission": {"uniform": [0.0, 0.1]}}}
    wider = {"train": {"payment.commission": {"uniform": [0.0, 0.2]}}}
    assert Structure("a", BASE, parts).hash == Structure("b", BASE, {"train": [parts["train"]]}).hash
    assert Structure("a", BASE, parts).hash != Structure("a", BASE, wider).hash
    assert Structure("a", BASE, parts).hash != Structure("a", BASE.replace(**{"payment.reserve": 0.9}), parts).hash


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "train"),
        ({"train": {}, "testing": {}}, "testing"),
        ({"train": []}, "train is \\[\\]; it must be a table of draws"),
        ({"train": ["sunk"]}, "train is 'sunk'; it must be a table of draws"),
        ({"train": {"payment.commission": {"normal": [0, 1]}}}, "payment.commission"),
        ({"train": {"payment.commission": {"uniform": [1, 0]}}}, "payment.commission"),
        ({"train": {"payment.commission": {"uniform": [0.5, 1.5]}}}, "payment.commission: uniform is .* from 0 to 1"),
        ({"train": {"payment.commission": {"uniform": [[0.1, 0.3], [0.2, 0.4]]}}}, "must rise and not touch"),
        ({"train": {"payment.commission": {"uniform": [0, "1"]}}}, "payment.commission"),
        ({"train": {"payment.commission": 1.5}}, "payment.commission: commission is 1.5; it must be from 0 to 1"),
        ({"train": {"payment.commission": {"choice": [0.1, -1]}}}, "payment.commission: choice: commission is -1"),
        ({"train": {"scoring.amplification": {"log_uniform": [0, 1]}}}, "scoring.amplification.* from 1e-300"),
        ({"train": {"scoring.amplification": {"uniform": [1, float("inf")]}}}, "scoring.amplification.* finite"),
        ({"train": {"disclosure.delay": {"uniform": [0, 3]}}}, "disclosure.delay: .* use choice"),
        ({"train": {"disclosure.level": {"choice": []}}}, "disclosure.level"),
        ({"train": {"disclosure.level": {"choice": ["clear"]}}}, "disclosure.level: .* one of opaque"),
        ({"train": {"payment.tip": {"choice": [1]}}}, "tip"),
        ({"train": {"name": {"choice": ["a"]}}}, "no field 'name'"),
        ({"train": {"scoring.weights": {"dirichlet": ["charm"]}}}, "charm"),
        ({"train": {"scoring.weights": {"dirichlet": ["price", "focus"], "least": 0.6}}}, "from 0 to 0.5"),
        ({"train": {"scoring.weights": {"choice": [{"price": 0.4}]}}}, "they must sum to 1"),
        ({"train": {"scoring.weights.price": {"uniform": [0, 1]}}}, "draw scoring.weights as a whole"),
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
    path.write_text('base = "nowhere"\n[train]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml: no rule is named 'nowhere'"):
        load_structure(path)
    path.write_text('base = "sealed_tender"\n[[train]]\n[[train]]\n"payment.tip" = 1\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.toml: structure mine: train \(2\)\.payment\.tip"):
        load_structure(path)
    with pytest.raises(ValueError, match=r"platform.*platforms"):
        load_structure("platform")


@pytest.mark.parametrize("by", ["name", "path"])
def test_every_view__takes_a_structure_as_it_takes_a_rule(by: str, tmp_path: Path) -> None:
    given = "platforms" if by == "name" else str(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text(PLATFORMS.read_text())
    wanted = load_structure("platforms")
    market = Market("price_board", schedule=(Shift(at=5, to=given),))
    assert market.schedule[0].to.hash == wanted.hash  # type: ignore[union-attr]
    market.reset(seed=1, rule=given)
    opened = (
        market, Market(given), market_v0.parallel_env(rule=given).market, MarketEnv(given).market,
        MarketVectorEnv(2, given).market, MarketVecEnv(given, markets=2).market,
    )  # fmt: skip
    assert {each.rule.hash for each in opened} == {wanted.hash}


def test_market__says_what_is_wrong_with_the_file_of_a_structure(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "price_board"\n[train]\n"scoring.zeal" = 1\n')
    with pytest.raises(ValueError, match=r"mine\.toml.*scoring\.zeal"):
        Market(tmp_path / "mine.toml")


def test_names__no_structure_is_named_like_a_rule() -> None:
    assert set(list_structures()).isdisjoint(list_rules())


def test_documentation__its_example_is_a_structure(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "structures.md").read_text(encoding="utf-8")
    path = tmp_path / "boards.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    structure = load_structure(path)
    assert structure.name == "boards"
    assert outside(structure, structure.draw(0, 0, 0, "interpolation")) == ("scoring.amplification",)


def test_market__room_for_what_any_alternative_discloses_late() -> None:
    late = Structure("late", BASE, {"train": [{"disclosure.delay": 0}, {"disclosure.delay": {"choice": [3, 5]}}]})
    market = Market(late, markets=20, economy=Economy(rounds=12))
    market.reset(seed=0)
    delays = {market.rule_in_force(b).disclosure.delay for b in range(20)}
    assert delays == {0, 3, 5}
    public = market.layout["public_mask"].start
    for round_ in range(8):
        seen, _, _ = market.step(np.zeros((20, 8, 6), np.float32))
        for b in range(20):
            assert seen[b, 0, public] == (round_ >= market.rule_in_force(b).disclosure.delay)


def test_disclosed__overrides_a_structure_that_draws_the_level() -> None:
    base = load_rule("price_board")
    levels = {"disclosure.level": {"choice": ["opaque", "outcomes"]}}
    told = Structure("levels", base, {"train": levels}).disclosed()
    assert {told.draw(0, market, 0).disclosure.level for market in range(20)} == {"full"}


def test_draw__is_added_up_in_order_under_every_version_of_python() -> None:
    """From Python 3.12 on, `sum` keeps what rounding loses, and the last bit of drawn weights would differ."""
    numbers = np.random.default_rng(0).random(len(SIGNALS)).tolist()
    for _ in range(50):
        weights = Dirichlet(SIGNALS, 0.0).value(numbers)
        shares, total = [-float(log(number)) for number in numbers], 0.0
        for share in shares:
            total += share
        assert [getattr(weights, name) for name in SIGNALS] == [1 / total * share for share in shares]
        numbers = [*numbers[1:], (numbers[0] * 7.13) % 1 or 0.5]
