"""The claim about how often rules must change for variety to pay: where loss at home and gain away balance."""

import numpy as np

from ruleshift.eval.claims.arms import GENERALIST, SPECIALIST
from ruleshift.eval.claims.claim import (
    INCONCLUSIVE,
    NO_DIFFERENCE,
    Claim,
    Judgement,
    Verdict,
    as_measured,
    judge_by_margin,
    margin_thresholds,
    measured,
    obstacle,
    unmeasured,
)
from ruleshift.eval.claims.returns import Returns, at_homes, of_arm
from ruleshift.eval.claims.transfer import no_scale, scale
from ruleshift.eval.claims.wording import level, listed, percent
from ruleshift.eval.statistics import Interval, Ratio, Statistic, bootstrap, equal, interval, intervals, mean

SHARE = 0.5
"""Share of the rounds under held-out rules at which the claim is judged, 0 .. 1."""
SHARES = np.linspace(0, 1, 101)
"""Shares of the rounds under held-out rules at which the net gain is computed."""
CASES = ("always", "never", "between", "reversed")
"""Shares at which variety pays: all; none; those above the break-even; those below it (a gain at home, a loss away)."""


def loss_and_gain(returns: Returns) -> Statistic:
    """Loss at home and gain away of the generalist against the specialist, (B, 2), in mean job values per round.

    Raises:
        ValueError: the study lacks an arm.
    """
    lost, gained = _lost_and_gained(returns)
    return lambda weights: np.stack([mean(lost, weights), mean(gained, weights)], axis=1)


def _lost_and_gained(returns: Returns) -> tuple[np.ndarray, np.ndarray]:
    """What the generalist earns less at home, (H, 1, S, P, E), and more away, (H, G, S, P, E)."""
    lost = of_arm(returns.home, SPECIALIST, "the home return") - of_arm(returns.home, GENERALIST, "the home return")
    gained = of_arm(returns.adapted, GENERALIST, "the adapted return")
    gained = gained - of_arm(returns.adapted, SPECIALIST, "the adapted return")
    return lost, gained


def cases(pairs: np.ndarray) -> np.ndarray:
    """Case (B,) of each row of losses and gains (B, 2), as an index of `CASES`."""
    loss, gain = pairs.T
    return np.select([(loss <= 0) & (gain >= 0), (loss >= 0) & (gain <= 0), (loss > 0) & (gain > 0)], [0, 1, 2], 3)


def break_even(loss: float, gain: float) -> float:
    """Share of rounds under held-out rules at which variety neither pays nor costs, p* = L / (L + G), 0 .. 1.

    It is 0 if variety always pays, and 1 if it never does. In the case `reversed` variety pays below p*.

    Args:
        loss: loss at home, L.
        gain: gain away, G, in the same unit.
    """
    case = CASES[cases(np.array([[loss, gain]]))[0]]
    return {"always": 0.0, "never": 1.0}[case] if case in ("always", "never") else loss / (loss + gain)


def net(returns: Returns, share: float) -> Ratio:
    """Net gain of variety, (B,), if this share of the rounds, 0 .. 1, is under held-out rules.

    The scale, from floor (0) to best reply (1), is the mean of that of the rounds at home and that of the rounds away.

    Raises:
        ValueError: the study lacks an arm.
    """
    lost, gained = _lost_and_gained(returns)
    at_home = at_homes(returns.home_best_reply - returns.home_floor)
    return Ratio(share * gained - (1 - share) * lost, share * scale(returns) + (1 - share) * at_home)


