"""The claim that the advantage is adaptation, which holds only if nothing that cannot adapt has the same advantage.

In a trial of this design an untrained constant conduct won most pairings against specialists away from home, so beating
a specialist there shows nothing yet.
"""

import numpy as np

from ruleshift.eval.claims import transfer
from ruleshift.eval.claims.arms import CENTRAL, GENERALIST, WITHOUT_MEMORY
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
    MARGIN,
    NO_DIFFERENCE,
    SUPPORTED,
    Claim,
    Judgement,
    Verdict,
    failing,
    unmeasured,
)
from ruleshift.eval.claims.competence import gate_failures
from ruleshift.eval.claims.returns import Returns, at_targets, of_arm
from ruleshift.eval.claims.wording import ends, level, listed, points, score
from ruleshift.eval.statistics import Interval, Ratio, interval

CONSTANT = "the best constant conduct"
"""Name of that control among the differences of a verdict."""
LEAST_MOVE = 0.05
"""Least standard deviation between rules, beyond noise, of the late ask, effort or promotion that counts as change."""


def conduct_moves(conduct: np.ndarray) -> float:
    """Largest standard deviation between targets of the three parts of a conduct (3, H, G, S, P, E), beyond noise.

    It is the root of the variance component of targets in a two-way analysis of variance with economies, which are
    independent markets: a difference between targets in one economy but not in the next is noise. With fewer than two
    targets or two economies it is 0.
    """
    by_target = conduct.mean(axis=(1, 3, 4))
    _, targets, economies = by_target.shape
    if min(targets, economies) < 2:
        return 0.0
    own = by_target.mean(axis=2, keepdims=True) - by_target.mean(axis=(1, 2), keepdims=True)
    rest = by_target - by_target.mean(axis=1, keepdims=True) - own
    noise = (rest**2).sum(axis=(1, 2)) / ((targets - 1) * (economies - 1))
    component = (own[..., 0] ** 2).sum(axis=1) / (targets - 1) - noise / economies
    return float(np.sqrt(np.maximum(component, 0)).max())


def differences(returns: Returns) -> dict[str, Interval]:
    """Generalist minus each control at the held-out rules, on the scale of the primary contrast, by control.

    Raises:
        ValueError: the study lacks an arm.
    """
    scale, sizes = transfer.scale(returns), returns.sizes
    own = of_arm(returns.adapted, GENERALIST, "the adapted return")
    controls = {arm: of_arm(returns.adapted, arm, "the adapted return") for arm in (CENTRAL, WITHOUT_MEMORY)}
    controls[CONSTANT] = at_targets(returns.constant)
    return {name: interval(Ratio(own - control, scale), sizes) for name, control in controls.items()}


