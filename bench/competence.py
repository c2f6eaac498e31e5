"""How well learners do on each of sixteen training rules, by seconds of one core, side by side in one run.

A score is the share of the way from the scripted organizations (0) to the best reply (1) under a rule that the learner
is not told, in markets and among panels that it never trained with. All learners train on the same markets; the first
is the suite's, and a choice differs from it in what its name says.

    python bench/competence.py --learners ours before stock recurrent --seeds 0 1 2
    python bench/competence.py --learners ours "5 epochs" "stack" --seconds 60
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import FlattenExtractor

from ruleshift.agents import History, LearnedPolicy, Policy, RunningMeans, load_policy
from ruleshift.eval import load_preset
from ruleshift.eval.experiment.deployment import Deployment
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.references import shipped
from ruleshift.eval.panels import scripted_panel
from ruleshift.train import ARMS, MemoryVecEnv, MixedVecEnv, PPOSettings, training_groups
from ruleshift.train.checkpoint import learned_policy
from ruleshift.train.plan import TrainingPlan
from ruleshift.train.ppo import make_learner
from ruleshift.train.standardized import standardize

KINDS, GATE = 3, 0.5
SHARES = (0.125, 0.25, 0.5, 1.0)
"""Parts of the budget after which a policy is scored."""
BEFORE = {"n_epochs": 5, "max_grad_norm": 0.5, "gae_lambda": 0.95, "aux_coef": 0.0}


@dataclass(frozen=True)
class Learner:
    """A learner: what it remembers, its hyper-parameters, and how it is made from an environment."""

    memory: History | RunningMeans | None = field(default_factory=lambda: RunningMeans(KINDS))
    settings: dict[str, Any] = field(default_factory=dict)
    privileged: bool = True
    units: int = 0
    aware: bool = False
    kind: str = "ours"

    def make(self, seed: int) -> Any:
        """Return the model, ready to learn."""
        settings = PPOSettings(**self.settings)
        groups = training_groups(ARMS["aware" if self.aware else "randomized"], "platforms", settings.markets)
        env: Any = MixedVecEnv(groups, seed=seed, read_only=True, privileged=self.privileged)
        if self.memory is not None:
            env = MemoryVecEnv(env, self.memory)
        return _MAKERS[self.kind](env, settings, seed, self)


def _ours(env: Any, settings: PPOSettings, seed: int, learner: Learner) -> Any:
    return make_learner(env, settings, seed=seed, units=learner.units)


def _stock(env: Any, settings: PPOSettings, seed: int, learner: Learner) -> Any:
    """PPO of stable-baselines3 with its own defaults, but for a rollout and minibatches of our size."""
    rows = env.num_envs
    sizes = {"n_steps": settings.n_steps(rows), "batch_size": settings.fitted_batch_size(rows)}
    return PPO("MlpPolicy", env, seed=seed, device="cpu", **sizes)


class _Autograd(PPO):
    """Our learner with the gradient of torch and the rollouts of stable-baselines3."""

    def train(self) -> None:
        standardize(self.policy, self.rollout_buffer.observations)
        super().train()


def _autograd(env: Any, settings: PPOSettings, seed: int, learner: Learner) -> Any:
    model: Any = make_learner(env, settings, seed=seed)
    model.__class__ = _Autograd
    return model


def _before(env: Any, settings: PPOSettings, seed: int, learner: Learner) -> Any:
    """The learner that this one replaced: PPO of stable-baselines3 with our hyper-parameters of that time."""
    model: Any = _unscaled(env, settings, seed, learner)
    model.__class__ = PPO
    return model


def _unscaled(env: Any, settings: PPOSettings, seed: int, learner: Learner) -> Any:
    """Our learner, but its networks read observations as they are."""
    model: Any = make_learner(env, settings, seed=seed)
    policy, as_they_are = model.policy, FlattenExtractor(env.observation_space)
    policy.features_extractor = policy.pi_features_extractor = policy.vf_features_extractor = as_they_are
    return model


def _jax(env: Any, settings: PPOSettings, seed: int, learner: Learner) -> Any:
    """PPO of sbx, in JAX, with our hyper-parameters."""
    from sbx import PPO as JaxPPO

    rows = env.num_envs
    return JaxPPO(
        "MlpPolicy", env, seed=seed, n_steps=settings.n_steps(rows), batch_size=settings.fitted_batch_size(rows),
        n_epochs=settings.n_epochs, learning_rate=settings.learning_rate, gamma=settings.gamma,
        gae_lambda=settings.gae_lambda, ent_coef=settings.ent_coef, max_grad_norm=settings.max_grad_norm,
        policy_kwargs={"net_arch": list(settings.net_arch), "log_std_init": settings.log_std_init},
    )  # fmt: skip


_MAKERS: dict[str, Callable[[Any, PPOSettings, int, Learner], Any]] = {
    "ours": _ours, "before": _before, "autograd": _autograd, "stock": _stock, "jax": _jax, "unscaled": _unscaled,
}  # fmt: skip
STACK = History(KINDS, 4)
LEARNERS = {
    "ours": Learner(),
    "before": Learner(STACK, BEFORE, privileged=False, kind="before"),
    "before, our code": Learner(STACK, BEFORE, privileged=False, kind="unscaled"),
    "autograd": Learner(settings={"aux_coef": 0.0}, kind="autograd"),
    "stock": Learner(STACK, privileged=False, kind="stock"),
    "recurrent": Learner(None, BEFORE, privileged=False, units=64),
    "jax": Learner(privileged=False, kind="jax"),
    "rule disclosed": Learner(aware=True),
    "inputs as they are": Learner(kind="unscaled"),
    "no auxiliary task": Learner(settings={"aux_coef": 0.0}),
    "auxiliary weight 0.1": Learner(settings={"aux_coef": 0.1}),
    "nothing privileged": Learner(privileged=False),
    "stack": Learner(STACK),
    "no memory": Learner(None),
    "5 epochs": Learner(settings={"n_epochs": 5}),
    "1 epoch": Learner(settings={"n_epochs": 1}),
    "gradient norm 0.5": Learner(settings={"max_grad_norm": 0.5}),
    "lambda 0.95": Learner(settings={"gae_lambda": 0.95}),
    "lambda 0.8": Learner(settings={"gae_lambda": 0.8}),
    "layers of 128": Learner(settings={"net_arch": (128, 128)}),
    "learning rate 0.0005": Learner(settings={"learning_rate": 5e-4}),
    "minibatches of 1,600": Learner(settings={"batch_size": 1_600}),
    "256 markets": Learner(settings={"markets": 256, "rollout_size": 25_600}),
    "discount 0.99": Learner(settings={"gamma": 0.99}),
}


class Snapshots(BaseCallback):
    """Keeps the policy after each part of the budget, with the seconds of the core that learning took until then."""

    def __init__(self, learner: Learner, steps: int) -> None:
        super().__init__()
        self._learner, self._due = learner, [share * steps for share in SHARES]
        self.kept: list[tuple[float, int, Policy]] = []

    def _on_training_start(self) -> None:
        self._begun = time.process_time()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if self._due and self.num_timesteps >= self._due[0]:
            self._due.pop(0)
            seconds = time.process_time() - self._begun
            self.kept.append((seconds, self.num_timesteps, _policy(self.model, self._learner)))

    _on_training_end = _on_rollout_start


def _jax_weights(model: Any) -> dict[str, np.ndarray]:
    """The weights of a policy of sbx by the names that ours have."""
    held = model.policy.actor_state.params["params"]
    weights = {"log_std": np.array(held["log_std"])}
    for index in range(len(held) - 1):
        layer = held[f"Dense_{index}"]
        weights |= {f"layer.{index}.weight": np.array(layer["kernel"]), f"layer.{index}.bias": np.array(layer["bias"])}
    return weights


def _policy(model: Any, learner: Learner) -> Policy:
    rates = learner.memory.rates if isinstance(learner.memory, RunningMeans) else ()
    rounds = learner.memory.rounds if isinstance(learner.memory, History) else 0
    plan = TrainingPlan("price_board", steps=1, settings=PPOSettings(**learner.settings))
    card = replace(plan.card, units=learner.units, history=rounds, rates=rates)
    return LearnedPolicy(_jax_weights(model), card) if learner.kind == "jax" else learned_policy(model, card)


class Examiner:
    """Scores policies under every training rule of `competence.toml`, in the first eight economies."""

    def __init__(self) -> None:
        self.design, self._natives = Design.of(load_preset(Path(__file__).with_suffix(".toml"))), {}
        self._deployment = Deployment(self.design, self._native)
        self._ends = {rule.name: self._scale(rule.name) for rule in self.design.homes}

    def score(self, policy: Policy, aware: bool = False) -> np.ndarray:
        """The policy's score under each rule, (16,)."""
        ends = self._ends.items()
        return np.array([(self._earned(policy, rule, aware) - low) / (high - low) for rule, (low, high) in ends])

    @property
    def spans(self) -> np.ndarray:
        """What the best reply earns above the scripted organizations under each rule, (16,), in mean job values."""
        return np.array([high - low for low, high in self._ends.values()])

    def _native(self, panel: int, rule: str) -> Policy:
        if (panel, rule) not in self._natives:
            folder = shipped("native", self.design, rule)[self.design.preset.panel_seeds[panel]]
            self._natives[panel, rule] = load_policy(folder)
        return self._natives[panel, rule]

    def _scale(self, rule: str) -> tuple[float, float]:
        best = load_policy(next(iter(shipped("best_reply", self.design, rule).values())))
        scripted = range(len(scripted_panel().scripted))
        floors = [self._earned(self._conduct(index), rule) for index in scripted]
        return float(np.mean(floors)), self._earned(best, rule)

    def _conduct(self, index: int) -> Any:
        return lambda group: scripted_panel(self.design.economies[group.economy]).scripted[index]

    def _earned(self, policy: Any, rule: str, aware: bool = False) -> float:
        seed = self.design.preset.gate_seed
        entries = self._deployment.frozen(policy, rule, "gate", seed=seed, aware=aware)
        return float(np.mean([entry.values["return"] for entry in entries]))


