"""Reading a finished study: the rows of `results.csv` and the arrays of the verdicts, in little memory at any size."""

import csv
import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from studies import Planted, make_study

from ruleshift.eval import load_preset
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.record import study_folder
from ruleshift.eval.experiment.results import ResultTable, read_entries, write_results

DESIGN = Design.of(load_preset("quick"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a made-up study of the size of `quick`, with its `results.csv`."""
    return make_study(tmp_path_factory.mktemp("study"), Planted(spread=0.1), DESIGN.preset)


def memory(work: Callable[[], object]) -> tuple[int, int]:
    """Bytes of memory that the result holds, and that were held at most during the work.

    What stays when the result is gone (modules imported on the way, caches) belongs to neither.
    """
    tracemalloc.start()
    try:
        kept = work()
        held, most = tracemalloc.get_traced_memory()
        del kept
        gc.collect()
        stays, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return held - stays, most - stays


def test_write_results__holds_a_cell_at_a_time(study: Path) -> None:
    """`results.csv` of the preset `full` has several gigabytes, too many to hold at once."""
    written = (study / "results.csv").read_bytes()
    _, most = memory(lambda: write_results(study_folder(study, DESIGN), DESIGN))
    assert most < len(written) / 4
    assert (study / "results.csv").read_bytes() == written


def test_numbers__take_less_than_their_text(study: Path) -> None:
    held, _ = memory(lambda: ResultTable(DESIGN, read_entries(study_folder(study, DESIGN), DESIGN)))
    assert held < (study / "results.csv").stat().st_size


def test_numbers__are_those_of_the_file(study: Path) -> None:
    """Arrays are by home, target, seed, panel and economy; one policy for all homes is repeated for each of them."""
    numbers = ResultTable(DESIGN, read_entries(study_folder(study, DESIGN), DESIGN))
    with open(study / "results.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["protocol"], row["measure"]) == ("adaptation", "return_3")]
    for arm in ("fixed+nuisance+memory", "randomized"):
        found = numbers.array(arm, "adaptation", numbers.held_out, measure="return_3")
        assert found.shape == (3, 6, 2, 2, 8)
        own = [row for row in rows if row["arm"] == arm]
        assert len(own) == found.size if arm == "fixed+nuisance+memory" else len(own) == found[0].size
        for row in own:
            place = numbers.held_out.index(row["target_rule"]), *(int(row[key]) for key in ("seed", "panel", "economy"))
            homes = [numbers.homes.index(row["home_rule"])] if row["home_rule"] else range(3)
            assert all(found[(home, *place)] == float(row["value"]) for home in homes)