def judge(returns: Returns) -> Verdict:
    """Judge the claim. The numbers are the break-even share, what is sure about it, and the shares of draws by case.

    What is sure about p* is read off the interval of the net gain at each share (Fieller 1954), since p* is a ratio
    whose denominator may be 0.

    Raises:
        ValueError: the study lacks an arm that the claim is about.
    """
    at_home = at_homes(returns.home_best_reply - returns.home_floor)
    problem = obstacle(returns) or no_scale(returns, scale(returns)) or no_scale(returns, at_home)
    if problem:
        return Verdict(CLAIM.id, INCONCLUSIVE, problem)
    pairs, sizes = loss_and_gain(returns), returns.sizes
    loss, gain = intervals(pairs, sizes)
    numbers = _where([interval(net(returns, float(share)), sizes) for share in SHARES])
    numbers["p_star"] = break_even(*map(float, pairs(equal(sizes))[0]))
    drawn = np.bincount(cases(bootstrap(pairs, sizes)), minlength=len(CASES))
    numbers |= {f"share_{name}": float(count / drawn.sum()) for name, count in zip(CASES, drawn, strict=True)}
    more = {"loss at home": loss, "gain away": gain}
    return judge_by_margin(CLAIM.id, net(returns, SHARE), returns, (GENERALIST, SPECIALIST), more, numbers)


def _where(nets: list[Interval]) -> dict[str, float]:
    """First and last share at which variety surely pays, and at which it surely costs; absent if there is none."""
    sure = {"pays": [each.low > 0 for each in nets], "costs": [each.high < 0 for each in nets]}
    where = {word: SHARES[flags] for word, flags in sure.items() if any(flags)}
    ends = {"from": 0, "to": -1}
    return {f"surely_{word}_{end}": float(at[index]) for word, at in where.items() for end, index in ends.items()}


def answer(judgement: Judgement) -> str:
    """Say what the break-even share of rounds under changed rules is, and how sure it is."""
    verdict = judgement.verdicts[CLAIM.id]
    if verdict.measure is None:
        return unmeasured(verdict)
    loss, gain = (verdict.intervals[name].estimate for name in ("loss at home", "gain away"))
    share = percent(min(max(break_even(loss, gain), 0.01), 0.99))
    text = {
        "always": "However rarely rules change, the generalist is the better choice: it loses nothing at home.",
        "never": "However often rules change, the specialist is the better choice: the generalist gains nothing away.",
        "between": f"The specialist is the better choice if fewer than {share} of rounds are played under changed "
        "rules, and the generalist if more are.",
        "reversed": "Contrary to expectation, the generalist gains at home and loses away. It is the better "
        f"choice only if fewer than {share} of rounds are played under changed rules.",
    }[CASES[cases(np.array([[loss, gain]]))[0]]]
    if judgement.incompetent:
        text = as_measured(judgement, text)
    elif verdict.outcome == INCONCLUSIVE:
        text = f"Inconclusive. {measured(text)}"
    elif verdict.outcome == NO_DIFFERENCE:
        text = f"If half of the rounds are under changed rules, there is no material difference. {measured(text)}"
    return f"{text} {_sure(verdict)}"


def _sure(verdict: Verdict) -> str:
    """Say at which shares one of the two arms is better beyond doubt."""
    sure, parts = verdict.numbers, []
    for which, who in (("pays", "the generalist"), ("costs", "the specialist")):
        low, high = (sure.get(f"surely_{which}_{end}") for end in ("from", "to"))
        if low is not None and high is not None:
            parts.append(f"{who} is better if {percent(low)} to {percent(high)} of rounds are under changed rules")
    if not parts:
        return f"At no share does the {level()} show that either is better."
    return f"The {level()} shows that {listed(parts)}."


CLAIM = Claim(
    id="break_even",
    question="How often must rules change for variety to pay?",
    statement="If half of the rounds are under held-out rules, training on many rules pays more than training on one.",
    setting=f"{GENERALIST} against {SPECIALIST}: frozen on the home rules, still learning under held-out rules",
    measure=f"[p G - (1 - p) L] / [p (best reply - floor) away + (1 - p) at home] at p = {SHARE}, where L is the loss "
    "at home and G the gain away; also the break-even share p* = L / (L + G)",
    thresholds=margin_thresholds("an arm"),
    judge=judge,
    answer=answer,
    essay="when those systems change, when new coordination challenges emerge",
)
