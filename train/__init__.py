"""How organizations learn: arms, native VecEnvs, PPO, and training runs that survive being killed.

What decides what a learner learns belongs here; what is asked of it afterwards belongs to `ruleshift.eval`.
"""

try:
    import stable_baselines3  # noqa: F401 - and torch with it
except ImportError as error:
    raise ImportError(
        f"ruleshift.train needs torch and stable-baselines3 ({error}); environments, agents and evaluation need neither"
    ) from None

from ruleshift.train.arms import ARMS, Arm, ArmVariant, MemoryKind, register_arm, training_groups, variant, variants
from ruleshift.train.asymmetric import AsymmetricPolicy
from ruleshift.train.export import policy_of
from ruleshift.train.groups import MarketGroup, MixedVecEnv
from ruleshift.train.memory import MemoryVecEnv
from ruleshift.train.plan import TrainingPlan
from ruleshift.train.ppo import MarketPPO, PPOSettings
from ruleshift.train.run import learning_curve, load_rewards, train
from ruleshift.train.schema import SchemaPolicy
from ruleshift.train.standardized import StandardizedExtractor
from ruleshift.train.vec_env import MarketVecEnv

__all__ = [
    "ARMS",
    "Arm",
    "ArmVariant",
    "AsymmetricPolicy",
    "MarketGroup",
    "MarketPPO",
    "MarketVecEnv",
    "MemoryKind",
    "MemoryVecEnv",
    "MixedVecEnv",
    "PPOSettings",
    "SchemaPolicy",
    "StandardizedExtractor",
    "TrainingPlan",
    "learning_curve",
    "load_rewards",
    "policy_of",
    "register_arm",
    "train",
    "training_groups",
    "variant",
    "variants",
]
