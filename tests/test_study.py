"""A study from its file to its results: what is refused, and what a kill leaves."""

import csv
import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ruleshift.eval import CellError, study
from ruleshift.eval.claims import CLAIMS
from ruleshift.eval.experiment.context import Context
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.preset import load_preset
from ruleshift.eval.experiment.protocols import PROTOCOLS, adaptation
from ruleshift.eval.experiment.protocols.training import settings
from ruleshift.eval.experiment.record import study_folder

COMMAND = "import sys; from ruleshift.eval import study; study('testing', sys.argv[1], workers=2)"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study, computed in this process."""
    root = tmp_path_factory.mktemp("finished") / "study"
    study("testing", root, workers=0, quiet=True)
    return root


def rows(root: Path) -> list[dict[str, str]]:
    with open(root / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def by(root: Path, *names: str) -> dict[tuple[str, ...], float]:
    """Values of `results.csv` by these columns."""
    return {tuple(row[name] for name in names): float(row["value"]) for row in rows(root)}


def test_study__results_have_one_row_a_cell_and_measure(finished: Path) -> None:
    found = rows(finished)
    keys = [tuple(row[key] for key in row if key != "value") for row in found]
    assert len(set(keys)) == len(keys)
    wanted = {"arm", "home_rule", "target_rule", "seed", "economy", "protocol", "measure", "value"}
    assert wanted <= set(found[0])
    support = {row["target_rule"]: row["inside_training_support"] for row in found}
    assert support == {"price_board": "1", "dispatch_lottery": "0", "platforms_central": "1"}


def test_study__every_arm_is_scored_in_every_economy_among_every_panel(finished: Path) -> None:
    """The factors are fully crossed, so that all of them can be resampled."""
    preset = load_preset("testing")
    for protocol, arms in (("adaptation", preset.arms), ("frozen", [a for a in preset.arms if a != "scratch+memory"])):
        scored = [row for row in rows(finished) if row["protocol"] == protocol and row["budget"] == "1"]
        assert {row["arm"] for row in scored} >= set(arms)
        for arm in arms:
            groups = {
                (row["seed"], row["panel"], row["economy"])
                for row in scored
                if (row["arm"], row["target_rule"], row["measure"]) == (arm, "dispatch_lottery", "return")
            }
            assert len(groups) == 2 * 2 * 2


def test_adaptation__no_arm_predicts_the_features_of_a_held_out_rule(finished: Path) -> None:
    """They are labels that a platform would not hand out; in training, the rules are those of the arm."""
    design = Design.of(load_preset("testing"))
    context = Context(design, study_folder(finished, design))
    cell = next(each for each in plan(design) if each.protocol == "adaptation" and each.arm == "scratch+memory")
    phase = adaptation.phase(cell, context)
    assert phase.make_learner(phase.make_env(1)).policy.predictor is None
    training = replace(phase, settings=settings(design))
    assert training.make_learner(training.make_env(1)).policy.predictor is not None


def test_study__adaptation_is_the_mean_over_the_whole_phase(finished: Path) -> None:
    """It is not what the learner reaches in the end, so that learning late has a cost."""
    keys = ("arm", "seed", "panel", "economy", "budget", "protocol", "measure")
    found = by(finished, *keys)
    for (arm, seed, panel, economy, budget, protocol, measure), value in found.items():
        if (protocol, measure, budget) == ("adaptation", "return", "1"):
            # 128 agent-steps in 12 rows are 11 rounds: a tenth of two rounds, nine of one.
            tenths = [found[arm, seed, panel, economy, budget, protocol, f"return_{n}"] for n in range(1, 11)]
            lengths = [2] + [1] * 9
            mean = sum(length * each for length, each in zip(lengths, tenths, strict=True)) / 11
            assert value == pytest.approx(mean, abs=1e-9)


def test_study__frozen_policies_meet_the_same_noise_with_and_without_the_shift(finished: Path) -> None:
    """Until the shift, the shifted run, the placebo and the unshifted twin are the same; a frozen policy that gets no
    notice cannot tell a placebo from the twin."""
    found = by(finished, "arm", "seed", "economy", "protocol", "measure")
    for seed in ("0", "1"):
        for economy in ("0", "1"):
            before = found["fixed", seed, economy, "twin", "before"]
            assert found["fixed", seed, economy, "shift", "before"] == before


def test_study__a_finished_one_only_writes_its_report_again(finished: Path) -> None:
    report, before = finished / "report.html", (finished / "results.csv").read_bytes()
    first, cells = report.read_bytes(), {path: path.stat().st_mtime_ns for path in (finished / "cells").iterdir()}
    report.unlink()
    study("testing", finished, workers=2, quiet=True)
    assert report.read_bytes() == first
    assert (finished / "results.csv").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (finished / "cells").iterdir()} == cells


@pytest.mark.parametrize("finished_cells", [3, 40])
def test_study__killed_and_started_again_ends_with_the_same_results(
    finished: Path, tmp_path: Path, finished_cells: int
) -> None:
    """The study is killed while policies are trained, and while they are scored."""
    root = tmp_path / "study"
    process = subprocess.Popen([sys.executable, "-c", COMMAND, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not process.stdout.readline().startswith(f"[{finished_cells}/"):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (root / "results.csv").exists()
    study("testing", root, workers=0, quiet=True)
    assert (root / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()


def test_study__lost_cells_are_computed_again_alike(finished: Path, tmp_path: Path) -> None:
    root = shutil.copytree(finished, tmp_path / "study")
    (root / "cells" / "frozen-fixed-price_board-1.json").unlink()
    (root / "cells" / ".partial-left").write_text("half a ce")
    shutil.rmtree(root / "policies" / "training-fixed-price_board-0")
    study("testing", root, workers=0, quiet=True)
    assert (root / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()
    assert not (root / "cells" / ".partial-left").exists()


def test_study__recurrent_arms_play_every_part_alike_in_any_process(tmp_path: Path) -> None:
    """No preset asks for them, so this runs all protocols: training, adaptation, frozen, through a shift."""
    preset = replace(
        load_preset("testing"), arms=("randomized+recurrent", "scratch+recurrent"), seeds=(0,), panel_seeds=(1000,),
        economies=1, budgets=(), learning_markets=8,
    )  # fmt: skip
    here, there = tmp_path / "here", tmp_path / "there"
    study(preset, here, workers=0, quiet=True)
    shutil.copytree(here, there)  # so that references are trained once
    for place in [*there.glob("cells/*recurrent*"), *there.glob("policies/*recurrent*")]:
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    study(preset, there, workers=1, quiet=True)
    assert (there / "results.csv").read_bytes() == (here / "results.csv").read_bytes()
    played = {arm: {row["protocol"] for row in rows(here) if row["arm"] == arm} for arm in preset.arms}
    assert played["scratch+recurrent"] == {"adaptation"}
    assert played["randomized+recurrent"] == {
        "adaptation", "frozen", "gate", "curve", "shift", "announced", "placebo", "twin",
    }  # fmt: skip
    assert "a generalist, with a recurrent memory (an LSTM)" in (here / "report.html").read_text()


def test_study__refuses_a_folder_in_use(tmp_path: Path) -> None:
    with open(tmp_path / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        start = time.monotonic()
        with pytest.raises(ValueError, match="another study is running in this folder"):
            study("testing", tmp_path, workers=0)
        assert time.monotonic() - start < 1


def test_study__refuses_a_folder_of_another_preset(finished: Path) -> None:
    with pytest.raises(ValueError, match=r"holds another study \(design\.preset\.steps is 1280, not 1281\)"):
        study(replace(load_preset("testing"), steps=1_281), finished, workers=0)


@pytest.mark.parametrize("key", ["kernel", "version"])
def test_study__notices_that_the_market_or_the_version_has_changed(finished: Path, tmp_path: Path, key: str) -> None:
    """Cells that were computed by different versions of the market are never mixed."""
    root = shutil.copytree(finished, tmp_path / "study")
    record = json.loads((root / "study.json").read_text())
    (root / "study.json").write_text(json.dumps(record | {key: "0000"}))
    with pytest.raises(ValueError, match=rf"holds another study \({key} is '0000', not"):
        study("testing", root, workers=0)


def test_study__refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no study"):
        study("testing", tmp_path, workers=0)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_study__a_cell_that_fails_is_named(tmp_path: Path) -> None:
    """The learner refuses what the preset cannot check: fewer markets than economies to train in."""
    preset = replace(load_preset("testing"), learning_markets=4)
    with pytest.raises(CellError, match=r"training-native-price_board-1000 failed: .*markets is 4.*worker-0.txt"):
        study(preset, tmp_path / "study", workers=1, quiet=True)


def test_plan__asks_for_nothing_before_what_it_needs() -> None:
    for name in ("quick", "standard", "testing"):
        done: set[str] = set()
        for cell in plan(Design.of(load_preset(name))):
            assert done.issuperset(cell.needs)
            assert cell.name not in done
            done.add(cell.name)


def test_plan__runs_a_protocol_of_certain_claims_only_if_one_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(CLAIMS["transfer"], id="own", protocols=("rivalry",))
    monkeypatch.setattr("ruleshift.eval.experiment.plan.CLAIMS", {**CLAIMS, "own": own})
    monkeypatch.setattr("ruleshift.eval.claims.CLAIMS", {**CLAIMS, "own": own})
    asked = {}
    for claims in ((), ("transfer",), ("transfer", "own")):
        cells = plan(Design.of(replace(load_preset("testing"), claims=claims)))
        asked[claims] = {cell.protocol for cell in cells}
    assert asked[()] == asked["transfer",] == asked["transfer", "own"] - {"rivalry"}
    assert "rivalry" in asked["transfer", "own"]


def test_seconds__grow_with_what_a_cell_does() -> None:
    """Every cell takes some time, four times the budget takes four times as long, and more economies take longer
    wherever a learner's steps are not shared out over them."""
    preset = load_preset("standard")
    large = Design.of(replace(preset, economies=128))
    for cell in plan(design := Design.of(preset)):
        seconds = PROTOCOLS[cell.protocol].seconds
        assert 0 < seconds(cell, design) < 600
        if cell.budget == 4 and cell.protocol in ("training", "adaptation"):
            assert seconds(cell, design) == pytest.approx(4 * seconds(replace(cell, budget=1.0), design), rel=0.1)
        if cell.protocol not in ("training", "adaptation", "distance"):
            assert seconds(cell, large) > seconds(cell, design)


def test_plan__gives_every_arm_the_same_budget_and_nobody_a_second_try() -> None:
    """Budgets are equal, and there is one training run per arm, home and seed, with settings fixed beforehand."""
    preset = load_preset("quick")
    trained = [cell for cell in plan(Design.of(preset)) if cell.protocol == "training" and cell.arm in preset.arms]
    assert {cell.budget for cell in trained} == {1.0}
    runs = Counter((cell.arm, cell.home, cell.seed) for cell in trained)
    assert set(runs.values()) == {1}
