"""The claims, registered before they are run, one file each with measure, thresholds, verdict and sentences.

The list below is the only one; `register_claim` adds claims of your own to it.
"""

from collections.abc import Mapping, Sequence

from ruleshift.eval.claims import (
    adaptation,
    awareness,
    break_even,
    economies,
    head_start,
    infrastructure_equalizes,
    recovery,
    rivals,
    routine,
    schema,
    selection,
    transfer,
    variance,
)
from ruleshift.eval.claims.claim import INCONCLUSIVE, VERDICTS, Claim, Judgement, Verdict
from ruleshift.eval.claims.competence import competence, gate_verdicts
from ruleshift.eval.claims.returns import Returns

__all__ = [
    "CLAIMS", "VERDICTS", "Claim", "Judgement", "Returns", "Verdict", "asked", "competence", "gate_verdicts",
    "judge_all", "judged", "register_claim",
]  # fmt: skip

CLAIMS: dict[str, Claim] = {
    module.CLAIM.id: module.CLAIM
    for module in (
        transfer, adaptation, routine, head_start, break_even, economies,
        schema, awareness, rivals, recovery, selection, variance, infrastructure_equalizes,
    )
}  # fmt: skip
"""The claims by id, in the order in which a report answers them."""


def register_claim(claim: Claim) -> None:
    """Add a claim of your own, for instance in a module that a preset names among its extensions.

    Raises:
        ValueError: another claim has the same id.
    """
    if CLAIMS.setdefault(claim.id, claim) is not claim:
        raise ValueError(f"a claim with the id {claim.id!r} is already registered")


def asked(names: Sequence[str] = ()) -> dict[str, Claim]:
    """The claims of these ids, in the order of `CLAIMS`; without any, all that need no protocol of their own.

    Raises:
        ValueError: there is no such claim.
    """
    for name in names:
        if name not in CLAIMS:
            raise ValueError(f"claim {name!r} is unknown; the claims are {', '.join(CLAIMS)}")
    return {id_: claim for id_, claim in CLAIMS.items() if (id_ in names if names else not claim.protocols)}


def judge_all(returns: Returns, constant: Mapping[str, float] | None = None) -> Judgement:
    """Judge every claim; one about an arm or a protocol that the study lacks is inconclusive, with the reason.

    Args:
        returns: what arms and references earned.
        constant: ask, effort and promotion of the best constant conduct, by name.
    """
    return Judgement(returns, {name: judged(claim, returns) for name, claim in CLAIMS.items()}, constant or {})


def judged(claim: Claim, returns: Returns) -> Verdict:
    """The verdict on one claim, inconclusive with the reason if the study lacks what it is about."""
    try:
        return claim.judge(returns)
    except ValueError as error:
        return Verdict(claim.id, INCONCLUSIVE, str(error))
