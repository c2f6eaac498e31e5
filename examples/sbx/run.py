"""PPO of sbx (stable-baselines3 in JAX) on the native VecEnv."""

from sbx import PPO

from ruleshift.envs import Economy
from ruleshift.train import MarketVecEnv

ROUNDS = 20


def main() -> None:
    env = MarketVecEnv("price_board", markets=16, economy=Economy(rounds=ROUNDS), seed=1)
    learner = PPO("MlpPolicy", env, n_steps=40, batch_size=640, gamma=0.97, seed=1)
    learner.learn(51_200)
    episodes = list(learner.ep_info_buffer or ())
    assert {episode["l"] for episode in episodes} == {ROUNDS}
    print(f"mean return of the last episodes {sum(each['r'] for each in episodes) / len(episodes):.2f}")


if __name__ == "__main__":
    main()
