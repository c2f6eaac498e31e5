"""PPO in one file and plain torch, in the style of CleanRL, on the native vector environment of Gymnasium."""

import gymnasium
import numpy as np
import torch
from torch import nn

MARKETS, ROUNDS, UPDATES, EPOCHS = 32, 20, 30, 4
GAMMA, LAMBDA, CLIP = 0.97, 0.95, 0.2


def layers(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))


def main() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    envs = gymnasium.make_vec("ruleshift:ruleshift/Market-v0", num_envs=MARKETS, rule="price_board", rounds=ROUNDS)
    (size,), (width,) = envs.single_observation_space.shape, envs.single_action_space.shape
    actor, critic, spread = layers(size, width), layers(size, 1), nn.Parameter(torch.full((width,), -0.5))
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), spread], lr=1e-3)

    def policy(seen: torch.Tensor) -> torch.distributions.Normal:
        return torch.distributions.Normal(actor(seen), spread.exp())

    observations, _ = envs.reset(seed=1)
    history = []
    for _ in range(UPDATES):
        rows = []
        for _ in range(ROUNDS):  # an episode of each market
            seen = torch.as_tensor(observations)
            with torch.no_grad():
                action = policy(seen).sample()
                logs, value = policy(seen).log_prob(action).sum(1), critic(seen)[:, 0]
            observations, rewards, _, truncations, infos = envs.step(action.numpy())
            rows.append((seen, action, logs, value, torch.as_tensor(rewards, dtype=torch.float32)))
        assert truncations.all()  # the markets were reset already, so that the last observations stand in the infos
        seen, actions, logs, values, earned = (torch.stack(column) for column in zip(*rows, strict=True))
        with torch.no_grad():
            following = critic(torch.as_tensor(np.stack(infos["final_obs"])))[:, 0]  # truncation: bootstrap
        advantages, running = torch.zeros_like(earned), torch.zeros(MARKETS)
        for t in reversed(range(ROUNDS)):
            running = earned[t] + GAMMA * following - values[t] + GAMMA * LAMBDA * running
            advantages[t], following = running, values[t]
        returns, gain = advantages + values, (advantages - advantages.mean()) / advantages.std()
        for _ in range(EPOCHS):
            normal = policy(seen)
            ratio = (normal.log_prob(actions).sum(2) - logs).exp()
            improved = torch.min(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean()
            loss = 0.5 * ((critic(seen)[..., 0] - returns) ** 2).mean() - improved
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        history.append(earned.sum(0).mean().item())
    envs.close()
    print(f"mean return of an episode: {np.mean(history[:3]):.2f} at first, {np.mean(history[-3:]):.2f} in the end")


if __name__ == "__main__":
    main()
