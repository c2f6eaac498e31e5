"""Scenarios: every file is one, its figures are what it is set to, its change of rule is one, and its twin shows it."""

import csv
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenario_page import scenario_page

from ruleshift.agents import Card, Constant, LearnedPolicy
from ruleshift.cli import parse
from ruleshift.envs import (
    Market,
    list_rules,
    list_scenarios,
    list_structures,
    load_rule,
    load_scenario,
    market_v0,
)  # fmt: skip
from ruleshift.envs.scenario import CONTEXT, find_scenario, is_scenario
from ruleshift.eval import run_scenario
from ruleshift.eval.compare.compare import differences_of
from ruleshift.eval.scenario import OUTCOMES, gini
from ruleshift.train import MarketVecEnv

ROOT = Path(__file__).parents[1]
NAMES = list_scenarios()


def test_scenarios__there_are_at_least_eight_and_no_two_are_the_same() -> None:
    assert len(NAMES) >= 8
    assert len({load_scenario(name).hash for name in NAMES}) == len(NAMES)


def test_scenarios__no_name_is_that_of_a_rule_or_a_structure() -> None:
    assert not {*NAMES} & {*list_rules(), *list_structures()}


@pytest.mark.parametrize("name", NAMES)
def test_scenario__is_named_as_its_file_and_says_what_it_stylizes(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert "Stylized" in scenario.rationale
    assert scenario.platform
    assert all(rule.rationale and rule.name != "unnamed" for rule in scenario.rules)
    assert all(len(gap) > 30 for gap in scenario.gaps)


@pytest.mark.parametrize("name", NAMES)
def test_scenario__each_figure_has_a_source_and_is_the_value_of_the_field_that_it_sets(name: str) -> None:
    scenario = load_scenario(name)
    for figure in scenario.figures:
        assert len(figure.source) > 15
        assert 1990 <= figure.year <= 2026
        assert figure.sets == CONTEXT or figure.agrees(scenario.setting(figure.sets)), figure


@pytest.mark.parametrize("name", NAMES)
def test_scenario__its_figures_set_what_was_before_and_what_came_after_each_field_once(name: str) -> None:
    figures = load_scenario(name).figures
    sets = [figure.sets for figure in figures if figure.sets != CONTEXT]
    assert len(set(sets)) == len(sets)
    assert len({figure.what for figure in figures}) == len(figures)
    assert any(path.startswith(("rule.", "economy.initial_reputation")) for path in sets)
    assert any(path.startswith(("schedule.", "economy.promotion_price")) for path in sets)


@pytest.mark.parametrize("name", NAMES)
def test_scenario__each_shift_changes_the_rule_in_force(name: str) -> None:
    rules = load_scenario(name).rules
    assert len(rules) > 1
    assert len({rule.name for rule in rules}) == len(rules)
    for before, after in pairwise(rules):
        assert differences_of(before, after)


def test_scenarios__have_kinds_in_common_so_that_one_policy_can_be_run_in_each() -> None:
    assert {load_scenario(name).economy.kinds for name in NAMES} == {3}


@pytest.mark.parametrize("name", NAMES)
def test_scenario__its_shift_changes_the_measures_and_nothing_before_it(name: str) -> None:
    scenario = load_scenario(name)
    market = Market(**scenario.arguments(), markets=2)
    measured = []
    for each in (market, market.twin()):
        rng = np.random.default_rng(3)
        each.reset(seed=5)
        rows = []
        for _ in range(scenario.economy.rounds):
            each.step(rng.uniform(-1, 1, (2, each.organizations, each.action_size)).astype(np.float32))
            rows.append(each.measures.copy())
        measured.append(np.array(rows))
    at = scenario.schedule[0].at
    assert np.array_equal(measured[0][:at], measured[1][:at])
    assert not np.allclose(measured[0][at:].mean(axis=0), measured[1][at:].mean(axis=0))


def test_arguments__fit_every_view_of_the_market() -> None:
    scenario = load_scenario("freelance_score")
    arguments = scenario.arguments()
    views: tuple[Any, ...] = (
        market_v0.parallel_env(**arguments),
        gymnasium.make("ruleshift:ruleshift/Market-v0", **arguments).unwrapped,
        MarketVecEnv(**arguments, markets=2),
    )
    for view in views:
        assert view.market.rule == scenario.rule
        assert view.market.economy == scenario.economy
        assert view.market.schedule == scenario.schedule


def test_setting__follows_a_path_into_the_schedule() -> None:
    scenario = load_scenario("freelance_commission")
    assert scenario.setting("schedule.0.to.payment.tiers.1") == (40.0, 0.05)
    for path in ("rule.payment.comission", "schedule.2.at", "schedule.first.at", "rule.payment.commission.x"):
        with pytest.raises(ValueError, match=re.escape(repr(path))):
            scenario.setting(path)


def _copy(folder: Path, name: str = "ride_hailing", *changes: tuple[str, str]) -> Path:
    """A scenario's file with some of its text changed."""
    text = find_scenario(name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_load_scenario__takes_a_name_a_path_or_a_scenario(tmp_path: Path) -> None:
    scenario = load_scenario("ride_hailing")
    assert load_scenario(scenario) is scenario
    assert load_scenario(_copy(tmp_path)) == scenario


def test_hash__is_that_of_what_is_played(tmp_path: Path) -> None:
    told = _copy(tmp_path, "ride_hailing", ('platform = "Uber"', 'platform = "another"'), ("2015", "2014"))
    assert load_scenario(told).hash == load_scenario("ride_hailing").hash
    for change in (("jobs = 24", "jobs = 25"), ("at = 50", "at = 51"), ("commission = 0.25", "commission = 0.26")):
        assert load_scenario(_copy(tmp_path, "ride_hailing", change)).hash != load_scenario("ride_hailing").hash


def test_is_scenario__tells_its_file_from_a_rules(tmp_path: Path) -> None:
    rule = tmp_path / "rule.toml"
    rule.write_text(load_rule("price_board").to_toml())
    broken = tmp_path / "broken.toml"
    broken.write_text("economy = [")
    assert is_scenario(_copy(tmp_path))
    assert is_scenario("ride_hailing")
    for other in (rule, broken, tmp_path / "nowhere.toml", "price_board", "nowhere"):
        assert not is_scenario(other)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('platform = "Uber"', 'plattform = "Uber"', "unknown key 'plattform'"),
        ('platform = "Uber"', "", "'platform' is missing"),
        ('platform = "Uber"', "platform = 1", "platform is 1"),
        ("commission = 0.20", "commission = 2.0", "payment: commission is 2.0"),
        ("commission = 0.20", "comission = 0.2", "rule: payment: unknown key 'comission'"),
        ("jobs = 24", "jobs = 0", "economy: jobs is 0"),
        ("jobs = 24", "job = 24", "economy: unknown key 'job'"),
        ("at = 50", "at = 100", "a shift at round 100"),
        ("at = 50", "when = 50", "schedule.0: unknown key 'when'"),
        ("at = 50", "", "schedule.0: the key 'at' is missing"),
        ("at = 50", "at = 50\nnotice = 0", "schedule.0: shift: notice is 0"),
        ("commission = 0.25", "comission = 0.25", "schedule.0: rule.payment: unknown field 'comission'"),
        ("commission = 0.25", "commission = 2.5", "schedule.0: payment: commission is 2.5"),
        ('sets = "context"', 'sets = "contxt"', "figures.2.sets: there is no field 'contxt'"),
        ("value = 0.20", "value = true", "figures.0.value is True"),
        ("year = 2014", "", "figures.0: the key 'year' is missing"),
        ('unit = "share of the fare"', 'unit = ""', "figures.0.unit is ''"),
        ("[[gaps]]\nwhat", "[[gaps]]\nwhy", "gaps.0: unknown key 'why'"),
        ("[rule.matching]", "[rule.matchng]", "rule: unknown key 'matchng'; there are name, rationale, disclosure"),
        ("[rule.feedback]", "[rule.payment.feedback]", "rule: payment: unknown key 'feedback'"),
        ("[economy]", "[economy", "not a TOML file"),
    ],
)
def test_load_scenario__a_mistake_is_one_line_that_names_file_and_key(
    old: str, new: str, named: str, tmp_path: Path
) -> None:
    path = _copy(tmp_path, "ride_hailing", (old, new))
    with pytest.raises(ValueError, match=re.escape(named)) as caught:
        load_scenario(path)
    assert str(caught.value).startswith("mine.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("rule", "3", "rule is 3; it must be a table"),
        ("economy", "[]", "economy is []; it must be a table"),
        ("schedule", "[]", "schedule is []; it must be a list of tables that is not empty"),
        ("gaps", '["none"]', "gaps.0 is 'none'; it must be a table"),
    ],
)
def test_load_scenario__something_else_in_place_of_tables(key: str, value: str, named: str, tmp_path: Path) -> None:
    path = _copy(tmp_path)
    kept = [part for part in re.split(r"\n(?=\[)", path.read_text()) if not re.match(rf"\[+{key}\b", part)]
    path.write_text("\n".join([f"{key} = {value}", *kept]))
    with pytest.raises(ValueError, match=re.escape(f"mine.toml: {named}")):
        load_scenario(path)


