"""Schema induction: a head that names the rule, against the same learner without it, after the rule has changed."""

from ruleshift.eval.claims.arms import GENERALIST
from ruleshift.eval.claims.claim import (
    CONTRADICTED,
    INCONCLUSIVE,
    MARGIN,
    NO_DIFFERENCE,
    SUPPORTED,
    THESE_RULES,
    Claim,
    Judgement,
    Verdict,
    judge_by_margin,
    margin_thresholds,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.knowledge import knowledge
from ruleshift.eval.claims.returns import Returns, at_targets, of_arm
from ruleshift.eval.claims.transfer import advantage, no_scale, scale
from ruleshift.eval.claims.wording import ends, level, number, points
from ruleshift.eval.statistics import (
    RULES,
    Interval,
    Ratio,
    interquartile_mean,
    interval,
    optimality_gap,
    scores,
    worst_tenth,
)

SCHEMA = "schema+memory"
"""The arm with a head that names the features of the rule."""
OTHERS = ("distilled+memory", "replay+memory", "prioritised+memory", "learnability+memory", "edits+memory")
"""Further arms that train on the same rules in other ways: taught by an arm that is told, or by a curriculum."""
NAMED, READ = "R2 of what is named", "R2 of what is read from the hidden layer"
"""Names of what an arm knows of held-out rules in the last round."""


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    statistic = advantage(returns, SCHEMA, GENERALIST)
    problem = obstacle(returns) or no_scale(returns, scale(returns))
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem, intervals=_known(returns))
    further = _against_plain(returns) | _summaries(returns) | _known(returns)
    return judge_by_margin(CLAIM.id, statistic, returns, (SCHEMA, GENERALIST), further)


def _against_plain(returns: Returns) -> dict[str, Interval]:
    """How much each further arm of the study scores above plain randomization, for rules like these and for these."""
    found = {}
    for arm in OTHERS:
        if arm in returns.adapted:
            more, name = advantage(returns, arm, GENERALIST), f"{arm} minus {GENERALIST}"
            found[name] = interval(more, returns.sizes)
            found[f"{name}, {THESE_RULES}"] = interval(more, returns.sizes, fixed=RULES)
    return found


def _summaries(returns: Returns) -> dict[str, Interval]:
    """Tail risk of each arm, and the aggregates of Agarwal et al. (2021); none if a rule has no scale."""
    if (returns.best_reply - returns.floor).mean(axis=(1, 2)).min() <= 0:
        return {}
    floor, best, found = at_targets(returns.floor), at_targets(returns.best_reply), dict[str, Interval]()
    for arm in (SCHEMA, GENERALIST, *OTHERS):
        if arm in returns.adapted:
            adapted = of_arm(returns.adapted, arm, "the adapted return")
            of = scores(adapted, floor, best)
            parts = {
                "score under the worst tenth of rules": worst_tenth(Ratio(adapted - floor, best - floor)),
                "interquartile mean": interquartile_mean(of),
                "optimality gap": optimality_gap(of),
            }
            found |= {f"{arm}: {name}": interval(each, returns.sizes) for name, each in parts.items()}
    return found


def _known(returns: Returns) -> dict[str, Interval]:
    """What arms know of the held-out rules, where it was probed, and what they name them to be."""
    found = {}
    for arm in (SCHEMA, GENERALIST, *OTHERS):
        for name, protocol in ((NAMED, "naming"), (READ, "probe")):
            known = knowledge(returns, arm, protocol)
            if known is not None:
                found[f"{arm}: {name}"] = interval(known, returns.sizes)
    return found


def answer(judgement: Judgement) -> str:
    """Say whether naming the rule paid, in both scopes, and how well the rule was named."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    higher = "higher" if found.estimate >= 0 else "lower"
    scored = (
        f"The generalist that names the rule scored {points(abs(found.estimate))} {higher} than the one that does not"
    )
    text = {
        SUPPORTED: f"Yes. {scored} ({level()}: {ends(found)}).",
        CONTRADICTED: f"No, the reverse. {scored} ({level()}: {ends(found, swapped=True)}).",
        NO_DIFFERENCE: f"No. {scored} ({level()} of the difference: {ends(found, signed=True)}), and a difference of "
        f"less than {points(MARGIN)} counts as none.",
        INCONCLUSIVE: f"Inconclusive: {verdict.reason}. {scored}; the {level()} of the difference runs from "
        f"{ends(found, signed=True)} points.",
    }[verdict.outcome]
    here = verdict.intervals[THESE_RULES]
    text += f" Under these rules, taken as they are, the interval is {ends(here, signed=True)}."
    named = verdict.intervals.get(f"{SCHEMA}: {NAMED}")
    if named is not None:
        text += f" What it names the held-out rules to be has an R2 of {number(named.estimate, digits=2)}."
    return text


CLAIM = Claim(
    id="schema",
    question="Does it pay to name the rule?",
    statement="After the rule changes, organizations trained to name the rule earn more than those trained on many "
    "rules alone.",
    setting=f"{SCHEMA} against {GENERALIST} under held-out rules, where both keep learning for {{phase}} of their "
    "training budget",
    measure="sum over h, g, s, p, e of [Y_schema - Y_generalist] / sum of [best reply - floor]; the same for arms that "
    "are taught or have a curriculum; the score under the worst tenth of rules, the interquartile mean and the "
    "optimality gap",
    thresholds=margin_thresholds("an arm"),
    judge=judge,
    answer=answer,
    essay="Schema induction targeting structural features would suggest a different approach",
    protocols=("probe",),
)
