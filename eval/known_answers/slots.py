"""Position auctions: the generalized second price is not the payment of Vickrey, Clarke and Groves (VCG).

In the example of Edelman, Ostrovsky & Schwarz 2007, bidders value a click at 10, 4 and 2, and slots have 200 and 100
clicks. At truthful bids the generalized second price charges 800 and 200, and VCG 600 and 200. Here jobs are slots,
with their values as clicks, and promotion is the bid: a promotion of 1 stands for 10 per click, and a job value of 1
for 150 clicks.
"""

from collections.abc import Iterator

import numpy as np

from ruleshift.envs import Market
from ruleshift.envs.layout import outcome_view
from ruleshift.envs.rule import Weights
from ruleshift.eval.known_answers.answer import Answer, Measurement, Row, Tolerance
from ruleshift.eval.known_answers.setting import Opened, bare, conduct, plain_rule

VALUES, CLICKS, UNIT = (10.0, 4.0, 2.0), (200.0, 100.0), 150.0
"""Each bidder's value per click, clicks of each slot, and clicks per unit of job value."""
PAYMENTS = {"next_bid": (800.0, 200.0), "externality": (600.0, 200.0)}
"""Published payments of the first two bidders, by how promotion is charged."""


def slots(charge: str, organizations: int, jobs: int, markets: int) -> Market:
    """Return B markets with slots of random value for those who promote most; promotion costs 1 per unit of value."""
    rule = plain_rule(
        Weights(promotion=1.0), np.inf, **{"matching.mechanism": "position_auction", "payment.charge": charge}
    )
    economy = bare(organizations=organizations, jobs=jobs, promotion_price=1.0, value_spread=1.0)
    return Market(rule, markets=markets, economy=economy)


def charges(market: Market) -> np.ndarray:
    """Charge for promotion (B, N) of each organization in the last round played."""
    return np.array([outcome_view(rows, market.kinds).charge for rows in market.outcomes])


def formula(charge: str, bids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Charges (B, J) by slot, the most valuable slot first, given bids (B, N) and values of slots (B, J).

    VCG charges the sum, over the slots s below, of what the bidder there would gain by moving up,
    (v_(s-1) - v_s) b_s.
    """
    bid, value = -np.sort(-bids, axis=1)[:, 1 : values.shape[1] + 1], -np.sort(-values, axis=1)
    if charge == "next_bid":
        return bid * value
    steps = (value - np.pad(value, ((0, 0), (0, 1)))[:, 1:]) * bid
    return np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]


def payments(run: Measurement) -> Iterator[Row]:
    """Measure the published example, and charges at random bids and slots."""
    for charge, expected in PAYMENTS.items():
        opened = Opened(slots(charge, 3, 2, 1), seed=0)
        opened.post(np.array([CLICKS]) / UNIT)
        opened.play(conduct(promotion=np.array([VALUES]) / VALUES[0]))
        paid = charges(opened.market)[0] * UNIT * VALUES[0]
        for rank, (found, wanted) in enumerate(zip(paid, expected, strict=False)):
            yield Row(f"{charge}: the bidder of {VALUES[rank]:g} pays", wanted, float(found))
        opened = Opened(slots(charge, 6, 4, run.draws(1_000)), seed=1)
        bids = np.random.default_rng(2).random((opened.market.markets, 6)).astype(np.float32).astype(np.float64)
        values = opened.market.job_values.copy()
        opened.play(conduct(promotion=bids))
        paid = -np.sort(-charges(opened.market), axis=1)[:, :4]
        wanted_all = -np.sort(-formula(charge, bids, values), axis=1)
        yield Row(f"{charge}: largest difference, 6 bidders, 4 slots", 0.0, float(np.abs(paid - wanted_all).max()))


ANSWERS = (
    Answer(
        id="position_auction",
        title="The generalized second price is not VCG",
        formula="values 10, 4, 2 and clicks 200, 100: generalized second price 800, 200; VCG 600, 200",
        setting="position auction, jobs are slots by value, promotion is the bid, charged by next_bid or externality",
        source="Edelman, Ostrovsky & Schwarz 2007",
        tolerance=Tolerance(errors=0, absolute=1e-3),
        measure=payments,
        seconds=1,
        remark="Clicks are job values, which a market draws. Those of the first board are set by hand here.",
    ),
)
