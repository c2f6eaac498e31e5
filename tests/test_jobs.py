"""Long work: results are sealed and checked, folders have one owner and no links, and errors name their cause."""

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from studies import Planted, make_study

from ruleshift.agents.policy import Card, LearnedPolicy, save_policy
from ruleshift.eval import CellError, Preset, load_preset, study, validate, write_report
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.jobs import pool
from ruleshift.eval.jobs.folder import Folder, claimed, file_name
from ruleshift.eval.jobs.pool import allowed_cores, compute, worker_count
from ruleshift.eval.jobs.task import Job, OnProgress, Task, Work

PRESET = replace(load_preset("testing"), arms=("fixed+nuisance+memory", "randomized+memory"), budgets=())


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study with planted numbers."""
    return make_study(tmp_path_factory.mktemp("planted") / "study", Planted(), PRESET)


def cell(root: Path, name: str) -> Path:
    return root / "cells" / f"{name}.json"


def edited(path: Path, edit: Callable[[Any], Any]) -> None:
    """Change what a JSON file holds."""
    held = json.loads(path.read_text())
    changed = edit(held)
    path.write_text(json.dumps(held if changed is None else changed))


FROZEN = "frozen-randomized+memory-0"


def _entry(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda root: edited(cell(root, FROZEN), lambda held: change(held["result"]) and None)


SPOILED: dict[str, Callable[[Path], Any]] = {
    "a changed number": _entry(lambda rows: rows[0]["values"].update({"return": 0.123})),
    "a number as text": _entry(lambda rows: rows[0]["values"].update({"return": "0.123"})),
    "a missing measure": _entry(lambda rows: rows[0]["values"].pop("return")),
    "a doubled entry": _entry(lambda rows: rows.append(rows[0])),
    "a lost entry": _entry(lambda rows: rows.pop()),
    "another target": _entry(lambda rows: rows[0].update(target="nobody")),
    "NaN": lambda root: cell(root, FROZEN).write_text(cell(root, FROZEN).read_text().replace("0.5", "NaN", 1)),
    "half a file": lambda root: cell(root, FROZEN).write_text(cell(root, FROZEN).read_text()[:500]),
    "no table": lambda root: cell(root, FROZEN).write_text("[1, 2]"),
    "no seal": lambda root: edited(cell(root, FROZEN), lambda held: {"result": held["result"]}),
    "a malformed seal": lambda root: edited(cell(root, FROZEN), lambda held: {**held, "seal": 3}),
    "deep nesting": lambda root: cell(root, FROZEN).write_text("[" * 100_000),
    "bytes": lambda root: cell(root, FROZEN).write_bytes(b"\xff\xfe\x00"),
    "the cell of another seed": lambda root: shutil.copy(cell(root, "frozen-randomized+memory-1"), cell(root, FROZEN)),
}


@pytest.mark.parametrize("how", SPOILED)
def test_study__a_spoiled_cell_is_named_and_enters_nothing(planted: Path, tmp_path: Path, how: str) -> None:
    root = shutil.copytree(planted, tmp_path / "study")
    SPOILED[how](root)
    for use in (lambda: write_report(root), lambda: study(PRESET, root, workers=0, quiet=True)):
        with pytest.raises(ValueError, match=rf"cells/{FROZEN.replace('+', '.')}\.json: ") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert (root / "results.csv").read_bytes() == (planted / "results.csv").read_bytes()


def test_study__a_cell_of_another_study_is_named(planted: Path, tmp_path: Path) -> None:
    root = shutil.copytree(planted, tmp_path / "study")
    other = make_study(tmp_path / "other", Planted(), replace(PRESET, evaluation_seed=2003))
    shutil.copy(cell(other, FROZEN), cell(root, FROZEN))
    with pytest.raises(ValueError, match=rf"{FROZEN}.*it was computed for another study".replace("+", ".")):
        write_report(root)


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (lambda held: {"version": "1"}, "kernel is missing"),
        (lambda held: [], "version is missing"),
        (lambda held: held["design"].pop("structure") and None, r"design\.structure is missing or malformed"),
        (lambda held: held["design"].update(homes="x"), r"design\.homes is missing or malformed"),
        (lambda held: held["design"].update(homes=[3]), r"design\.homes\.0 is malformed"),
        (lambda held: held["design"].update(central="x"), r"design\.central: not a TOML file"),
        (lambda held: held["design"]["preset"].update(stpes=3), "unknown key 'stpes'"),
        (lambda held: held["design"]["preset"].update(steps="3"), "steps is '3'"),
        (lambda held: held["design"]["preset"].update(mechanisms=["os:system"]), "mechanisms names os:system, code"),
        (lambda held: held["design"]["preset"].update(mechanisms=["rm -rf"]), "'rm -rf'; it must be module:function"),
        (lambda held: held["design"]["preset"].update(extensions=["antigravity"]), "extensions names antigravity"),
    ],
)
def test_report__a_malformed_record_is_one_line_with_file_and_key(
    planted: Path, tmp_path: Path, edit: Callable[[Any], Any], key: str
) -> None:
    root = shutil.copytree(planted, tmp_path / "study")
    edited(root / "study.json", edit)
    with pytest.raises(ValueError, match=key) as caught:
        write_report(root)
    assert str(caught.value).startswith(str(root / "study.json"))
    assert "\n" not in str(caught.value)


def test_report__a_study_that_was_moved_and_whose_files_are_gone_is_read_from_its_folder(
    planted: Path, tmp_path: Path
) -> None:
    """The record holds what the files said, and no paths."""
    from ruleshift.envs import load_rule
    from ruleshift.envs.structure import _FOLDER

    shutil.copy(_FOLDER / "platforms.toml", tmp_path / "own.toml")
    (tmp_path / "home.toml").write_text(load_rule("price_board").replace(name="home").to_toml())
    text = replace(PRESET, structure="own.toml", homes=("home.toml",)).to_toml()
    (tmp_path / "study.toml").write_text(text)
    root = make_study(tmp_path / "study", Planted(), load_preset(tmp_path / "study.toml"))
    assert str(tmp_path) not in (root / "study.json").read_text()
    moved = root.rename(tmp_path / "moved")
    before = write_report(moved).read_bytes()
    (tmp_path / "there").mkdir()
    for name in ("own.toml", "home.toml", "study.toml"):
        (tmp_path / name).rename(tmp_path / "there" / name)
    assert write_report(moved).read_bytes() == before
    there = Design.of(load_preset(tmp_path / "there" / "study.toml"))
    assert there.plain() == json.loads((moved / "study.json").read_text())["design"]


def begin(setting: dict[str, Any]) -> Work:
    """Return work that writes a number, trains a policy or fails, as the name of the task says."""

    def work(task: str, folder: Folder, on_progress: OnProgress) -> None:
        if task.startswith("full"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if task.startswith("train"):
            out = folder.partial(task)
            card, seed = Card(kinds=1, hidden=()), int(task[-1])
            save_policy(LearnedPolicy({name: _filled(s, seed) for name, s in card.shapes().items()}, card), out)
            save_policy(LearnedPolicy({name: _filled(s, 9) for name, s in card.shapes().items()}, card), out / "curve")
            folder.publish(task)
        else:
            folder.trained("train-0")
            folder.write(task, {"result": setting["number"]}, ["train-0"])

    return work


def _filled(shape: tuple[int, ...], value: int) -> Any:
    import numpy as np

    return np.full(shape, value, np.float32)


TASKS = [Task("train-0", "first"), Task("train-1", "second"), Task("score", "third", needs=("train-0",))]


def job(number: int = 1) -> Job:
    return Job(f"{__name__}:begin", {"number": number})


def run(root: Path, *, recompute: bool = False) -> None:
    compute(TASKS, job(), Folder(root, "me"), workers=0, quiet=True, recompute=recompute)


def content(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _swap(root: Path) -> None:
    for one, other in (("train-0", "here"), ("train-1", "train-0"), ("here", "train-1")):
        (root / "policies" / one).rename(root / "policies" / other)


def _replaced_weights(root: Path) -> None:
    for name in ("policy.json", "policy.safetensors"):
        shutil.copy(root / "policies" / "train-1" / name, root / "policies" / "train-0" / name)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_swap, "it is the result of train-1"),
        (_replaced_weights, r"policy\.\w+ is not what was trained"),
        (lambda root: shutil.rmtree(root / "policies/train-0/curve"), r"curve/policy.json is missing"),
        (lambda root: (root / "policies/train-0/seal.json").unlink(), "seal.json is missing"),
        (lambda root: (root / "policies/train-0/curve/more.json").touch(), "more.json is not what was trained"),
    ],
)
def test_policies__what_was_not_trained_is_named_and_trained_anew_on_request(
    tmp_path: Path, spoil: Callable[[Path], Any], why: str
) -> None:
    run(tmp_path)
    before = content(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ValueError, match=f"policies/train-0.*{why}.*--recompute"):
        run(tmp_path)
    run(tmp_path, recompute=True)
    assert content(tmp_path) == before


def test_results__of_an_input_that_is_not_here_any_more_are_computed_anew(tmp_path: Path) -> None:
    """A whole and sealed policy of another run in place of the one that was scored."""
    run(tmp_path)
    other = Folder(tmp_path / "other", "me")
    card = Card(kinds=1, hidden=())
    policy = LearnedPolicy({name: _filled(s, 7) for name, s in card.shapes().items()}, card)
    save_policy(policy, other.partial("train-0"))
    other.publish("train-0")
    shutil.rmtree(tmp_path / "policies" / "train-0")
    other.policies("train-0").rename(tmp_path / "policies" / "train-0")
    with pytest.raises(ValueError, match=r"score.json: it was computed from another train-0 than the one that is here"):
        run(tmp_path)
    run(tmp_path, recompute=True)
    run(tmp_path)


@pytest.mark.parametrize("task", ["定" * 24, "x" * 120, "é" * 400, "a"])
def test_file_name__is_short_enough_for_any_file_system(tmp_path: Path, task: str) -> None:
    """Of whatever letters; names differ where tasks do, and short ones stay as they are."""
    spelled = "training-fixed-" + "".join(f".{ord(letter):x}." for letter in task) * 2
    for name in (task, spelled):
        assert len(file_name(name).encode()) <= 120
        assert file_name(name) != file_name(f"{name}-1")
    assert file_name("adaptation-randomized+memory-price_board-0") == "adaptation-randomized+memory-price_board-0"
    folder = Folder(tmp_path)
    folder.write(spelled, {"result": 1})
    assert folder.read(spelled) == {"result": 1}


def test_study__a_rule_may_have_a_long_name(tmp_path: Path) -> None:
    from ruleshift.envs import load_rule

    (tmp_path / "long.toml").write_text(load_rule("dispatch_lottery").replace(name="规" * 24 + "x" * 120).to_toml())
    root = make_study(tmp_path / "study", Planted(), replace(PRESET, held_out=(str(tmp_path / "long.toml"),)))
    assert write_report(root).exists()


def claim(root: Path) -> None:
    with claimed(root, "record.json", {"key": 1}, what="study"):
        pass


def test_claim__a_refused_folder_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    for refused in (
        lambda: claim(tmp_path),
        lambda: study(PRESET, tmp_path),
        lambda: validate(tmp_path, only=["wright"]),
        lambda: study(PRESET, tmp_path / "new", workers=-2),
        lambda: study("nothing", tmp_path / "new"),
    ):
        with pytest.raises(ValueError, match=r"is not empty and holds no|workers is -2|no preset is named"):
            refused()
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "dangling"])
@pytest.mark.parametrize(
    "place", ["log/worker-0.txt", "cells/x.json", "results.csv", ".lock", "policies", "partial/a/b"]
)
def test_claim__refuses_what_leads_out_of_the_folder(tmp_path: Path, place: str, kind: str) -> None:
    """A log that is a link would be overwritten where it points to."""
    outside, root = tmp_path / "outside", tmp_path / "study"
    outside.mkdir()
    (outside / "mine.txt").write_text("mine")
    claim(root)
    (root / place).unlink(missing_ok=True)
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(root / place)
    else:
        target = {"link": outside / "mine.txt", "folder": outside, "dangling": tmp_path / "nowhere"}[kind]
        (root / place).symlink_to(target)
    with pytest.raises(ValueError, match=f"{place}: is (a symbolic link|neither a file nor a folder)"):
        claim(root)
    assert (outside / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_report__refuses_links_in_a_received_folder(planted: Path, tmp_path: Path) -> None:
    root = shutil.copytree(planted, tmp_path / "study")
    (root / "report.html").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match=r"report\.html: is a symbolic link"):
        write_report(root)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_claim__goes_on_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fails)
    monkeypatch.setattr("ruleshift.envs.notices._SAID", set())
    claim(tmp_path / "study")
    claim(tmp_path / "study")
    said = capsys.readouterr().err
    assert said.count("cannot be locked") == 1
    assert os.strerror(number) in said


def test_claim__goes_on_without_the_module_of_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    claim(tmp_path / "study")
    assert (tmp_path / "study" / "record.json").exists()


def test_worker__a_full_disk_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(CellError, match=r"full failed: OSError: .*No space left on device.*worker-0\.txt"):
        compute([Task("full", "fills the disk")], job(), Folder(tmp_path), workers=1, quiet=True)


def test_worker__that_cannot_begin_says_why(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="ModuleNotFoundError: No module named 'nowhere'"):
        compute([Task("a", "a")], Job("nowhere:begin", None), Folder(tmp_path), workers=1, quiet=True)


def test_workers__are_as_many_as_the_process_may_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(pool, "_quota", lambda: 1024)
    assert (worker_count(None), worker_count(-1), worker_count(0), worker_count(7)) == (4, 4, 0, 7)
    assert worker_count(None, 2) == 2
    monkeypatch.setattr(pool, "_quota", lambda: 3)
    assert allowed_cores() == 3


@pytest.mark.parametrize(("text", "cores"), [("150000 100000\n", 2), ("max 100000\n", 1024), ("", 1024)])
def test_workers__know_the_quota_of_the_control_group(tmp_path: Path, text: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert pool._quota(tmp_path / "cpu.max") == cores


@pytest.mark.parametrize("workers", [-2, 1.5, "two", True, 10**9, float("nan"), [1]])
def test_workers__refuses_other_numbers_at_once(tmp_path: Path, workers: Any) -> None:
    for call in (study, validate):
        with pytest.raises(ValueError, match=r"workers is .*; it must be a whole number from -1 to 1024"):
            call(out=tmp_path / "new", workers=workers)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("key", ["mechanisms", "extensions"])
def test_preset__from_a_file_names_no_code_that_the_caller_does_not(tmp_path: Path, key: str) -> None:
    place = {"mechanisms": "math:pi", "extensions": "antigravity"}[key]
    (tmp_path / "study.toml").write_text(f'{key} = ["{place}"]\n')
    with pytest.raises(ValueError, match=f"study.toml: {key} names {place}, code that no file is trusted to run"):
        load_preset(tmp_path / "study.toml")
    assert getattr(load_preset(tmp_path / "study.toml", **{key: (place,)}), key) == (place,)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["math:pi", "os:system", "shutil:rmtree", "os.path:join", "builtins:eval"])
def test_mechanisms__a_place_that_holds_none_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match=f"'{place}' is no function of"):
        Design.of(Preset(homes=("price_board",), mechanisms=(place,)))
