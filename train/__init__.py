"""How organizations learn: arms, the native VecEnv, PPO, and training runs that survive being killed."""

from ruleshift.train.arms import ARMS, Arm
from ruleshift.train.ppo import MarketPPO, Settings
from ruleshift.train.run import learning_curve, train
from ruleshift.train.vec_env import MarketVecEnv

__all__ = ["ARMS", "Arm", "MarketPPO", "MarketVecEnv", "Settings", "learning_curve", "train"]