def judge(returns: Returns) -> Verdict:
    """Judge the claim. All conditions must hold, so none is corrected for their number.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    advantage = transfer.judge(returns)
    if advantage.outcome != SUPPORTED:
        return Verdict(
            CLAIM.id,
            INCONCLUSIVE,
            f"the verdict on transfer is “{advantage.outcome}”, so there is no advantage to explain",
        )
    failures = gate_failures(returns, (CENTRAL, WITHOUT_MEMORY))
    found = differences(returns)
    name, weakest = min(found.items(), key=lambda item: item[1].low)
    if failures:
        return Verdict(CLAIM.id, INCONCLUSIVE, failures, weakest, found)
    if GENERALIST not in returns.conduct:
        return Verdict(CLAIM.id, INCONCLUSIVE, "whether its conduct changes with the rule is not known", weakest, found)
    moves = conduct_moves(returns.conduct[GENERALIST])
    outcome, reason = _outcome(name, weakest, moves)
    return Verdict(CLAIM.id, outcome, reason, weakest, found, {"conduct_moves": moves})


def _outcome(name: str, weakest: Interval, moves: float) -> tuple[str, str]:
    if moves < LEAST_MOVE:
        return CONTRADICTED, f"its conduct is the same under all rules (moves by {moves:.3f}; {LEAST_MOVE:g} is needed)"
    if weakest.low > 0:
        return SUPPORTED, f"it beats every control, {name} by at least {weakest.low:.3f}; conduct moves by {moves:.2f}"
    if weakest.high <= 0:
        return CONTRADICTED, f"{name} does no worse: the upper limit of the difference is {weakest.high:.3f}"
    if weakest.low >= -MARGIN and weakest.high <= MARGIN:
        return NO_DIFFERENCE, f"{name} does equally well, to within {MARGIN:g}"
    return (
        INCONCLUSIVE,
        f"it may not beat {name}: the interval of the difference is {weakest.low:.3f} to {weakest.high:.3f}",
    )


def answer(judgement: Judgement) -> str:
    """Say whether the advantage is adaptation, and what a conduct that never reacts earns."""
    return f"{_explained(judgement)} {_constant(judgement)}".strip()


def _explained(judgement: Judgement) -> str:
    verdict = judgement.verdicts[CLAIM.id]
    if judgement.verdicts[transfer.CLAIM.id].outcome != SUPPORTED:
        return "No advantage has been established, so there is none to explain."
    if verdict.outcome == INCONCLUSIVE and verdict.measure is None:
        return unmeasured(verdict)
    if verdict.numbers.get("conduct_moves", 1.0) < LEAST_MOVE:
        return "No, this is not adaptation. The generalist behaves in the same way under every rule."
    name = min(verdict.intervals, key=lambda each: verdict.intervals[each].low)
    control = _CONTROLS[name]
    if verdict.outcome == SUPPORTED:
        controls = listed([_CONTROLS[each] for each in verdict.intervals])
        return (
            f"Yes, as far as this study can show. Under rules that it had never met, the generalist beat {controls}, "
            "and it behaved differently under different rules."
        )
    if verdict.outcome == CONTRADICTED:
        return f"No, this is not adaptation: {control} did at least as well."
    if verdict.outcome == NO_DIFFERENCE:
        return f"No, this is not adaptation: {control} did equally well, to within {points(MARGIN)}."
    if failures := [text for arm in (CENTRAL, WITHOUT_MEMORY) if (text := failing(judgement, arm))]:
        return f"Inconclusive: {listed(failures)}."
    limits = ends(verdict.intervals[name], signed=True)
    return f"Inconclusive. The generalist may be no better than {control} ({level()} of the difference: {limits})."


def _constant(judgement: Judgement) -> str:
    """Say what a conduct that never reacts and the generalist earn at held-out rules."""
    own = judgement.returns
    scale = float((own.best_reply - own.floor).mean())
    if scale <= 0 or GENERALIST not in own.adapted:
        return ""
    constant = float((own.constant - own.floor).mean()) / scale
    generalist = float(own.adapted[GENERALIST].mean() - own.floor.mean()) / scale
    what = ", ".join(f"{part} {value:.2g}" for part, value in judgement.constant.items())
    text = (
        f"The best policy that never reacts ({what}; chosen on the training rules) scored {score(constant)} under the "
        f"held-out rules, and the generalist {score(generalist)}."
    )
    if constant >= generalist:
        text += " So an untrained constant did at least as well, and beating a specialist shows nothing by itself."
    return text


_CONTROLS = {
    CONSTANT: "the best policy that never reacts",
    CENTRAL: "a specialist of the most typical rule",
    WITHOUT_MEMORY: "the same generalist without a memory",
}


CLAIM = Claim(
    id="adaptation",
    question="Is that adaptation?",
    statement="Organizations trained on many rules owe their advantage to adapting to the rule in force.",
    setting=f"{GENERALIST} under held-out rules, against {CONSTANT} (chosen on training rules), {CENTRAL} and "
    f"{WITHOUT_MEMORY} (the same without a memory)",
    measure="[Y_generalist - Y_control] / [best reply - floor], a ratio of sums, the smallest of the three; and how "
    "much late conduct differs between rules",
    thresholds="judged only if transfer is supported. Supported: all three lower 95% limits are above 0 and conduct "
    f"moves by at least {LEAST_MOVE}; contradicted: the upper limit of the smallest is not above 0, or conduct moves "
    f"by less; no material difference: both limits of the smallest are within +-{MARGIN}; otherwise inconclusive",
    judge=judge,
    answer=answer,
    essay="these investments risk creating expensive routine expertise that fails precisely when adaptive expertise is "
    "most needed",
)
