"""README and guide keep their promises: what they name exists, and their rule and mechanism do what is said."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from strategies import BUILT_IN, supports

from ruleshift.cli import parse
from ruleshift.envs import Economy, Market, Rule, list_rules, load_rule
from ruleshift.envs.enumerations import CHARGES, PRICINGS
from ruleshift.envs.layout import state_view
from ruleshift.envs.mechanisms import MECHANISMS
from ruleshift.envs.rule import Disclosure, Feedback, Matching, Payment, Scoring, Weights

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_readme__says_how_its_picture_was_made() -> None:
    command = re.search(r"<!-- ruleshift (play .* --save (\S+)) -->", README)
    assert command
    parse(command[1].split())
    assert (ROOT / command[2]).stat().st_size < 300_000


def test_readme__links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_readme__names_every_rule() -> None:
    for name in list_rules():
        assert f"| `{name}` |" in README


def _block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(), re.DOTALL)
    assert match
    return match[1]


def test_guide__its_rule_file_is_a_rule() -> None:
    rule = Rule.from_toml(_block("toml"))
    assert rule.name == "reviewed_board"
    Market(rule).reset(seed=0)


def test_guide__its_mechanism_gives_each_job_to_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_mechanisms.py").write_text(_block("python"))
    monkeypatch.syspath_prepend(tmp_path)
    rule = load_rule("price_board").replace(
        **{"scoring.weights": Weights(capability=1.0), "matching.mechanism": "best_first"}
    )  # fmt: skip
    economy = Economy(kinds=1, capacity=8, learning="exogenous", outside_share=0.0)
    market = Market(rule, economy=economy, mechanisms=("my_mechanisms:best_first",))
    market.reset(seed=0)
    capability = state_view(market.state[0], 1).capability[0].copy()
    market.step(np.zeros((1, 8, market.action_size), np.float32))
    assert (market.winners == capability.argmax()).all()


def _told(mechanism: str) -> list[str]:
    """Payments that a rule with this mechanism may name, in addition to those that need nothing from it."""
    pricings = [each for each in PRICINGS if each not in ("as_asked", "posted") and supports(mechanism, pricing=each)]
    charges = [each for each in CHARGES if each not in ("sunk", "if_matched") and supports(mechanism, charge=each)]
    return pricings + charges


@pytest.mark.parametrize("name", BUILT_IN)
def test_guide__tells_what_each_mechanism_costs_and_which_payments_it_tells(name: str) -> None:
    lines = (ROOT / "docs" / "rules.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| `{name}` |"))
    _, _, _, _, tells, _, cost, _ = (cell.strip() for cell in row.split("|"))
    mechanism = MECHANISMS[name]
    assert sorted(re.findall(r"`(\w+)`", tells)) == sorted(_told(name))
    assert cost.startswith(mechanism.cost)
    assert (f"{mechanism.largest:,}" in cost) if mechanism.largest else "at most" not in cost


def test_guide__names_every_key_of_a_rule() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()
    for part in (Disclosure, Scoring, Matching, Payment, Feedback):
        for each in fields(part):
            assert f"| `{part.__name__.lower()}.{each.name}" in text
