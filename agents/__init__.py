"""Organizations: what sits in the seats of a market, scripted or learned.

Whatever acts, remembers or says who sits where belongs here; how a policy is learned belongs to `ruleshift.train`.
"""

from ruleshift.agents.background import Background
from ruleshift.agents.history import OUTCOME_PARTS, History
from ruleshift.agents.lstm import Lstm
from ruleshift.agents.noise import action_noise
from ruleshift.agents.policy import Card, LearnedPolicy, Policy, load_policy, save_policy
from ruleshift.agents.running_means import MEAN_RATES, RunningMeans
from ruleshift.agents.scripted import (
    Constant,
    FirstPriceBidder,
    Follower,
    PostedPrice,
    RandomPolicy,
    SecondPriceBidder,
    rival_population,
    unit_costs,
)
from ruleshift.agents.seats import Seats, seat_everyone
from ruleshift.agents.undisclosed import Undisclosed
from ruleshift.agents.warm import warm_up

__all__ = [
    "MEAN_RATES",
    "OUTCOME_PARTS",
    "Background",
    "Card",
    "Constant",
    "FirstPriceBidder",
    "Follower",
    "History",
    "LearnedPolicy",
    "Lstm",
    "Policy",
    "PostedPrice",
    "RandomPolicy",
    "RunningMeans",
    "Seats",
    "SecondPriceBidder",
    "Undisclosed",
    "action_noise",
    "load_policy",
    "rival_population",
    "save_policy",
    "seat_everyone",
    "unit_costs",
    "warm_up",
]
