"""What a study asks, as a value that a TOML file holds."""

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ruleshift.envs.fields import Count, Counts, Number, Numbers, Word, Words, check_fields, check_keys, option
from ruleshift.envs.files import as_toml, find_file, names_in, read_file
from ruleshift.eval.extensions import load_extensions

PRESETS = Path(__file__).parents[1] / "presets"
_SEED = 2**32 - 1


@dataclass(frozen=True)
class Preset:
    """A study before it is run: the file `eval/presets/NAME.toml`, or one's own.

    Rules are names, paths of files, or `PART:NUMBER`: that rule of the frozen sample of a part of the structure, such
    as `family:3`. Presets differ in the size of the grid and in nothing else.

    Raises:
        ValueError: a value that makes no study, named by its key.
    """

    structure: str = option("platforms", Word())
    """Structure that the generalists are trained on, by name or path."""
    homes: tuple[str, ...] = option(("train:0",), Words(1))
    """Rules that the specialists are trained on."""
    held_out: tuple[str, ...] = option(("composition:0", "family:0"), Words(1))
    """Rules that come with the shift, and that no judged policy is trained on."""
    arms: tuple[str, ...] = option(("fixed+nuisance+memory", "randomized+memory"), Words(1))
    """Arms that are compared, each with or without a memory: `+memory`, or `+recurrent`."""
    seeds: tuple[int, ...] = option((0, 1), Counts(0, _SEED))
    """Training seeds of the arms."""
    panel_seeds: tuple[int, ...] = option((1000, 1001), Counts(0, _SEED))
    """Training seeds of the natives, one panel each, used nowhere else."""
    best_reply_seed: int = option(1100, Count(0, _SEED))
    """Training seed of the best replies, used nowhere else."""
    evaluation_seed: int = option(2000, Count(0, _SEED))
    """Seed of the markets after the shift, used nowhere else."""
    gate_seed: int = option(2001, Count(0, _SEED))
    """Seed of the markets that test competence, used nowhere else."""
    constant_seed: int = option(2002, Count(0, _SEED))
    """Seed of the markets in which the best constant conduct is searched, used nowhere else."""

    steps: int = option(1_000_000, Count(1, 10**12))
    """Training budget of each arm, in agent-steps."""
    adaptation: float = option(0.1, Number(0.001, 1))
    """Share of the budget that every arm goes on learning for after the shift."""
    budgets: tuple[float, ...] = option((), Numbers(8))
    """Multiples of the budget at which the two arms of the primary contrast are compared as well."""
    curve_points: int = option(6, Count(1, 100))
    """Policies kept in training, and scored for the learning curves."""
    native_steps: int = option(1_000_000, Count(1, 10**12))
    """Training of each native, in agent-steps."""
    best_reply_steps: int = option(3_000_000, Count(1, 10**12))
    """Agent-steps that each best reply learns on for, from the native of the first panel: four budgets in all."""

    economies: int = option(8, Count(1, 4096))
    """The first so many of the frozen set of economies."""
    markets: int = option(4, Count(1, 100_000))
    """Markets of each economy and panel."""
    rounds: int = option(0, Count(0, 1_000_000))
    """Rounds of an episode; 0 leaves each economy its own."""

    learning_markets: int = option(64, Count(1, 100_000))
    """Markets that an arm learns in at once."""
    rollout_size: int = option(6_400, Count(1, 10**9))
    """Agent-steps between two updates, over all learning seats."""
    batch_size: int = option(800, Count(1, 10**9))
    """Agent-steps of one gradient step."""
    n_epochs: int = option(5, Count(1, 1000))
    """Passes over each rollout."""
    mechanisms: tuple[str, ...] = option((), Words(0))
    """Mechanisms from outside, as `module:function`."""
    extensions: tuple[str, ...] = option((), Words(0))
    """Modules of one's own that register arms, protocols or claims when they are imported."""

    def __post_init__(self) -> None:
        check_fields(self, "study")
        self._check_seeds()
        self._load_extensions()
        self._check_arms()
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
        """No seed serves two purposes."""
        names = ("seeds", "panel_seeds", "best_reply_seed", "evaluation_seed", "gate_seed", "constant_seed")
        owner: dict[int, str] = {}
        for name in names:
            value = getattr(self, name)
            for seed in value if isinstance(value, tuple) else (value,):
                if seed in owner:
                    raise ValueError(f"study: {name} has {seed}, which {owner[seed]} has, too; no seed serves both")
                owner[seed] = name

    def _load_extensions(self) -> None:
        """Import them, for they may bring the arms that the preset names."""
        try:
            load_extensions(self.extensions)
        except ValueError as error:
            raise ValueError(f"study: {error}") from None

    def _check_arms(self) -> None:
        from ruleshift.train.arms import variant

        for arm in self.arms:
            try:
                variant(arm)
            except ValueError as error:
                raise ValueError(f"study: arms has {arm!r}: {error}") from None

    def to_toml(self) -> str:
        """The text of a TOML file; `load_preset` gives it back."""
        return "".join(f"{each.name} = {as_toml(getattr(self, each.name))}\n" for each in fields(self))


def load_preset(preset: "str | os.PathLike[str] | Preset") -> Preset:
    """Read a study by the name of a preset or the path of a TOML file, or take it as it is.

    Paths of rules and of the structure are meant from where the file lies.

    Raises:
        ValueError: no such study; a key unknown or a value out of range. Names the file and the key.
        FileNotFoundError: no such file.
    """
    if isinstance(preset, Preset):
        return preset
    path = find_file("preset", os.fspath(preset), PRESETS)
    content = check_keys(Preset, read_file(path), path.name)
    try:
        read = Preset(**content)
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix('study: ')}") from None
    return replace(
        read,
        structure=_from_file(read.structure, path),
        homes=tuple(_from_file(each, path) for each in read.homes),
        held_out=tuple(_from_file(each, path) for each in read.held_out),
    )


def list_presets() -> tuple[str, ...]:
    """Names of the studies that come with the suite, in alphabetical order."""
    return names_in(PRESETS)


def _from_file(given: str, path: Path) -> str:
    """A path in a study's file is meant from where the file lies; anything else is a name."""
    return str((path.parent / given).resolve()) if given.endswith(".toml") else given
