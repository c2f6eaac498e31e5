"""What a critic may know and no policy that plays: rule and economy, at the end of a VecEnv's observations."""

from typing import Any

import numpy as np
import pytest
import torch as th
from stable_baselines3 import A2C, PPO

from ruleshift.agents import Constant, RunningMeans, Seats
from ruleshift.envs import FEATURES, Economy, Shift, load_rule
from ruleshift.train import AsymmetricPolicy, MarketGroup, MarketVecEnv, MemoryVecEnv, MixedVecEnv, policy_of

ECONOMY = Economy(organizations=4, jobs=4, rounds=5)
SEATS = Seats.shared(4, [Constant()])


def _env(rule: Any = "price_board", **options: Any) -> MarketVecEnv:
    return MarketVecEnv(rule, markets=3, economy=ECONOMY, seats=SEATS, privileged=True, **options)


def _split(env: Any, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What everyone sees, the features of the rule, and those of the economy."""
    own = seen.shape[1] - env.privileged_size
    return seen[:, :own], seen[:, own : own + len(FEATURES)], seen[:, own + len(FEATURES) :]


def test_privileged__is_the_rule_of_each_market_and_its_economy() -> None:
    env, plain = _env("platforms", seed=3), MarketVecEnv("platforms", markets=3, economy=ECONOMY, seats=SEATS, seed=3)
    seen, rng = env.reset(), np.random.default_rng(0)
    expected = plain.reset()
    drawn = set()
    for _ in range(12):
        own, rules, economy = _split(env, seen)
        np.testing.assert_array_equal(own, expected)
        for row in range(env.num_envs):
            rule = env.market.rule_in_force(row // 2)
            drawn.add(rule.hash)
            np.testing.assert_array_equal(rules[row], rule.features())
        np.testing.assert_array_equal(economy, np.tile(ECONOMY.features(), (env.num_envs, 1)))
        actions = rng.uniform(-1, 1, (env.num_envs, 6))
        before = [env.market.rule_in_force(b).features() for b in range(3)]
        seen, _, dones, infos = env.step(actions)
        expected, *_ = plain.step(actions)
        for row in np.flatnonzero(dones).tolist():
            last = infos[row]["terminal_observation"][None]
            np.testing.assert_array_equal(_split(env, last)[1][0], before[row // 2])  # of the episode that ended
    assert len(drawn) == 9  # three markets, three episodes


def test_privileged__follows_a_shift_at_once() -> None:
    env = _env("price_board", schedule=(Shift(at=2, to="promoted_listing"),))
    seen, told = env.reset(), []
    for _ in range(4):
        told.append(_split(env, seen)[1][0])
        seen, *_ = env.step(np.zeros((env.num_envs, 6)))
    names = ["price_board"] * 2 + ["promoted_listing"] * 2
    np.testing.assert_array_equal(told, [load_rule(name).features() for name in names])


def test_privileged__of_groups_tells_their_economies() -> None:
    other = Economy(organizations=6, jobs=4, rounds=5, base_cost=0.3)
    groups = [
        MarketGroup(load_rule("price_board"), ECONOMY, SEATS, 2),
        MarketGroup(load_rule("price_board"), other, Seats.shared(6, [Constant()]), 1, first_market=2),
    ]
    env = MemoryVecEnv(MixedVecEnv(groups, privileged=True), RunningMeans(3))
    seen = env.reset()
    assert seen.shape == (env.num_envs, RunningMeans(3).input_size + env.privileged_size)
    economies = _split(env, seen)[2]
    np.testing.assert_array_equal(economies[0], ECONOMY.features())
    np.testing.assert_array_equal(economies[-1], other.features())
    assert (economies[0] != economies[-1]).sum() >= 2


def test_asymmetric_policy__only_the_critic_reads_it() -> None:
    env = _env()
    policy: Any = PPO(
        AsymmetricPolicy, env, n_steps=4, batch_size=8, policy_kwargs={"privileged": env.privileged_size}, device="cpu"
    ).policy
    seen = env.reset()
    other = seen.copy()
    other[:, -env.privileged_size :] += 1.0
    np.testing.assert_array_equal(
        policy.predict(seen, deterministic=True)[0], policy.predict(other, deterministic=True)[0]
    )
    one, two = (policy.predict_values(th.as_tensor(each)) for each in (seen, other))
    assert not th.allclose(one, two)


def test_asymmetric_policy__leaves_the_actor_something_to_read() -> None:
    env = _env()
    with pytest.raises(ValueError, match="privileged is 107; an observation has 107 numbers"):
        PPO(AsymmetricPolicy, env, n_steps=4, batch_size=8, policy_kwargs={"privileged": 107}, device="cpu")
    with pytest.raises(ValueError, match="privileged is -1"):
        PPO(AsymmetricPolicy, env, n_steps=4, batch_size=8, policy_kwargs={"privileged": -1}, device="cpu")
    with pytest.raises(ValueError, match="privileged is 3; it must be"):
        MarketVecEnv(privileged=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("algorithm", [PPO, A2C])
def test_asymmetric_policy__plays_without_what_the_critic_read(algorithm: Any) -> None:
    env = MemoryVecEnv(_env(), RunningMeans(3))
    sizes = {"n_steps": 4} | ({"batch_size": 8} if algorithm is PPO else {})
    model = algorithm(AsymmetricPolicy, env, **sizes, policy_kwargs={"privileged": env.privileged_size}, device="cpu")
    model.learn(48)
    policy = policy_of(model)
    seen = env.reset()
    own = seen[:, : -env.privileged_size]
    assert policy.card.input_size == own.shape[1]
    np.testing.assert_allclose(policy.mean(own).clip(-1, 1), model.predict(seen, deterministic=True)[0], atol=1e-5)
