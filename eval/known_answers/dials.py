"""Three dials, one isolating experiment each: amplification, path dependence, and information asymmetry.

Amplification: with one signal s that differs, shares are s**a / sum of s**a (Luce 1959), from equal shares at a = 0 to
all for the best at inf. Path dependence: in a linear urn whose popularity persists by the share lambda, the variance of
jobs won follows exactly from a recursion of second moments; lambda = 1 is the urn of Eggenberger & Polya (1923), and
lambda = 0 a chain that remembers one round. Information: imitators of the winner close the share
step * (N - 1) / N of their distance from it in each round that discloses outcomes, and move only then; so imitation
leads the market to the lowest ask (Vega-Redondo 1997).
"""

from collections.abc import Iterator

import numpy as np

from ruleshift.agents import Constant, Follower
from ruleshift.envs import Market
from ruleshift.envs.layout import outcome_view, state_view
from ruleshift.envs.rule import Weights
from ruleshift.eval.inequality import gini
from ruleshift.eval.known_answers.answer import EXACT, Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.setting import bare, plain_rule

_ROUNDS, _START, _SEATS = 30, 0.5, 4


def amplification(run: Measurement) -> Iterator[Row]:
    """Measure the Gini index of expected shares among organizations that differ in capability alone."""
    economy = bare(learning="exogenous", initial_capability=(0.2, 0.8), shares="expected", rounds=2)
    for level in (0.0, 0.5, 1.0, 4.0, np.inf):
        market = Market(plain_rule(Weights(capability=1.0), level), markets=run.draws(40), economy=economy)
        market.reset(seed=11)
        market.step(np.zeros((market.markets, market.organizations, market.action_size), np.float32))
        won = np.array([outcome_view(each, 1).served for each in market.outcomes])
        capability = np.array([state_view(each, 1).capability[0] for each in market.state])
        odds = (capability / capability.max(axis=1, keepdims=True)) ** level
        yield Row(f"mean Gini index of shares, a = {level:g}", float(gini(odds).mean()), float(gini(won).mean()))


def jobs_variance(organizations: int, start: float, persistence: float, rounds: int) -> float:
    """Variance of the jobs that one organization wins in a linear urn whose popularity persists in part.

    With x the deviation of popularity from its mean and W that of the jobs won, and S the sum of all popularities, the
    next job adds w to both, where E[w | past] = x / S and E[w**2] = (1 - 1/N) / N.
    """
    each = (1 - 1 / organizations) / organizations
    total, squares, products, variance = organizations * start, 0.0, 0.0, 0.0
    for _ in range(rounds):
        variance += 2 * products / total + each
        products = persistence * (products + squares / total) + products / total + each
        squares = persistence**2 * squares + 2 * persistence * squares / total + each
        total = persistence * total + (1 - persistence) * organizations * start + 1
    return variance


def persistence(run: Measurement) -> Iterator[Row]:
    """Measure the variance of jobs won in linear urns, from a memory of one round to an urn."""
    for level in (0.0, 0.5, 0.9, 1.0):
        changes = {"feedback.persistence": level, "feedback.prior": _START}
        rule = plain_rule(Weights(popularity=1.0), 1.0, **changes)
        economy = bare(organizations=_SEATS, rounds=_ROUNDS + 1)
        market = Market(rule, markets=run.draws(8_000), economy=economy)
        market.reset(seed=12)
        actions = np.zeros((market.markets, _SEATS, market.action_size), np.float32)
        won = np.zeros((market.markets, _SEATS))
        for _ in range(_ROUNDS):
            market.step(actions)
            won += market.winners == np.arange(_SEATS)
        squares = ((won - _ROUNDS / _SEATS) ** 2).mean(axis=1)
        expected = jobs_variance(_SEATS, _START, level, _ROUNDS)
        yield mean_row(f"variance of jobs won, persistence {level:g}", expected, squares)


def information(run: Measurement) -> Iterator[Row]:
    """Measure how far imitators of one low ask have moved after five rounds, by what is disclosed."""
    seats, rounds, step, high, low = 5, 5, 0.5, 0.75, 0.25
    for level, ratio in (("opaque", 1.0), ("outcomes", 1 - step * (seats - 1) / seats)):
        rule = plain_rule(Weights(price=1.0), np.inf, **{"disclosure.level": level})
        economy = bare(organizations=seats, rounds=rounds + 2)
        policies = (Constant(low, 0.0, 0.0), Follower(step, high, 0.0, 0.0, economy))
        market = Market(rule, markets=1, economy=economy)
        seen = market.reset(seed=13)
        for _ in range(rounds + 1):
            acts = [policies[seat > 0].act(seen[:, seat])[0] for seat in range(seats)]
            seen = market.step(np.stack(acts, axis=1))[0]
        asks = outcome_view(market.outcomes[0], 1).ask
        expected = low + (high - low) * ratio**rounds
        yield Row(f"ask of imitators after {rounds} rounds, {level}", expected, float(asks[1:].mean()))


ANSWERS = (
    Answer(
        id="amplified_differences",
        title="Amplification of one difference",
        formula="Gini index of s^a / Σ s^a: from 0 at a = 0 to 1 at a = ∞",
        setting="N = 8, J = 1, capability s exogenous in [.2, .8] and alone weighted, expected shares",
        source="Luce 1959",
        tolerance=EXACT,
        measure=amplification,
        seconds=0.2,
    ),
    Answer(
        id="persistent_popularity",
        title="Persistence of popularity",
        formula="variance of jobs won by a recursion of second moments; persistence 1 is a Pólya urn",
        setting="N = 4, J = 1, prior 0.5, only popularity weighted, amplification 1, T = 30",
        source="derived; Eggenberger & Pólya 1923 at persistence 1",
        tolerance=EXACT,
        measure=persistence,
        seconds=1,
    ),
    Answer(
        id="disclosed_winners",
        title="What is disclosed is imitated",
        formula="imitators close step (N − 1)/N of their distance from the winner's ask in each round; none if opaque",
        setting="N = 5, J = 1, the lowest ask wins, one asks .25, imitators begin at .75, step .5, costs 0",
        source="derived; Vega-Redondo 1997",
        tolerance=Tolerance(errors=0, absolute=1e-6),
        measure=information,
        seconds=0.1,
    ),
)
