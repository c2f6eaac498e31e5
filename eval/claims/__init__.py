"""The claims, registered before they are run, one file each with measure, thresholds, verdict and sentences.

The list below is the only one; `register_claim` adds claims of your own to it.
"""

from collections.abc import Mapping

from ruleshift.eval.claims import adaptation, break_even, economies, head_start, transfer
from ruleshift.eval.claims.claim import INCONCLUSIVE, VERDICTS, Claim, Judgement, Verdict
from ruleshift.eval.claims.competence import competence, gate_verdicts
from ruleshift.eval.claims.returns import Returns

__all__ = [
    "CLAIMS", "VERDICTS", "Claim", "Judgement", "Returns", "Verdict", "competence", "gate_verdicts", "judge_all",
    "register_claim",
]  # fmt: skip

CLAIMS: dict[str, Claim] = {
    module.CLAIM.id: module.CLAIM for module in (transfer, adaptation, head_start, break_even, economies)
}
"""The claims by id, in the order in which a report answers them."""


def register_claim(claim: Claim) -> None:
    """Add a claim of your own, for instance in a module that a preset names among its extensions.

    Raises:
        ValueError: another claim has the same id.
    """
    if CLAIMS.setdefault(claim.id, claim) is not claim:
        raise ValueError(f"a claim with the id {claim.id!r} is already registered")


def judge_all(returns: Returns, constant: Mapping[str, float] | None = None) -> Judgement:
    """Judge every claim; a claim about an arm that the study lacks is inconclusive, with the reason.

    Args:
        returns: what arms and references earned.
        constant: ask, effort and promotion of the best constant conduct, by name.
    """
    return Judgement(returns, {name: _judged(claim, returns) for name, claim in CLAIMS.items()}, constant or {})


def _judged(claim: Claim, returns: Returns) -> Verdict:
    try:
        return claim.judge(returns)
    except ValueError as error:
        return Verdict(claim.id, INCONCLUSIVE, str(error))
