"""Curricula against plain randomization at equal budgets, probes included, and their proxies against true regret.

Each arm is scored under the sixteen training rules of `competence.py`, whose best replies come with the suite: 0 is
what the scripted organizations earn, 1 what the best reply earns. Reported are the mean score, the mean of the worst
tenth of the rules (two), the interquartile mean, and the optimality gap, which is the mean shortfall from 1 (Agarwal et
al. 2021). True regret is what the best reply earns more than the arm. It stands beside what the curricula go by,
measured by probes of the same rules with the same policy: the rank correlation (Spearman) over the rules.

    python bench/curricula.py --steps 4000000 --seeds 0 1 2
    python bench/curricula.py --arms randomized edits --steps 100000 --markets 8
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from competence import Examiner
from scipy.stats import rankdata, trim_mean

from ruleshift.agents import LearnedPolicy
from ruleshift.envs import load_structure
from ruleshift.envs.structure import SAMPLE_SEED
from ruleshift.train import PPOSettings, TrainingPlan, train
from ruleshift.train.checkpoint import process_state
from ruleshift.train.curricula import Outcomes, learnability
from ruleshift.train.replaying import Probe

ARMS = ("randomized", "replay", "prioritised", "learnability", "edits")
STRUCTURE, RULES, PROBES = "platforms", 16, 4


def trained(plan: TrainingPlan) -> tuple[LearnedPolicy, Any]:
    """Train as the plan says; returns the policy and the learner, with its critic."""
    learners: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        policy = train(plan, Path(folder) / "run", on_rollout=learners.append, tensorboard=False, quiet=True)
    return policy, learners[-1]


def probed(plan: TrainingPlan, learner: Any) -> dict[str, np.ndarray]:
    """Each proxy under every rule, (16,), means over several probes, in markets that nothing was learned in."""
    structure = load_structure(STRUCTURE)
    levels = np.stack([structure.numbers(SAMPLE_SEED, number, 0) for number in range(RULES)])
    random = np.random.default_rng(plan.seed)
    total = np.zeros((3, RULES))
    with process_state():
        torch.manual_seed(plan.seed)
        probe = Probe(plan, structure)
        for _ in range(PROBES):  # in another order each time, since the place in it decides about the economy
            for batch in np.array_split(random.permutation(RULES), -(-RULES // probe.markets)):
                total[:, batch] += probe.play(learner, levels[batch]).table()
    outcomes = Outcomes(*(total / PROBES))
    return {
        "positive value loss": outcomes.value_loss,
        "MaxMC": outcomes.max_mc,
        "learnability": learnability(outcomes.success),
    }


def aggregates(scores: np.ndarray) -> dict[str, float]:
    """What is reported of scores (n,)."""
    worst = np.sort(scores)[: -(-len(scores) // 10)]
    return {
        "mean": float(scores.mean()),
        "worst tenth": float(worst.mean()),
        "IQM": float(trim_mean(scores, 0.25)),
        "optimality gap": float(np.maximum(1 - scores, 0).mean()),
    }


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation; NaN where one of the two is the same everywhere."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def main() -> None:
    """Train and score, and print a row for each arm and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, metavar="NAME")
    parser.add_argument("--memory", default="+memory", help="what every arm remembers, such as +memory or +stack")
    parser.add_argument("--steps", type=int, default=4_000_000, help="agent-steps of each arm, probes included")
    parser.add_argument("--markets", type=int, default=PPOSettings().markets, help="markets that are learned in")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    given = parser.parse_args()
    torch.set_num_threads(1)
    examiner = Examiner()
    settings = PPOSettings(markets=given.markets)
    for name in given.arms:
        for seed in given.seeds:
            plan = TrainingPlan(
                STRUCTURE, arm=name + given.memory, steps=given.steps, seed=seed, settings=settings, snapshots=0
            )
            policy, learner = trained(plan)
            scores = examiner.score(policy)
            regret = (1 - scores) * examiner.spans
            told = [f"{what} {value:.2f}" for what, value in aggregates(scores).items()]
            proxies = [
                f"{what} {rank_correlation(values, regret):+.2f}" for what, values in probed(plan, learner).items()
            ]
            print(
                f"{name}, seed {seed}, {policy.card.steps / 1e6:.2f} M: {', '.join(told)}; "
                f"rank correlation with true regret {regret.mean():.3f}: {', '.join(proxies)}; "
                f"by rule {' '.join(f'{each:.2f}' for each in scores)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
