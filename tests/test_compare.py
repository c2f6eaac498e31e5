"""Two rules explained: in words, as measured, and in a picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ruleshift.cli import main
from ruleshift.envs import Economy, Market, Rule, list_rules, load_rule
from ruleshift.envs.support import flat_fields
from ruleshift.eval import Comparison, compare_rules, save_picture
from ruleshift.eval.compare.compare import odds_answers
from ruleshift.eval.compare.phrases import idle, phrase
from ruleshift.eval.compare.regret import AXES

BOARD = load_rule("price_board")
OTHER = BOARD.replace(**{"name": "ranked", "payment.commission": 0.25, "scoring.amplification": float("inf")})


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare_rules(BOARD, OTHER)


def test_compare_rules__names_every_field_with_both_values(comparison: Comparison) -> None:
    assert {each.field: (each.first, each.second) for each in comparison.differences} == {
        "scoring.amplification": (6.0, float("inf")),
        "payment.commission": (0.1, 0.25),
    }
    assert 0 < comparison.distance < 0.5


def test_compare_rules__says_it_in_words(comparison: Comparison) -> None:
    text = str(comparison)
    for words in (
        "A: price_board, B: ranked. They differ in 2 fields.",
        "A  odds are the score to the power of 6",
        "B  the highest score wins: a ranking",
        "A  the platform keeps 10% of each payment",
        f"Distance between their matchings: {comparison.distance:.3f}",
    ):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_compare_rules__tells_the_conduct_that_each_rewards() -> None:
    board, listing = compare_rules("price_board", "promoted_listing").returns
    names = list(AXES)
    low, high = ({name: AXES[name][each.best[axis]] for axis, name in enumerate(names)} for each in (board, listing))
    assert low["ask"] < 0.5 < high["ask"]
    assert low["promotion"] == 0 < 0.5 < high["promotion"]
    ladder = compare_rules("price_board", "reputation_ladder").returns[1]
    assert AXES["effort"][ladder.best[names.index("effort")]] >= 0.75
    for axis, (name, levels) in enumerate(AXES.items()):
        kept = ladder.kept(axis)
        assert len(kept) == len(levels)
        assert kept.max() == kept[ladder.best[axis]] == 1, name


def test_compare_rules__a_rule_and_itself() -> None:
    comparison = compare_rules("price_board", "price_board")
    assert comparison.distance == 0 == max(comparison.regrets)
    assert str(comparison) == "price_board: the same rule."
    assert "under two names" in str(compare_rules("price_board", replace(BOARD, name="mine")))


def test_odds_answers__are_the_factor_that_a_tenth_makes() -> None:
    """The oracle is the odds themselves: score a signal twice, and divide."""
    rule = load_rule("promoted_listing")
    answers = dict(odds_answers((rule, OTHER)))
    power, weights = rule.scoring.amplification, rule.scoring.weights
    assert answers["an ask a tenth lower"][0] == pytest.approx((1 / 0.9) ** (power * weights.price))
    assert answers["a promotion (and floor) a tenth higher"] == (pytest.approx(1.1 ** (power * weights.promotion)), 1.0)
    assert answers["a reputation a tenth higher"] == (1.0, float("inf"))
    assert "a capability a tenth higher" not in answers
    logit = BOARD.replace(**{"scoring.price_signal": "logit", "scoring.logit_scale": 0.5})
    expected = np.exp(6 * 0.85 * 0.1 / 0.5)
    assert dict(odds_answers((logit, BOARD)))["an ask a tenth lower"][0] == pytest.approx(expected)


def test_phrase__every_field_of_a_rule_has_words_of_its_own() -> None:
    rules = [Rule(), *(load_rule(name) for name in ("clearing_house", "sealed_tender", "popularity_feed"))]
    for rule in rules:
        for field, value in flat_fields(rule):
            words = phrase(field, value)
            assert len(words) > 10
            assert words != f"{field.rpartition('.')[2].replace('_', ' ')} is {value}", f"no words for {field}"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("scoring.amplification", 0.0, "a lottery"),
        ("scoring.weights.popularity", 0.7, "(jobs won before) makes up 70%"),
        ("payment.tiers", ((2.0, 0.2), (10.0, 0.05)), "becomes 20% from 2 on, 5% from 10 on"),
        ("payment.pricing", "second_price", "highest ask that would still have won"),
        ("matching.mechanism", "serial", "each arriving job draws"),
        ("disclosure.delay", 3, "3 rounds late"),
    ],
)
def test_phrase__plain_english(field: str, value: object, words: str) -> None:
    assert words in phrase(field, value)


OTHERWISE = {
    "scoring.promotion_floor": 0.7, "scoring.price_signal": "logit", "scoring.logit_scale": 0.03,
    "scoring.amplification": 0.3, "matching.proposer": "jobs", "feedback.reputation_gain": 0.6,
    "feedback.inflation": 0.9, "feedback.persistence": 0.2, "feedback.prior": 7.0,
}  # fmt: skip


def _earned(rule: Rule) -> np.ndarray:
    market = Market(rule, markets=4, economy=Economy(rounds=30))
    market.reset(seed=2)
    rng = np.random.default_rng(0)
    return np.array([market.step(rng.uniform(-1, 1, (4, 8, 6)).astype(np.float32))[1] for _ in range(30)])


@pytest.mark.parametrize("name", list_rules())
def test_idle__another_value_changes_no_profit_and_elsewhere_it_does(name: str) -> None:
    """The exception: a ranking by price alone keeps its order under any price signal, which `idle` does not say."""
    rule = load_rule(name)
    for field, value in OTHERWISE.items():
        same = np.array_equal(_earned(rule), _earned(rule.replace(**{field: value})))
        by_price_alone = rule.scoring.weights.price == 1 and np.isinf(rule.scoring.amplification)
        assert same == (idle(field, rule) or (by_price_alone and field == "scoring.price_signal")), field


def test_compare_rules__marks_what_has_no_effect() -> None:
    text = str(compare_rules(BOARD, BOARD.replace(**{"scoring.promotion_floor": 0.5})))
    assert "scoring.promotion_floor (no effect under either rule)" in text
    assert "Distance between their matchings: 0.000" in text


def test_save_picture__png_or_svg_the_same_each_time(comparison: Comparison, tmp_path: Path) -> None:
    for ending in (".png", ".svg"):
        first, second = (save_picture(comparison, tmp_path / f"{name}{ending}") for name in "ab")
        assert first.read_bytes() == second.read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 1000
        assert len(image.getcolors(maxcolors=1 << 20) or []) > 50
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "price_board" in text
    assert "decides" in text


def test_save_picture__names_are_not_read_as_mathematics(tmp_path: Path) -> None:
    odd = compare_rules(BOARD, OTHER.replace(name="$a_{$ <b>"))
    assert "$a_{$ &lt;b&gt;" in save_picture(odd, tmp_path / "odd.svg").read_text(encoding="utf-8")


def test_compare__on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, picture = tmp_path / "mine.toml", tmp_path / "mine.svg"
    mine.write_text(OTHER.to_toml(), encoding="utf-8")
    assert main(["rules", "compare", "price_board", str(mine), "--picture", str(picture)]) == 0
    assert f"picture: {picture}" in capsys.readouterr().out
    assert picture.stat().st_size > 1000


def test_compare__a_picture_of_another_kind_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "compare", "price_board", "sealed_tender", "--picture", "mine.jpg"]) == 2
    assert "mine.jpg: a picture's name must end in .png or .svg" in capsys.readouterr().err
    assert main(["rules", "compare", "price_board", "sealed_tender", "--picture", "nowhere/mine.png"]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err
