"""Trained specialists of the two payments, and what each keeps under the other.

A policy that PPO trained in one seat, among scripted equilibrium rivals, is judged by what a best reply would gain over
it; the best reply there is the equilibrium itself. One that holds all seats is judged by the best deviation from it.
The limits, a twentieth of the equilibrium's profit at home and a tenth for transfers, were set before the first run.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ruleshift.agents import Card, LearnedPolicy, Policy
from ruleshift.eval.known_answers.answer import Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.auctions import STEPS, asks, equilibrium, procurement, share_kept, truthful
from ruleshift.eval.known_answers.setting import Opened, best_deviation, conduct

N, SEEDS, AGENT_STEPS, ROUNDS = 2, (10, 11, 12, 13), 1_000_000, 64
RIVALS: dict[str, Callable[[int], Policy]] = {"as_asked": equilibrium, "second_price": truthful}
"""The equilibrium bidder of each payment."""


def specialists(pricing: str, run: Measurement) -> list[LearnedPolicy]:
    """One specialist a seed, trained in one of two seats against the equilibrium bidder; costs are drawn each round."""
    from ruleshift.train import PPOSettings, TrainingPlan, train

    home, found = procurement(N, pricing, 1, rounds=ROUNDS), []
    with ExitStack() as stack:
        root = run.folder or Path(stack.enter_context(TemporaryDirectory()))
        for index, seed in enumerate(SEEDS):
            plan = TrainingPlan(
                home.rule,
                steps=run.draws(AGENT_STEPS),
                seed=seed,
                economy=home.economy,
                rivals=(RIVALS[pricing](N),),
                settings=PPOSettings(gamma=0.0),
                snapshots=0,
            )
            found.append(
                train(
                    plan,
                    root / f"{pricing}-{seed}",
                    checkpoint_seconds=10.0,
                    on_rollout=lambda learner, index=index: run.progress(  # type: ignore[misc]
                        (index + learner.num_timesteps / AGENT_STEPS) / len(SEEDS)
                    ),
                    tensorboard=False,
                    quiet=True,
                )
            )
    return found


def share_of_optimum(policy: Policy, pricing: str, run: Measurement) -> float:
    """Its mean profit among equilibrium rivals, mean actions, as a share of the equilibrium's own in the same draws."""
    opened, rival = Opened(procurement(N, pricing, run.draws(40_000)), seed=11), RIVALS[pricing](N)
    earned = opened.play(opened.act([policy, *[rival] * (N - 1)]))[:, 0].mean()
    return float(earned / opened.play(opened.act([rival] * N))[:, 0].mean())


def at_home(pricing: str, run: Measurement) -> Iterator[Row]:
    """What the best reply to the rivals gains over the specialist."""
    gains = [1 - share_of_optimum(policy, pricing, run) for policy in specialists(pricing, run)]
    yield mean_row(f"gain of a best reply over the specialist, mean of {len(SEEDS)} seeds", 0.0, np.array(gains), "<=")
    for seed, gain in zip(SEEDS, gains, strict=True):
        yield Row(f"gain of a best reply over the specialist of seed {seed}", 0.0, gain, sense="<=")


def transfers(run: Measurement) -> Iterator[Row]:
    """What each kind of specialist keeps under the other payment, as a share of the optimum there."""
    for home, away, expected in (("as_asked", "second_price", share_kept(N)), ("second_price", "as_asked", 0.0)):
        kept = [share_of_optimum(policy, away, run) for policy in specialists(home, run)]
        yield mean_row(f"{_WORDS[home]} specialist under {_WORDS[away]}", expected, np.array(kept))


def self_play(run: Measurement) -> Iterator[Row]:
    """All seats learn with one policy; then one deviates."""
    from ruleshift.train import MarketVecEnv, PPOSettings
    from ruleshift.train.checkpoint import learned_policy, process_state
    from ruleshift.train.ppo import make_learner

    home, settings = procurement(N, "as_asked", 1, rounds=ROUNDS), PPOSettings(gamma=0.0)
    with process_state():
        env = MarketVecEnv(home.rule, settings.markets, 0, 5, home.economy)
        learner = make_learner(env, settings, seed=5)
        learner.learn(run.draws(AGENT_STEPS))
        policy = learned_policy(learner, Card(kinds=1))
    opened = Opened(procurement(N, "as_asked", run.draws(40_000)), seed=12)
    learned, told = asks(opened, policy), asks(opened, equilibrium(N))

    def moved(step: float) -> np.ndarray:
        deviating = learned.copy()
        deviating[:, 0] = np.clip(deviating[:, 0] + step, 0.0, 1.25)
        return opened.play(conduct(ask=deviating))[:, 0] * N * (N + 1)

    yield best_deviation("gain of the best deviation", opened.shocks[:, 0, 0], moved, STEPS)
    yield Row("mean distance of an ask from b(c)", 0.0, float(np.abs(learned - told).mean()))


_WORDS = {"as_asked": "first-price", "second_price": "second-price"}
_SETTING = f"as in the auctions, n = {N}, costs drawn anew each round; PPO, {AGENT_STEPS:,} agent-steps, discount 0"

ANSWERS = (
    Answer(
        id="trained_first_price",
        title="A trained specialist of the first price reaches the equilibrium",
        formula="what a best reply gains over it, as a share of the equilibrium's profit, is nothing",
        setting=f"{_SETTING}, one seat against the scripted equilibrium",
        source="Vickrey 1961; Schulman et al. 2017",
        tolerance=Tolerance(errors=0, absolute=0.05),
        measure=partial(at_home, "as_asked"),
        seconds=120,
    ),
    Answer(
        id="trained_second_price",
        title="A trained specialist of the second price reaches the equilibrium",
        formula="what a best reply gains over it, as a share of the equilibrium's profit, is nothing",
        setting=f"{_SETTING}, one seat against truthful rivals",
        source="Vickrey 1961; Schulman et al. 2017",
        tolerance=Tolerance(errors=0, absolute=0.05),
        measure=partial(at_home, "second_price"),
        seconds=120,
    ),
    Answer(
        id="trained_transfer",
        title="What trained specialists keep when the payment changes",
        formula="first-price specialist under second price: ((n − 1)/n)^(n − 1) (2n − 1)/n of the optimum; "
        "second-price specialist under first price: nothing",
        setting=f"the specialists of the two answers before, seeds {', '.join(map(str, SEEDS))}",
        source="integral of the two bid functions, as derived in the code",
        tolerance=Tolerance(errors=0, absolute=0.1),
        measure=transfers,
        seconds=4,
        needs=("trained_first_price", "trained_second_price"),
        remark="Truth is dominant with incentives of second order: a mistake d in the ask costs about d² under second "
        "price, and brings or loses about d under first price. A specialist that gives away 1 % at home may still keep "
        "or lose a quarter of the optimum abroad; single seeds differ by a tenth.",
    ),
    Answer(
        id="trained_self_play",
        title="Learners among themselves reach the first-price equilibrium",
        formula="no deviation from the policy that all share gains, as a share of the equilibrium's profit",
        setting=f"as in the auctions, n = {N}; PPO, {AGENT_STEPS:,} agent-steps, all seats share one policy",
        source="Vickrey 1961; Schulman et al. 2017",
        tolerance=Tolerance(errors=3, absolute=0.05),
        measure=self_play,
        seconds=35,
    ),
)
