"""The notebook docs/tutorial.ipynb is the tutorial, run."""

import json
import re
from pathlib import Path
from typing import Any

from tutorial_notebook import notebook

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text())["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def _printed(cell: dict[str, Any]) -> str:
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def test_notebook__is_what_the_tutorial_says() -> None:
    kept = [(cell["cell_type"], "".join(cell["source"])) for cell in CELLS]
    written = [(cell["cell_type"], cell["source"]) for cell in notebook()["cells"]]
    assert kept == written, "python docs/build/tutorial_notebook.py > FILE, then move it to docs/tutorial.ipynb"


def test_notebook__was_run_from_top_to_bottom_without_an_error() -> None:
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    assert not [output for cell in CODE for output in cell["outputs"] if output["output_type"] == "error"]


def test_notebook__shows_a_comparison_a_study_and_its_number() -> None:
    comparison, study, number = (
        next(_printed(cell) for cell in CODE if word in "".join(cell["source"]))
        for word in ("ruleshift rules compare", "ruleshift study", "by_rule")
    )
    assert "Distance between their matchings: 0.450" in comparison
    assert "report: results/mine/report.html" in study
    assert "bestseller_board: " in number


def test_notebook__shows_no_progress_that_overwrites_itself() -> None:
    assert [_printed(cell) for cell in CODE if re.search(r"[\x1b\r]", _printed(cell))] == []


def test_notebook__is_small_and_names_no_folder_of_the_machine() -> None:
    assert NOTEBOOK.stat().st_size < 100_000
    assert not [word for word in ("/tmp", "/home", "/root", "/Users") if word in NOTEBOOK.read_text()]