def speed(learner: Learner) -> float:
    """Agent-steps a second of one core, measured over a few rollouts after one that is not."""
    model = learner.make(seed=9)
    model.set_logger(Logger(None, []))
    rollout = model.n_steps * model.n_envs
    model.learn(rollout)
    begun = time.process_time()
    model.learn(max(5 * rollout, 30_000), reset_num_timesteps=False)
    return (model.num_timesteps - rollout) / (time.process_time() - begun)


def main() -> None:
    """Train and score, and print a row for each learner, seed and part of the budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, default=["ours", "before", "stock"], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=120.0, help="seconds of one core for each learner")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--core", type=int, default=0, help="core to run on; -1 for all cores")
    given = parser.parse_args()
    if given.core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.core})
    torch.set_num_threads(1)
    examiner = Examiner()
    print("learner, seed: seconds, agent-steps: mean score, rules of 16 at .5 or above, lowest; by rule")
    for name in given.learners:
        learner = LEARNERS[name]
        steps = int(speed(learner) * given.seconds)
        for seed in given.seeds:
            model, snapshots = learner.make(seed), Snapshots(learner, steps)
            model.set_logger(Logger(None, []))
            model.learn(steps, callback=snapshots)
            for seconds, done, policy in snapshots.kept:
                scores = examiner.score(policy, learner.aware)
                passed = int((scores >= GATE).sum())
                rules = " ".join(f"{each:.2f}" for each in scores)
                print(
                    f"{name}, {seed}: {seconds:6.1f} s {done / 1e6:5.2f} M: {scores.mean():.2f} {passed:2d} "
                    f"{scores.min():5.2f}; {rules}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
