"""Nanoseconds an organization and round, by rule: 64 markets of N = J = 8, K = 3, observations written, one core."""

from markets import bare_kernel_block
from timing import arguments, interleave, median

from ruleshift.envs import list_rules

if __name__ == "__main__":
    options = arguments(__doc__)
    rates = interleave({rule: bare_kernel_block(rule, 64) for rule in list_rules()}, options.seconds)
    for rule, each in rates.items():
        print(f"{rule:<24}{1e9 / median(each):8.0f} ns an agent-step")
