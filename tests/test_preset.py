"""What a study asks: presets as files, the design that follows, and what is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.envs import load_rule
from ruleshift.eval import Preset, list_presets, load_preset
from ruleshift.eval.experiment.design import PRIMARY, Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.preset import PRESETS


def edited(tmp_path: Path, before: str, after: str) -> Path:
    path = tmp_path / "mine.toml"
    text = (PRESETS / "testing.toml").read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    return path


@pytest.mark.parametrize("name", list_presets())
def test_preset__round_trips_through_toml_and_plain_values(name: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    (tmp_path / "written.toml").write_text(preset.to_toml())
    assert load_preset(tmp_path / "written.toml") == preset
    design = Design.of(preset)
    read = Design.from_plain(design.plain(), "study.json")
    assert (read, read.hash) == (design, design.hash)


@pytest.mark.parametrize("name", list_presets())
def test_preset__judges_on_rules_that_no_arm_trained_on(name: str) -> None:
    design = Design.of(load_preset(name))
    assert all(design.inside(rule.name) for rule in design.homes)
    assert not any(design.inside(rule.name) for rule in design.held_out)


def test_preset__larger_ones_hold_the_smaller() -> None:
    """Presets shrink grid and budget, never the definition: what `quick` asks, `standard` and `full` ask too."""
    quick, standard, full = (load_preset(name) for name in ("quick", "standard", "full"))
    for small, large in ((quick, standard), (standard, full)):
        assert set(small.homes) <= set(large.homes)
        assert set(small.held_out) <= set(large.held_out)
        assert set(small.arms) <= set(large.arms)
        assert set(small.seeds) <= set(large.seeds)
        assert small.economies <= large.economies
        assert small.steps <= large.steps
        assert small.adaptation == large.adaptation
        assert small.panel_seeds == large.panel_seeds
    assert set(PRIMARY) <= set(quick.arms)
    assert (len(full.homes), len(full.held_out), full.economies) == (16, 16, 32)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("steps = 1_280", "stpes = 1_280", "unknown key 'stpes'"),
        ("steps = 1_280", "steps = 0", "steps is 0; it must be a whole number"),
        ("curve_points = 2", "curve_points = 3", "curve_points is 3; 1280 steps are at most 2 rollouts of 640"),
        ("rounds = 50", "rounds = 10", "rounds is 10; it must be 0, or at least 50"),
        ("markets = 2", "seeds = []", "seeds is \\[\\]"),
        ("markets = 2", "seeds = [0, 1000]", "panel_seeds has 1000, which seeds has, too"),
        ("markets = 2", "evaluation_seed = 1", "evaluation_seed has 1, which seeds has, too"),
        ("budgets = [0.5]", "budgets = [0]", "budgets is \\[0.0\\]; each must be above 0"),
        ('"randomized", ', '"randomised", ', "arms has 'randomised'.*the arms are fixed"),
        ('homes = ["price_board"]', 'homes = ["price_bored"]', "no rule is named 'price_bored'"),
        ('homes = ["price_board"]', 'homes = ["dispatch_lottery"]', "hold the rule dispatch_lottery twice"),
        ('homes = ["price_board"]', 'homes = ["trian:0"]', "homes has 'trian:0'; a part is one of train"),
        ('held_out = ["dispatch_lottery"]', 'held_out = ["train:0"]', "lies inside what arms are trained on"),
        ("markets = 2", 'structure = "nothing"', "structure has 'nothing', which cannot be read"),
        ('homes = ["price_board"]', "homes = [", "not a TOML file"),
        ("markets = 2", 'claims = ["transfr"]', "claims has an unknown one: claim 'transfr' is unknown; .* transfer"),
    ],
)
def test_preset__errors_name_the_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = edited(tmp_path, before, after)
    with pytest.raises(ValueError, match=message) as caught:
        Design.of(load_preset(path))
    assert "\n" not in str(caught.value)


def test_preset__unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=f"no preset is named 'quikc'; there are {', '.join(list_presets())}"):
        load_preset("quikc")


def test_preset__rules_are_read_from_beside_the_file(tmp_path: Path) -> None:
    own = load_rule("price_board").replace(**{"name": "mine", "payment.commission": 0.2})
    (tmp_path / "own.toml").write_text(own.to_toml())
    path = edited(tmp_path, 'homes = ["price_board"]', 'homes = ["own.toml"]')
    assert Design.of(load_preset(path)).homes == (own,)


def test_design__groups_cross_economies_and_panels_and_share_no_market() -> None:
    design = Design.of(load_preset("quick"))
    assert {(group.economy, group.panel) for group in design.groups} == {(e, p) for e in range(8) for p in range(2)}
    numbers = [group.first_market + market for group in design.groups for market in range(design.preset.markets)]
    assert len(set(numbers)) == len(numbers)


def test_design__economies_are_those_of_the_frozen_set_that_no_arm_trains_in() -> None:
    from ruleshift.train.arms import ARMS, training_groups

    design = Design.of(load_preset("full"))
    trained = {group.economy.hash for arm in ARMS.values() if arm.trains_on == "home"
               for group in training_groups(arm, "price_board", 64)}  # fmt: skip
    assert not trained & {economy.hash for economy in design.economies}


@settings(deadline=None, max_examples=60)
@given(homes=st.integers(2, 9), targets=st.integers(2, 9), block=st.integers(0, 9))
def test_design__blocks_are_balanced(homes: int, targets: int, block: int) -> None:
    """Each home meets as many targets and each target as many homes; no block repeats before it has to."""
    own = tuple(f"train:{number}" for number in range(homes))
    held_out = tuple(f"family:{number}" for number in range(targets))
    balanced = homes * block % targets == 0 and homes * block >= 2 * targets
    if block not in (0, targets) and not (2 <= block < targets and balanced):
        with pytest.raises(ValueError, match=f"targets_per_home is {block}; with {homes} homes and {targets} held-out"):
            Preset(homes=own, held_out=held_out, targets_per_home=block)
        return
    design = Design.of(Preset(homes=own, held_out=held_out, targets_per_home=block))
    partners = block or targets
    assert (design.meet.sum(axis=1) == partners).all()
    assert (design.meet.sum(axis=0) == homes * partners // targets).all()
    different = min(homes, targets) if partners < targets else 1
    assert len({row.tobytes() for row in design.meet}) == different


def test_design__only_arms_with_a_policy_per_home_adapt_in_blocks() -> None:
    preset = replace(load_preset("quick"), homes=("train:0", "train:1", "train:2", "train:3"), targets_per_home=3)
    cells = [cell for cell in plan(Design.of(preset)) if (cell.protocol, cell.seed) == ("adaptation", 0)]
    assert sum(cell.arm == PRIMARY[1] for cell in cells) == 4 * 3
    assert sum(cell.arm == PRIMARY[0] for cell in cells) == len(preset.held_out)


def test_design__a_generalist_of_few_rules_is_tested_on_those_that_it_trained_on() -> None:
    arms = ("randomized@2+memory", "central+memory", "randomized+memory", "fixed+nuisance+memory")
    design = Design.of(replace(load_preset("quick"), arms=arms))
    few, central, all_, one = (design.arms[name] for name in arms)
    first, second, third = (rule.name for rule in design.homes)
    assert design.gates_of(few, "") == [first, second]
    assert [design.gate_of(few, home) for home in (first, second, third)] == [first, second, first]
    assert [design.gate_of(central, home) for home in (first, third)] == [design.central.name] * 2
    assert [design.gate_of(arm, third) for arm in (all_, one)] == [third] * 2
    elsewhere = Design.of(replace(load_preset("quick"), arms=arms, homes=("train:5",)))
    assert elsewhere.gates_of(elsewhere.arms[arms[0]], "") == ["platforms_train_05"]


def test_preset__is_a_value() -> None:
    """A preset can be made in code as well as read from a file."""
    assert replace(load_preset("testing"), markets=2) == load_preset("testing")
    assert Preset(homes=("price_board",)).steps == 2_000_000
