"""Presets: what a study asks, as a value that a TOML file holds."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ruleshift.envs.fields import Count, Counts, Number, Numbers, Word, Words, check_fields, check_keys, option
from ruleshift.envs.files import as_toml, find_file, names_in, read_file

PRESETS = Path(__file__).parents[1] / "presets"
"""Folder of the presets that come with the suite."""
_PLACES = {"mechanisms": r"[\w.]+:\w+", "extensions": r"[\w.]+"}
_SEED = 2**32 - 1


@dataclass(frozen=True)
class Preset:
    """A study before it is run: the content of `eval/presets/NAME.toml`, or of a file of your own.

    A rule is given by its name, by the path of its file, or as `PART:NUMBER`, such as `family:3`: the rule with that
    number in the frozen sample of that part of the structure. Presets differ in the size of the grid and nothing else.

    Raises:
        ValueError: a value is out of range, or contradicts another one; the message names its key.
    """

    structure: str = option("platforms", Word())
    """Structure that the generalists are trained on, as a name or a path."""
    homes: tuple[str, ...] = option(("train:0",), Words(1))
    """Rules that the specialists are trained on."""
    held_out: tuple[str, ...] = option(("composition:0", "family:0"), Words(1))
    """Rules that come with the shift, and that no judged policy is trained on."""
    targets_per_home: int = option(0, Count(0, 10_000))
    """To how many held-out rules the policies of each home adapt, in balanced blocks; 0 for all."""
    arms: tuple[str, ...] = option(("fixed+nuisance+memory", "randomized+memory"), Words(1))
    """Arms that are compared, each without a memory or with one, which is `+memory` or `+recurrent`."""
    claims: tuple[str, ...] = option((), Words(0))
    """Claims that the study asks, by id; where none is named, all that need no protocol of their own."""
    seeds: tuple[int, ...] = option((0, 1), Counts(0, _SEED))
    """Training seeds of the arms."""
    panel_seeds: tuple[int, ...] = option((1000, 1001), Counts(0, _SEED))
    """Training seeds of the natives, used nowhere else; each makes a panel."""
    best_reply_seed: int = option(1100, Count(0, _SEED))
    """Training seed of the best replies, used nowhere else."""
    evaluation_seed: int = option(2000, Count(0, _SEED))
    """Seed of the markets after the shift, used nowhere else."""
    gate_seed: int = option(2001, Count(0, _SEED))
    """Seed of the markets that test competence, used nowhere else."""
    constant_seed: int = option(2002, Count(0, _SEED))
    """Seed of the markets in which the best constant conduct is searched for, used nowhere else."""

    steps: int = option(2_000_000, Count(1, 10**12))
    """Training budget of each arm, in agent-steps."""
    adaptation: float = option(0.1, Number(0.001, 1))
    """Share of the budget for which every arm keeps learning after the shift, 0.001 .. 1."""
    budgets: tuple[float, ...] = option((), Numbers(8))
    """Further multiples of the budget, above 0, at which the two arms of the primary contrast are compared."""
    curve_points: int = option(6, Count(1, 100))
    """Number of policies saved during training, which are scored for the learning curves."""
    native_steps: int = option(1_000_000, Count(1, 10**12))
    """Training budget of each native, in agent-steps."""
    best_reply_steps: int = option(3_000_000, Count(1, 10**12))
    """Agent-steps that each best reply adds to those of the native it starts from: four budgets in all."""

    economies: int = option(8, Count(1, 4096))
    """Number of economies, taken from the start of the frozen set."""
    markets: int = option(4, Count(1, 100_000))
    """Number of markets for each pair of economy and panel."""
    adaptation_markets: int = option(8, Count(1, 100_000))
    """The same in the phase in which arms keep learning after the shift; a learner's steps are shared out over them."""
    rounds: int = option(0, Count(0, 1_000_000))
    """Rounds of an episode, at least 50; 0 leaves each economy its own number."""

    learning_markets: int = option(64, Count(1, 100_000))
    """Number of markets in which an arm learns at once."""
    rollout_size: int = option(6_400, Count(1, 10**9))
    """Agent-steps between two updates, over all learning seats."""
    batch_size: int = option(800, Count(1, 10**9))
    """Agent-steps in a minibatch, which is one gradient step."""
    n_epochs: int = option(2, Count(1, 1000))
    """Passes over each rollout."""
    mechanisms: tuple[str, ...] = option((), Words(0))
    """Mechanisms of your own, as `module:function`."""
    extensions: tuple[str, ...] = option((), Words(0))
    """Modules of your own that register arms, protocols or claims when they are imported."""

    def __post_init__(self) -> None:
        check_fields(self, "study")
        self._check_seeds()
        self._check_places()
        self._check_blocks()
        if 0 < self.rounds < 50:
            raise ValueError(f"study: rounds is {self.rounds}; it must be 0, or at least 50")
        if self.steps < self.curve_points * self.rollout_size:
            raise ValueError(
                f"study: curve_points is {self.curve_points}; {self.steps} steps are at most "
                f"{self.steps // self.rollout_size} rollouts of {self.rollout_size}, and no more policies can be kept"
            )
        if any(each <= 0 for each in self.budgets):
            raise ValueError(f"study: budgets is {list(self.budgets)}; each must be above 0")

    def _check_seeds(self) -> None:
        """Refuse a seed that serves two purposes."""
        names = ("seeds", "panel_seeds", "best_reply_seed", "evaluation_seed", "gate_seed", "constant_seed")
        owner: dict[int, str] = {}
        for name in names:
            value = getattr(self, name)
            for seed in value if isinstance(value, tuple) else (value,):
                if seed in owner:
                    raise ValueError(f"study: {name} has {seed}, which {owner[seed]} has, too; no seed serves both")
                owner[seed] = name

    def _check_places(self) -> None:
        """Refuse what cannot be the place of a mechanism or the name of a module."""
        for key, pattern in _PLACES.items():
            for place in getattr(self, key):
                if not re.fullmatch(pattern, place):
                    form = "module:function" if key == "mechanisms" else "the name of a module"
                    raise ValueError(f"study: {key} has {place[:80]!r}; it must be {form}")

    def _check_blocks(self) -> None:
        """Refuse blocks in which not every rule has as many partners, at least two, or all."""
        homes, targets, block = len(self.homes), len(self.held_out), self.targets_per_home
        if block in (0, targets):
            return
        fits = [each for each in range(2, targets) if homes * each % targets == 0 and homes * each >= 2 * targets]
        if block not in fits:
            sizes = ", ".join(map(str, [0, *fits]))
            raise ValueError(
                f"study: targets_per_home is {block}; with {homes} homes and {targets} held-out rules, blocks are "
                f"balanced for {sizes}"
            )

    def check_named(self, mechanisms: Sequence[str], extensions: Sequence[str], where: str | os.PathLike[str]) -> None:
        """Refuse a preset from a file that names code of its own, unless the caller names the same code.

        Args:
            mechanisms: mechanisms that the caller names.
            extensions: modules that the caller names.
            where: file of the preset, for the error.

        Raises:
            ValueError: the caller does not name a mechanism or a module; the message names it.
        """
        for key, given in (("mechanisms", mechanisms), ("extensions", extensions)):
            for place in getattr(self, key):
                if place not in given:
                    raise ValueError(
                        f"{where}: {key} names {place}, code that no file is trusted to run; "
                        f"to run it, name it yourself, by --{key} {place}"
                    )

    def to_toml(self) -> str:
        """The preset as the text of a TOML file, which `load_preset` reads back."""
        return "".join(f"{each.name} = {as_toml(getattr(self, each.name))}\n" for each in fields(self))