def test_load_scenario__shifts_out_of_order_and_files_that_are_not_there(tmp_path: Path) -> None:
    path = _copy(tmp_path, "craft_fees", ("at = 24", "at = 70"))
    with pytest.raises(ValueError, match=r"mine\.toml: schedule\.1: at is 69, after round 70"):
        load_scenario(path)
    with pytest.raises(ValueError, match=r"craft_fees, .* or the path of a \.toml"):
        load_scenario("nowhere")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.toml"):
        load_scenario("nowhere.toml")


def test_run__before_the_change_the_twin_is_the_same_and_after_it_what_differs_is_the_change() -> None:
    run = run_scenario("display_exchange", markets=8, seed=1)
    before, after = run.stages
    assert (before.first, before.last, after.first, after.last) == (0, 49, 50, 99)
    assert all(np.array_equal(before.change(name), np.zeros(8)) for name in OUTCOMES)
    assert after.change("price").mean() < -0.1, "asks above cost were paid more under the second price"


def test_run__a_commission_is_what_the_figures_say_and_moves_money_from_organizations_to_the_platform() -> None:
    stages = run_scenario("craft_fees", markets=4).stages
    for stage, commission in zip(stages, (0.035, 0.05, 0.065), strict=True):
        np.testing.assert_allclose(stage.shifted["commission"], commission)
        np.testing.assert_allclose(stage.change("profit"), -stage.change("revenue"), atol=1e-12)
    assert (stages[2].change("revenue") > 0).all()


