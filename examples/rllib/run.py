"""RLlib: one shared policy learns in the PettingZoo market, and one organization in the native vector environment."""

from typing import Any

import gymnasium
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env

import ruleshift.agents  # noqa: F401 - registers ruleshift/Market-v0
from ruleshift.envs import market_v0

ROUNDS = 10


def trained(config: PPOConfig, updates: int = 3) -> dict[str, Any]:
    """Return what the last of some updates reports about its episodes."""
    algorithm = config.training(
        train_batch_size_per_learner=800, minibatch_size=200, num_epochs=2, gamma=0.97
    ).build_algo()
    results = [algorithm.train() for _ in range(updates)]
    algorithm.stop()
    found: dict[str, Any] = results[-1]["env_runners"]
    assert found["episode_len_mean"] == ROUNDS, found["episode_len_mean"]
    return found


def main() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_env("market", lambda config: ParallelPettingZooEnv(market_v0.parallel_env(**config)))
    together = (
        PPOConfig()
        .environment("market", env_config={"rule": "price_board", "rounds": ROUNDS})
        .env_runners(num_env_runners=1)
        .multi_agent(policies={"shared"}, policy_mapping_fn=lambda agent, episode, **_: "shared")
    )
    print(f"all organizations: mean return of an episode {trained(together)['episode_return_mean']:.2f} (sum over all)")
    alone = (
        PPOConfig()
        .environment(
            "ruleshift/Market-v0",
            env_config={"rule": "price_board", "rounds": ROUNDS, "autoreset_mode": "next_step"},
        )
        .env_runners(num_env_runners=0, num_envs_per_env_runner=8, gym_env_vectorize_mode="vector_entry_point")
    )
    print(f"one organization, vector mode: mean return of an episode {trained(alone)['episode_return_mean']:.2f}")
    ray.shutdown()
    assert "ruleshift/Market-v0" in gymnasium.registry


if __name__ == "__main__":
    main()
