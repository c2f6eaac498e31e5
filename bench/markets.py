"""The blocks of work that several benchmarks time: steps of a market, of its bare kernel, and of the VecEnv."""

import numpy as np

from ruleshift.envs import Economy, Market, Rule, Structure
from ruleshift.envs import round as market_round
from ruleshift.train import MarketVecEnv

STEPS = 100  # an episode, so that every block ends with a reset inside the kernel


def random_actions(market: Market, steps: int = STEPS) -> np.ndarray:
    """Draw uniform actions, float32 (steps, B, N, A)."""
    shape = (steps, market.markets, market.organizations, market.action_size)
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def step_block(market: Market):
    """Return a block of one episode of `Market.step`."""
    actions = random_actions(market)
    market.reset(seed=0)

    def block() -> int:
        for action in actions:
            market.step(action)
        return STEPS * market.markets * market.organizations

    return block


def bare_kernel_block(rule: str | Rule | Structure, markets: int, economy: Economy | None = None, seed: int = 0):
    """Return a block of one episode of the compiled kernel alone, without checks and without new arrays."""
    market = Market(rule, markets=markets, economy=economy)
    actions = random_actions(market)
    observations = market.reset(seed=seed)
    rewards, ended = np.empty(observations.shape[:2], np.float32), np.empty_like(observations)
    market.step(actions[0])
    buffers, rules, next_market = market._handles[0], market._plan_in_force.handle, np.zeros(1, np.int64)

    def block() -> int:
        for number, action in enumerate(actions):
            last = number == STEPS - 1
            next_market[0] = 0
            market_round.play(next_market, number, 0, last, buffers, rules, rules, action, observations, rewards, ended)
        return STEPS * markets * market.organizations

    return block


def vec_env_block(rule: str, markets: int, threads: int = 1, read_only: bool = True):
    """Return a block of one episode of the native VecEnv, in which every seat learns, for a caller who only reads."""
    env = MarketVecEnv(rule, markets=markets, threads=threads, read_only=read_only)
    env.reset()
    actions = random_actions(env.market).reshape(STEPS, env.num_envs, -1)

    def block() -> int:
        for action in actions:
            env.step_async(action)
            env.step_wait()
        return STEPS * env.num_envs

    return block
