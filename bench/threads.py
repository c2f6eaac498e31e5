"""Two threads against one, for steps of 512 and of 2,048 markets of N = J = 8, K = 3."""

import os

from markets import step_block
from timing import arguments, interleave, ratio

from ruleshift.envs import Market

if __name__ == "__main__":
    options = arguments(__doc__)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    for markets in (512, 2048):
        blocks = {
            "two": step_block(Market("price_board", markets=markets, threads=2)),
            "one": step_block(Market("price_board", markets=markets)),
        }
        rates = interleave(blocks, options.seconds / 2)
        print(f"{markets} markets: two threads / one {ratio(rates, 'two', 'one')}, target 1.6")
