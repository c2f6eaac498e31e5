"""Two-sided matching: stability, incentives and mean ranks of deferred acceptance.

As many kinds as jobs, one job of each, capacity 1. Organizations rank kinds by the focus that they report; jobs rank
organizations at random (amplification 0), or, where their ranking is to be known, by capability, which is drawn at
random (amplification inf). Gale & Shapley 1962: no blocking pair. Dubins & Freedman 1981, Roth 1982: no proposer gains
by misreporting. Mean ranks: Wilson 1972, Pittel 1989; out of balance: Ashlagi, Kanoria & Leshno 2017.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from ruleshift.envs import Market, load_rule
from ruleshift.envs.layout import state_view
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import Answer, Measurement, Row, Tolerance, mean_row
from ruleshift.eval.known_answers.setting import Opened, bare

BALANCED = ((10, "organizations", 2.393), (10, "jobs", 3.690), (50, "organizations", 4.173), (50, "jobs", 11.81))
"""Organizations and jobs to a side, who proposes, and the organizations' mean rank."""
UNBALANCED = (
    (101, 100, "organizations", 20.14), (100, 101, "jobs", 4.92),
    (100, 101, "organizations", 4.11), (101, 100, "jobs", 23.45),
)  # fmt: skip
"""Organizations, jobs, who proposes, and the mean rank of the organizations that are matched."""


def two_sided(
    organizations: int, jobs: int, proposer: str, markets: int, *, mechanism: str = "deferred_acceptance",
    known: bool = False,
) -> Market:  # fmt: skip
    """One job of each kind. Jobs rank organizations at random, or, where `known`, by capability."""
    economy = bare(
        organizations=organizations, jobs=jobs, kinds=jobs, demand="even", learning="exogenous",
        initial_capability=(0.1, 0.9),
    )  # fmt: skip
    rule = load_rule("clearing_house").replace(
        **{
            "matching.mechanism": mechanism,
            "matching.proposer": proposer,
            "scoring.weights": Weights(capability=1.0),
            "scoring.amplification": np.inf if known else 0.0,
            "payment.reserve": 1.0,
        }
    )
    return Market(rule, markets=markets, economy=economy)


def random_preferences(markets: int, organizations: int, kinds: int, seed: int) -> np.ndarray:
    """Kinds (B, N, K) as each organization likes them, the best first."""
    return np.random.default_rng(seed).random((markets, organizations, kinds)).argsort(axis=-1)


def reporting(preferences: np.ndarray) -> np.ndarray:
    """Actions that report these preferences (B, N, K)."""
    kinds = preferences.shape[-1]
    actions = np.zeros((*preferences.shape[:-1], 3 + kinds), np.float32)
    order = np.linspace(1, -1, kinds, dtype=np.float32)
    np.put_along_axis(actions[..., 3:], preferences, np.broadcast_to(order, preferences.shape), axis=-1)
    return actions


def matched(market: Market) -> np.ndarray:
    """Kind of the job of each organization (B, N), -1 where it has none."""
    kinds = np.full((market.markets, market.organizations), -1)
    b, j = np.nonzero(market.winners >= 0)
    kinds[b, market.winners[b, j]] = market.served_kinds[b, j]
    return kinds


def ranks(order: np.ndarray) -> np.ndarray:
    """Rank of each in an order along the last axis, 0 for the best."""
    return order.argsort(axis=-1)


