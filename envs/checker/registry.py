"""The list of checks: each is a function with the decorator `check`, which yields what it finds.

A new check is written like this, in the module of its theme:

    @check("my-check", "economy")
    def _my_check(subject: Subject) -> Found:
        '''What the environment promises, as one sentence.'''
        yield "episode 0, round 3, org_1", "what is wrong"

Everything after the name is a need, one of `NEEDS`. A check may raise `NotChecked` to say why it cannot be made.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from ruleshift.envs.checker.report import EnvironmentFailed, Finding, NotChecked, Unchecked, describe
from ruleshift.envs.checker.subject import LEDGER_KEYS, Found, Subject

NEEDS: dict[str, tuple[Callable[[Subject], object], str]] = {
    "factory": (lambda subject: subject.is_factory, "an instance was given; give a function that makes one"),
    "economy": (
        lambda subject: subject.economy,
        "the environment has no attribute economy with organizations, jobs, capacity and rounds",
    ),
    "ledger": (lambda subject: subject.has_ledger, f"the infos lack some of {', '.join(LEDGER_KEYS)}"),
    "layout": (lambda subject: subject.layout, "observations or actions are not laid out as in market_v0"),
    "random": (lambda subject: subject.random, "nothing random was seen in this environment"),
    "processes": (lambda subject: subject.processes, "left out as asked"),
}
"""What a check may need, whether a subject has it, and what is said if it has not."""


@dataclass(frozen=True)
class Check:
    """One check."""

    kind: str
    """Its name, and that of its findings."""
    theme: str
    """Name of the module that holds it."""
    needs: tuple[str, ...]
    """What the environment must have for it."""
    function: Callable[[Subject], Found]
    """Yields where something is wrong, and what."""

    @property
    def promise(self) -> str:
        """What the environment promises, in one sentence or two."""
        return " ".join((inspect.getdoc(self.function) or "").split())

    def run(self, subject: Subject) -> tuple[list[Finding], Unchecked | None]:
        """Return what the check finds, and why it could not be made or finished, if so.

        Whatever an environment raises or returns becomes a finding.
        """
        found: list[Finding] = []
        try:
            for need in self.needs:
                has, why = NEEDS[need]
                if not has(subject):
                    return found, Unchecked(self.kind, why)
            for where, what in self.function(subject) or ():
                found.append(Finding(self.kind, where, what))
        except NotChecked as reason:
            return found, Unchecked(self.kind, str(reason))
        except EnvironmentFailed as failed:
            found.append(Finding(self.kind, failed.where, failed.what))
        except (Exception, SystemExit) as error:  # from what the environment handed out, such as a spoiled info
            found.append(Finding(self.kind, "", f"the check could not be finished: it met {describe(error)}"))
        return found, None


CHECKS: dict[str, Check] = {}
"""All checks by name."""


def check(kind: str, *needs: str) -> Callable[[Callable[[Subject], Found]], Callable[[Subject], Found]]:
    """Return a decorator that adds a function to the list of checks under the name `kind`.

    Raises:
        ValueError: if the name is taken or a need is unknown.
    """
    if kind in CHECKS or not set(needs) <= set(NEEDS):
        raise ValueError(f"check {kind!r}: the name is taken, or a need is none of {', '.join(NEEDS)}")

    def register(function: Callable[[Subject], Found]) -> Callable[[Subject], Found]:
        CHECKS[kind] = Check(kind, function.__module__, needs, function)
        return function

    return register
