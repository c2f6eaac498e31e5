"""Short trajectories, one for each thing that a rule or an economy can say, and the digests that freeze them.

`python tests/digests.py` writes `digests.json` anew. If that is necessary, trajectories have changed: this is a
Breaking change for CHANGELOG.md, and `RECIPE` in `eval/experiment/references.py` must be raised first, since the
reference policies were trained on the old trajectories.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ruleshift.envs import Economy, Market, Rule, Shift, list_rules, load_rule, load_structure
from ruleshift.envs.schedule import drift
from ruleshift.eval.experiment.references import RECIPE

FILE = Path(__file__).with_name("digests.json")
MARKETS, STEPS = 2, 9
ECONOMY: dict[str, Any] = {
    "organizations": 5, "jobs": 7, "kinds": 3, "capacity": 2, "rounds": 8, "blocs": 2, "outside_share": 0.25,
    "infrastructure": (0.0, 2.0),
}  # fmt: skip

MECHANISMS: dict[str, dict[str, Any]] = {
    "serial": {},
    "proportional_quota": {},
    "first_come": {"payment.pricing": "posted", "payment.reserve": 0.9},
    "deferred_acceptance": {"payment.pricing": "second_price"},
    "immediate_acceptance": {"payment.pricing": "uniform"},
    "top_trading_cycles": {},
    "random_serial_dictatorship": {},
    "welfare_maximizing": {"payment.pricing": "externality", "matching.parameters": (0.4, 1.0)},
    "greedy": {"matching.parameters": (0.6, 0.0)},
    "position_auction": {"payment.charge": "externality"},
}
"""Each mechanism, with a payment that it supports."""

PRICINGS = {
    "as_asked": "serial",
    "second_price": "serial",
    "posted": "serial",
    "uniform": "serial",
    "externality": "welfare_maximizing",
}
CHARGES = {
    "sunk": "serial",
    "if_matched": "serial",
    "next_bid": "position_auction",
    "externality": "position_auction",
}
"""Each charge, with a mechanism that supports it."""

CHANGES: dict[str, dict[str, Any]] = {
    "ranking": {"scoring.amplification": np.inf, "payment.pricing": "second_price"},
    "lottery": {"scoring.amplification": 0.0, "scoring.price_signal": "logit"},
    "logit": {"scoring.price_signal": "logit", "disclosure.level": "full"},
    "opaque": {"disclosure.level": "opaque"},
    "scores": {"disclosure.level": "scores", "scoring.amplification": np.inf},
    "full": {"disclosure.level": "full"},
    "noise and delay": {"disclosure.level": "full", "disclosure.noise": 0.3, "disclosure.delay": 2},
    "tiers": {"payment.tiers": ((0.5, 0.3), (1.5, 0.05))},
    "entry rate": {"feedback.entry_rate": 0.5, "feedback.prior": 0.0, "payment.pricing": "second_price"},
    "inflation": {"feedback.inflation": 0.5, "feedback.persistence": 1.0},
}  # fmt: skip
"""What else a rule can say, as changes of the common rule."""

CROWD = {"organizations": 8, "jobs": 8, "outside_share": 0.0}
TWO_SIDES = {"matching.mechanism": "deferred_acceptance", "scoring.amplification": 0.0}
"""A rule under which it matters which side proposes, because stable matchings differ."""

ECONOMIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "expected shares": ({"shares": "expected", "capacity": 7}, {"payment.charge": "sunk"}),
    "expected shares of a ranking": (
        {"shares": "expected", "capacity": 7}, {"payment.pricing": "posted", "scoring.amplification": np.inf}
    ),
    "replacement": ({"initial_cash": 0.0}, {"feedback.entry": "replacement"}),
    "organizations that propose": (CROWD, TWO_SIDES),
    "jobs that propose": (CROWD, {**TWO_SIDES, "matching.proposer": "jobs"}),
    "even demand": ({"demand": "even", "value_drift": 0.3, "drift_period": 4}, {}),
    "drifting demand": ({"demand_drift": 0.8, "drift_period": 4}, {}),
    "exponential shocks": ({"shock_law": "exponential", "shock_mean": 0.1}, {}),
    "exogenous capability": ({"learning": "exogenous", "quality_noise": 0.0, "shock_sd": 0.0}, {}),
}  # fmt: skip
"""What else an economy can say, each with changes of the common rule."""


def common_rule() -> Rule:
    """Return a rule that weighs every signal and takes a commission."""
    weights = {"price": 0.3, "capability": 0.1, "reputation": 0.2, "promotion": 0.1, "popularity": 0.1}
    weights |= {"focus": 0.1, "proximity": 0.1}
    return load_rule("price_board").replace(
        **{"name": "common", "disclosure.level": "outcomes", "payment.commission": 0.1, "payment.reserve": 1.0},
        **{f"scoring.weights.{name}": weight for name, weight in weights.items()},
    )


def cases() -> dict[str, dict[str, Any]]:
    """Return the arguments of `Market` for each case, by the name of the case."""
    economy, common = Economy(**ECONOMY), common_rule()
    changes = {f"mechanism/{name}": {"matching.mechanism": name, **more} for name, more in MECHANISMS.items()}
    for key, table in (("pricing", PRICINGS), ("charge", CHARGES)):
        for word, mechanism in table.items():
            changes[f"{key}/{word}"] = {"matching.mechanism": mechanism, f"payment.{key}": word}
    changes |= {f"rule with {name}": change for name, change in CHANGES.items()}
    found = {name: {"rule": common.replace(**change), "economy": economy} for name, change in changes.items()}
    for name, (numbers, change) in ECONOMIES.items():
        found[f"economy with {name}"] = {"rule": common.replace(**change), "economy": Economy(**{**ECONOMY, **numbers})}
    found |= {f"rule/{name}": {"rule": name, "economy": economy} for name in list_rules()}
    return found | _schedules(common, economy)


def _schedules(common: Rule, economy: Economy) -> dict[str, dict[str, Any]]:
    announcing = common.replace(**{"disclosure.notice": 3, "disclosure.reliability": 0.7})
    shifts = (Shift(2, "promoted_listing", notice=2), Shift(4, "clearing_house", chance=0.5), Shift(6, common))
    drawn = load_structure("platforms")
    return {
        "schedule/shifts": {"rule": announcing, "economy": economy, "schedule": shifts},
        "schedule/drift": {"rule": common, "economy": economy, "schedule": drift(common, "sponsored_search", 1, 6)},
        "schedule/structure": {"rule": drawn, "economy": economy, "schedule": (Shift(3, drawn, notice=2),)},
    }


def digest(arguments: dict[str, Any]) -> str:
    """Hash everything that a market returns and holds, over one episode and into the next: sixteen hex digits."""
    market = Market(markets=MARKETS, first_market=3, **arguments)
    rng = np.random.default_rng(2026)
    found = hashlib.sha256(market.reset(seed=11).tobytes())
    for _ in range(STEPS):
        actions = rng.uniform(-1.2, 1.2, (MARKETS, market.organizations, market.action_size))
        observations, rewards, last = market.step(actions.astype(np.float32))
        for array in (
            observations, rewards, market.job_kinds, market.job_values, market.winners, market.payments, market.state,
            market.outcomes, market.measures,
        ):  # fmt: skip
            found.update(array.tobytes())
        if last:
            assert market.last_observations is not None
            assert market.episode_measures is not None
            found.update(market.last_observations.tobytes())
            found.update(market.episode_measures.tobytes())
    return found.hexdigest()[:16]


def main() -> None:
    """Write the digests of the present code."""
    content = {"recipe": RECIPE, "digests": {name: digest(arguments) for name, arguments in cases().items()}}
    FILE.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
