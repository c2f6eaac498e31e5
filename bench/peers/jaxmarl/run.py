"""JaxMARL's simple_spread on one CPU core: agent-steps per second at the best batch.

Many copies of `MPE_simple_spread_v3` (3 agents) step under `vmap` inside a jitted
`lax.scan`. Actions are drawn at random before the timing; the environment's own
`step` resets it after each episode, 26 steps as it counts them. Every step's
observations and rewards go into the scan's carry, so that the compiler cannot
leave them out.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))

from peer_timing import Block, argument_parser, measure_best, report, use_one_core

ENVIRONMENT = "MPE_simple_spread_v3"
BATCHES = (1, 16, 64, 256, 1024, 4096, 16384)
FEWEST_STEPS = 25
MOST_STEPS = 1000
TARGET_ENV_STEPS = 65536
XLA_FLAGS = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def scan_length(batch: int) -> int:
    """Few steps for a large batch, many for a small one to hide the cost of a call."""
    return min(MOST_STEPS, max(FEWEST_STEPS, TARGET_ENV_STEPS // batch))


def make_block(batch: int) -> Block:
    """A function that steps `batch` environments through one compiled scan."""
    import jax
    import jax.numpy as jnp
    import jaxmarl

    env = jaxmarl.make(ENVIRONMENT)
    steps = scan_length(batch)
    reset_key, action_key, run_key = jax.random.split(jax.random.key(0), 3)
    actions = {
        agent: jax.random.randint(key, (steps, batch), 0, env.action_space(agent).n)
        for agent, key in zip(env.agents, jax.random.split(action_key, env.num_agents), strict=True)
    }
    observations, states = jax.vmap(env.reset)(jax.random.split(reset_key, batch))
    returns = {agent: jnp.zeros(batch) for agent in env.agents}

    def step(carry, action):
        key, states, _, returns, episodes = carry
        key, step_key = jax.random.split(key)
        observations, states, rewards, dones, _ = jax.vmap(env.step)(jax.random.split(step_key, batch), states, action)
        returns = jax.tree.map(jnp.add, returns, rewards)
        return (key, states, observations, returns, episodes + dones["__all__"]), None

    @jax.jit
    def run_scan(carry, actions):
        return jax.lax.scan(step, carry, actions)[0]

    carry = (run_key, states, observations, returns, jnp.zeros(batch, jnp.int32))

    def block() -> int:
        nonlocal carry
        carry = jax.block_until_ready(run_scan(carry, actions))
        return steps * batch * env.num_agents

    return block


def main() -> None:
    parser = argument_parser("JaxMARL's simple_spread on one CPU core")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    arguments = parser.parse_args()
    use_one_core(arguments.core)
    os.environ["XLA_FLAGS"] = XLA_FLAGS
    os.environ["JAX_PLATFORMS"] = "cpu"
    batch, measurement, survey = measure_best(make_block, arguments.batches, arguments.seconds)
    report(
        "jaxmarl",
        batch,
        measurement,
        ("jaxmarl", "jax", "jaxlib", "numpy"),
        environment=ENVIRONMENT,
        scan_steps=scan_length(batch),
        survey=survey,
    )


if __name__ == "__main__":
    main()