def rank_of_match(preferences: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Rank (B, N) of the kind (B, N) that each got among its preferences; K where it got none."""
    found = np.take_along_axis(ranks(preferences), np.maximum(kinds, 0)[..., None], axis=-1)[..., 0]
    return np.where(kinds < 0, preferences.shape[-1], found)


def ranking_of_jobs(market: Market) -> np.ndarray:
    """Rank (B, K, N) of each organization in the ranking of each kind, where jobs rank by capability."""
    capability = np.array([state_view(state, market.kinds).capability for state in market.state])
    return ranks(np.argsort(-capability, axis=-1))


def blocking_pairs(preferences: np.ndarray, kinds: np.ndarray, ranking: np.ndarray) -> int:
    """Pairs of organization and kind that both prefer each other to what they have, in all markets."""
    likes, own = ranks(preferences), rank_of_match(preferences, kinds)
    markets, organizations, count = likes.shape
    held = np.full((markets, count), organizations)
    b, i = np.nonzero(kinds >= 0)
    held[b, kinds[b, i]] = ranking[b, kinds[b, i], i]
    wants = likes < own[:, :, None]
    wanted = ranking.transpose(0, 2, 1) < held[:, None, :]
    return int((wants & wanted).sum())


def gains_by_misreport(opened: Opened, truth: np.ndarray) -> np.ndarray:
    """Places (B,) that organization 0 gains by the best of all its reports, the others reporting `truth`."""
    got = []
    for report in itertools.permutations(range(truth.shape[-1])):
        reported = truth.copy()
        reported[:, 0] = report
        opened.play(reporting(reported))
        got.append(rank_of_match(truth, matched(opened.market))[:, 0])
    opened.play(reporting(truth))
    return rank_of_match(truth, matched(opened.market))[:, 0] - np.min(got, axis=0)


def stability(run: Measurement) -> Iterator[Row]:
    """Blocking pairs, and organizations that gain by another report."""
    for organizations, jobs in ((8, 8), (9, 6)):
        for proposer in ("organizations", "jobs"):
            opened = Opened(two_sided(organizations, jobs, proposer, run.draws(500), known=True), seed=1)
            ranking = ranking_of_jobs(opened.market)
            truth = random_preferences(opened.market.markets, organizations, jobs, seed=2)
            opened.play(reporting(truth))
            pairs = blocking_pairs(truth, matched(opened.market), ranking)
            yield Row(f"blocking pairs, {organizations} organizations, {jobs} jobs, {proposer} propose", 0.0, pairs)
    for n in (3, 4, 5):
        opened = Opened(two_sided(n, n, "organizations", run.draws(200)), seed=3)
        gains = gains_by_misreport(opened, random_preferences(opened.market.markets, n, n, seed=4))
        yield Row(f"proposers that gain by a misreport, n = {n}", 0.0, float((gains > 0).sum()))
    opened = Opened(two_sided(4, 4, "jobs", run.draws(400)), seed=5)
    gains = gains_by_misreport(opened, random_preferences(opened.market.markets, 4, 4, seed=6))
    yield Row("receivers that gain by a misreport, n = 4", 1.0, float((gains > 0).sum()), sense=">=")


def immediate(preferences: np.ndarray, ranking: np.ndarray) -> np.ndarray:
    """Immediate acceptance in plain Python: kinds (N,) from preferences (N, K) and ranks (K, N) in kinds' rankings."""
    organizations, kinds = preferences.shape
    got, open_ = np.full(organizations, -1), set(range(kinds))
    for rank in range(kinds):
        for k in sorted(open_):
            applicants = [i for i in range(organizations) if got[i] < 0 and preferences[i, rank] == k]
            if applicants:
                got[min(applicants, key=lambda i: ranking[k, i])] = k
                open_.discard(k)
    return got


def manipulable(run: Measurement) -> Iterator[Row]:
    """How many organizations gain by some misreport, against the same count in plain Python."""
    n, reports = 3, list(itertools.permutations(range(3)))
    opened = Opened(
        two_sided(n, n, "organizations", run.draws(400), mechanism="immediate_acceptance", known=True), seed=7
    )
    truth, ranking = random_preferences(opened.market.markets, n, n, seed=8), ranking_of_jobs(opened.market)
    gains = gains_by_misreport(opened, truth)
    expected = np.empty(len(gains))
    for b, (liked, rank) in enumerate(zip(truth, ranking, strict=True)):
        own = ranks(liked[0])
        got = [own[immediate(np.stack([report, *liked[1:]]), rank)[0]] for report in (tuple(liked[0]), *reports)]
        expected[b] = got[0] - min(got)
    yield Row("organizations that gain by a misreport, n = 3", float((expected > 0).sum()), float((gains > 0).sum()))
    yield Row("that there are some", 1.0, float((gains > 0).sum()), sense=">=")
    yield Row("markets in which the places gained differ", 0.0, float((gains != expected).sum()))


def mean_rank(market: Market, seed: int) -> np.ndarray:
    """Mean rank (B,), 1 the best, that the matched organizations got."""
    market.reset(seed=seed)
    preferences = random_preferences(market.markets, market.organizations, market.kinds, seed + 1)
    market.step(reporting(preferences))
    kinds = matched(market)
    ranks = np.where(kinds >= 0, rank_of_match(preferences, kinds) + 1.0, np.nan)
    return np.nanmean(ranks, axis=1)


def balanced(run: Measurement) -> Iterator[Row]:
    """Mean ranks in random markets with two sides of one size."""
    for n, proposer, expected in BALANCED:
        market = two_sided(n, n, proposer, run.draws(60_000 // n))
        yield mean_row(f"organizations' mean rank, n = {n}, {proposer} propose", expected, mean_rank(market, seed=7))


def unbalanced(run: Measurement) -> Iterator[Row]:
    """Mean ranks where one side has one more."""
    for organizations, jobs, proposer, expected in UNBALANCED:
        market = two_sided(organizations, jobs, proposer, run.draws(400))
        name = f"organizations' mean rank, {organizations} of them, {jobs} jobs, {proposer} propose"
        yield mean_row(name, expected, mean_rank(market, seed=9))


_SETTING = "K = J = n, one job of each kind, capacity 1, preferences by focus, no weight on focus"

ANSWERS = (
    Answer(
        id="deferred_acceptance",
        title="Deferred acceptance: stable, and truthful for proposers",
        formula="no blocking pair; no proposer gains by any misreport; some receiver does",
        setting=f"{_SETTING}; stability where jobs rank by capability (amplification inf), incentives where they rank "
        "at random (amplification 0)",
        source="Gale & Shapley 1962; Dubins & Freedman 1981; Roth 1982",
        tolerance=Tolerance(errors=0),
        measure=stability,
        seconds=1,
    ),
    Answer(
        id="immediate_acceptance",
        title="Immediate acceptance is manipulable",
        formula="some organization gets a kind that it likes better by misreporting; as many as plain Python finds",
        setting=f"{_SETTING}; jobs rank by capability (amplification inf), n = 3, all reports tried",
        source="Abdulkadiroğlu & Sönmez 2003",
        tolerance=Tolerance(errors=0),
        measure=manipulable,
        seconds=1,
    ),
    Answer(
        id="mean_ranks",
        title="Deferred acceptance: mean ranks",
        formula="proposer / receiver: 2.393 / 3.690 at n = 10, 4.173 / 11.81 at n = 50",
        setting=f"{_SETTING}; jobs rank at random (amplification 0)",
        source="Wilson 1972; Pittel 1989",
        tolerance=Tolerance(errors=3, absolute=0.005),
        measure=balanced,
        seconds=2,
        remark="0.005 for the rounding of what was published.",
    ),
    Answer(
        id="unbalanced_ranks",
        title="Deferred acceptance: one more on one side",
        formula="101 proposers to 100: 20.14 / 4.92; 100 to 101: 4.11 / 23.45",
        setting="the same with K = J = 100 or 101 and N = 101 or 100; ranks of the matched",
        source="Ashlagi, Kanoria & Leshno 2017",
        tolerance=Tolerance(errors=3, absolute=0.005),
        measure=unbalanced,
        seconds=3,
        remark="0.005 for the rounding of what was published.",
    ),
)