def test_run__tiers_begin_with_the_highest_share() -> None:
    _, tiered, flat = run_scenario("freelance_commission", markets=4).stages
    assert ((tiered.shifted["commission"] > 0.05) & (tiered.shifted["commission"] < 0.2)).all()
    np.testing.assert_allclose(flat.shifted["commission"], 0.1)


def test_run__ratings_inflate_from_where_the_figures_begin_to_where_they_end() -> None:
    stages = run_scenario("rating_inflation", markets=16).stages
    assert stages[0].shifted["quality"].mean() == pytest.approx(3.74 / 5, abs=0.02)
    assert stages[0].shifted["reputation"].mean() == pytest.approx(3.74 / 5, abs=0.02)
    rising = [stage.shifted["reputation"].mean() for stage in stages]
    assert rising == sorted(rising)
    assert rising[-1] == pytest.approx(4.8 / 5, abs=0.06), "some organizations are rarely served, so rarely rated"


def test_run__a_policy_takes_half_of_the_seats() -> None:
    plain = run_scenario("ride_hailing", markets=2)
    dear = run_scenario("ride_hailing", policy=Constant(ask=1.25), markets=2)
    assert dear.stages[0].shifted["gini"].mean() > 0.5 > plain.stages[0].shifted["gini"].mean()
    assert "trained policy" in str(dear)


def test_run__refuses_a_policy_of_other_kinds() -> None:
    card = Card(kinds=2)
    weights = {name: np.zeros(shape, np.float32) for name, shape in card.shapes().items()}
    with pytest.raises(ValueError, match="2 kinds of job, not 3"):
        run_scenario("ride_hailing", policy=LearnedPolicy(weights, card), markets=2)


def test_run__leaves_a_table_and_is_the_same_each_time(tmp_path: Path) -> None:
    run = run_scenario("freelance_score", markets=3, seed=2)
    assert str(run) == str(run_scenario("freelance_score", markets=3, seed=2))
    path = run.save(tmp_path / "out")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert path.name == "freelance_score.csv"
    assert [row["outcome"] for row in rows] == [*OUTCOMES] * 2
    for row in rows:
        assert float(row["change"]) == pytest.approx(float(row["value"]) - float(row["twin"]), abs=2e-5)
    quality = next(row for row in rows if row["rule"] == "success_score" and row["outcome"] == "quality")
    change = run.stages[1].change("quality")
    assert float(quality["error"]) == pytest.approx(change.std(ddof=1) / 3**0.5, rel=1e-4)


@given(st.lists(st.lists(st.floats(0, 1e6), min_size=4, max_size=4), min_size=1, max_size=3))
def test_gini__is_half_the_mean_difference_over_the_mean(amounts: list[list[float]]) -> None:
    for row, index in zip(amounts, gini(np.array(amounts)), strict=True):
        mean = sum(row) / 4
        differences = sum(abs(a - b) for a in row for b in row) / 16
        if mean > 1e-6:
            assert index == pytest.approx(differences / (2 * mean), abs=1e-9)


def test_page__is_written_from_the_files() -> None:
    written = (ROOT / "docs" / "scenarios.md").read_text()
    assert written == scenario_page(), "python docs/build/scenario_page.py > docs/scenarios.md"


def test_page__its_commands_are_commands() -> None:
    lines = [line.split("#")[0].split() for line in scenario_page().splitlines() if line.startswith("ruleshift ")]
    assert len(lines) == 5
    for words in lines:
        parse(words[1:])
