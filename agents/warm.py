"""Compiling everything at once, so that nothing has to wait for it later."""

import numpy as np

from ruleshift.agents.background import Background
from ruleshift.agents.policy import Card, LearnedPolicy
from ruleshift.agents.seats import seat_everyone
from ruleshift.envs import Economy, Market, Shift, load_rule
from ruleshift.envs.mechanisms import MECHANISMS


def warm_up() -> None:
    """Compile the market and all mechanisms, or find them compiled, by playing one short episode with each of them.

    It takes a second, or a few minutes if nothing was compiled before. What was compiled is kept for all later
    processes of the user, so call this, or `ruleshift warm-up`, before many of them start at once.
    """
    rule = load_rule("dispatch_lottery")
    rules = [rule.replace(**{"name": name, "matching.mechanism": name}) for name in MECHANISMS]
    economy = Economy(organizations=2, jobs=2, rounds=len(rules) + 1)
    market = Market(rule, economy=economy, schedule=tuple(Shift(at=at, to=to) for at, to in enumerate(rules, 1)))
    card = Card(kinds=economy.kinds)
    policy = LearnedPolicy({name: np.zeros(shape, np.float32) for name, shape in card.shapes().items()}, card)
    background = Background(seat_everyone(economy, policy), 1)
    actions = np.zeros((1, economy.organizations, market.action_size), np.float32)
    observations = market.reset(seed=0)
    while market.last_observations is None:
        background.act(observations, actions, market.key, round=market.round, episode=market.episode)
        observations, _, _ = market.step(actions)
