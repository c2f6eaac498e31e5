"""Learning: the leaner PPO is PPO, a killed run ends with the same bits, and learning earns more than not learning."""

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ruleshift.agents import MEAN_RATES, Card, Constant, LearnedPolicy, Seats, load_policy, rival_population
from ruleshift.envs import MEASURES, Economy, Shift, load_rule
from ruleshift.train import (
    ARMS,
    MarketGroup,
    MarketPPO,
    MarketVecEnv,
    PPOSettings,
    TrainingPlan,
    learning_curve,
    load_rewards,
    train,
    training_groups,
)
from ruleshift.train.checkpoint import learned_policy
from ruleshift.train.networks import critic_weights, policy_weights

ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SETTINGS = PPOSettings(markets=4, rollout_size=40, batch_size=20, n_epochs=2, net_arch=(8,))
SMALL: dict[str, Any] = {"economy": ECONOMY, "settings": SETTINGS, "steps": 360, "seed": 5, "snapshots": 6}
QUIET: dict[str, Any] = {"tensorboard": False, "quiet": True}


def _plan(rule: Any, **changes: Any) -> TrainingPlan:
    return TrainingPlan(rule, **{**SMALL, **changes})


def _weights(folder: Path) -> bytes:
    return (folder / "policy.safetensors").read_bytes()


def _ppo(kind: Any) -> Any:
    env = MarketVecEnv("promoted_listing", markets=3, economy=ECONOMY, seats=Seats.shared(4, [Constant()]))
    return kind("MlpPolicy", env, n_steps=10, batch_size=30, n_epochs=2, gamma=0.98, seed=1, device="cpu")


def test_market_ppo__is_stock_ppo() -> None:
    stock, ours = _ppo(PPO).learn(240), _ppo(MarketPPO).learn(240)
    assert stock.num_timesteps == ours.num_timesteps
    for name, weight in stock.policy.state_dict().items():
        np.testing.assert_allclose(ours.policy.state_dict()[name], weight, atol=2e-5, err_msg=name)


def test_market_ppo__nothing_follows_bankruptcy() -> None:
    """The oracle is returns by hand: a row's value is cut where a newcomer takes the seat, and bootstrapped at
    truncation only."""
    economy = Economy(organizations=4, jobs=4, rounds=7, initial_cash=0.1, effort_cost=0.8)
    rule = load_rule("price_board").replace(**{"feedback.entry": "replacement"})
    env = MarketVecEnv(rule, markets=3, economy=economy, seats=Seats.shared(4, [Constant()]))
    model = MarketPPO(
        "MlpPolicy", env, learning_rate=0.0, n_steps=12, batch_size=36, gamma=0.9, gae_lambda=1.0, seed=1, device="cpu"
    )
    log: list[Any] = []
    play = env.step_wait

    def logged() -> Any:
        seen, rewards, dones, infos = play()
        log.append((seen, rewards.copy(), dones, infos))
        return seen, rewards, dones, infos

    env.step_wait = logged  # type: ignore[method-assign]
    model.learn(72)

    def value(seen: np.ndarray) -> float:
        return float(model.policy.predict_values(model.policy.obs_to_tensor(seen[None])[0]).detach()[0, 0])

    returns = model.rollout_buffer.returns.T  # by row
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


@pytest.mark.parametrize("rows", [1, 64, 300, 304, 7000])
def test_settings__minibatches_divide_a_rollout_and_are_near_to_what_was_asked(rows: int) -> None:
    """A rollout of an odd size is not learned from in one batch: eight steps cost the same as one and learn more."""
    settings = PPOSettings()
    rollout, batch = settings.n_steps(rows) * rows, settings.fitted_batch_size(rows)
    assert rollout % batch == 0
    assert rows <= rollout <= max(rows, settings.rollout_size)
    assert abs(batch - settings.batch_size) <= 100


@pytest.mark.parametrize(
    ("field", "value"),
    [("markets", 0), ("rollout_size", 0.5), ("n_epochs", True), ("gamma", 1.1), ("clip_range", float("nan"))],
)
def test_settings__a_value_out_of_range_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"settings: {field} is {value}; it must be "):
        PPOSettings(**{field: value})
    with pytest.raises(
        ValueError, match=r"settings: net_arch is \(8, 0\); it must be a list of at most 100 whole numbers from 1"
    ):
        PPOSettings(net_arch=(8, 0))


def test_learned_policy__acts_as_the_network_that_learned() -> None:
    model = _ppo(MarketPPO)
    policy = learned_policy(model, Card(kinds=3))
    seen = model.env.reset()
    np.testing.assert_allclose(policy.act(seen)[0], model.predict(seen, deterministic=True)[0], atol=1e-6)


