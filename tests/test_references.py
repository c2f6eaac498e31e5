"""The frozen panel and the scale: reference policies that come with the suite."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ruleshift.agents import load_policy
from ruleshift.eval import load_preset
from ruleshift.eval.experiment import references
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.make_references import make_references
from ruleshift.eval.experiment.protocols import training
from ruleshift.eval.experiment.references import FOLDER, INDEX, key_of, shipped
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.panels import scripted_panel


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use a folder of our own references instead of the suite's."""
    monkeypatch.setattr(references, "FOLDER", tmp_path)
    references.index.cache_clear()
    yield tmp_path
    references.index.cache_clear()


@pytest.mark.parametrize("name", ["quick", "standard"])
def test_references__come_with_the_suite_for_what_presets_ask(name: str) -> None:
    """A study of the presets' rules trains no reference, so that it is quick and its scale is everybody's."""
    cells = training.cells(Design.of(load_preset(name)))
    assert not [cell.name for cell in cells if cell.arm in ("native", "best_reply")]


def test_references__are_small_and_each_is_listed() -> None:
    held = json.loads((FOLDER / INDEX).read_text())
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(held)
    for key, each in held.items():
        card = load_policy(FOLDER / key).card
        assert card.seed == each["seed"]
        assert sum(path.stat().st_size for path in (FOLDER / key).iterdir()) < 150_000
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 8_000_000


def test_references__no_seed_of_theirs_trains_or_scores_anything_else() -> None:
    preset = load_preset("full")
    seeds = {each["seed"] for each in json.loads((FOLDER / INDEX).read_text()).values()}
    assert seeds == {*preset.panel_seeds, preset.best_reply_seed}
    assert not seeds & {*preset.seeds, preset.evaluation_seed, preset.gate_seed, preset.constant_seed}


def test_references__best_replies_earn_more_than_natives_and_natives_more_than_the_floor(tmp_path: Path) -> None:
    """It holds over the rules of `quick`, so that returns have a scale, with the floor at 0 and the best reply at 1."""
    design = Design.of(replace(load_preset("quick"), markets=1))
    context = Context(design, Folder(tmp_path))

    def earned(policy: Any, rule: str) -> float:
        entries = context.deployment.frozen(policy, rule, "frozen")
        return float(np.mean([each.values["return"] for each in entries]))

    best, native, floor = [], [], []
    for rule in design.targets:
        best.append(earned(context.best_reply(rule.name), rule.name))
        native.append(earned(lambda group, name=rule.name: context.native(group.panel, name), rule.name))
        scripted = [
            earned(lambda group, i=index: scripted_panel(design.economies[group.economy]).scripted[i], rule.name)
            for index in range(3)
        ]
        floor.append(np.mean(scripted))
    assert np.mean(floor) < np.mean(native) < np.mean(best)
    assert all(low < high for low, high in zip(floor, best, strict=True))


def test_key_of__follows_all_that_a_reference_is_made_from() -> None:
    design = Design.of(load_preset("quick"))
    rules = [rule.name for rule in design.targets]
    keys = {key_of(kind, design, rule, seed) for kind in ("native", "best_reply") for rule in rules for seed in (1, 2)}
    assert len(keys) == 4 * len(rules)
    longer = Design.of(replace(load_preset("quick"), native_steps=2_000_000))
    assert key_of("native", longer, rules[0], 1) not in keys
    arms = Design.of(replace(load_preset("quick"), steps=50_000, seeds=(7,), economies=3, markets=2))
    assert key_of("native", arms, rules[0], 1) in keys  # what is judged does not move what it is judged by


def test_references__one_command_makes_them_and_a_study_then_finds_them(tmp_path: Path, elsewhere: Path) -> None:
    preset = replace(load_preset("testing"), panel_seeds=(1000,))
    made = make_references(preset, tmp_path / "work", into=elsewhere, workers=0, quiet=True)
    assert sum("native" in name for name in made) == sum("best_reply" in name for name in made) == 3
    references.index.cache_clear()
    design = Design.of(preset)
    assert set(shipped("native", design, "price_board")) == {1000}
    assert make_references(preset, tmp_path / "again", into=elsewhere, workers=0, quiet=True) == []


def test_references__a_changed_policy_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    key, other = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())[:2]
    shutil.copyfile(FOLDER / INDEX, elsewhere / INDEX)
    for name in json.loads((FOLDER / INDEX).read_text()):
        shutil.copytree(FOLDER / name, elsewhere / name)
    shutil.rmtree(elsewhere / key)
    shutil.copytree(FOLDER / other, elsewhere / key)
    with pytest.raises(ValueError, match=f"{key}: holds weights"):
        references.index()
