"""What a validation finds: the rows of each answer, and whether they hold."""

from dataclasses import dataclass

from ruleshift.eval.known_answers.answer import Answer, Row


@dataclass(frozen=True)
class Result:
    """What the market gave for one known answer."""

    answer: Answer
    rows: tuple[Row, ...]

    @property
    def holds(self) -> bool:
        """Whether every row lies within its tolerance."""
        return all(self.answer.tolerance.holds(row) for row in self.rows)

    def verdict(self, row: Row) -> str:
        """`pass` or `fail`."""
        return "pass" if self.answer.tolerance.holds(row) else "fail"
