"""mpe2's simple_spread with 8 agents in a plain Python loop: agent-steps per second.

One PettingZoo parallel environment on one core. Actions are drawn at random
before the timing; the loop resets the environment after each episode of 25 steps.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))

from peer_timing import Block, argument_parser, measure, report, use_one_core

AGENTS = 8
BLOCK_STEPS = 100


def make_block() -> Block:
    """A function that steps one environment BLOCK_STEPS times."""
    from mpe2 import simple_spread_v3

    env = simple_spread_v3.parallel_env(N=AGENTS)
    env.reset(seed=0)
    draw = random.Random(0)
    choices = {agent: int(env.action_space(agent).n) for agent in env.possible_agents}
    actions = [{agent: draw.randrange(count) for agent, count in choices.items()} for _ in range(BLOCK_STEPS)]

    def block() -> int:
        for action in actions:
            env.step(action)
            if not env.agents:
                env.reset()
        return BLOCK_STEPS * AGENTS

    return block


def main() -> None:
    arguments = argument_parser("mpe2's simple_spread in a plain loop").parse_args()
    use_one_core(arguments.core)
    block = make_block()
    block()
    report(
        "mpe2",
        1,
        measure(block, arguments.seconds),
        ("mpe2", "pettingzoo", "gymnasium", "numpy"),
        environment="simple_spread_v3",
        agents=AGENTS,
    )


if __name__ == "__main__":
    main()
