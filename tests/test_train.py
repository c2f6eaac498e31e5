"""Learning: the leaner PPO is PPO, a killed run ends with the same bits, and learning earns more than not learning."""

import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ruleshift.agents import Card, Constant, Seats, load_policy, rival_population
from ruleshift.envs import MEASURES, Economy, load_rule
from ruleshift.train import MarketPPO, MarketVecEnv, Settings, learning_curve, train
from ruleshift.train.checkpoint import learned_policy

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SETTINGS = Settings(markets=4, rollout=40, minibatch=20, epochs=2, hidden=(8,))
RUN: dict[str, Any] = {
    "economy": ECONOMY,
    "settings": SETTINGS,
    "steps": 360,
    "seed": 5,
    "tensorboard": False,
    "quiet": True,
    "snapshots": 6,
}


def _weights(folder):
    return (folder / "policy.safetensors").read_bytes()


def _ppo(kind):
    env = MarketVecEnv("promoted_listing", markets=3, economy=ECONOMY, seats=Seats.shared(4, [Constant()]))
    return kind("MlpPolicy", env, n_steps=10, batch_size=30, n_epochs=2, gamma=0.98, seed=1, device="cpu")


def test_market_ppo__is_stock_ppo():
    stock, ours = _ppo(PPO).learn(240), _ppo(MarketPPO).learn(240)
    assert stock.num_timesteps == ours.num_timesteps
    for name, weight in stock.policy.state_dict().items():
        np.testing.assert_allclose(ours.policy.state_dict()[name], weight, atol=2e-5, err_msg=name)


def test_market_ppo__bootstraps_truncated_rows():
    model = _ppo(MarketPPO).learn(60)
    rewards, last = np.zeros(6, np.float32), np.ones((6, 64), np.float32)
    infos = [{"TimeLimit.truncated": row < 4, "terminal_observation": last[row]} for row in range(6)]
    model._bootstrap(rewards, np.array([True, False, True, True, True, True]), infos)
    value = model.policy.predict_values(model.policy.obs_to_tensor(last)[0]).detach().numpy()[0, 0]
    np.testing.assert_allclose(rewards, 0.98 * value * np.array([1, 0, 1, 1, 0, 0]), rtol=1e-6)


def test_market_ppo__nothing_follows_bankruptcy():
    """Returns by hand: a row's value is cut where a newcomer takes the seat, and bootstrapped at truncation only."""
    economy = Economy(organizations=4, jobs=4, rounds=7, initial_cash=0.1, effort_cost=0.8)
    rule = load_rule("price_board").replace(**{"feedback.entry": "replacement"})
    env = MarketVecEnv(rule, markets=3, economy=economy, seats=Seats.shared(4, [Constant()]))
    model = MarketPPO(
        "MlpPolicy", env, learning_rate=0.0, n_steps=12, batch_size=36, gamma=0.9, gae_lambda=1.0, seed=1, device="cpu"
    )
    log: list[Any] = []
    play = env.step_wait

    def logged():
        seen, rewards, dones, infos = play()
        log.append((seen, rewards.copy(), dones, infos))
        return seen, rewards, dones, infos

    env.step_wait = logged  # type: ignore[method-assign]
    model.learn(72)

    def value(seen: np.ndarray) -> float:
        return float(model.policy.predict_values(model.policy.obs_to_tensor(seen[None])[0]).detach()[0, 0])

    returns = model.rollout_buffer.returns.reshape(6, 12)  # by row, after learning
    for row in range(6):
        expected = value(log[-1][0][row])
        for t in reversed(range(12)):
            _, rewards, dones, infos = log[t]
            if dones[row]:
                truncated = infos[row]["TimeLimit.truncated"]
                expected = value(infos[row]["terminal_observation"]) if truncated else 0.0
            expected = float(rewards[row]) + 0.9 * expected
            assert returns[row, t] == pytest.approx(expected, abs=1e-4)
    ends = {info["TimeLimit.truncated"] for *_, infos in log for info in infos if info}
    assert ends == {True, False}


def test_learned_policy__acts_as_the_network_that_learned():
    model = _ppo(MarketPPO)
    policy = learned_policy(model, Card(kinds=3))
    seen = model.env.reset()
    np.testing.assert_allclose(policy.act(seen)[0], model.predict(seen, deterministic=True)[0], atol=1e-6)


class _Killer:
    """Interrupts a run before its rollout of this number."""

    def __init__(self, rollout):
        self.left = rollout

    def __call__(self, model):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("arm", ["fixed", "randomized+memory"])
