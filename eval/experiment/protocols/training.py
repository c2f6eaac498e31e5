"""Training: of every arm on its own rules, and of the references that do not come with the suite."""

from collections.abc import Iterator
from typing import Any

from ruleshift.eval.experiment.cell import Cell
from ruleshift.eval.experiment.context import TRAINING, Context, best_reply_cell, native_cell
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.protocols.protocol import Protocol
from ruleshift.eval.experiment.references import shipped

_CHECKPOINT_SECONDS = 20.0


def cells(design: Design) -> Iterator[Cell]:
    """One cell per native and best reply that is not shipped, and one per arm, home, seed and budget."""
    preset = design.preset
    for rule in design.scored:
        held = shipped("native", design, rule.name)
        for seed in preset.panel_seeds:
            if seed not in held:
                yield Cell(TRAINING, "native", rule.name, seed=seed)
    for rule in design.scored:
        if not shipped("best_reply", design, rule.name):
            needs = missing_natives(design, [rule.name])
            yield Cell(TRAINING, "best_reply", rule.name, seed=preset.best_reply_seed, needs=needs)
    for seed in preset.seeds:
        for arm, budget in design.budgets:
            if arm.is_trained:
                for home in design.homes_of(arm):
                    yield Cell(TRAINING, arm.name, home, seed=seed, budget=budget)


def missing_natives(design: Design, rules: list[str]) -> tuple[str, ...]:
    """Names of the cells that train the natives of these rules which do not come with the suite."""
    seeds = design.preset.panel_seeds
    held = {rule: shipped("native", design, rule) for rule in rules}
    return tuple(native_cell(rule, seed) for rule in rules for seed in seeds if seed not in held[rule])


def missing_best_replies(design: Design, rules: list[str]) -> tuple[str, ...]:
    """Names of the cells that train the best replies under these rules which do not come with the suite."""
    seed = design.preset.best_reply_seed
    return tuple(best_reply_cell(rule, seed) for rule in rules if not shipped("best_reply", design, rule))


def compute(cell: Cell, context: Context) -> None:
    """Train a policy. A run that was killed continues where it stopped; a finished one moves to the other policies."""
    from ruleshift.train import TrainingPlan, train

    assert cell.seed is not None
    folder, steps = context.folder.partial(cell.name), _steps(cell, context.design)
    plan = TrainingPlan(
        **_what(cell, context),
        steps=steps,
        seed=cell.seed,
        mechanisms=context.design.preset.mechanisms,
        settings=settings(context.design),
        snapshots=context.design.preset.curve_points,
    )
    train(
        plan,
        folder,
        checkpoint_seconds=_CHECKPOINT_SECONDS,
        on_rollout=lambda learner: context.on_progress(min(learner.num_timesteps / steps, 1.0)),
        tensorboard=False,
        quiet=True,
    )
    context.folder.publish(cell.name, cell.needs)


def settings(design: Design) -> Any:
    """Return the hyper-parameters of the learner, which are the same for every arm."""
    from ruleshift.train import PPOSettings

    preset = design.preset
    return PPOSettings(
        markets=preset.learning_markets,
        rollout_size=preset.rollout_size,
        batch_size=preset.batch_size,
        n_epochs=preset.n_epochs,
    )


def _what(cell: Cell, context: Context) -> dict[str, Any]:
    """What the cell is trained on, as fields of its plan."""
    design, arm = context.design, cell.arm
    if arm == "best_reply":
        # Started from scratch, it would learn to stay out, since a beginner hardly ever wins among natives.
        return {"groups": context.best_reply_groups(cell.home), "start": context.native_folder(0, cell.home)}
    if arm == "native":
        return {"rule": design.rule(cell.home), "arm": "fixed+nuisance+memory"}
    return {"rule": design.rule(cell.home) if cell.home else design.structure, "arm": arm}


def _steps(cell: Cell, design: Design) -> int:
    preset = design.preset
    if cell.arm in ("native", "best_reply"):
        return preset.native_steps if cell.arm == "native" else preset.best_reply_steps
    return max(round(preset.steps * cell.budget), 1)


def seconds(cell: Cell, design: Design) -> float:
    """Seconds that one core takes to train for the agent-steps of the cell."""
    return 0.5 + 22e-6 * _steps(cell, design)


PROTOCOL = Protocol(TRAINING, cells, compute, seconds, has_entries=False)
