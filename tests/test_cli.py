"""The command line: each command does its work, and a mistake is one clear line and exit status 2."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ruleshift
from ruleshift.agents import Card, LearnedPolicy, load_policy, save_policy
from ruleshift.cli import main, parse
from ruleshift.envs import Rule, list_rules, list_scenarios, load_rule, load_scenario

pytestmark = pytest.mark.usefixtures("compiled")

COMMANDS = (
    "train", "evaluate", "study", "report", "validate", "rules", "rules list", "rules show", "rules compare",
    "scenarios", "scenarios list", "scenarios show", "scenarios run", "play", "warm-up",
)  # fmt: skip


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Save a policy that has learned nothing, with all weights 0 and almost no noise."""
    card = Card(kinds=3)
    weights = {name: np.zeros(shape, np.float32) for name, shape in card.shapes().items()}
    weights["layer.2.bias"][0] = 0.5
    weights["log_std"] -= 30
    return str(save_policy(LearnedPolicy(weights, card), tmp_path / "policy"))


def test_help__needs_nothing_heavy() -> None:
    code = (
        "import sys, ruleshift.cli as cli\n"
        f"for words in {['', *COMMANDS]!r}:\n"
        "    try: cli.parse([*words.split(), '--help'])\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "heavy = {'numba', 'torch', 'matplotlib', 'stable_baselines3', 'scipy', 'pettingzoo'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert name.split()[-1] in done.stdout


def test_help__explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["play", "--help"])
    shown = capsys.readouterr().out
    for option in ("--shift-to", "--at", "--policy", "--save", "--rounds", "--seed"):
        assert option in shown
    assert "PNG frames" in shown


def test_rules__list_names_each_with_what_it_stylizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(list_rules())
    assert all(len(line.split()) > 4 for line in lines)


def test_rules__show_prints_a_file_that_is_the_same_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", "price_board"]) == 0
    assert Rule.from_toml(capsys.readouterr().out) == load_rule("price_board")


def test_rules__compare_names_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "compare", "sealed_tender", "second_price_exchange"]) == 0
    shown = capsys.readouterr().out
    assert "payment.pricing" in shown
    assert "scoring.amplification" not in shown


def test_scenarios__list_names_each_with_its_platform(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(list_scenarios())
    assert all(f"stylizes {load_scenario(line.split()[0]).platform}. " in line for line in lines)


def test_scenarios__show_prints_a_file_that_runs_as_the_scenario_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scenarios", "show", "ride_hailing"]) == 0
    mine = tmp_path / "mine.toml"
    mine.write_text(capsys.readouterr().out)
    shown = []
    for name in ("ride_hailing", str(mine)):
        assert main(["scenarios", "run", name, "--markets", "2", "--seed", "7"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "rounds 50 to 99, under a_quarter_of_the_fare" in shown[0]


def test_scenarios__run_leaves_a_table(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--out", str(tmp_path), "--markets", "2", "--policy", policy]
    assert main(["scenarios", "run", "residency_match", *words]) == 0
    assert capsys.readouterr().out.endswith(f"table: {tmp_path / 'residency_match.csv'}\n")
    assert (tmp_path / "residency_match.csv").is_file()


def test_play__takes_a_scenario_with_its_sizes_and_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "residency_match", "--pause", "0"]) == 0
    shown = capsys.readouterr().out
    assert "round 20 of 20" in shown
    assert "org_21" in shown
    assert "FROM THE NEXT ROUND ON: applicants_propose" in shown


def test_train__takes_a_scenarios_first_rule_and_economy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "residency_match", "--out", str(out), "--steps", "1"]) == 0
    card = load_policy(out).card
    assert card.rule == "programs_propose"
    assert card.economy["organizations"] == 22


