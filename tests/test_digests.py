"""Bits are frozen: the digests of short trajectories are those of `digests.json`."""

import json
from itertools import combinations

import pytest
from digests import FILE, cases, digest
from strategies import BUILT_IN

from ruleshift.envs import list_rules
from ruleshift.envs.enumerations import CHARGES, PRICINGS
from ruleshift.eval.experiment.references import RECIPE

CASES = cases()
FROZEN = json.loads(FILE.read_text())
RENEW = (
    "If it was meant to change, this is a Breaking change for CHANGELOG.md: raise RECIPE in "
    "eval/experiment/references.py, then run `python tests/digests.py`, which writes tests/digests.json anew."
)


@pytest.mark.parametrize("name", CASES)
def test_digest__trajectory_has_the_frozen_bits(name: str) -> None:
    found, frozen = digest(CASES[name]), FROZEN["digests"].get(name)
    assert found == frozen, f"the trajectory of {name!r} has digest {found}; it is frozen as {frozen}. {RENEW}"


def test_digests__are_of_the_recipe_that_the_references_are_made_by() -> None:
    recipe = FROZEN["recipe"]
    assert recipe == RECIPE, f"tests/digests.json was written under recipe {recipe}; it now is {RECIPE}. {RENEW}"


def test_digests__there_is_one_for_every_mechanism_pricing_charge_and_rule_and_none_is_stale() -> None:
    for kind, words in (
        ("mechanism", BUILT_IN), ("pricing", PRICINGS), ("charge", CHARGES), ("rule", list_rules())
    ):  # fmt: skip
        missing = [word for word in words if f"{kind}/{word}" not in CASES]
        assert not missing, f"tests/digests.py has no case for the {kind} {missing[0]!r}"
    assert FROZEN["digests"].keys() == CASES.keys(), RENEW


def test_digests__cases_that_differ_have_bits_that_differ() -> None:
    frozen = FROZEN["digests"]
    alike = [(a, b) for a, b in combinations(CASES, 2) if frozen[a] == frozen[b] and CASES[a] != CASES[b]]
    assert not alike, f"{alike[0]} have one digest: a case must show what it is about"
