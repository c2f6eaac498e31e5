"""Enumerations: files say words, kernels compare codes, and both come from one table."""

import pytest

from ruleshift.envs import Economy, Rule, enumerations, load_rule
from ruleshift.envs import layout as at
from ruleshift.envs.mechanisms import MECHANISMS, Mechanism, Parameter
from ruleshift.envs.mechanisms.surplus import COST_IS_ASK, PARAMETERS, SERVICE_VALUE

CODES = {
    "LEVELS": "LEVEL",
    "PROPOSERS": "PROPOSER",
    "PRICINGS": "PRICING",
    "CHARGES": "CHARGE",
    "ENTRIES": "ENTRY",
    "SHOCK_LAWS": "SHOCK_LAW",
    "DEMANDS": "DEMAND",
    "SHARES": "SHARE",
}


@pytest.mark.parametrize(("table", "codes"), CODES.items())
def test_codes__are_the_positions_of_the_words(table: str, codes: str) -> None:
    words = tuple(getattr(enumerations, table))
    assert getattr(enumerations, codes)._asdict() == {word: code for code, word in enumerate(words)}


def test_wants__are_bits_of_what_a_mechanism_may_tell() -> None:
    assert enumerations.WANTS._asdict() == {"margin": 1, "price": 2, "bid": 4, "bid_externality": 8}


@pytest.mark.parametrize(
    ("payment", "wants"),
    [
        ({"pricing": "posted", "charge": "sunk"}, 0),
        ({"pricing": "second_price"}, enumerations.WANTS.margin),
        ({"pricing": "uniform", "charge": "next_bid"}, enumerations.WANTS.margin + enumerations.WANTS.bid),
        ({"pricing": "externality"}, enumerations.WANTS.price),
        ({"charge": "externality"}, enumerations.WANTS.bid_externality),
    ],
)
def test_row__says_what_of_a_match_the_payment_reads(payment: dict[str, str], wants: int) -> None:
    rule = Rule().replace(**{f"payment.{key}": word for key, word in payment.items()})
    assert rule.row()[at.WANTS] == wants


def test_row__holds_the_codes_of_the_economys_words() -> None:
    row = Economy(demand="even", shock_law="exponential", shares="expected", capacity=8).row()
    assert (row[at.DEMAND], row[at.SHOCK_LAW], row[at.SHARES]) == (1, 1, 1)


def test_columns__begin_where_the_layout_says() -> None:
    for kinds in (1, 3, 5):
        for name, part in at.observation_layout(kinds).items():
            alone, by_kind = getattr(at.START, name)
            assert alone + by_kind * kinds == part.start


def test_parameters__stand_where_their_constants_say() -> None:
    assert PARAMETERS[SERVICE_VALUE].name == "service_value"
    assert PARAMETERS[COST_IS_ASK].name == "cost_is_ask"
    assert MECHANISMS["greedy"].parameters == MECHANISMS["welfare_maximizing"].parameters == PARAMETERS


def test_parameters__out_of_range_are_refused_by_name() -> None:
    rule = load_rule("welfare_dispatch").replace(**{"matching.parameters": (0.3, 2.0)})
    with pytest.raises(
        ValueError, match=r"parameters\[1\] is 2; as cost_is_ask of 'welfare_maximizing' it must be from 0"
    ):
        rule.check_mechanism()


def test_parameters__have_the_declared_default_where_a_rule_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Mechanism("own", lambda *_: None, "", "", parameters=(Parameter("a", "first"), Parameter("b", "second", 2.0)))
    monkeypatch.setitem(MECHANISMS, "own", own)
    for given, held in (((), [0, 2, 0, 0]), ((1.0,), [1, 2, 0, 0]), ((1.0, 3.0), [1, 3, 0, 0])):
        row = Rule().replace(**{"matching.mechanism": "own", "matching.parameters": given}).row()
        assert row[at.PARAMETER_0 :].tolist() == held
