"""`results.csv`: one row a cell and measure, with the seed."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from ruleshift.eval.cells import Folder, write_text
from ruleshift.eval.preset import Preset
from ruleshift.eval.work import Cell, plan

COLUMNS = (
    "arm", "home_rule", "target_rule", "seed", "economy", "protocol", "steps", "inside_training_support",
    "measure", "value",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What one arm of one seed did from one home rule at one target."""

    arm: str
    home: str
    target: str
    seed: int | None
    protocol: str
    steps: int | None
    values: dict[str, float]
    profile: tuple[float, ...]
    """Mean focal profit by round; empty where the protocol keeps none."""


def read_entries(folder: Folder, preset: Preset) -> list[Entry]:
    """All entries of a finished study, in the order of its plan, with the change against the unshifted twin.

    Raises:
        ValueError: a cell is missing.
    """
    entries: list[Entry] = []
    for cell in plan(preset):
        if cell["kind"] != "train":
            entries += _entries(folder, cell)
    return entries


def _entries(folder: Folder, cell: Cell) -> Iterator[Entry]:
    found = folder.read(cell["name"])["entries"]
    twins = {each["protocol"]: each for each in found if each["target"] == cell["rule"]}
    for each in found:
        values = dict(each["values"])
        if each["protocol"] != "curve":
            values["twin_after"] = twins[each["protocol"]]["values"]["after"]
            values["change"] = values["after"] - values["twin_after"]
        profile = tuple(each.get("profile", ()))
        yield Entry(
            cell["arm"],
            cell["rule"],
            each["target"],
            cell["seed"],
            each["protocol"],
            each.get("steps"),
            values,
            profile,
        )


def write_results(folder: Folder, preset: Preset) -> None:
    """Write `results.csv` of a finished study."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in read_entries(folder, preset):
        place = (entry.arm, entry.home, entry.target, _blank(entry.seed), preset.economy.hash, entry.protocol)
        more = (_blank(entry.steps), int(preset.inside(entry.target)))
        for measure, value in entry.values.items():
            writer.writerow((*place, *more, measure, repr(value)))
    write_text(folder.root / "results.csv", text.getvalue())


def _blank(value: int | None) -> str:
    return "" if value is None else str(value)
