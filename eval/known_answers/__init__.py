"""Known answers: what theory and published replications demand of the market. This list is the only one."""

from ruleshift.eval.known_answers import (
    auctions,
    collusion,
    contests,
    entry,
    learning_curve,
    matching,
    monopolistic,
    specialists,
    urns,
)
from ruleshift.eval.known_answers.answer import Answer, Row, Run, Tolerance

__all__ = ["ANSWERS", "Answer", "Row", "Run", "Tolerance"]

MODULES = (auctions, monopolistic, contests, matching, urns, entry, learning_curve, collusion, specialists)

ANSWERS: dict[str, Answer] = {answer.id: answer for module in MODULES for answer in module.ANSWERS}
