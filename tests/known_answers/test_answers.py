"""Every known answer that takes seconds, with few draws; `ruleshift validate` asks for all of them with many."""

from dataclasses import replace

import pytest

from ruleshift.eval.known_answers import ANSWERS, Answer, Measurement, Row, Tolerance

SHARES = {
    "q_learners": 0.1,
    "simon_sizes": 0.3,
    "deferred_acceptance": 1.0,
    "unbalanced_ranks": 0.1,
    "luce_choice": 0.2,
}
"""Share of the draws that the quick test takes, where it is not a twentieth."""
SLOW = {"entry_power_law", "trained_first_price", "trained_second_price", "trained_transfer", "trained_self_play"}
"""Left to `ruleshift validate`."""
ERRORS = 4
"""Standard errors allowed here: with few draws, and among so many rows, fewer would fail one by luck."""


@pytest.mark.parametrize("name", [name for name in ANSWERS if name not in SLOW])
def test_answers__the_market_gives_each(name: str) -> None:
    answer = ANSWERS[name]
    tolerance = replace(answer.tolerance, errors=ERRORS)
    rows = list(answer.measure(Measurement(SHARES.get(name, 0.05))))
    off = [row for row in rows if not tolerance.holds(row)]
    assert rows
    assert not off, off


@pytest.mark.parametrize("name", ["first_price", "deferred_acceptance", "wright", "luce_choice"])
def test_answers__measure_the_same_each_time(name: str) -> None:
    once, again = (list(ANSWERS[name].measure(Measurement(0.01))) for _ in range(2))
    assert once == again


def test_answers__say_what_they_are() -> None:
    for name, answer in ANSWERS.items():
        assert answer.id == name
        assert name.isidentifier()
        assert all((answer.title, answer.formula, answer.setting, answer.source))
        assert set(answer.needs) <= set(ANSWERS)


@pytest.mark.parametrize(
    ("row", "tolerance", "holds"),
    [
        (Row("", 1.0, 1.3, 0.1), Tolerance(errors=3.1), True),
        (Row("", 1.0, 1.31, 0.1), Tolerance(errors=3), False),
        (Row("", 1.0, 0.69, 0.1), Tolerance(errors=3), False),
        (Row("", 1.0, 1.31, 0.1), Tolerance(errors=3, absolute=0.02), True),
        (Row("", 0.0, -5.0, 0.1, "<="), Tolerance(), True),
        (Row("", 0.0, 0.4, 0.1, "<="), Tolerance(), False),
        (Row("", 0.0, 5.0, 0.1, ">="), Tolerance(), True),
        (Row("", 0.0, -0.4, 0.1, ">="), Tolerance(), False),
        (Row("", 0.0, float("nan")), Tolerance(absolute=1), False),
        (Row("", 0.0, float("nan"), 0.0, "<="), Tolerance(absolute=1), False),
    ],
)
def test_tolerance__allows_what_it_says(row: Row, tolerance: Tolerance, holds: bool) -> None:
    assert tolerance.holds(row) is holds


def test_tolerance__a_wrong_formula_fails() -> None:
    """Each row of an answer is told from one whose expected value is a tenth off."""
    answer: Answer = ANSWERS["first_price"]
    for row in answer.measure(Measurement(0.2)):
        if row.sense == "=":
            assert not answer.tolerance.holds(replace(row, expected=row.expected * 1.1))
