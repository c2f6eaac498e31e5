"""Files that are whole or absent, and folders that belong to one owner."""

from pathlib import Path
from typing import Any

import pytest

from ruleshift.envs.files import claim_folder, publish, whole_file, write_atomically


def test_write_atomically__makes_folders_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_atomically(path, "first")
    write_atomically(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_atomically(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert [each.name for each in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_whole_file__a_writer_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, "old")

    def fail() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half a tab")
            assert (path.read_text(), temporary.suffix) == ("old", ".csv")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("table.csv", "old")]


def test_publish__moves_a_folder_without_what_killed_writers_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "partial" / "a" / "b" / "whole.txt", "whole")
    (tmp_path / "partial" / "a" / ".partial-xyz").write_text("half")
    publish(tmp_path / "partial" / "a", tmp_path / "done" / "a")
    assert sorted(each.name for each in (tmp_path / "done" / "a").rglob("*")) == ["b", "whole.txt"]
    assert not (tmp_path / "partial" / "a").exists()


RECORD: dict[str, Any] = {"version": "1", "study": {"seeds": [0, 1], "rule": "a = 1\nb = 2\n"}}


def _claim(folder: Path, record: dict[str, Any]) -> None:
    claim_folder(folder, "record.json", record, what="study", foreign=lambda name: name.endswith(".txt"))


@pytest.mark.parametrize(
    ("record", "difference"),
    [
        ({**RECORD, "version": "2"}, r"version is '1', not '2'"),
        ({**RECORD, "study": {**RECORD["study"], "seeds": [0, 1, 2]}}, r"study\.seeds\.2 is absent, not 2"),
        ({**RECORD, "study": {**RECORD["study"], "rule": "a = 1\nb = 3\n"}}, r"study\.rule\.1 is 'b = 2', not 'b = 3'"),
        ({"version": "1"}, r"study is \{.*, not absent"),
    ],
)
def test_claim_folder__names_the_first_key_that_differs(tmp_path: Path, record: Any, difference: str) -> None:
    _claim(tmp_path / "new", RECORD)
    _claim(tmp_path / "new", RECORD)
    with pytest.raises(ValueError, match=rf"new: holds another study \({difference}\); choose another folder"):
        _claim(tmp_path / "new", record)


def test_claim_folder__refuses_what_is_used_for_something_else(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(
        ValueError, match=r"holds no study \(there is thesis\.txt, but no record\.json\); choose another"
    ):
        _claim(tmp_path, RECORD)
    (tmp_path / "thesis.txt").unlink()
    _claim(tmp_path, RECORD)
    (tmp_path / "record.json").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"record\.json: not JSON"):
        _claim(tmp_path, RECORD)
