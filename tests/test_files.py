"""Files that are whole or absent, and folders that belong to one owner."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ruleshift.envs import load_rule
from ruleshift.envs.files import claim_folder, publish, read_file, whole_file, write_atomically


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


# Files from elsewhere

PLAIN = load_rule("price_board").to_toml()


def test_rule__a_byte_order_mark_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(PLAIN, encoding="utf-8-sig")
    assert load_rule(str(path)) == load_rule("price_board")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (PLAIN.encode("utf-16"), "it is in UTF-16 or not a text; save it as UTF-8"),
        (PLAIN.encode("utf-16-be"), "it is in UTF-16 or not a text; save it as UTF-8"),
        (b"\x7fELF\x00\x01", "it is in UTF-16 or not a text; save it as UTF-8"),
        ((PLAIN + "# \u00c9").encode("latin-1"), "it is not in UTF-8"),
        (".".join(["a"] * 20_000).encode() + b" = 1", "a key has more than 16 dotted parts"),
        (b"[" + b".".join([b'"a b"'] * 17) + b"]\n", "a key has more than 16 dotted parts"),
        (b"[" + b" . ".join([b"a"] * 17) + b"]\n", "a key has more than 16 dotted parts"),
        (b"a = " + b"[" * 33 + b"]" * 33, "lists and tables are more than 32 deep"),
        (b"a = " + b"{a = " * 33 + b"1" + b"}" * 33, "lists and tables are more than 32 deep"),
        (b"a = [" * 20_000, "lists and tables are more than 32 deep"),
        (b"# " + b"x" * 2**17, "larger than 131,072 bytes"),
        (b"a = " + b"9" * 5_000, "not a TOML file"),
        (b"a = '" + b"[" * 100, "not a TOML file"),
    ],
    ids=range(13),
)
def test_toml__that_would_swallow_the_machine_or_is_no_text_is_refused(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=problem) as refused:
            read_file(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert "mine.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_toml__what_looks_deep_but_is_text_is_read(tmp_path: Path) -> None:
    path, text, deep = tmp_path / "mine.toml", ".".join("a" * 40), "[" * 99
    path.write_text(f'a = "{deep}"\n# {text}\nb = """{text}"""\n')
    assert read_file(path) == {"a": deep, "b": text}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_toml__a_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mine.toml")
    with pytest.raises(ValueError, match=r"mine\.toml: not a regular file"):
        read_file(tmp_path / "mine.toml")
