"""TorchRL: the specifications of the market are checked, and PPO with shared weights learns in it."""

import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.data import Composite
from torchrl.envs import PettingZooWrapper, check_env_specs
from torchrl.modules import NormalParamExtractor, ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss

from ruleshift.envs import market_v0

ROUNDS, UPDATES, EPOCHS = 20, 15, 4
GROUP = "org"


def layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def main() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    env = PettingZooWrapper(market_v0.parallel_env("price_board", rounds=ROUNDS), categorical_actions=False)
    check_env_specs(env)
    assert isinstance(env.full_action_spec, Composite)
    space = env.full_action_spec[GROUP, "action"]
    size, width = env.observation_spec[GROUP, "observation"].shape[-1], space.shape[-1]
    seen, action = (GROUP, "observation"), (GROUP, "action")
    normal = TensorDictModule(
        nn.Sequential(layers(size, 2 * width), NormalParamExtractor()), [seen], [(GROUP, "loc"), (GROUP, "scale")]
    )
    actor = ProbabilisticActor(
        normal, spec=env.full_action_spec, in_keys=[(GROUP, "loc"), (GROUP, "scale")], out_keys=[action],
        distribution_class=TanhNormal, return_log_prob=True, log_prob_key=(GROUP, "log_prob"),
    )  # fmt: skip
    critic = ValueOperator(layers(size, 1), in_keys=[seen], out_keys=[(GROUP, "state_value")])
    loss = ClipPPOLoss(actor, critic, normalize_advantage=True)
    loss.set_keys(
        reward=(GROUP, "reward"), action=action, sample_log_prob=(GROUP, "log_prob"), value=(GROUP, "state_value"),
        done=(GROUP, "done"), terminated=(GROUP, "terminated"),
    )  # fmt: skip
    loss.make_value_estimator(gamma=0.97, lmbda=0.95)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    history = []
    for _ in range(UPDATES):
        with torch.no_grad():
            batch = torch.stack([env.rollout(ROUNDS, actor, break_when_any_done=True) for _ in range(4)])
            assert batch.shape == (4, ROUNDS)
            loss.value_estimator(
                batch, params=loss.critic_network_params, target_params=loss.target_critic_network_params
            )
        for _ in range(EPOCHS):
            losses = loss(batch)
            optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]).backward()
            optimizer.step()
        history.append(batch["next", GROUP, "reward"].sum(1).mean().item())
    env.close()
    print(f"mean return of an episode: {history[0]:.2f} at first, {history[-1]:.2f} in the end")


if __name__ == "__main__":
    main()
