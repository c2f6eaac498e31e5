"""SuperSuit's vector wrappers around a PettingZoo market: agent-steps per second.

The environment comes from a factory named on the command line. SuperSuit turns
its agents into a vector, joins M copies of it in this process and wraps them for
stable-baselines3, the usual road to training with shared parameters. Actions are
drawn at random before the timing; SuperSuit itself resets finished episodes.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))

from peer_timing import Block, argument_parser, measure_best, report, use_one_core

BATCHES = (1, 8)
BLOCK_STEPS = 50


def load_factory(name: str) -> Callable[[], Any]:
    """The function that `module:function` names."""
    module, _, function = name.partition(":")
    if not module or not function:
        raise SystemExit(f"--market wants module:function, not {name!r}")
    return getattr(importlib.import_module(module), function)


def draw_actions(space: Any, steps: int, rows: int) -> Any:
    """Uniform Box actions, (steps, rows, *shape); infinite bounds count as -1 and 1."""
    import numpy as np

    low = np.where(np.isfinite(space.low), space.low, -1.0)
    high = np.where(np.isfinite(space.high), space.high, 1.0)
    uniform = np.random.default_rng(0).random((steps, rows, *space.shape))
    return (low + (high - low) * uniform).astype(space.dtype)


def make_block(factory: Callable[[], Any], copies: int) -> Block:
    """A function that steps `copies` wrapped environments BLOCK_STEPS times."""
    import supersuit

    agents_as_rows = supersuit.pettingzoo_env_to_vec_env_v1(factory())
    env = supersuit.concat_vec_envs_v1(agents_as_rows, copies, num_cpus=0, base_class="stable_baselines3")
    env.reset()
    actions = draw_actions(env.action_space, BLOCK_STEPS, env.num_envs)

    def block() -> int:
        for action in actions:
            env.step(action)
        return BLOCK_STEPS * env.num_envs

    return block


def main() -> None:
    parser = argument_parser("SuperSuit's vector wrappers around a PettingZoo market")
    parser.add_argument("--market", required=True, help="module:function of the factory")
    parser.add_argument("--path", help="folder to import the factory's module from")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    arguments = parser.parse_args()
    use_one_core(arguments.core)
    if arguments.path:
        sys.path.insert(0, str(Path(arguments.path).resolve()))
    factory = load_factory(arguments.market)
    batch, measurement, survey = measure_best(
        lambda copies: make_block(factory, copies), arguments.batches, arguments.seconds
    )
    report(
        "supersuit",
        batch,
        measurement,
        ("supersuit", "pettingzoo", "gymnasium", "stable-baselines3", "torch", "numpy"),
        market=arguments.market,
        survey=survey,
    )


if __name__ == "__main__":
    main()
