"""The notebook docs/tutorial.ipynb, docs/tutorial.md run: `python docs/build/tutorial_notebook.py > FILE`.

Prose stays prose, Python and files become cells, and commands run but for those that are for a terminal or take long.
The study is the tutorial's, with the sizes of the preset `testing`.
"""

import json
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_NOT_RUN = ("make ", "ruleshift play ")
_CONTENT = ("homes", "held_out", "arms", "budgets")  # of a preset; the rest are its sizes
_UP, _ERASED, _CONTROL = "\x1b[1A", "\x1b[2K", re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")  # of a terminal
_INTRODUCTION = """*This notebook is [the tutorial](tutorial.md), run. Its study is so small that it takes a minute or
two and that nothing is learned: the numbers at the end show the form of a result, not a finding.*
"""
_SMALL = "\n# Sizes of the preset `testing`, for this notebook only: leave them out for a study of your own.\n"


def notebook() -> dict[str, Any]:
    """The notebook before it is run, in the format 4.5."""
    cells = [_cell(index, kind, source) for index, (kind, source) in enumerate(_cells())]
    return {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}


def _cells() -> Iterator[tuple[str, str]]:
    yield "markdown", _INTRODUCTION
    text = (ROOT / "docs" / "tutorial.md").read_text()
    end = 0
    for fenced in _FENCED.finditer(text):
        yield "markdown", text[end : fenced.start()]
        yield _from_block(*fenced.groups())
        end = fenced.end()
    yield "markdown", text[end:]


def _from_block(language: str, block: str) -> tuple[str, str]:
    if language == "python":
        return "code", block
    if language == "toml":
        return "code", f"%%writefile mine.toml\n{block}{_small()}"
    commands = block.splitlines()
    if language or all(line.startswith(_NOT_RUN) for line in commands):
        return "markdown", f"```{language}\n{block}```\n"
    return "code", "\n".join(f"{'# ' * line.startswith(_NOT_RUN)}!{line}" for line in commands)


def _small() -> str:
    """The sizes of the preset `testing`, as a study's file has them."""
    preset = tomllib.loads((ROOT / "eval" / "presets" / "testing.toml").read_text())
    return _SMALL + "".join(f"{key} = {value}\n" for key, value in preset.items() if key not in _CONTENT)


def _cell(index: int, kind: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"id": f"cell-{index}", "cell_type": kind, "metadata": {}, "source": source.strip("\n")}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def run(unrun: dict[str, Any]) -> dict[str, Any]:
    """The notebook with its outputs, run in an empty folder by this Python."""
    import nbformat
    from nbclient import NotebookClient

    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["NO_COLOR"] = "1"
    opened = nbformat.from_dict(unrun)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(opened, timeout=1200, kernel_name="python3", resources=resources, record_timing=False).execute()
    opened["metadata"] = unrun["metadata"]
    for cell in opened["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = _settled(cell["outputs"])
    return opened


def _settled(outputs: list[Any]) -> list[Any]:
    """Outputs as they stand in the end: what is printed in one piece, without the progress that overwrites itself."""
    lines: list[str] = []
    printed = "".join(each["text"] for each in outputs if each["output_type"] == "stream")
    for line in printed.replace("\r\n", "\n").split("\n"):
        lines[-1:] = [] if _UP in line else lines[-1:]
        lines.append(_CONTROL.sub("", line.rpartition(_ERASED)[2]).rpartition("\r")[2])
    text = "\n".join(lines).strip("\n")
    shown = [{"output_type": "stream", "name": "stdout", "text": f"{text}\n"}] if text else []
    return shown + [each for each in outputs if each["output_type"] != "stream"]


if __name__ == "__main__":
    print(json.dumps(run(notebook()), indent=1, ensure_ascii=False))
