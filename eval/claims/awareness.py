"""Awareness and capability: whether policies that know more of a rule earn more under it."""

from contextlib import suppress

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, WITHOUT_MEMORY
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
    decide,
    explain,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.competence import LEAST, gate_failures
from ruleshift.eval.claims.knowledge import (
    Correlation,
    Policies,
    Share,
    correlation_interval,
    knowledge,
    probe_array,
    reliability,
    scores_of,
)
from ruleshift.eval.claims.returns import Returns, of_arm
from ruleshift.eval.claims.transfer import advantage, no_scale, scale
from ruleshift.eval.claims.wording import ends, level, number, percent, points
from ruleshift.eval.statistics import RULES, Interval, Ratio, interval

POOR = 0.3
"""Correlation below which awareness correlates poorly: it explains less than a tenth of the variance."""
LEAST_POLICIES = 4
"""Least number of policies over which a correlation is taken."""
LEAST_RELIABILITY = 0.5
"""Least reliability of what policies know, and of what they earn: noise in either makes any correlation small."""
KNOWS_ONLY, DOES_ONLY, BOTH = "know and do not do", "do and do not know", "know and do"
"""Names of shares of pairs of a policy and a rule; on the first two, awareness and capability part."""
TOLD = {"aware+memory": GENERALIST, "aware": WITHOUT_MEMORY}
"""By arm to which the rule is disclosed, the same arm to which it is not."""


def judge(returns: Returns) -> Verdict:
    """Judge the claim.

    Raises:
        ValueError: the study did not run the probe, or there is nothing to correlate.
    """
    policies = Policies.probed(returns)
    problem = obstacle(returns) or _too_few(policies)
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem, intervals=_calibration(returns, policies.arms))
    earned, sizes = policies.earned(returns.frozen), returns.sizes
    found = correlation_interval(Correlation(policies, earned), sizes)
    steady = {"what policies know": policies.known, "what they earn": earned.mean(axis=2)}
    numbers = {f"reliability of {name}": reliability(values) for name, values in steady.items()}
    further = {THESE_RULES: correlation_interval(Correlation(policies, earned), sizes, fixed=RULES)}
    further |= _further(returns, policies, earned) | _calibration(returns, policies.arms)
    failures = _unreliable(numbers) or _incompetent(returns)
    if failures:
        return Verdict(CLAIM.id, INCONCLUSIVE, failures, found, further, numbers)
    above = decide(found, MARGIN, POOR)
    outcome = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED}.get(above, above)
    return Verdict(CLAIM.id, outcome, explain(above, found, MARGIN, POOR), found, further, numbers)


def _too_few(policies: Policies) -> str:
    number_of = len(policies.arms)
    return f"{number_of} policies are too few for a correlation over policies" if number_of < LEAST_POLICIES else ""


def _unreliable(numbers: dict[str, float]) -> str:
    """Say which of the two does not differ between policies by more than noise; empty if both do."""
    for name, value in numbers.items():
        if not value >= LEAST_RELIABILITY:
            what = name.removeprefix("reliability of ")
            return f"{what} does not differ surely (reliability {value:.2f}, {LEAST_RELIABILITY:g} is needed)"
    return ""


def _incompetent(returns: Returns) -> str:
    """Say where the generalist fails the gate: where nobody has learned to do, knowing cannot show."""
    return gate_failures(returns, (GENERALIST,)) if GENERALIST in returns.gate else ""


def _further(returns: Returns, policies: Policies, earned: np.ndarray) -> dict[str, Interval]:
    """The correlation taken in other ways, the shares on which awareness and capability part, and disclosure."""
    others = {
        "rank correlation": Correlation(policies, earned, ranked=True),
        "correlation, differences between rules left in": Correlation(policies, earned, within=False),
    }
    if set(policies.arms) <= set(returns.adapted):
        adapted = policies.earned(returns.adapted)
        others["correlation with the return while arms keep learning"] = Correlation(policies, adapted)
    uninformed = policies.of(arm for arm in policies.arms if not arm.startswith("aware"))
    if LEAST_POLICIES <= len(uninformed.arms) < len(policies.arms):
        own = uninformed.earned(returns.frozen)
        others["correlation among policies that are not told the rule"] = Correlation(uninformed, own)
    found: dict[str, Interval] = {}
    for name, statistic in others.items():
        with suppress(ValueError):  # where there is nothing to correlate, such as ranks that are all ties
            found[name] = correlation_interval(statistic, returns.sizes)
    if no_scale(returns, scale(returns)):
        return found
    score = scores_of(earned, returns.floor, returns.best_reply)
    for name, knows, does in ((KNOWS_ONLY, True, False), (DOES_ONLY, False, True), (BOTH, True, True)):
        share = Share(policies, score, LEAST, knows, does)
        found[name] = interval(share, returns.sizes, bounds=(0, 1))
    return found | _disclosure(returns)


