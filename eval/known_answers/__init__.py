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
from ruleshift.eval.known_answers.answer import Answer, Row, Run, Tolerance

__all__ = ["ANSWERS", "Answer", "Row", "Run", "Tolerance"]

MODULES = (
    auctions, monopolistic, contests, slots, matching, assignments, urns, entry, learning_curve, collusion, specialists,
)  # fmt: skip

ANSWERS: dict[str, Answer] = {answer.id: answer for module in MODULES for answer in module.ANSWERS}
