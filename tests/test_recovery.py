"""Changes in mid-episode: their schedules, the time to recover, and the claim where it is planted."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import GENERALIST, QUICK, SPECIALIST, make_returns

from ruleshift.envs import Economy, Rule, load_rule
from ruleshift.eval.claims import CLAIMS, Returns, judge_all
from ruleshift.eval.claims.recovery import NOTICES, PATTERNS
from ruleshift.eval.claims.returns import Run
from ruleshift.eval.experiment.cell import Cell, Entry
from ruleshift.eval.experiment.design import Design
from ruleshift.eval.experiment.plan import compute_cell, plan
from ruleshift.eval.experiment.preset import load_preset
from ruleshift.eval.experiment.protocols import switching
from ruleshift.eval.experiment.protocols.forgetting import STAGES
from ruleshift.eval.experiment.protocols.switching import recovery, schedule
from ruleshift.eval.jobs.folder import Folder

HOME, TARGET = load_rule("price_board"), load_rule("promoted_listing")

# The schedules


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("abrupt", [(50, TARGET)]),
        ("periodic", [(25, TARGET), (50, HOME), (75, TARGET)]),
    ],
)
def test_schedule__of_fixed_rounds(pattern: str, expected: list[tuple[int, Rule]]) -> None:
    shifts = schedule(pattern, "hidden", HOME, TARGET, Economy(rounds=100), 0)
    assert [(shift.at, shift.to) for shift in shifts] == expected
    assert {shift.notice for shift in shifts} == {None}


def test_schedule__drifts_in_equal_steps_to_the_target() -> None:
    shifts = schedule("drifting", "hidden", HOME, TARGET, Economy(rounds=100), 0)
    assert [shift.at for shift in shifts] == [35, 45, 55, 65, 75]
    rules = [shift.to for shift in shifts if isinstance(shift.to, Rule)]
    weights = [rule.scoring.weights.promotion for rule in rules]
    assert len(weights) == 5
    assert np.diff(weights) == pytest.approx(np.full(4, TARGET.scoring.weights.promotion / 5))
    assert shifts[-1].to == TARGET


def test_schedule__random_changes_alternate_four_times_on_average_and_are_the_same_for_all_arms() -> None:
    counts = []
    for seed in range(200):
        shifts = schedule("random", "hidden", HOME, TARGET, Economy(rounds=100), seed)
        assert [shift.to for shift in shifts] == [(TARGET, HOME)[turn % 2] for turn in range(len(shifts))]
        assert shifts == schedule("random", "hidden", HOME, TARGET, Economy(rounds=100), seed)
        counts.append(len(shifts))
    assert np.mean(counts) == pytest.approx(99 * 0.04, abs=4 * (99 * 0.04 * 0.96 / 200) ** 0.5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_schedule__notices_say_what_comes_or_what_does_not(pattern: str) -> None:
    hidden, announced, false = (schedule(pattern, each, HOME, TARGET, Economy(rounds=100), 3) for each in NOTICES)
    assert [shift.at for shift in hidden] == [shift.at for shift in announced] == [shift.at for shift in false]
    assert all(shift.notice == min(10, shift.at) for shift in (*announced, *false))
    assert [shift.placebo for shift in (*hidden, *announced)] == [False] * (2 * len(hidden))
    assert all(shift.placebo for shift in false)


# The time to recover


@pytest.mark.parametrize(
    ("own", "window", "expected"),
    [
        ([1.0] * 10, 1, 0), ([0.0] * 10, 1, 10), ([0.0] * 4 + [1.0] * 6, 1, 4), ([0.7] * 3 + [0.85] * 7, 1, 3),
        ([1.0] * 5 + [0.0] + [1.0] * 4, 1, 6), ([0.0] * 4 + [1.0] * 6, 2, 4), ([1.0] * 9 + [0.0], 1, 10),
    ],
)  # fmt: skip
def test_recovery__counts_the_rounds_until_it_stays_near_the_twin(own: list[float], window: int, expected: int) -> None:
    assert recovery(own, [1.0] * 10, window) == expected


def test_recovery__of_a_twin_at_a_loss_allows_a_fifth_more_of_it() -> None:
    assert recovery([-1.1] * 5, [-1.0] * 5, 1) == 0
    assert recovery([-1.3] * 5, [-1.0] * 5, 1) == 5


# The claim


def planted(generalist: float, specialist: float, *, spread: float = 0.01, gate: float = 0.9) -> Returns:
    """A study in which the two arms lose so much per round, in scores, under hidden changes, and nothing otherwise."""
    rng = np.random.default_rng(0)
    panels, economies = QUICK[3:]

    def values(loss: float) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name in (f"{pattern}_{notice}" for pattern in PATTERNS for notice in NOTICES):
            array = np.full((economies, panels), np.nan)
            array[:, 0] = (loss if name.endswith("hidden") else 0.0) + spread * rng.standard_normal(economies)
            found |= {f"{name}_lost": array, f"{name}_recovery": np.clip(array * 2, 0, 1)}
        return found

    runs = [
        Run(arm, home, target, seed, 1.0, "switching", None, (), values(loss))
        for arm, loss in ((GENERALIST, generalist), (SPECIALIST, specialist))
        for home in ("h0", "h1", "h2")
        for target in ("g0", "g1", "g2", "g3")
        for seed in (0, 1)
    ]
    return replace(make_returns(home={SPECIALIST: gate}, spread=0.001), runs=tuple(runs))


@pytest.mark.parametrize(
    ("generalist", "specialist", "expected"),
    [(0.1, 0.4, "supported"), (0.4, 0.1, "contradicted"), (0.3, 0.3, "no material difference")],
)
def test_recovery__the_claim_is_found_where_planted(generalist: float, specialist: float, expected: str) -> None:
    found = CLAIMS["recovery"].judge(planted(generalist, specialist))
    assert found.outcome == expected
    assert found.measure is not None
    assert found.measure.estimate == pytest.approx(specialist - generalist, abs=0.01)
    assert found.intervals["lost by the generalist, abrupt, hidden"].estimate == pytest.approx(generalist, abs=0.01)
    assert found.intervals["lost by the generalist, random, false"].estimate == pytest.approx(0, abs=0.01)


def test_recovery__noise_or_an_incompetent_arm_leaves_it_inconclusive() -> None:
    assert CLAIMS["recovery"].judge(planted(0.1, 0.15, spread=2.0)).outcome == "inconclusive"
    found = CLAIMS["recovery"].judge(planted(0.1, 0.4, gate=0.1))
    assert (found.outcome, f"{SPECIALIST} is not competent" in found.reason) == ("inconclusive", True)
    assert "is missing" in judge_all(make_returns()).verdicts["recovery"].reason


def test_recovery__answer_says_who_lost_less_and_how_long_each_needed() -> None:
    text = CLAIMS["recovery"].answer(judge_all(planted(0.1, 0.4, spread=0.001)))
    assert text.startswith("Yes.")
    assert "lost 30 points less" in text
    assert "needed 20% of the remaining rounds to recover, and the specialist 80%" in text


def test_recovery__what_is_forgotten_of_home_is_told_where_it_was_measured() -> None:
    values = {f"{rule}_{stage}": np.full((8, 2), 0.5) for rule in ("home", "target") for stage in STAGES}
    values |= {"home_after": np.full((8, 2), 0.3), "target_few": np.full((8, 2), 0.6)}
    runs = [Run(arm, "h0", "g0", 0, 1.0, "forgetting", None, (), values) for arm in (GENERALIST, SPECIALIST)]
    returns = planted(0.1, 0.4)
    returns = replace(returns, runs=(*returns.runs, *runs))
    found = CLAIMS["recovery"].judge(returns).numbers
    assert found["forgotten of home after the phase, generalist"] == pytest.approx(0.2)
    assert found["forgotten of home after few steps, specialist"] == 0
    assert found["gained at the target after few steps, specialist"] == pytest.approx(0.1)
    assert "forgot 20 points of home" in CLAIMS["recovery"].answer(judge_all(returns))
    assert CLAIMS["recovery"].judge(planted(0.1, 0.4)).numbers == {}


# The protocols


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Cell, Entry]]:
    preset = replace(load_preset("testing"), arms=("noticed+memory",), seeds=(0,), budgets=(), claims=("recovery",))
    design, folder = Design.of(preset), Folder(tmp_path_factory.mktemp("switching"))
    cells = {cell.name: cell for cell in plan(design)}
    found: list[tuple[Cell, Entry]] = []
    done: set[str] = set()
    for own in [cell for cell in cells.values() if cell.protocol in ("switching", "forgetting")]:
        for name in (*own.needs, own.name):
            if name not in done:
                compute_cell(cells[name], design, folder)
                done.add(name)
        found += [(own, Entry.from_plain(each, "here")) for each in folder.read(own.name)["result"]]
    return found


def test_switching__measures_each_pattern_and_notice_against_the_twin(entries: list[tuple[Cell, Entry]]) -> None:
    own = [entry for _, entry in entries if entry.protocol == "switching"]
    assert len(own) == 2  # economies
    for entry in own:
        for pattern in PATTERNS:
            for notice in NOTICES:
                regret, lost = (entry.values[f"{pattern}_{notice}_{what}"] for what in ("regret", "lost"))
                assert regret == pytest.approx(50 * lost)
        assert {entry.values[f"{pattern}_hidden_lost"] for pattern in PATTERNS} != {0.0}
        assert 0 <= entry.values["abrupt_hidden_recovery"] <= 1


def test_switching__what_it_plays_is_what_the_claim_reads() -> None:
    assert (tuple(switching.PATTERNS), switching.NOTICES) == (PATTERNS, NOTICES)


def test_forgetting__policies_are_scored_at_home_and_at_the_target_before_and_after(
    entries: list[tuple[Cell, Entry]],
) -> None:
    own = [entry for _, entry in entries if entry.protocol == "forgetting"]
    assert len(own) == 2 * 2  # economies, panels
    for entry in own:
        assert set(entry.values) == {f"{rule}_{stage}" for rule in ("home", "target") for stage in STAGES}
    for rule in ("home", "target"):
        assert any(entry.values[f"{rule}_after"] != entry.values[f"{rule}_before"] for entry in own)