class _Killer:
    """Interrupts a run before its rollout of this number."""

    def __init__(self, rollout: int) -> None:
        self.left = rollout

    def __call__(self, model: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("arm", ["fixed", "randomized+memory", "central+recurrent", "schema+memory"])
def test_train__a_killed_run_ends_with_the_same_bits(tmp_path: Path, arm: str) -> None:
    given = "promoted_listing" if arm == "fixed" else "platforms"
    plan = _plan(given, arm=arm)
    train(plan, tmp_path / "whole", **QUIET)
    for rollout in (3, 4):  # killed at a checkpoint, then between two
        with pytest.raises(KeyboardInterrupt):
            train(plan, tmp_path / "killed", checkpoint_rollouts=3, on_rollout=_Killer(rollout), **QUIET)
        assert not (tmp_path / "killed" / "policy.json").exists()
    train(plan, tmp_path / "killed", **QUIET)
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")
    whole, killed = (
        [(steps, _weights(path)) for steps, path in learning_curve(tmp_path / name)] for name in ("whole", "killed")
    )
    assert whole == killed
    assert [steps for steps, _ in whole] == [0, 80, 120, 200, 240, 320, 360]


def _groups(rule: str = "promoted_listing", rivals: Any = None) -> list[MarketGroup]:
    """Two groups whose episodes end at different times; the second has rivals that remember."""
    other = Economy(organizations=6, jobs=8, rounds=5, capacity=1)
    native = _native()
    return [
        MarketGroup(load_rule(rule), ECONOMY, Seats.shared(4, rivals or rival_population(ECONOMY)), markets=2),
        MarketGroup(load_rule("price_board"), other, Seats((0, 4), ((native, (1, 2)), (Constant(), (3, 5)))), 2, 2),
    ]


def _native() -> LearnedPolicy:
    card, rng = Card(kinds=3, hidden=(4,), history=1), np.random.default_rng(0)
    return LearnedPolicy({n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}, card)


def test_train__in_groups_from_a_finished_run_ends_with_the_same_bits_when_killed(tmp_path: Path) -> None:
    """All that a step depends on is at work: groups, memories of learner and rivals, a start, recorded rewards."""
    train(_plan("price_board", arm="fixed+memory"), tmp_path / "start", **QUIET)
    plan = TrainingPlan(groups=_groups(), start=tmp_path / "start", record=True, steps=400, seed=6, settings=SETTINGS)
    whole = train(plan, tmp_path / "whole", checkpoint_rollouts=2, **QUIET)
    with pytest.raises(KeyboardInterrupt):
        train(plan, tmp_path / "killed", checkpoint_rollouts=2, on_rollout=_Killer(5), **QUIET)
    train(plan, tmp_path / "killed", **QUIET)
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")
    np.testing.assert_array_equal(load_rewards(tmp_path / "killed"), load_rewards(tmp_path / "whole"))
    assert load_rewards(tmp_path / "whole").shape == (400 // 8, 8)
    assert (whole.card.rates, whole.card.rule, whole.card.economy) == (MEAN_RATES, "promoted_listing, price_board", {})


def test_train__records_what_the_rows_earn(tmp_path: Path) -> None:
    """These are the rewards of the market, without the values that the learner adds to them at truncation."""
    seen = []

    def play(self: MarketVecEnv) -> Any:
        result = MarketVecEnv.step_wait(self)
        seen.append(result[1].copy())
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ruleshift.train.groups.MarketVecEnv", type("_Spied", (MarketVecEnv,), {"step_wait": play}))
        train(_plan("price_board", record=True), tmp_path, **QUIET)
    np.testing.assert_array_equal(load_rewards(tmp_path), np.stack(seen))
    (tmp_path / "rewards.npy").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"rewards\.npy: not an array"):
        load_rewards(tmp_path)


def test_train__one_group_is_the_arm_itself(tmp_path: Path) -> None:
    train(_plan("promoted_listing"), tmp_path / "arm", **QUIET)
    group = MarketGroup(
        load_rule("promoted_listing"), ECONOMY, Seats.shared(4, rival_population(ECONOMY)), SETTINGS.markets
    )
    train(_plan(None, groups=[group], economy=None), tmp_path / "groups", **QUIET)
    assert _weights(tmp_path / "arm") == _weights(tmp_path / "groups")
    with pytest.raises(ValueError, match="groups say all about the markets"):
        _plan("price_board", groups=[group], economy=None)


def test_train__an_arm_with_nuisance_learns_in_its_own_economies(tmp_path: Path) -> None:
    settings = PPOSettings(markets=8, rollout_size=40, batch_size=20, net_arch=(8,))
    policy = train(_plan("platforms", arm="aware+memory", economy=None, settings=settings, steps=40), tmp_path, **QUIET)
    groups = json.loads((tmp_path / "config.json").read_text())["groups"]
    expected = training_groups(ARMS["aware"], "platforms", 8)
    assert [group["seats"] for group in groups] == [json.loads(json.dumps(g.seats.describe())) for g in expected]
    assert (policy.card.arm, policy.card.rates, policy.card.economy) == ("aware+memory", MEAN_RATES, {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": None}, "plan: a rule, a structure or groups are needed to train on"),
        ({"steps": 0}, "plan: steps is 0; it must be a whole number from 1"),
        ({"seed": 2**32}, "plan: seed is 4294967296; it must be a whole number from 0 to 4294967295"),
        ({"history": -1}, "plan: history is -1; it must be a whole number from 0"),
        (
            {"snapshots": [40, -1]},
            r"plan: snapshots is \[40, -1\]; it must be a list of at most 10000 whole numbers from 0",
        ),
        ({"arm": "wide"}, "arm 'wide' is unknown; the arms are fixed"),
        ({"arm": "scratch"}, "arm scratch trains on nothing"),
        ({"mechanisms": ["nowhere:fastest"]}, "nowhere"),
        ({"settings": {"gamma": 0.9}}, r"plan: settings is \{'gamma': 0.9\}; it must be of type PPOSettings"),
        ({"economy": "small"}, "plan: economy is 'small'; it must be of type Economy"),
    ],
)
def test_training_plan__is_checked_when_it_is_made(fields: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        _plan(**{"rule": "price_board", **fields})


def test_training_plan__is_a_value_and_stays_what_was_given() -> None:
    plan = _plan("price_board", arm="fixed+memory", rivals=[Constant()])
    assert replace(plan, seed=5) == plan != replace(plan, seed=6)
    assert replace(plan, arm="fixed").memory.rates == ()
    assert (plan.arm_name, plan.memory.rates, plan.card.rule) == ("fixed+memory", MEAN_RATES, "price_board")
    assert (replace(plan, arm="fixed+stack").card.history, replace(plan, rates=[0.5]).card.rates) == (4, (0.5,))
    assert plan.snapshot_steps == (0, 60, 120, 180, 240, 300, 360)


def test_train__checks_everything_before_a_folder_is_claimed(tmp_path: Path) -> None:
    late = _plan("price_board", schedule=[Shift(at=7, to="promoted_listing")])
    with pytest.raises(ValueError, match="7"):
        train(late, tmp_path / "run", **QUIET)
    with pytest.raises(ValueError, match="threads is 0"):
        train(_plan("price_board"), tmp_path / "run", threads=0, **QUIET)
    with pytest.raises(ValueError, match="checkpoint_rollouts is 0; it must be a whole number from 1"):
        train(_plan("price_board"), tmp_path / "run", checkpoint_rollouts=0, **QUIET)
    with pytest.raises(
        TypeError, match=r"not 'price_board'; write train\(TrainingPlan\('price_board', steps=\.\.\.\), out"
    ):
        train("price_board", tmp_path / "run")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def _networks(model: Any) -> dict[str, np.ndarray]:
    return policy_weights(model) | {f"critic.{name}": value for name, value in critic_weights(model).items()}


def test_train__begins_with_policy_and_critic_of_the_start(tmp_path: Path) -> None:
    models: list[Any] = []
    begun: list[dict[str, np.ndarray]] = []
    train(_plan("price_board", history=2), tmp_path / "a", on_rollout=models.append, **QUIET)
    going_on = _plan("sealed_tender", start=tmp_path / "a", seed=9)
    train(going_on, tmp_path / "b", on_rollout=lambda model: begun.append(_networks(model)), **QUIET)
    for name, value in _networks(models[-1]).items():
        np.testing.assert_array_equal(begun[0][name], value, err_msg=name)
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    assert config["history"] == 2
    assert len(config["start"]) == 64


def test_train__refuses_a_start_that_does_not_fit(tmp_path: Path) -> None:
    train(_plan("price_board"), tmp_path / "a", **QUIET)
    train(_plan("price_board", seed=6), tmp_path / "other", **QUIET)

    def begin(**changes: Any) -> None:
        _plan("price_board", start=tmp_path / "a", **changes)

    with pytest.raises(ValueError, match="start: history is 0 there, but this run has 3"):
        begin(history=3)
    with pytest.raises(ValueError, match=r"start: hidden is \(8,\) there"):
        begin(settings=PPOSettings(markets=4, net_arch=(4,)))
    critic = tmp_path / "a" / "critic.safetensors"
    critic.write_bytes((tmp_path / "other" / "critic.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"critic\.safetensors: policy: not that of the policy beside it"):
        begin()
    critic.write_bytes((tmp_path / "a" / "policy.safetensors").read_bytes())
    with pytest.raises(ValueError, match=r"critic\.safetensors: not a critic \(log_std: unknown weight\)"):
        begin()
    critic.write_bytes(b"cos\nsystem")
    with pytest.raises(ValueError, match=r"critic\.safetensors: not a critic"):
        begin()
    critic.unlink()
    with pytest.raises(ValueError, match=r"critic\.safetensors: cannot be read"):
        begin()


def test_train__survives_sigkill(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from ruleshift.envs import Economy\n"
        "from ruleshift.train import PPOSettings, TrainingPlan, train\n"
        "plan = TrainingPlan('promoted_listing', steps=360, seed=5, snapshots=6,\n"
        "    economy=Economy(organizations=4, jobs=4, rounds=7),\n"
        "    settings=PPOSettings(markets=4, rollout_size=40, batch_size=20, n_epochs=2, net_arch=(8,)))\n"
        "train(plan, sys.argv[1], tensorboard=False, quiet=True, checkpoint_rollouts=1,\n"
        "    on_rollout=lambda model: model.num_timesteps == 200 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], check=False)
    assert killed.returncode == -signal.SIGKILL
    for name in ("killed", "whole"):
        train(_plan("promoted_listing"), tmp_path / name, **QUIET)
    assert _weights(tmp_path / "killed") == _weights(tmp_path / "whole")


def test_train__a_complete_run_is_not_trained_again(tmp_path: Path) -> None:
    policy = train(_plan("price_board"), tmp_path, **QUIET)
    again = train(_plan("price_board"), tmp_path, on_rollout=_Killer(0), **QUIET)
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
        (
            {"rivals": [Constant()]},
            r"\(groups\.0\.seats\.background\.0\.seats\.1 is absent, not 3\)",
        ),
    ],
)
def test_train__refuses_the_folder_of_another_run(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(_plan("price_board"), tmp_path, on_rollout=_Killer(0), **QUIET)
    with pytest.raises(ValueError, match=message):
        train(_plan("price_board", **change), tmp_path, **QUIET)


def test_train__refuses_a_damaged_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: not a checkpoint of this run"):
        train(_plan("price_board"), tmp_path, **QUIET)


def test_train__leaves_global_generators_alone(tmp_path: Path) -> None:
    np.random.seed(1)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    train(_plan("price_board"), tmp_path, **QUIET)
    assert np.random.rand() == expected  # noqa: NPY002


def test_train__tensorboard_shows_the_market(tmp_path: Path) -> None:
    train(_plan("price_board"), tmp_path, quiet=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {f"market/{name}" for name in MEASURES} <= set(events.Tags()["scalars"])
    assert all(0 < event.value <= 1.25 for event in events.Scalars("market/price"))


def _mean_return(policy: Any, rule: str) -> float:
    """Mean profit per round of one seat among scripted rivals, with sampled actions, in markets never trained on."""
    env = MarketVecEnv(rule, markets=16, first_market=1000, seats=Seats.shared(8, rival_population(Economy()), 1))
    seen, total, rng = env.reset(), 0.0, np.random.default_rng(0)
    for _ in range(100):
        actions, _ = policy.act(seen, None, rng.standard_normal((env.num_envs, 6)))
        seen, rewards, _, _ = env.step(actions)
        total += float(rewards.mean())
    return total / 100


def test_train__learns(tmp_path: Path) -> None:
    settings = PPOSettings(markets=32, rollout_size=3200, batch_size=800)
    plan = TrainingPlan("promoted_listing", steps=64_000, settings=settings, snapshots=1)
    policy = train(plan, tmp_path, **QUIET)
    untrained = load_policy(learning_curve(tmp_path)[0][1])
    before, after = _mean_return(untrained, "promoted_listing"), _mean_return(policy, "promoted_listing")
    assert after > before + 0.1


def test_train__in_two_threads_gives_the_weights_of_each_alone(tmp_path: Path) -> None:
    """They wait for each other, because stable-baselines3 draws from generators that belong to the process."""
    plans = {name: _plan(name) for name in ("price_board", "promoted_listing")}
    for name, plan in plans.items():
        train(plan, tmp_path / f"alone-{name}", **QUIET)
    threads = [
        threading.Thread(target=train, args=(plan, tmp_path / f"beside-{name}"), kwargs=QUIET)
        for name, plan in plans.items()
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for name in plans:
        assert _weights(tmp_path / f"beside-{name}") == _weights(tmp_path / f"alone-{name}")