def load_preset(
    preset: "str | os.PathLike[str] | Preset", *, mechanisms: Sequence[str] = (), extensions: Sequence[str] = ()
) -> Preset:
    """Read a preset by its name or the path of a TOML file; a preset is returned as it is.

    Paths of rules and of the structure are relative to the folder of the file.

    Args:
        preset: the preset, its name or the path of its file.
        mechanisms: mechanisms of your own that the file may name.
        extensions: modules of your own that the file may name.

    Raises:
        ValueError: there is no such preset, a key is unknown or a value is wrong, or the file names code that the
            arguments do not name; the message names file and key.
        FileNotFoundError: there is no such file.
    """
    if isinstance(preset, Preset):
        return preset
    path = find_file("preset", os.fspath(preset), PRESETS)
    content = check_keys(Preset, read_file(path), path.name)
    try:
        read = Preset(**content)
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix('study: ')}") from None
    read.check_named(mechanisms, extensions, path)
    return replace(
        read,
        structure=_from_file(read.structure, path),
        homes=tuple(_from_file(each, path) for each in read.homes),
        held_out=tuple(_from_file(each, path) for each in read.held_out),
    )


def list_presets() -> tuple[str, ...]:
    """Names of the presets that come with the suite, in alphabetical order."""
    return names_in(PRESETS)


def _from_file(given: str, path: Path) -> str:
    """Resolve a path relative to the folder of the preset's file; anything that is not a path stays as it is."""
    return str((path.parent / given).resolve()) if given.endswith(".toml") else given
