"""The claims, registered before they are run: measure, thresholds, verdict and sentences, one file each.

The list below is the only one; `register_claim` adds to it from outside.
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
"""By id, in the order in which a report answers them."""


def register_claim(claim: Claim) -> None:
    """Add a claim of one's own, such as from a module that a preset names among its extensions.

    Raises:
        ValueError: another claim has its id.
    """
    if CLAIMS.setdefault(claim.id, claim) is not claim:
        raise ValueError(f"a claim with the id {claim.id!r} is already registered")


def judge_all(returns: Returns, constant: Mapping[str, float] | None = None) -> Judgement:
    """The verdict on every claim; inconclusive, with the reason, where the study lacks an arm that a claim is about.

    Args:
        returns: what arms and references earned.
        constant: the best constant conduct: its ask, effort and promotion.
    """
    return Judgement(returns, {name: _judged(claim, returns) for name, claim in CLAIMS.items()}, constant or {})


def _judged(claim: Claim, returns: Returns) -> Verdict:
    try:
        return claim.judge(returns)
    except ValueError as error:
        return Verdict(claim.id, INCONCLUSIVE, str(error))
