"""How organizations learn: arms, native VecEnvs, PPO, and training runs that survive being killed."""

from ruleshift.train.arms import ARMS, Arm, MemoryKind, training_groups, variant, variants
from ruleshift.train.groups import Group, MixedVecEnv
from ruleshift.train.history import HistoryVecEnv
from ruleshift.train.ppo import MarketPPO, PPOSettings
from ruleshift.train.run import learning_curve, load_rewards, train
from ruleshift.train.vec_env import MarketVecEnv

__all__ = [
    "ARMS",
    "Arm",
    "Group",
    "HistoryVecEnv",
    "MarketPPO",
    "MarketVecEnv",
    "MemoryKind",
    "MixedVecEnv",
    "PPOSettings",
    "learning_curve",
    "load_rewards",
    "train",
    "training_groups",
    "variant",
    "variants",
]
