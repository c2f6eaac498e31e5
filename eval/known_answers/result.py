"""Results of a validation: the rows of each known answer, and whether they hold."""

from dataclasses import dataclass

from ruleshift.eval.known_answers.answer import Answer, Row


@dataclass(frozen=True)
class Result:
    """Result of measuring one known answer in the market."""

    answer: Answer
    """The known answer."""
    rows: tuple[Row, ...]
    """Its rows, as measured."""

    @property
    def holds(self) -> bool:
        """Whether every row lies within its tolerance."""
        return all(self.answer.tolerance.holds(row) for row in self.rows)

    def verdict(self, row: Row) -> str:
        """Return `pass` or `fail` for a row."""
        return "pass" if self.answer.tolerance.holds(row) else "fail"
