"""A study from its file to its results: what is refused, and what a kill leaves."""

import csv
import fcntl
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ruleshift.envs import load_rule
from ruleshift.eval import CellError, Preset, load_preset, study
from ruleshift.eval.preset import PRESETS
from ruleshift.eval.work import plan

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


def edited(tmp_path: Path, before: str, after: str) -> Path:
    path = tmp_path / "mine.toml"
    text = (PRESETS / "testing.toml").read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    return path


def test_study__results_have_one_row_a_cell_and_measure(finished: Path) -> None:
    found = rows(finished)
    keys = [tuple(row[key] for key in row if key != "value") for row in found]
    assert len(set(keys)) == len(keys)
    wanted = {"arm", "home_rule", "target_rule", "seed", "economy", "protocol", "measure", "value"}
    assert wanted <= set(found[0])
    assert {row["arm"] for row in found} == {"fixed", "randomized", "native", "scripted", "constant_steady"}
    assert {row["seed"] for row in found if row["arm"] == "fixed"} == {"0", "1"}
    support = {row["target_rule"]: row["inside_training_support"] for row in found}
    assert support == {"price_board": "1", "dispatch_lottery": "0"}


def test_study__twin_is_the_home_rule_with_the_same_noise(finished: Path) -> None:
    values = {
        (row["arm"], row["target_rule"], row["seed"], row["protocol"], row["measure"]): row for row in rows(finished)
    }
    before = [
        values["fixed", target, "0", "shift", "before"]["value"] for target in ("price_board", "dispatch_lottery")
    ]
    assert before[0] == before[1]
    twin = values["fixed", "dispatch_lottery", "0", "shift", "twin_after"]["value"]
    assert twin == values["fixed", "price_board", "0", "shift", "after"]["value"]
    assert float(values["fixed", "price_board", "0", "shift", "change"]["value"]) == 0


def test_study__a_finished_one_only_writes_its_report_again(finished: Path) -> None:
    report, before = finished / "report.html", (finished / "results.csv").read_bytes()
    first, cells = report.read_bytes(), {path: path.stat().st_mtime_ns for path in (finished / "cells").iterdir()}
    report.unlink()
    study("testing", finished, workers=2, quiet=True)
    assert report.read_bytes() == first
    assert (finished / "results.csv").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in (finished / "cells").iterdir()} == cells


def test_study__killed_and_started_again_ends_with_the_same_results(finished: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    process = subprocess.Popen([sys.executable, "-c", COMMAND, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("[4/"):
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (root / "results.csv").exists()
    study("testing", root, workers=0, quiet=True)
    assert (root / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()


def test_study__lost_cells_are_computed_again_alike(finished: Path, tmp_path: Path) -> None:
    root = shutil.copytree(finished, tmp_path / "study")
    (root / "cells" / "shift-fixed-price_board-1.json").unlink()
    (root / "cells" / ".partial-left").write_text("half a ce")
    shutil.rmtree(root / "policies" / "train-fixed-price_board-0")
    study("testing", root, workers=0, quiet=True)
    assert (root / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()
    assert not (root / "cells" / ".partial-left").exists()


def test_study__refuses_a_folder_in_use(tmp_path: Path) -> None:
    with open(tmp_path / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        start = time.monotonic()
        with pytest.raises(ValueError, match="another study is running in this folder"):
            study("testing", tmp_path, workers=0)
        assert time.monotonic() - start < 1


def test_study__refuses_a_folder_of_another_configuration(finished: Path, tmp_path: Path) -> None:
    other = edited(tmp_path, "steps = 1_280", "steps = 1_281")
    with pytest.raises(ValueError, match=r"holds another study \(its steps differ"):
        study(other, finished, workers=0)


def test_study__refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no study"):
        study("testing", tmp_path, workers=0)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_study__a_cell_that_fails_is_named(tmp_path: Path) -> None:
    root, path = tmp_path / "study", edited(tmp_path, "seeds = [0, 1]", 'seeds = [0]\nmechanisms = ["nowhere:nothing"]')
    with pytest.raises(CellError, match=r"train-native-price_board-1000 failed: .*nowhere.*worker-0.txt"):
        study(path, root, workers=1, quiet=True)


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.toml")), ids=lambda path: path.stem)
def test_preset__round_trips_through_plain_values(path: Path) -> None:
    preset = load_preset(path.stem)
    again = Preset.from_plain(preset.plain())
    assert again == preset
    assert again.hash == preset.hash


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.toml")), ids=lambda path: path.stem)
def test_preset__judges_on_rules_that_no_arm_trained_on(path: Path) -> None:
    preset = load_preset(path.stem)
    assert all(preset.inside(rule.name) for rule in preset.homes)
    assert not any(preset.inside(rule.name) for rule in preset.held_out)


def test_plan__asks_for_nothing_before_what_it_needs() -> None:
    done: set[str] = set()
    for cell in plan(load_preset("quick")):
        assert done.issuperset(cell["needs"])
        assert cell["name"] not in done
        done.add(cell["name"])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("steps = 1_280", "stpes = 1_280", "training.steps is missing"),
        ("at = 5", "at = 5\nwhen = 3", "evaluation.when is not a key"),
        ("steps = 1_280", "steps = 0", "training.steps is 0; it must be a whole number"),
        ("at = 5", "at = 10", "evaluation.at is 10"),
        ("seeds = [0, 1]", "seeds = []", "seeds is \\[\\]"),
        ("seeds = [0, 1]", "seeds = [0, 1000]", "panel_seed is 1000, a training seed"),
        ("evaluation_seed = 2000", "evaluation_seed = 1", "evaluation_seed is 1, a training seed"),
        ('homes = ["price_board"]', 'homes = ["price_bored"]', "no rule is named 'price_bored'"),
        ('homes = ["price_board"]', 'homes = ["dispatch_lottery"]', "hold the rule dispatch_lottery twice"),
        ('structure = "platforms"', 'structure = "nothing"', "structure cannot be read"),
        ("rounds = 10", "round = 10", "economy.round is not a field"),
        ("rounds = 10", "rounds = -1", "rounds is -1"),
        ("steady = [0.6, 0.3, 0.5]", "steady = [0.6, 0.3]", "constants.steady is"),
        ('homes = ["price_board"]', "homes = [", "not a TOML file"),
    ],
)
def test_preset__errors_name_file_and_key(tmp_path: Path, before: str, after: str, message: str) -> None:
    path = edited(tmp_path, before, after)
    with pytest.raises(ValueError, match=message) as caught:
        load_preset(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_preset__unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match="there is no preset 'quikc'; there are quick, testing"):
        load_preset("quikc")


def test_preset__rules_are_read_from_beside_the_file(tmp_path: Path) -> None:
    own = load_rule("price_board").replace(**{"name": "mine", "payment.commission": 0.2})
    (tmp_path / "own.toml").write_text(own.to_toml())
    path = edited(tmp_path, 'homes = ["price_board"]', 'homes = ["own.toml"]')
    assert load_preset(path).homes == (own,)