def test_train__a_killed_run_ends_with_the_same_bits(tmp_path, arm):
    given = {"fixed": "promoted_listing", "randomized+memory": "platforms"}[arm]
    train(given, arm=arm, out=tmp_path / "whole", **RUN)
    for rollout in (3, 4):  # killed at a checkpoint, then between two
        with pytest.raises(KeyboardInterrupt):
            train(given, arm=arm, out=tmp_path / "killed", checkpoint_rollouts=3, on_rollout=_Killer(rollout), **RUN)
        assert not (tmp_path / "killed" / "policy.json").exists()
    train(given, arm=arm, out=tmp_path / "killed", **RUN)
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")
    whole, killed = (
        [(steps, _weights(path)) for steps, path in learning_curve(tmp_path / name)] for name in ("whole", "killed")
    )
    assert whole == killed
    assert [steps for steps, _ in whole] == [0, 80, 120, 200, 240, 320, 360]


def test_train__survives_sigkill(tmp_path):
    code = (
        "import os, signal, sys; from ruleshift.envs import Economy; from ruleshift.train import Settings, train\n"
        "train('promoted_listing', out=sys.argv[1], steps=360, seed=5, tensorboard=False, quiet=True, snapshots=6,\n"
        "    economy=Economy(organizations=4, jobs=4, rounds=7), checkpoint_rollouts=1,\n"
        "    settings=Settings(markets=4, rollout=40, minibatch=20, epochs=2, hidden=(8,)),\n"
        "    on_rollout=lambda model: model.num_timesteps == 200 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], check=False)
    assert killed.returncode == -signal.SIGKILL
    train("promoted_listing", out=tmp_path / "killed", **RUN)
    train("promoted_listing", out=tmp_path / "whole", **RUN)
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")


def test_train__a_complete_run_is_not_trained_again(tmp_path):
    policy = train("price_board", out=tmp_path, **RUN)
    again = train("price_board", out=tmp_path, on_rollout=_Killer(0), **RUN)
    assert again.describe() == policy.describe() == load_policy(tmp_path).describe()
    assert (again.card.arm, again.card.rule_hash, again.card.seed, again.card.steps) == (
        "fixed", load_rule("price_board").hash, 5, 360,
    )  # fmt: skip
    assert Economy(**{**again.card.economy, "initial_capability": (0.1, 0.5), "infrastructure": (0.0, 0.0)}) == ECONOMY
    assert not (tmp_path / "checkpoint.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 6}, r"seed is 5, not 6"),
        ({"steps": 400}, r"steps is 360, not 400"),
        ({"rivals": [Constant()]}, r"holds another run \(groups is"),
    ],
)
def test_train__refuses_the_folder_of_another_run(tmp_path, change, message):
    with pytest.raises(KeyboardInterrupt):
        train("price_board", out=tmp_path, on_rollout=_Killer(0), **RUN)
    with pytest.raises(ValueError, match=message):
        train("price_board", out=tmp_path, **{**RUN, **change})


def test_train__refuses_a_damaged_checkpoint(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: not a checkpoint of this run"):
        train("price_board", out=tmp_path, **RUN)


def test_train__leaves_global_generators_alone(tmp_path):
    np.random.seed(1)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    train("price_board", out=tmp_path, **RUN)
    assert np.random.rand() == expected  # noqa: NPY002


def test_train__tensorboard_shows_the_market(tmp_path):
    train("price_board", out=tmp_path, **{**RUN, "tensorboard": True})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {f"market/{name}" for name in MEASURES} <= set(events.Tags()["scalars"])
    assert all(0 < event.value <= 1.25 for event in events.Scalars("market/price"))


def _mean_return(policy, rule):
    """Mean profit a round of one seat among the scripted rivals, actions sampled, on markets never trained on."""
    env = MarketVecEnv(rule, markets=16, first_market=1000, seats=Seats.shared(8, rival_population(Economy()), 1))
    seen, total, rng = env.reset(), 0.0, np.random.default_rng(0)
    for _ in range(100):
        actions, _ = policy.act(seen, None, rng.standard_normal((env.num_envs, 6)))
        seen, rewards, _, _ = env.step(actions)
        total += float(rewards.mean())
    return total / 100


def test_train__learns(tmp_path):
    settings = Settings(markets=32, rollout=3200, minibatch=800)
    policy = train("promoted_listing", out=tmp_path, steps=64_000, settings=settings, snapshots=1, tensorboard=False,
                   quiet=True)  # fmt: skip
    untrained = load_policy(learning_curve(tmp_path)[0][1])
    before, after = _mean_return(untrained, "promoted_listing"), _mean_return(policy, "promoted_listing")
    assert after > before + 0.1
