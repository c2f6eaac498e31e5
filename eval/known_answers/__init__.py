"""Known answers: what theory and published replications demand of the market.

The list below is the only one; `register_answer` adds answers of your own to it.
"""

from ruleshift.eval.known_answers import (
    assignments,
    auctions,
    collusion,
    contests,
    dials,
    entry,
    learning_curve,
    matching,
    monopolistic,
    slots,
    specialists,
    urns,
)
from ruleshift.eval.known_answers.answer import Answer, Measurement, Row, Tolerance

__all__ = ["ANSWERS", "Answer", "Measurement", "Row", "Tolerance", "register_answer"]

MODULES = (
    auctions, monopolistic, contests, slots, matching, assignments, urns, entry, dials, learning_curve, collusion,
    specialists,
)  # fmt: skip

ANSWERS: dict[str, Answer] = {answer.id: answer for module in MODULES for answer in module.ANSWERS}
"""The known answers by id, in the order of the report."""


def register_answer(answer: Answer) -> None:
    """Add a known answer of your own, for instance in a module that is named among the extensions.

    Raises:
        ValueError: another answer has the same id.
    """
    if ANSWERS.setdefault(answer.id, answer) is not answer:
        raise ValueError(f"a known answer with the id {answer.id!r} is already registered")
