"""The results of a study: `results.csv`, with one row per entry and measure, and the same numbers as arrays."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

import numpy as np

from ruleshift.envs.files import whole_file
from ruleshift.eval.claims.returns import Returns, Run
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import plan
from ruleshift.eval.experiment.protocols import PROTOCOLS
from ruleshift.eval.experiment.protocols.adaptation import ADAPTATION
from ruleshift.eval.experiment.protocols.curve import ARMS as CURVED
from ruleshift.eval.experiment.protocols.reference import SCRIPTED
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.play import CONDUCT

COLUMNS = (
    "arm", "home_rule", "target_rule", "seed", "panel", "economy", "budget", "protocol", "steps",
    "inside_training_support", "measure", "value",
)  # fmt: skip
"""Columns of `results.csv`."""
TOLERATED = 0.02
"""Share of the way from the floor to the best reply by which other policies may earn more than the best reply."""


def read_entries(folder: Folder, design: Design) -> Iterator[tuple[Cell, Entry]]:
    """Yield all entries of a finished study in the order of the plan, each with the cell that it belongs to.

    Raises:
        ValueError: a cell is missing, or not what was computed.
    """
    for cell in plan(design):
        if PROTOCOLS[cell.protocol].has_entries:
            held = folder.read(cell.name).get("result")
            if not isinstance(held, list):
                raise ValueError(f"{folder.root}: {cell.name}: result must be a list of entries")
            for number, each in enumerate(held):
                yield cell, Entry.from_plain(each, f"{folder.root}: {cell.name}: result.{number}")


def write_results(folder: Folder, design: Design) -> None:
    """Write `results.csv` of a finished study, cell by cell, since `full` has tens of millions of rows.

    Raises:
        ValueError: a cell is missing.
    """
    inside = {rule.name: int(design.inside(rule.name)) for rule in design.scored}
    path = folder.root / "results.csv"
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for cell, entry in read_entries(folder, design):
            row = (
                cell.arm, cell.home, entry.target, _blank(cell.seed), _blank(entry.panel), _blank(entry.economy),
                f"{cell.budget:g}", entry.protocol, _blank(entry.steps), inside[entry.target],
            )  # fmt: skip
            writer.writerows((*row, measure, repr(value)) for measure, value in entry.values.items())


def _blank(value: int | None) -> str:
    return "" if value is None else str(value)


class ResultTable:
    """All numbers of a study, looked up by arm, home, target, seed, panel, economy, budget, protocol and steps.

    Arrays have the axes H (homes), G (targets), S (seeds), P (panels) and E (economies). An arm that has one policy for
    all homes is repeated for each of them.

    Args:
        design: design of the study.
        entries: all entries, each with its cell.
    """

    def __init__(self, design: Design, entries: Iterable[tuple[Cell, Entry]]) -> None:
        self.design = design
        self._held: dict[tuple[object, ...], Run] = {}
        for cell, entry in entries:
            self._take(cell, entry)
        self.homes = [rule.name for rule in design.homes]
        self.held_out = [rule.name for rule in design.held_out]
        self.targets = [rule.name for rule in design.targets]

    def runs(self) -> Iterable[Run]:
        """All runs of the study, in the order of the plan."""
        return self._held.values()

    def _take(self, cell: Cell, entry: Entry) -> None:
        """Store the values of an entry in its run; an entry without a group counts for all groups."""
        key = (cell.arm, cell.home, entry.target, cell.seed, cell.budget, entry.protocol, entry.steps)
        if key not in self._held:
            self._held[key] = Run(*key, entry.profile)
        values = self._held[key].values
        group = tuple(slice(None) if each is None else each for each in (entry.economy, entry.panel))
        for measure, value in entry.values.items():
            if measure not in values:
                values[measure] = np.full((self.design.preset.economies, len(self.design.preset.panel_seeds)), np.nan)
            values[measure][group] = value

    def array(
        self,
        arm: str,
        protocol: str,
        targets: Iterable[str],
        *,
        measure: str = "return",
        budget: float = 1.0,
    ) -> np.ndarray:
        """Values (H, G, S, P, E) of one measure of an arm; NaN where an arm does not adapt from a home to a target."""
        targets, preset, variant = list(targets), self.design.preset, self.design.arms[arm]
        sizes = len(self.homes), len(targets), len(preset.seeds), len(preset.panel_seeds), preset.economies
        values = np.full(sizes, np.nan)
        for h, g in np.ndindex(sizes[:2]):
            own, target = self._own(arm, self.homes[h]), targets[g]
            if protocol != ADAPTATION or self.design.adapts(variant, own, target):
                values[h, g] = [
                    self._groups(arm, own, target, seed, budget, protocol, None, measure) for seed in preset.seeds
                ]
        return values

    def at_home(self, arm: str, protocol: str, *, budget: float = 1.0) -> np.ndarray:
        """Returns (H, S, P, E) of an arm on each home rule; specialists play their own home rule."""
        return self._at_rules(arm, protocol, self.homes, budget)

    def gate(self, arm: str, *, budget: float = 1.0) -> np.ndarray:
        """Returns (H, S, P, E) of an arm on each of its `gate_rules`."""
        return self._at_rules(arm, "gate", self.gate_rules(arm), budget)

    def gate_rules(self, arm: str) -> list[str]:
        """By home, the name of the rule on which an arm is tested for competence."""
        return [self.design.gate_of(self.design.arms[arm], home) for home in self.homes]

    def _at_rules(self, arm: str, protocol: str, rules: Sequence[str], budget: float) -> np.ndarray:
        """Returns (H, S, P, E) of an arm, each home under the rule of the same position."""
        return np.array(
            [
                [self._groups(arm, self._own(arm, home), rule, seed, budget, protocol, None, "return")
                 for seed in self.design.preset.seeds]
                for home, rule in zip(self.homes, rules, strict=True)
            ]
        )  # fmt: skip

    def reference(self, arm: str, targets: Iterable[str], protocol: str = "frozen") -> np.ndarray:
        """Returns (G, P, E) of a reference under each target."""
        return np.array([self._groups(arm, "", target, None, 1.0, protocol, None, "return") for target in targets])

    def floor(self, targets: Iterable[str], protocol: str = "frozen") -> np.ndarray:
        """Returns (G, P, E) of the floor, which is the mean of the scripted organizations, under each target."""
        targets = list(targets)
        return np.mean([self.reference(arm, targets, protocol) for arm in SCRIPTED], axis=0)

    def best_known(self, targets: Iterable[str], protocol: str = "frozen") -> tuple[np.ndarray, dict[str, str]]:
        """Returns (G, P, E) of the best policy that is known under each target, and who that is where it is another.

        It is the best reply, unless the best constant conduct or the policies of an arm, on average over their seeds,
        earn more by over `TOLERATED` of the way from the floor to the best reply.
        """
        targets = list(targets)
        replies, floors = self.reference("best_reply", targets, protocol), self.floor(targets, protocol)
        others: dict[str, str] = {}
        for index, target in enumerate(targets):
            bar = replies[index].mean() + TOLERATED * max((replies[index] - floors[index]).mean(), 0.0)
            for (arm, home), returns in self._rivals_of_best_reply(target, protocol).items():
                if returns.mean() > bar:
                    bar, replies[index] = returns.mean(), returns
                    others[target] = f"{arm} of {home}" if home and home != target else arm
        return replies, others

    def _rivals_of_best_reply(self, target: str, protocol: str) -> dict[tuple[str, str], np.ndarray]:
        """Returns (P, E) under a target by arm and home, averaged over seeds and budgets."""
        held: dict[tuple[str, str], list[np.ndarray]] = {}
        for run in self.runs():
            if (run.target, run.protocol) == (target, protocol) and run.arm not in (*SCRIPTED, "best_reply"):
                held.setdefault((run.arm, run.home), []).append(run.values["return"].T)
        return {key: np.mean(each, axis=0) for key, each in held.items()}

    def curve(self, arm: str, steps: int) -> np.ndarray:
        """Returns (H, S, P, E), on each home rule, of the policies of an arm saved after so many agent-steps."""
        seeds = self.design.preset.seeds
        return np.array(
            [
                [self._groups(arm, home, home, seed, 1.0, "curve", steps, "return") for seed in seeds]
                for home in self.homes
            ]
        )

    @property
    def curve_steps(self) -> list[int]:
        """Agent-steps of training after which policies were saved, rising from 0."""
        preset = self.design.preset
        return [preset.steps * number // preset.curve_points for number in range(preset.curve_points + 1)]

    def _own(self, arm: str, home: str) -> str:
        """The home whose policy an arm plays there; empty where it has one policy for all homes."""
        return home if self.design.arms[arm].has_policy_per_home else ""

    def _groups(
        self, arm: str, home: str, target: str, seed: int | None, budget: float, protocol: str, steps: int | None,
        measure: str,
    ) -> np.ndarray:  # fmt: skip
        """Values (P, E) of one measure."""
        return self._held[arm, home, target, seed, budget, protocol, steps].values[measure].T


def returns_of(numbers: ResultTable, budget: float = 1.0) -> Returns:
    """Return the numbers that the verdicts are about, at a multiple of the training budget."""
    design, held_out, homes = numbers.design, numbers.held_out, numbers.homes
    arms = {arm.name: arm for arm, at in design.budgets if at == budget}
    trained = [name for name, arm in arms.items() if arm.is_trained]
    curved = [name for name, arm in arms.items() if arm.arm.name in CURVED] if budget == 1.0 else []
    (best_away, others), (best_at_home, others_at_home) = numbers.best_known(held_out), numbers.best_known(homes)
    return Returns(
        best_known=others | others_at_home,
        adapted={arm: numbers.array(arm, "adaptation", held_out, budget=budget) for arm in arms},
        frozen={arm: numbers.array(arm, "frozen", held_out, budget=budget) for arm in trained},
        home={arm: numbers.at_home(arm, "frozen", budget=budget) for arm in trained},
        gate={arm: numbers.gate(arm, budget=budget) for arm in trained},
        best_reply=best_away,
        floor=numbers.floor(held_out),
        constant=numbers.reference("constant", held_out),
        home_best_reply=best_at_home,
        home_floor=numbers.floor(homes),
        home_constant=numbers.reference("constant", homes),
        gate_best_reply=numbers.best_known(homes, "gate")[0],
        gate_floor=numbers.floor(homes, "gate"),
        own_gates={arm: _own_gate(numbers, arm) for arm in trained if numbers.gate_rules(arm) != homes},
        curves={arm: np.array([numbers.curve(arm, each) for each in numbers.curve_steps]) for arm in curved},
        curve_steps=np.array(numbers.curve_steps),
        conduct={arm: _conduct(numbers, arm, budget) for arm in trained},
        economies=economy_fields(design),
        matching_distance=_distances(numbers, trained, _matching_distance(numbers)),
        feature_distance=_distances(numbers, trained, _feature_distance(design)),
        tiers=design.tiers,
        runs=tuple(numbers.runs()),
    )


def _own_gate(numbers: ResultTable, arm: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns (H, P, E) of the floor and of the best reply under the rules on which an arm is tested."""
    rules = numbers.gate_rules(arm)
    return numbers.floor(rules, "gate"), numbers.best_known(rules, "gate")[0]


