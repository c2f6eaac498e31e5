"""Known answers: what theory and published replications demand of the market. This list is the only one."""

from ruleshift.eval.known_answers import (
    assignments,
    auctions,
    collusion,
    contests,
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
    auctions, monopolistic, contests, slots, matching, assignments, urns, entry, learning_curve, collusion, specialists,
)  # fmt: skip

ANSWERS: dict[str, Answer] = {answer.id: answer for module in MODULES for answer in module.ANSWERS}


def register_answer(answer: Answer) -> None:
    """Add a known answer of one's own, such as from a module that is named among the extensions.

    Raises:
        ValueError: another answer has its id.
    """
    if ANSWERS.setdefault(answer.id, answer) is not answer:
        raise ValueError(f"a known answer with the id {answer.id!r} is already registered")
