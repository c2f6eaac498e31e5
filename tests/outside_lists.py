"""Somebody's own module: one more arm, mechanism, protocol, claim and known answer, each added to its list."""

from typing import Any

import numpy as np

from ruleshift.envs import register_mechanism
from ruleshift.eval import (
    Answer,
    Cell,
    Claim,
    Context,
    Design,
    Entry,
    Judgement,
    Measurement,
    Protocol,
    Returns,
    Row,
    Tolerance,
    Verdict,
    register_answer,
    register_claim,
    register_protocol,
)
from ruleshift.train import Arm, register_arm

register_arm(Arm("hermit", "one home rule, alone in the market but for scripted rivals", "home", nuisance=False))


@register_mechanism("last_come", reads_odds=False)
def last_come(problem: Any, match: Any, floats: Any, integers: Any) -> None:
    """Jobs go to the last organization that has capacity left."""
    for j in range(len(problem.kinds)):
        for i in range(len(problem.capacities) - 1, -1, -1):
            if problem.capacities[i] > 0:
                match.winner[j] = i
                problem.capacities[i] -= 1
                break


def cells(design: Design) -> list[Cell]:
    """One cell per target."""
    return [Cell("reserve", "rules", target=rule.name) for rule in design.targets]


def compute(cell: Cell, context: Context) -> list[Entry]:
    """Return one entry, with the reserve of the target."""
    return [Entry(cell.target, "reserve", {"reserve": context.design.rule(cell.target).payment.reserve})]


register_protocol(Protocol("reserve", cells, compute, seconds=lambda cell, design: 0.1))


def judge(returns: Returns) -> Verdict:
    """The claim is supported if no rule of the study has a reserve above 1."""
    reserves = [float(run.values["reserve"].mean()) for run in returns.runs if run.protocol == "reserve"]
    outcome = "supported" if max(reserves) <= 1 else "contradicted"
    return Verdict("reserves", outcome, f"{len(reserves)} rules", numbers={"highest": max(reserves)})


def answer(judgement: Judgement) -> str:
    """Say in a sentence what the highest reserve is."""
    highest = judgement.verdicts["reserves"].numbers["highest"]
    return f"The highest reserve of all rules was {highest:g} times the value of a job."


register_claim(
    Claim(
        id="reserves",
        question="Do platforms ever offer more than a job is worth?",
        statement="No platform of the study lets organizations ask more than the value of a job.",
        setting="all targets",
        measure="the highest reserve",
        thresholds="supported: at most 1; contradicted: above 1; no material difference and inconclusive: never",
        judge=judge,
        answer=answer,
    )
)


def measure(run: Measurement) -> list[Row]:
    """Measure the sum of the first n whole numbers, where n is the number of draws of the run."""
    count = run.draws(1_000)
    return [Row("sum of 1 to n", count * (count + 1) / 2, float(np.arange(count + 1).sum()))]


register_answer(
    Answer(
        id="young_gauss",
        title="The sum that Gauss found as a boy",
        formula="n (n + 1) / 2",
        setting="no market at all",
        source="Gauss, as told by Sartorius 1856",
        tolerance=Tolerance(errors=0.0),
        measure=measure,
        seconds=0.1,
    )
)
