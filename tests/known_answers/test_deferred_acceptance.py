"""Deferred acceptance finds the matches of the `matching` package."""

import matching.games
import pytest

from ruleshift.eval.known_answers.matching import matched, random_preferences, ranking_of_jobs, reporting, two_sided
from ruleshift.eval.known_answers.setting import Opened


@pytest.mark.parametrize("proposer", ["organizations", "jobs"])
@pytest.mark.parametrize("n", [1, 5])
def test_deferred_acceptance__agrees_with_the_matching_package(n: int, proposer: str) -> None:
    opened = Opened(two_sided(n, n, proposer, 40, known=True), seed=3)
    rankings = ranking_of_jobs(opened.market).argsort(axis=-1)
    preferences = random_preferences(40, n, n, seed=4)
    opened.play(reporting(preferences))
    for liked, ranking, kinds in zip(preferences, rankings, matched(opened.market), strict=True):
        game = matching.games.StableMarriage.create_from_dictionaries(
            {f"o{i}": [f"k{k}" for k in row] for i, row in enumerate(liked)},
            {f"k{k}": [f"o{i}" for i in row] for k, row in enumerate(ranking)},
        )
        solved = game.solve(optimal="suitor" if proposer == "organizations" else "reviewer")
        assert {f"o{i}": f"k{k}" for i, k in enumerate(kinds)} == {
            str(suitor): str(reviewer) for suitor, reviewer in solved.items()
        }
