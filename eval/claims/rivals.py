"""The claim about rivals: whether a change of the rule or the rivals who change with it moves what is earned.

Where neither has moved alone, effects are those of a factorial: that of the rule is averaged over rivals who have not
changed and rivals who have, and that of the rivals over both rules. So they add up to the whole change, whatever the
order in which one thinks of the two (Shapley 1953, "A value for n-person games").
"""

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
    MARGIN,
    NO_DIFFERENCE,
    SUPPORTED,
    Claim,
    Judgement,
    Verdict,
    judge_by_margin,
    margin_thresholds,
    measured,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.competence import LEAST, competence
from ruleshift.eval.claims.crossed import crossed
from ruleshift.eval.claims.returns import Returns, at_homes, at_targets
from ruleshift.eval.claims.transfer import no_scale
from ruleshift.eval.claims.wording import ends, label, level, points
from ruleshift.eval.statistics import Ratio, interval

RIVALS = "rivals"
"""Name of the protocol that plays the factorial."""
PARTS = ("home_same", "home_novel", "home_settled", "target_same", "target_novel", "target_settled")
"""Parts of the factorial: the rule in force, and whose natives are among the rivals."""
SCRIPTED = ("posted_price", "follower", "steady")
"""The scripted organizations, whose mean return is the floor of each part."""
BY_RULE, BY_RIVALS, BY_BOTH = "lost by the rule", "lost by the rivals", "interaction"
"""Names of the two main effects and of their interaction, each as a loss."""


def leads(returns: Returns, arm: str) -> dict[str, np.ndarray]:
    """By part of the factorial, how much more an arm earns than the scripted organizations do, (H, G, S, P, E).

    Raises:
        ValueError: the study lacks the factorial or the arm.
    """
    floors = [crossed(returns, RIVALS, each, PARTS) for each in SCRIPTED]
    own = crossed(returns, RIVALS, arm, PARTS)
    return {part: own[part] - np.mean([floor[part] for floor in floors], axis=0) for part in PARTS}


def losses(lead: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a change costs an arm, from its leads, by name of the cause: (H, G, S, P, E), above 0 for a loss."""
    home, rule = lead["home_same"], lead["target_same"]
    rivals, both = lead["home_settled"], lead["target_settled"]
    return {
        BY_RULE: (home - rule + rivals - both) / 2,
        BY_RIVALS: (home - rivals + rule - both) / 2,
        BY_BOTH: rule + rivals - home - both,
        "new rule, same rivals": home - rule,
        "new rule, novel rivals": home - lead["target_novel"],
        "new rule, settled rivals": home - both,
        "home rule, novel rivals": home - lead["home_novel"],
    }


def scale(returns: Returns) -> np.ndarray:
    """Best reply minus floor, the mean of home rule and target, (H, G, 1, P, E)."""
    home = at_homes(returns.home_best_reply - returns.home_floor)
    return (home + at_targets(returns.best_reply - returns.floor)) / 2


def contrast(lost: dict[str, np.ndarray], unit: np.ndarray) -> Ratio:
    """Size of what is lost by the rule minus size of what is lost by the rivals.

    The sign of each effect is that of its estimate. This makes the smaller of two effects look larger where it is
    lost in noise, and so errs towards no difference.
    """
    sign = {name: 1.0 if np.nanmean(lost[name]) >= 0 else -1.0 for name in (BY_RULE, BY_RIVALS)}
    return Ratio(sign[BY_RULE] * lost[BY_RULE] - sign[BY_RIVALS] * lost[BY_RIVALS], unit)


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study lacks the factorial, or an arm that the claim is about.
    """
    unit, sizes = scale(returns), returns.sizes
    problem = obstacle(returns) or no_scale(returns, unit)
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    by_arm = {arm: losses(leads(returns, arm)) for arm in (SPECIALIST, GENERALIST)}
    primary = contrast(by_arm[SPECIALIST], unit)
    named = {
        f"{label(arm)}, {cause}": interval(Ratio(each, unit), sizes)
        for arm, lost in by_arm.items()
        for cause, each in lost.items()
    }
    return judge_by_margin(CLAIM.id, primary, returns, (SPECIALIST,), named)


def answer(judgement: Judgement) -> str:
    """Say what the new rule and the new rivals each took from the specialist, and which took more."""
    verdict = judgement.verdicts[CLAIM.id]
    if verdict.measure is None:
        return unmeasured(verdict)
    effects = f"{_effects(verdict, SPECIALIST)}. For the generalist, it is {_pair(verdict, GENERALIST)}."
    if not (competence(judgement.returns, SPECIALIST) >= LEAST).all():
        return f"No verdict, since the specialist is not competent at this budget. {measured(effects)}"
    return f"{_SHORT[verdict.outcome]} {effects}"


_SHORT = {
    SUPPORTED: "The rule.",
    CONTRADICTED: "The rivals.",
    NO_DIFFERENCE: f"Neither: the two differ by less than {points(MARGIN)}.",
    INCONCLUSIVE: "Inconclusive.",
}


def _effects(verdict: Verdict, arm: str) -> str:
    assert verdict.measure is not None
    return (
        f"Of what the {label(arm)} earns beyond the scripted organizations, a change takes {_pair(verdict, arm)}; the "
        f"sizes differ by {points(verdict.measure.estimate, signed=True)} ({level()}: "
        f"{ends(verdict.measure, signed=True)})"
    )


def _pair(verdict: Verdict, arm: str) -> str:
    by_rule, by_rivals = (verdict.intervals[f"{label(arm)}, {cause}"].estimate for cause in (BY_RULE, BY_RIVALS))
    return f"{points(by_rule)} by the new rule and {points(by_rivals)} by rivals who have settled under it"


CLAIM = Claim(
    id="rivals",
    question="Is it the rule that hurts, or the rivals?",
    statement="When a platform changes, the new rule moves what organizations earn by more than rivals who change with "
    "it do.",
    setting=f"frozen {SPECIALIST} in the factorial of the rule (home, target) and of the natives among the rivals "
    "(those of the home rule, those of the target); half of the rivals are scripted and never change",
    measure="|lost by the rule| - |lost by the rivals|, the two main effects on the lead over the scripted "
    "organizations, divided by the sum of [best reply - floor], the mean of home rule and target",
    thresholds=margin_thresholds("the specialist"),
    judge=judge,
    answer=answer,
    essay="But when those systems change, when new coordination challenges emerge, or when cross-border algorithmic "
    "coordination becomes necessary, that procedural knowledge provides no scaffolding for novel problems.",
    protocols=(RIVALS,),
)