def _disclosure(returns: Returns) -> dict[str, Interval]:
    """What disclosure adds, to a learner and to the same policy that was trained with it, where the study has both."""
    found = {}
    for told, untold in TOLD.items():
        if {told, untold} <= set(returns.adapted):
            found[f"{told} minus {untold}, adapted"] = interval(advantage(returns, told, untold), returns.sizes)
        if {told, untold} <= set(returns.frozen):
            gap = of_arm(returns.frozen, told, "the return") - of_arm(returns.frozen, untold, "the return")
            found[f"{told} minus {untold}, frozen"] = interval(Ratio(gap, scale(returns)), returns.sizes)
        hidden = probe_array(returns, told, "undisclosed", "return")
        if hidden is not None:
            gap = returns.frozen[told][:1] - hidden
            found[f"{told} minus itself with the rule hidden"] = interval(Ratio(gap, scale(returns)), returns.sizes)
    return found


def _calibration(returns: Returns, arms: tuple[str, ...]) -> dict[str, Interval]:
    """How well the rule is read from each arm, and whether as well as the reading says, by name."""
    found: dict[str, Interval] = {}
    for arm in dict.fromkeys(arms):
        covered, slope, spread = (
            probe_array(returns, arm, protocol, measure)
            for protocol, measure in (("probe", "coverage"), ("probe_profile", "slope"), ("probe_profile", "spread"))
        )
        parts = {"R2 of the rule": knowledge(returns, arm)}
        if covered is not None:
            parts["coverage of 80% intervals"] = Ratio(covered, np.ones_like(covered))
        if slope is not None and spread is not None and spread.mean() > 0:
            parts["slope of the truth on what is read"] = Ratio(slope * spread, spread)
        found |= {f"{arm}: {name}": interval(each, returns.sizes) for name, each in parts.items() if each is not None}
    return found


def answer(judgement: Judgement) -> str:
    """Say how closely what policies know goes with what they earn, where the two part, and what disclosure adds."""
    verdict = judgement.verdicts[CLAIM.id]
    found = verdict.measure
    if found is None:
        return unmeasured(verdict)
    between = f"{level()}: {number(found.low, signed=True, digits=2)} to {number(found.high, signed=True, digits=2)}"
    said = (
        "over policies under the same rule, the correlation of what they know of the rule with what they earn is "
        f"{number(found.estimate, signed=True, digits=2)} ({between})"
    )
    text = {
        SUPPORTED: f"Poorly: {said}.",
        CONTRADICTED: f"No, closely: {said}.",
        NO_DIFFERENCE: f"At the mark between poorly and closely, {POOR:g}: {said}.",
        INCONCLUSIVE: f"Inconclusive: {verdict.reason}. As measured, {said}.",
    }[verdict.outcome]
    return " ".join(filter(None, (text, _here(verdict), _parting(verdict), _told(verdict))))


def _here(verdict: Verdict) -> str:
    low, high = (number(getattr(verdict.intervals[THESE_RULES], end), signed=True, digits=2) for end in ("low", "high"))
    return f"Under these rules, taken as they are, the interval is {low} to {high}."


def _parting(verdict: Verdict) -> str:
    if KNOWS_ONLY not in verdict.intervals:
        return ""
    both, knows, does = (percent(verdict.intervals[name].estimate) for name in (BOTH, KNOWS_ONLY, DOES_ONLY))
    return (
        f"Of all pairs of a policy and a rule, {knows} know and do not do, {does} do and do not know, and {both} know "
        "and do."
    )


def _told(verdict: Verdict) -> str:
    for told, untold in TOLD.items():
        found = verdict.intervals.get(f"{told} minus {untold}, adapted")
        if found is not None:
            more = points(found.estimate, signed=True)
            between = f"{level()}: {ends(found, signed=True)}"
            return f"A generalist that is told the rule scores {more} against one that is not ({between})."
    return ""


CLAIM = Claim(
    id="awareness",
    question="Does knowing the rule go with earning more?",
    statement="What organizations know of a rule correlates poorly with what they earn under it.",
    setting="all trained arms under held-out rules, frozen; what they know is read from the last hidden layer by a "
    "ridge regression that was fitted under training rules, among scripted organizations",
    measure="correlation, over policies and held-out rules, of the R2 of what is read of a rule with the return under "
    "it, both less their mean over policies under that rule; every arm has the same weight",
    thresholds=f"supported: upper 95% limit below {POOR - MARGIN:.2f}; contradicted: lower limit above "
    f"{POOR + MARGIN:.2f}; no material difference: both limits from {POOR - MARGIN:.2f} to {POOR + MARGIN:.2f}; "
    "otherwise inconclusive, as when the generalist fails the competence gate, or when what policies know or what they "
    f"earn differs between them with a reliability below {LEAST_RELIABILITY}",
    judge=judge,
    answer=answer,
    essay="awareness of algorithmic systems correlates poorly with effective engagement",
    protocols=("probe",),
)
