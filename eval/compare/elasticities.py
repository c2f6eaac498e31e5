"""How the odds of being chosen respond to each signal under a rule."""

import math

from ruleshift.envs import Rule
from ruleshift.eval.compare.phrases import idle


def odds_answers(rules: tuple[Rule, Rule]) -> list[tuple[str, tuple[float, float]]]:
    """Factors by which a signal that is a tenth better multiplies the odds under each of two rules.

    The factor is 1.1**(amplification * weight), and infinite under a ranking, where any lead decides. A better price is
    an ask that is lower by a tenth or, under a logit signal, by a tenth of the value.

    Returns:
        For each signal that either rule weighs, its label and the two factors, 1 or more.
    """
    better = {
        "price": "an ask a tenth lower", "capability": "a capability a tenth higher",
        "reputation": "a reputation a tenth higher", "promotion": "a promotion (and floor) a tenth higher",
        "popularity": "a popularity a tenth higher", "focus": "a tenth more attention to the kind",
        "proximity": "a proximity a tenth higher",
    }  # fmt: skip
    return [
        (words, (_answer(rules[0], signal), _answer(rules[1], signal)))
        for signal, words in better.items()
        if any(getattr(rule.scoring.weights, signal) > 0 for rule in rules)
    ]


def _answer(rule: Rule, signal: str) -> float:
    power = getattr(rule.scoring.weights, signal)
    if power == 0 or idle(f"scoring.weights.{signal}", rule):
        return 1.0
    power *= rule.scoring.amplification
    if signal == "price" and rule.scoring.price_signal == "logit":
        return math.exp(min(0.1 * power / rule.scoring.logit_scale, 700))
    step = 1 / 0.9 if signal == "price" else 1.1
    return math.inf if math.isinf(power) else math.exp(min(power * math.log(step), 700))