def test_play__shows_every_round_and_the_change(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--shift-to", "promoted_listing", "--at", "2", "--rounds", "3", "--pause", "0"]
    assert main(["play", "price_board", *words]) == 0
    shown = capsys.readouterr().out
    assert [f"round {round_} of 3" in shown for round_ in range(5)] == [True, True, True, True, False]
    assert "FROM THE NEXT ROUND ON: promoted_listing" in shown


def test_play__is_the_same_each_time_and_another_with_another_seed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for seed in ("1", "1", "2"):
        assert main(["play", "--rounds", "2", "--pause", "0", "--seed", seed]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] != shown[2]


def test_play__takes_a_structure_a_rule_file_and_a_policy(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(load_rule("price_board").replace(name="mine").to_toml())
    for words in (["platforms"], [str(mine)], ["price_board", "--policy", policy]):
        assert main(["play", *words, "--rounds", "1", "--pause", "0"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("org_")][-8:]
    assert {row[1] for row in rows[:4]} == {"0.94"}, "the policy's mean action, asked in each of the first seats"


def test_play__saves_an_animation_or_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("market.gif", "frames"):
        assert main(["play", "--rounds", "2", "--save", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path / name)
    with Image.open(tmp_path / "market.gif") as animation:
        animation.seek(2)
        with pytest.raises(EOFError):
            animation.seek(3)
    assert len(list((tmp_path / "frames").glob("*.png"))) == 3


def test_train_and_evaluate__go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    assert main(["train", "price_board", "--out", out, "--steps", "25600"]) == 0
    assert out in capsys.readouterr().out
    words = ["--shift-to", "promoted_listing", "--at", "50", "--markets", "2"]
    assert main(["evaluate", out, *words]) == 0
    assert "promoted_listing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("rules show nowhere", "nowhere"),
        ("rules show nowhere.toml", "nowhere.toml"),
        ("rules compare price_board nowhere", "nowhere"),
        ("play nowhere", "nowhere"),
        ("play --rounds -1", "rounds"),
        ("play --pause -1", "--pause"),
        ("play --shift-to promoted_listing --at 0", "shift"),
        ("play --seed -1", "seed"),
        ("play --policy nowhere", "nowhere"),
        ("play --kinds 2 --policy POLICY", "kinds"),
        ("play --mechanisms nowhere:none", "nowhere:none"),
        ("play --save /dev/null/frames --rounds 1", "/dev/null"),
        ("play --save clip.mp4", "there are no .mp4 files here; give a name that ends in .gif, or a folder"),
        ("play --save OUT --pause 1", "--pause has no meaning for PNG frames"),
        ("play --at 3", "--at 3 says when the rule changes; say with --shift-to to which rule"),
        ("play ride_hailing --at 3", "--at 3 says when the rule changes; say with --shift-to to which rule"),
        ("validate --list --only luce_choice", "--list goes with --extensions alone"),
        ("scenarios show nowhere", "nowhere"),
        ("scenarios run nowhere.toml", "nowhere.toml"),
        ("scenarios run ride_hailing --markets 0", "markets"),
        ("train ride_hailing --arm randomized --out OUT", "ride_hailing"),
        ("evaluate nowhere", "nowhere"),
        ("evaluate POLICY --shift-to nowhere", "nowhere"),
        ("train nowhere --out OUT", "nowhere"),
        ("train price_board --arm randomized --out OUT", "price_board"),
        ("train price_board --arm wide --out OUT", "arm 'wide' is unknown; the arms are fixed, fixed+nuisance,"),
        ("train platforms --arm scratch --out OUT", "arm scratch trains on nothing"),
        ("train price_board --steps 0 --out OUT", "steps"),
        ("study --preset nowhere --out OUT", "nowhere"),
        ("report OUT", "OUT"),
    ],
)
def test_mistake__is_one_clear_line_and_status_2(
    words: str, named: str, policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    given = words.replace("POLICY", policy).replace("OUT", out)
    assert main(given.split()) == 2
    shown = "".join(line for line in capsys.readouterr().err.splitlines(True) if "compiling the market" not in line)
    assert shown.count("\n") == 1
    assert shown.startswith("ruleshift: ")
    assert named.replace("OUT", out) in shown


@pytest.mark.parametrize("words", ["", "trian", "train", "train price_board --out x --steps many", "rules show"])
def test_mistake__of_spelling_ends_with_status_2(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words.split())
    assert end.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        ("", "before anything was saved; the same command starts from the beginning"),
        (".lock", "before anything was saved; the same command starts from the beginning"),
        ("cells/done.json", "the same command continues from what is saved in"),
        ("partial/begun/checkpoint.safetensors", "the same command continues from what is saved in"),
    ],
)
def test_interrupt__says_what_is_kept(
    saved: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    if saved:
        (tmp_path / saved).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / saved).touch()
    monkeypatch.setattr("ruleshift.eval.study", interrupted)
    assert main(["study", "--out", str(tmp_path)]) == 130
    shown = capsys.readouterr().err
    assert shown.startswith("ruleshift: interrupted")
    assert said in shown
    assert shown.count("\n") == 1


def _unread(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "ruleshift", *words]
        return subprocess.run(command, stdout=writing, stderr=-1, text=True, timeout=120)
    finally:
        os.close(writing)


def test_reader_that_leaves__does_not_stop_the_work(tmp_path: Path) -> None:
    done = _unread("validate", "--only", "luce_choice", "--workers", "0", "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "validation.csv").is_file()


def test_reader_that_leaves__ends_a_market_that_is_only_shown() -> None:
    done = _unread("play", "--rounds", "10000")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("redirection", [">&-", "<&- >&- 2>&-", ">/dev/full"])
def test_output_that_cannot_be_written__does_not_stop_the_work(redirection: str, tmp_path: Path) -> None:
    command = f"{sys.executable} -m ruleshift scenarios run ride_hailing --markets 1 --out {tmp_path} {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert (tmp_path / "ride_hailing.csv").is_file()
    assert done.stderr in ("", "ruleshift: standard output is lost: no space left on device\n")


def test_module__is_the_command_and_knows_its_version() -> None:
    command = [sys.executable, "-m", "ruleshift", "--version"]
    assert subprocess.check_output(command, text=True) == f"ruleshift {ruleshift.__version__}\n"


def test_warm_up__leaves_nothing_to_compile(tmp_path: Path) -> None:
    assert main(["warm-up"]) == 0
    done = subprocess.run([sys.executable, "-m", "ruleshift", "play", "--rounds", "1"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_mechanisms__are_found_beside_the_rule_as_the_installed_command_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installed script, unlike `python -m`, does not search the current folder by itself."""
    (tmp_path / "beside_the_rule.py").write_text("def nobody(problem, match, floats, integers):\n    pass\n")
    rule = load_rule("price_board").to_toml().replace('"serial"', '"nobody"')
    (tmp_path / "mine.toml").write_text(rule)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each not in ("", str(tmp_path))])
    path = sys.path[:]
    words = ["play", "mine.toml", "--rounds", "2", "--pause", "0"]
    assert main([*words, "--mechanisms", "beside_the_rule:nobody"]) == 0
    assert "round 2 of 2" in capsys.readouterr().out
    assert sys.path == path


def test_play__from_a_notebook_whose_backend_is_not_installed_here() -> None:
    command = [sys.executable, "-m", "ruleshift", "play", "--rounds", "1", "--pause", "0"]
    environment = {**os.environ, "MPLBACKEND": "module://nowhere.backend_inline"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
