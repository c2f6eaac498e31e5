"""Nanoseconds per agent-step of the compiled kernel, by rule, and by mechanism against the ranking.

64 markets of N = J = 8, K = 3 run on one core, with observations written. All mechanisms have the scoring, payment and
everything else of the rule sealed_tender, which under its own mechanism (serial) is the ranking.
"""

from markets import bare_kernel_block
from timing import CPU, arguments, interleave, median, ratio

from ruleshift.envs import Rule, list_rules, load_rule
from ruleshift.envs.mechanisms import MECHANISMS

RANKING = "sealed_tender"


def under(mechanism: str) -> Rule:
    """Return the ranking's rule with another mechanism."""
    return load_rule(RANKING).replace(**{"name": mechanism, "matching.mechanism": mechanism})


if __name__ == "__main__":
    options = arguments(__doc__)
    rates = interleave({rule: bare_kernel_block(rule, 64) for rule in list_rules()}, options.seconds / 2, CPU)
    for rule, each in rates.items():
        print(f"{rule:<28}{1e9 / median(each):8.0f} ns per agent-step")
    blocks = {mechanism: bare_kernel_block(under(mechanism), 64) for mechanism in MECHANISMS}
    rates = interleave(blocks, options.seconds / 2, CPU)
    print("mechanism, and its cost over that of the ranking")
    for mechanism, each in rates.items():
        print(f"{mechanism:<28}{1e9 / median(each):8.0f} ns   {ratio(rates, 'serial', mechanism)}")
