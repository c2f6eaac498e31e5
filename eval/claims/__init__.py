"""The claims, registered before they are run. This list is the only one."""

from ruleshift.eval.claims import adaptation, break_even, economies, head_start, transfer
from ruleshift.eval.claims.claim import WORDS, Claim, Verdict
from ruleshift.eval.claims.competence import competence, gate_words
from ruleshift.eval.claims.returns import Returns

__all__ = ["CLAIMS", "WORDS", "Claim", "Returns", "Verdict", "competence", "gate_words", "judge_all"]

CLAIMS: dict[str, Claim] = {
    module.CLAIM.id: module.CLAIM for module in (transfer, adaptation, head_start, break_even, economies)
}


def judge_all(returns: Returns) -> dict[str, Verdict]:
    """The verdict on every claim, by its id.

    Raises:
        ValueError: an arm that a claim is about is missing.
    """
    return {name: claim.judge(returns) for name, claim in CLAIMS.items()}
