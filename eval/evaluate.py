"""Evaluation of one policy under one shift: the focal return before and after it, and that of the unshifted twin."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ruleshift.agents import Policy
from ruleshift.agents.policy import as_policy
from ruleshift.envs import Economy, Rule, Shift, load_rule
from ruleshift.envs.fields import SEED, Count, Flag, Maybe, Of, checked
from ruleshift.eval.panels import Panel, scripted_panel
from ruleshift.eval.play import play


@dataclass(frozen=True)
class Evaluation:
    """Focal profit per round, in mean job values, of one frozen policy in B markets over T rounds."""

    rule: str
    """Name of the rule in force at the start."""
    shift_to: str | None
    """Name of the rule in force from round `at` on; None if the rule stays."""
    at: int
    """Round of the shift, 1 .. T - 1."""
    panel: str
    """Description of the background."""
    before: np.ndarray
    """(B,) mean over the rounds before `at`."""
    after: np.ndarray
    """(B,) mean over the rounds from `at` on."""
    twin_after: np.ndarray
    """(B,) mean over the same rounds of the twin, which has the same noise and keeps the first rule throughout."""
    profile: np.ndarray
    """(T,) mean over markets, by round."""
    twin_profile: np.ndarray
    """(T,) the same for the twin."""

    @property
    def change(self) -> np.ndarray:
        """Effect of the shift, (B,), paired market by market: `after` minus `twin_after`."""
        return self.after - self.twin_after

    def __str__(self) -> str:
        markets = len(self.before)
        rows = [(f"before, under {self.rule}", self.before)]
        if self.shift_to is None:
            rows.append((f"from round {self.at} on", self.after))
        else:
            rows.append((f"after the shift to {self.shift_to}", self.after))
            rows.append(("the same rounds without the shift (twin)", self.twin_after))
            rows.append(("change due to the shift (paired)", self.change))
        width = max(len(label) for label, _ in rows)
        lines = [f"focal profit per round, in mean job values; {markets} markets against {self.panel}"]
        lines += [f"  {label:<{width}}  {value.mean():+.4f}{_error(value)}" for label, value in rows]
        return "\n".join(
            [*lines, "  (+- is one standard error over markets; it says nothing about other training seeds)"]
        )


def evaluate(
    policy: Policy | str | os.PathLike[str],
    rule: Rule | str,
    *,
    shift_to: Rule | str | None = None,
    at: int = 50,
    panel: Panel | None = None,
    markets: int = 64,
    seed: int = 0,
    economy: Economy | None = None,
    mechanisms: Iterable[str] = (),
    deterministic: bool = False,
) -> Evaluation:
    """Score a frozen policy in one seat under `rule`, and under another one from round `at` on.

    Args:
        policy: a policy, or the folder of a saved one.
        rule: the rule in force at the start, or its name or path.
        shift_to: the rule in force from round `at` on; if None, the rule stays.
        at: round of the shift, 1 .. rounds - 1.
        panel: the background; scripted organizations if None. Natives change with the rule.
        markets: number of markets, B.
        seed: seed of the markets; choose one that no policy was trained on.
        economy: economy of the markets; the default economy if None.
        mechanisms: mechanisms of your own that the rules name, as `module:function`.
        deterministic: play mean actions instead of sampled ones.

    Raises:
        ValueError: there is no such rule or policy, `at` lies outside the episode, or the panel has natives, but none
            of one of the rules.
    """
    economy = checked(economy, Maybe(Of(Economy)), "economy") or Economy()
    at = checked(at, Count(1, economy.rounds - 1), "at")
    markets, seed = checked(markets, Count(1, 1_000_000), "markets"), checked(seed, SEED, "seed")
    deterministic = checked(deterministic, Flag(), "deterministic")
    panel = checked(panel, Maybe(Of(Panel)), "panel")
    first = load_rule(rule)
    then = first if shift_to is None else load_rule(shift_to)
    focal = as_policy(policy)
    panel = panel or scripted_panel(economy)
    before, after = (panel.seats(each.name, focal, economy.organizations) for each in (first, then))
    mechanisms = tuple(mechanisms)

    def run(shifted: bool) -> np.ndarray:
        return play(
            before,
            first,
            schedule=(Shift(at=at, to=then),) if shifted else (),
            successors={at: after} if shifted else None,
            markets=markets,
            seed=seed,
            economy=economy,
            mechanisms=mechanisms,
            deterministic=deterministic,
        ).focal

    twin = run(False)
    shifted = twin if shift_to is None else run(True)
    return Evaluation(
        rule=first.name,
        shift_to=None if shift_to is None else then.name,
        at=at,
        panel=panel.description,
        before=shifted[:, :at].mean(axis=1),
        after=shifted[:, at:].mean(axis=1),
        twin_after=twin[:, at:].mean(axis=1),
        profile=shifted.mean(axis=0),
        twin_profile=twin.mean(axis=0),
    )


def _error(values: np.ndarray) -> str:
    """The standard error of a mean over markets, which are independent given the policies."""
    if len(values) < 2:
        return ""
    return f" +- {values.std(ddof=1) / np.sqrt(len(values)):.4f}"
