"""What each cell of a study is: a pure function of the configuration and a seed.

A cell is a plain dictionary, so that any process can compute it:

    kind   `train`, `curve` (learning curve) or `shift`
    name   what its files are called
    arm    `fixed`, `randomized`, `native`, `scripted` or `constant_...`
    rule   the rule that it is trained on, or the home rule that it is scored from; empty for a structure
    seed   training seed; absent for conducts that were never trained
    needs  names of the cells that come first
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ruleshift.agents import Constant, Policy, load_policy
from ruleshift.envs import MEASURES, Shift, load_structure
from ruleshift.eval.cells import Cell, Folder, Work, publish
from ruleshift.eval.panels import Panel, scripted_panel
from ruleshift.eval.play import Played, play
from ruleshift.eval.preset import Preset

Progress = Callable[[float], None]
SHOWN = ("served", "surplus", "profit", "revenue", "price", "quality", "concentration")


def plan(preset: Preset) -> list[Cell]:
    """All cells of a study, those that others need first."""
    cells = [_cell("train", "native", rule.name, preset.panel_seed) for rule in preset.targets]
    for seed in preset.seeds:
        cells.append(_cell("train", "randomized", "", seed))
        cells += [_cell("train", "fixed", rule.name, seed) for rule in preset.homes]
    natives = [cell["name"] for cell in cells if cell["arm"] == "native"]
    for home in preset.homes:
        for seed in preset.seeds:
            for arm in ("fixed", "randomized"):
                needs = [*natives, trained(arm, home.name, seed)]
                cells.append(_cell("curve", arm, home.name, seed, needs))
                cells.append(_cell("shift", arm, home.name, seed, needs))
        cells.append(_cell("shift", "native", home.name, preset.panel_seed, natives))
        for arm in ("scripted", *(f"constant_{name}" for name, _ in preset.constants)):
            cells.append(_cell("shift", arm, home.name, None, natives))
    return cells


def trained(arm: str, rule: str, seed: int) -> str:
    """Name of the training cell of an arm: the generalist has one for all rules."""
    return _name("train", arm, "" if arm == "randomized" else rule, seed)


def weight(cell: Cell, preset: Preset) -> float:
    """Rough cost of a cell in seconds, for estimates of the time left."""
    if cell["kind"] == "train":
        return 1.0 + preset.steps / 50_000
    plays = preset.curve_points + 1 if cell["kind"] == "curve" else 2 * len(preset.targets)
    economy = preset.economy
    return 0.05 + plays * preset.markets * economy.organizations * economy.rounds / 250_000


def begin(setting: dict[str, Any]) -> Work:
    """The work of a study, from its preset as plain data."""
    preset = Preset.from_plain(setting)
    return lambda cell, folder, progress: work(cell, preset, folder, progress)


def work(cell: Cell, preset: Preset, folder: Folder, progress: Progress = lambda share: None) -> None:
    """Compute a cell and store it, whole.

    Args:
        progress: told the share done, 0 .. 1, now and then.
    """
    if cell["kind"] == "train":
        _train(cell, preset, folder, progress)
    else:
        make = _curve if cell["kind"] == "curve" else _shift
        folder.write(cell["name"], {"cell": cell, "entries": list(make(cell, preset, folder, progress))})


def _train(cell: Cell, preset: Preset, folder: Folder, progress: Progress) -> None:
    """A run that was killed goes on where it was; its folder moves to its place when it is whole."""
    from ruleshift.train import Settings, train

    place = folder.partial(cell["name"])
    train(
        load_structure(preset.structure) if cell["arm"] == "randomized" else preset.rule(cell["rule"]),
        out=place,
        steps=preset.steps,
        seed=cell["seed"],
        economy=preset.economy,
        mechanisms=preset.mechanisms,
        settings=replace(Settings(), **preset.learner),
        snapshots=preset.curve_points,
        checkpoint_seconds=20.0,
        on_rollout=lambda learner: progress(min(learner.num_timesteps / preset.steps, 1.0)),
        tensorboard=False,
        quiet=True,
    )
    publish(place, folder.policies(cell["name"]))


def _shift(cell: Cell, preset: Preset, folder: Folder, progress: Progress) -> Iterator[dict[str, Any]]:
    """One entry a target and protocol; the target that is the home rule is the unshifted twin of all the others."""
    focal, panel = _focal(cell, preset, folder), _panel(preset, folder)
    for done, target in enumerate(preset.targets):
        progress(done / len(preset.targets))
        for protocol in ("shift", "shift_deterministic"):
            played = _episode(focal, cell["rule"], target.name, preset, panel, protocol == "shift_deterministic")
            yield {
                "target": target.name,
                "protocol": protocol,
                "values": _values(played, preset.at),
                "profile": played.focal.mean(axis=0).tolist(),
            }


def _values(played: Played, at: int) -> dict[str, float]:
    """Focal profit a round before and from the shift on, and what the market did from it on."""
    after = played.measures[at:].mean(axis=0)
    return {
        "before": float(played.focal[:, :at].mean()),
        "after": float(played.focal[:, at:].mean()),
        **{f"market_{name}": float(after[MEASURES.index(name)]) for name in SHOWN},
    }


def _curve(cell: Cell, preset: Preset, folder: Folder, progress: Progress) -> Iterator[dict[str, Any]]:
    """One entry a policy kept on the way: its return on the home rule against the panel, no shift."""
    from ruleshift.train import learning_curve

    panel, home = _panel(preset, folder), cell["rule"]
    kept = learning_curve(folder.policies(trained(cell["arm"], home, cell["seed"])))
    for done, (steps, path) in enumerate(kept):
        progress(done / len(kept))
        played = _episode({home: load_policy(path)}, home, home, preset, panel, False)
        values = {"return": float(played.focal.mean())}
        yield {"target": home, "protocol": "curve", "steps": steps, "values": values}


def _episode(
    focal: dict[str, Policy], home: str, target: str, preset: Preset, panel: Panel, deterministic: bool
) -> Played:
    organizations, shifted = preset.economy.organizations, target != home
    return play(
        panel.seats(home, focal[home], organizations),
        preset.rule(home),
        schedule=(Shift(at=preset.at, to=preset.rule(target)),) if shifted else (),
        successors={preset.at: panel.seats(target, focal[target], organizations)} if shifted else None,
        markets=preset.markets,
        seed=preset.evaluation_seed,
        economy=preset.economy,
        mechanisms=preset.mechanisms,
        deterministic=deterministic,
    )


def _focal(cell: Cell, preset: Preset, folder: Folder) -> dict[str, Policy]:
    """The focal policy under each rule: only the reference arm `native` has one for each."""
    names, arm = [rule.name for rule in preset.targets], cell["arm"]
    if arm == "native":
        return {name: _final(folder, trained(arm, name, preset.panel_seed)) for name in names}
    if arm == "scripted":
        policy: Policy = scripted_panel(preset.economy).scripted[0]
    elif arm.startswith("constant_"):
        ask, effort, promotion = dict(preset.constants)[arm.removeprefix("constant_")]
        policy = Constant(ask=ask, effort=effort, promotion=promotion)
    else:
        policy = _final(folder, trained(arm, cell["rule"], cell["seed"]))
    return dict.fromkeys(names, policy)


def _panel(preset: Preset, folder: Folder) -> Panel:
    natives = {rule.name: _final(folder, trained("native", rule.name, preset.panel_seed)) for rule in preset.targets}
    return Panel(scripted_panel(preset.economy).scripted, natives)


def _final(folder: Folder, name: str) -> Policy:
    return load_policy(folder.policies(name))


def _cell(kind: str, arm: str, rule: str, seed: int | None, needs: list[str] | None = None) -> Cell:
    name = _name(kind, arm, rule, seed)
    return {"kind": kind, "name": name, "arm": arm, "rule": rule, "seed": seed, "needs": needs or []}


def _name(kind: str, arm: str, rule: str, seed: int | None) -> str:
    """A file name; rules named by users may hold any letters, so those are spelled by their code points."""
    words = [kind, arm, rule, "" if seed is None else str(seed)]
    return "-".join("".join(_spelled(letter) for letter in word) for word in words if word)


def _spelled(letter: str) -> str:
    plain = letter.isascii() and (letter.isalnum() or letter == "_")
    return letter if plain else f".{ord(letter):x}."
