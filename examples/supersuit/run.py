"""PPO of stable-baselines3 on the PettingZoo market, made a VecEnv by SuperSuit."""

import supersuit
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from ruleshift.envs import market_v0

ROUNDS = 20


def main() -> None:
    rows = supersuit.pettingzoo_env_to_vec_env_v1(market_v0.parallel_env("price_board", rounds=ROUNDS))
    env = VecMonitor(supersuit.concat_vec_envs_v1(rows, 4, num_cpus=0, base_class="stable_baselines3"))
    learner = PPO("MlpPolicy", env, n_steps=64, batch_size=512, gamma=0.97, seed=None, device="cpu")
    learner.learn(20_480)
    episodes = list(learner.ep_info_buffer or ())
    assert {episode["l"] for episode in episodes} == {ROUNDS}
    print(f"mean return of the last episodes {sum(each['r'] for each in episodes) / len(episodes):.2f}")


if __name__ == "__main__":
    main()
