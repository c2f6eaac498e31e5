"""PPO of stable-baselines3 on the native VecEnv; a callback changes the rule halfway through the training."""

from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from ruleshift.envs import Economy
from ruleshift.train import MarketVecEnv

STEPS = 61_440


class ChangeOfRule(BaseCallback):
    """Lets the market play another rule from the first episode that begins after `at` agent-steps."""

    def __init__(self, at: int, to: str) -> None:
        super().__init__()
        self.at, self.to, self.changed = at, to, False

    def _on_step(self) -> bool:
        if not self.changed and self.num_timesteps >= self.at:
            self.training_env.set_attr("rule", self.to)
            self.changed = True
        return True


def main() -> None:
    env = MarketVecEnv("price_board", markets=16, economy=Economy(rounds=20), seed=1)
    learner = PPO("MlpPolicy", env, n_steps=40, batch_size=640, gamma=0.97, seed=1, device="cpu")
    for name, callback in (("price_board", None), ("promoted_listing", ChangeOfRule(0, "promoted_listing"))):
        learner.learn(STEPS // 2, callback=callback, reset_num_timesteps=callback is None)
        played = env.market.rule_in_force(0).name
        assert played == name, played
        earned = [episode["r"] for episode in learner.ep_info_buffer or ()]
        lengths = {episode["l"] for episode in learner.ep_info_buffer or ()}
        assert lengths == {20}, lengths
        print(f"{name}: mean return of the last episodes {sum(earned) / len(earned):.2f}, each of {lengths} rounds")


if __name__ == "__main__":
    main()
