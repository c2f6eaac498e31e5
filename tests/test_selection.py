"""Selection as rules change more often: the mixed markets as they are played, and the claim on planted payoffs."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import GENERALIST, QUICK, SPECIALIST, make_returns

from ruleshift.eval.claims import CLAIMS, Returns, judge_all
from ruleshift.eval.claims.returns import Run
from ruleshift.eval.claims.selection import SHARES, favoured

ARMS = (SPECIALIST, GENERALIST)


def planted(at_home: float, away: float, *, spread: float = 0.001, gate: float = 0.9) -> Returns:
    """A study in which the generalist earns so much more than the specialist under home rules and away, against all."""
    rng = np.random.default_rng(0)
    panels, economies = QUICK[3:]
    runs = []

    def values(lead: float) -> dict[str, np.ndarray]:
        found = {}
        for one in ARMS:
            for other in ARMS:
                array = np.full((economies, panels), np.nan)
                array[:, 0] = 0.5 + (lead if one == GENERALIST else 0) + spread * rng.standard_normal(economies)
                found[f"{one} against {other}"] = array
        return found

    for home in ("h0", "h1", "h2"):
        for seed in (0, 1):
            runs.append(Run(GENERALIST, home, home, seed, 1.0, "metagame_home", None, (), values(at_home)))
            runs += [
                Run(GENERALIST, home, target, seed, 1.0, "metagame", None, (), values(away))
                for target in ("g0", "g1", "g2", "g3")
            ]
    return replace(make_returns(home={SPECIALIST: gate}, spread=0.001), runs=tuple(runs))


@pytest.mark.parametrize(
    ("at_home", "away", "expected"),
    [
        (-0.2, 0.2, "supported"), (0.2, -0.2, "contradicted"), (0.3, 0.3, "no material difference"),
        (0.0, 0.0, "no material difference"),
    ],
)  # fmt: skip
def test_selection__is_found_where_planted(at_home: float, away: float, expected: str) -> None:
    assert CLAIMS["selection"].judge(planted(at_home, away)).outcome == expected


def test_selection__noise_or_an_incompetent_arm_leaves_it_inconclusive() -> None:
    assert CLAIMS["selection"].judge(planted(0.0, 0.05, spread=0.3)).outcome == "inconclusive"
    found = CLAIMS["selection"].judge(planted(-0.2, 0.2, gate=0.1))
    assert (found.outcome, f"{SPECIALIST} is not competent" in found.reason) == ("inconclusive", True)
    assert "is missing" in judge_all(make_returns()).verdicts["selection"].reason


def test_selection__shares_are_those_of_two_constant_kinds_in_a_population_of_50() -> None:
    """With payoffs p * .2 - (1 - p) * .2 the odds are exp(49 * payoff), and the two dynamics agree on who spreads."""
    found = CLAIMS["selection"].judge(planted(-0.2, 0.2, spread=0.0))
    for share in SHARES:
        odds = np.exp(49 * (0.4 * share - 0.2))
        assert found.numbers[f"alpha-rank of {GENERALIST} at {share:.1f}"] == pytest.approx(odds / (1 + odds), rel=1e-6)
        grown = found.numbers[f"replicator share of {GENERALIST} at {share:.1f}"]
        assert grown == pytest.approx(float(share > 0.5) if abs(share - 0.5) > 0.01 else 0.5, abs=1e-6)
    assert [(round(share, 1), arm) for share, arm in favoured(found)][-1] == (0.6, GENERALIST)


def test_selection__answer_says_who_is_the_most_common() -> None:
    text = CLAIMS["selection"].answer(judge_all(planted(-0.2, 0.25)))
    assert text.startswith("Yes.")
    assert "is the specialist and the generalist from 50% on" in text
    always = CLAIMS["selection"].answer(judge_all(planted(0.3, 0.3)))
    assert "The most common is the generalist, whatever" in always
