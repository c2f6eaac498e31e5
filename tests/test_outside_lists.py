"""Every list of the suite takes one more entry from somebody's own module, from the command line to the report."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ruleshift.envs import load_rule

STUDY = """
homes = ["price_board"]
held_out = ["queue.toml"]
arms = ["hermit+memory", "fixed+nuisance+memory", "randomized+memory"]
seeds = [0]
panel_seeds = [1000]
steps = 640
native_steps = 640
best_reply_steps = 640
curve_points = 1
economies = 1
markets = 2
rounds = 50
learning_markets = 16
rollout_size = 640
batch_size = 320
extensions = ["outside_lists"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: a module of their own, a rule that names its mechanism, and a study that names all of it."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copyfile(Path(__file__).with_name("outside_lists.py"), folder / "outside_lists.py")
    rule = load_rule("price_board").to_toml().replace('"price_board"', '"queue"').replace('"serial"', '"last_come"')
    (folder / "queue.toml").write_text(rule)
    (folder / "study.toml").write_text(STUDY)
    return folder


OWN = ("--extensions", "outside_lists")


def ruleshift(folder: Path, *arguments: str) -> str:
    """What the command prints, run in the user's folder."""
    command = [sys.executable, "-m", "ruleshift.cli", *arguments]
    paths = [str(folder), *(each for each in sys.path if each)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def study(folder: Path) -> Path:
    """The folder of the finished study; one worker computes it, so that processes find the module, too."""
    ruleshift(folder, "study", "--preset", "study.toml", "--out", "out", "--workers", "1", *OWN)
    return folder / "out"


def test_study__runs_an_arm_a_rule_a_mechanism_and_a_protocol_of_ones_own(study: Path) -> None:
    with (study / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    adapted = {row["target_rule"] for row in rows if (row["arm"], row["protocol"]) == ("hermit+memory", "adaptation")}
    assert adapted == {"queue"}
    reserves = {row["target_rule"]: float(row["value"]) for row in rows if row["protocol"] == "reserve"}
    assert reserves == {"price_board": 1.0, "queue": 1.0}


def test_report__answers_a_claim_of_ones_own(study: Path) -> None:
    text = (study / "report.html").read_text(encoding="utf-8")
    assert "Do platforms ever offer more than a job is worth?" in text
    assert "The highest reserve of all rules was 1 times the value of a job." in text
    assert "one home rule, alone in the market but for scripted rivals" in text
    assert "hermit+memory" in text


@pytest.mark.parametrize(
    "command", ["study --preset study.toml --out never", "references --preset study.toml --out never", "report out"]
)
def test_files__import_nothing_that_the_command_does_not_name(study: Path, folder: Path, command: str) -> None:
    """A study file or a folder that somebody sent runs none of their code."""
    refusal = r"extensions names outside_lists, code that no file is trusted to run; .* by --extensions outside_lists"
    with pytest.raises(AssertionError, match=refusal):
        ruleshift(folder, *command.split())
    assert not (folder / "never").exists()


def test_report__is_written_again_where_the_command_names_the_modules(study: Path, folder: Path) -> None:
    before = (study / "report.html").read_bytes()
    ruleshift(folder, "report", "out", *OWN)
    assert (study / "report.html").read_bytes() == before


def test_validate__asks_for_a_known_answer_of_ones_own(folder: Path) -> None:
    asked = ("--only", "young_gauss", "--extensions", "outside_lists", "--workers", "1")
    said = ruleshift(folder, "validate", "--out", "answers", *asked)
    assert "1 of 1 known answers hold" in said
    assert "young_gauss" in (folder / "answers" / "validation.csv").read_text()
    assert json.loads((folder / "answers" / "validation.json").read_text())


def test_study__names_an_extension_that_is_not_there(folder: Path) -> None:
    (folder / "absent.toml").write_text(STUDY.replace("outside_lists", "nowhere_to_be_found"))
    with pytest.raises(AssertionError, match=r"extensions: 'nowhere_to_be_found' cannot be imported"):
        ruleshift(folder, "study", "--preset", "absent.toml", "--out", "never", "--extensions", "nowhere_to_be_found")
    assert not (folder / "never").exists()
