"""Tianshou: PPO as one organization of the Gymnasium market."""

import gymnasium
import numpy as np
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic

MARKETS, ROUNDS = 8, 20


def market() -> gymnasium.Env:
    return gymnasium.make("ruleshift:ruleshift/Market-v0", rule="price_board", rounds=ROUNDS)


def normal(parameters: tuple[torch.Tensor, torch.Tensor]) -> torch.distributions.Distribution:
    return torch.distributions.Independent(torch.distributions.Normal(*parameters), 1)


def main() -> None:
    torch.manual_seed(1)
    training, test = (DummyVectorEnv([market for _ in range(MARKETS)]) for _ in range(2))
    training.seed(1)
    test.seed(2)
    one = market()
    seen, done = one.observation_space.shape, one.action_space.shape
    assert seen is not None
    assert done is not None
    actor = ContinuousActorProbabilistic(
        preprocess_net=Net(state_shape=seen, hidden_sizes=(64, 64)), action_shape=done, unbounded=True
    )
    critic = ContinuousCritic(preprocess_net=Net(state_shape=seen, hidden_sizes=(64, 64)))
    policy = ProbabilisticActorPolicy(actor=actor, dist_fn=normal, action_space=one.action_space)
    algorithm: PPO = PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.97)
    collector = Collector[CollectStats](algorithm, training, VectorReplayBuffer(800, MARKETS))
    tester = Collector[CollectStats](algorithm, test)
    tester.reset()
    first = tester.collect(n_episode=MARKETS)
    assert np.all(first.lens == ROUNDS)
    algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=collector,
            test_collector=tester,
            max_epochs=4,
            epoch_num_steps=1_600,
            batch_size=200,
            collection_step_num_env_steps=800,
            update_step_num_repetitions=4,
            test_step_num_episodes=MARKETS,
            verbose=False,
            show_progress=False,
        )
    )
    tester.reset()
    last = tester.collect(n_episode=MARKETS)
    print(f"mean return of an episode: {first.returns.mean():.2f} at first, {last.returns.mean():.2f} in the end")


if __name__ == "__main__":
    main()