def _matching_distance(numbers: ResultTable) -> np.ndarray:
    """Distances (H, G) of held-out rules from the homes, by how differently they match."""
    held = {
        (run.home, run.target): run.values["distance"][0, 0] for run in numbers.runs() if run.protocol == "distance"
    }
    return np.array([[held[home, target] for target in numbers.held_out] for home in numbers.homes])


def _feature_distance(design: Design) -> np.ndarray:
    """Distances (H, G) of held-out rules from the homes, as the mean absolute difference of their features."""
    homes, held_out = (np.stack([rule.features() for rule in rules]) for rules in (design.homes, design.held_out))
    return np.abs(homes[:, None].astype(np.float64) - held_out).mean(axis=2)


def _distances(numbers: ResultTable, arms: Iterable[str], apart: np.ndarray) -> dict[str, np.ndarray]:
    """By arm that trains on homes, the distance (H, G) of held-out rules from the nearest of those."""
    found = {}
    for name in arms:
        arm = numbers.design.arms[name]
        if arm.has_policy_per_home:
            found[name] = apart
        elif arm.trains_on == "structure":
            own = [numbers.homes.index(rule) for rule in numbers.design.gates_of(arm, "")]
            found[name] = np.broadcast_to(apart[own].min(axis=0), apart.shape)
    return found


def _conduct(numbers: ResultTable, arm: str, budget: float) -> np.ndarray:
    held_out = numbers.held_out
    return np.array([numbers.array(arm, "frozen", held_out, measure=f"{part}_late", budget=budget) for part in CONDUCT])


def economy_fields(design: Design) -> dict[str, np.ndarray]:
    """Values (E,) of each numeric field in which the economies of a study differ, by the name of the field.

    `capacity` is the number of jobs that all organizations together can serve in a round, divided by the number of
    jobs posted, because the frozen set draws the numbers of organizations and their capacity together.
    """
    economies = [asdict(each) for each in design.economies]
    for each in economies:
        each["capacity"] = each.pop("organizations") * each["capacity"] / each["jobs"]
    fields = {name: [each[name] for each in economies] for name, value in economies[0].items() if _is_number(value)}
    return {name: np.array(values, float) for name, values in fields.items() if len(set(values)) > 1}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
