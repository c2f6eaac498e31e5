"""Curricula: which rules an arm meets, chosen while it learns, and how they are played and paid for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from stable_baselines3.common.logger import Logger

from ruleshift.agents import Constant, Seats
from ruleshift.envs import Economy, Structure, load_rule, load_structure
from ruleshift.envs.structure import NUMBERS
from ruleshift.envs.support import outside
from ruleshift.train import ARMS, Arm, MarketGroup, MarketVecEnv, PPOSettings, TrainingPlan, load_rewards, train
from ruleshift.train.curricula import (
    CAPACITY,
    CURRICULA,
    STALENESS,
    TEMPERATURE,
    Curriculum,
    Edits,
    Learnability,
    Outcomes,
    Prioritised,
    Replay,
    learnability,
    probe_cost,
    rank_weights,
    staleness_weights,
)
from ruleshift.train.replaying import (
    FIRST_PROBE_MARKET,
    PROBED_SHARE,
    ChosenStructure,
    CurriculumCallback,
    Ledger,
    Probe,
)

STRUCTURE = load_structure("platforms")
ECONOMY = Economy(organizations=4, jobs=4, rounds=7)
SETTINGS = PPOSettings(markets=4, rollout_size=40, batch_size=20, n_epochs=1, net_arch=(8,))
QUIET: dict[str, Any] = {"tensorboard": False, "quiet": True}
PROBING = [name for name, kind in CURRICULA.items() if kind.probes]


def _plan(arm: str, **changes: Any) -> TrainingPlan:
    fields = {"economy": ECONOMY, "settings": SETTINGS, "steps": 800, "seed": 5, "snapshots": 1, **changes}
    return TrainingPlan(fields.pop("rule", "platforms"), arm=arm, **fields)


def _outcomes(value_loss: Any, success: Any = 0.0) -> Outcomes:
    loss = np.asarray(value_loss, np.float64)
    return Outcomes(loss, 2 * loss, np.broadcast_to(np.asarray(success, np.float64), loss.shape))


def _filled(kind: type[Curriculum], value_loss: Any, success: Any = 0.0) -> Curriculum:
    """A curriculum that has played so many levels."""
    curriculum = kind(STRUCTURE, seed=3)
    outcomes = _outcomes(value_loss, success)
    curriculum.admit(curriculum.candidates(len(outcomes.value_loss)), outcomes)
    return curriculum


class _Log:
    """The rule of every market in every round that is played, as (market, episode, hash of the rule)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds: list[list[tuple[int, int, str]]] = []
        self.steps = 0
        play = MarketVecEnv.play

        def logged(env: MarketVecEnv, actions: np.ndarray) -> Any:
            market = env.market
            hashes = [market.rule_in_force(place).hash for place in range(market.markets)]
            self.rounds.append([(market.first_market + b, market.episode, each) for b, each in enumerate(hashes)])
            self.steps += env.num_envs
            return play(env, actions)

        monkeypatch.setattr(MarketVecEnv, "play", logged)


# What is chosen


def test_rank_weights__by_hand() -> None:
    """Ranks 3, 1, 2; at temperature 1/2 weights are in proportion to 1/9, 1 and 1/4."""
    np.testing.assert_allclose(rank_weights(np.array([-1.0, 7.0, 0.5]), 0.5), np.array([4, 36, 9]) / 49)
    np.testing.assert_allclose(rank_weights(np.array([2.0, 2.0]), 1.0), [2 / 3, 1 / 3])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20, unique=True), st.floats(0.1, 5))
def test_rank_weights__are_those_of_scipy_ranks(scores: list[float], temperature: float) -> None:
    expected = (1 / rankdata(-np.array(scores))) ** (1 / temperature)
    np.testing.assert_allclose(rank_weights(np.array(scores), temperature), expected / expected.sum())


def test_staleness_weights__by_hand() -> None:
    np.testing.assert_allclose(staleness_weights(np.array([0.0, 1.0, 3.0])), [0, 0.25, 0.75])
    np.testing.assert_allclose(staleness_weights(np.zeros(4)), np.full(4, 0.25))


def test_learnability__is_highest_where_success_comes_half_of_the_time() -> None:
    shares = np.linspace(0, 1, 101)
    assert shares[learnability(shares).argmax()] == 0.5
    np.testing.assert_allclose(
        learnability(shares), np.array([np.var([1.0] * n + [0.0] * (100 - n)) for n in range(101)])
    )


def test_prioritised__mixes_rank_and_staleness() -> None:
    """Each decision is a tick: the levels that it hands out are of age 0, and the others grow older by one."""
    curriculum = _filled(Prioritised, [0.1, 0.3, 0.2])
    ages = np.zeros(3)
    for _ in range(5):
        ids, _ = curriculum.next_rules(1)
        ages = np.where(np.isin(curriculum.ids, ids), 0, ages + 1)
    by_rank = np.array([3.0, 1.0, 2.0]) ** (-1 / TEMPERATURE)
    expected = (1 - STALENESS) * by_rank / by_rank.sum() + STALENESS * ages / ages.sum()
    np.testing.assert_allclose(curriculum.probabilities(), expected)


def test_learnability__plays_the_most_learnable_quarter_alike() -> None:
    curriculum = _filled(Learnability, np.zeros(8), success=[0, 1, 0.9, 0.4, 0.1, 0.5, 0.0, 1.0])
    np.testing.assert_allclose(curriculum.probabilities(), [0, 0, 0, 0.5, 0, 0.5, 0, 0])


def test_replay__has_a_buffer_from_the_start_and_plays_it_uniformly() -> None:
    curriculum = Replay(STRUCTURE, seed=3)
    assert len({STRUCTURE.rule_of(level).hash for level in curriculum.levels}) == CAPACITY
    np.testing.assert_allclose(curriculum.probabilities(), np.full(CAPACITY, 1 / CAPACITY))
    before = curriculum.levels.copy()
    ids, levels = curriculum.next_rules(20_000)
    counts = np.bincount(ids, minlength=CAPACITY)
    assert np.abs(counts - 20_000 / CAPACITY).max() < 5 * np.sqrt(20_000 / CAPACITY)
    np.testing.assert_array_equal(levels, before[ids])
    np.testing.assert_array_equal(curriculum.levels, before)


@given(
    st.sampled_from(PROBING),
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-12, 1.0, 1e9])),
        min_size=1, max_size=5,
    ),
)  # fmt: skip
@settings(deadline=None, max_examples=50)
def test_curriculum__no_probability_is_nan_and_only_played_levels_are_chosen(name: str, probes: Any) -> None:
    """In public implementations, slots that nothing was played in had a score of minus infinity (jaxued, PR 6)."""
    curriculum = CURRICULA[name](STRUCTURE, seed=1)
    with pytest.raises(RuntimeError, match="the curriculum has no level yet"):
        curriculum.next_rules(1)
    admitted: list[np.ndarray] = []
    for count, seed, scale in probes:
        random = np.random.default_rng(seed)
        levels = curriculum.candidates(count)
        admitted += list(levels)
        curriculum.admit(levels, _outcomes(scale * random.random(count), random.integers(0, 2, count)))
        weights = curriculum.probabilities()
        assert np.isfinite(curriculum.scores).all()
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1)
        assert len(weights) == min(len(admitted), CAPACITY)
        ids, chosen = curriculum.next_rules(10)
        for number, level in zip(ids.tolist(), chosen, strict=True):
            np.testing.assert_array_equal(level, admitted[number])
        curriculum.update(ids, _outcomes(scale * random.random(10)))


def test_admit__keeps_the_levels_of_the_highest_scores() -> None:
    curriculum, random = Prioritised(STRUCTURE, seed=3), np.random.default_rng(0)
    scores = random.random(150)
    for part in np.split(scores, 3):
        curriculum.admit(curriculum.candidates(50), _outcomes(part))
    np.testing.assert_allclose(np.sort(curriculum.scores), np.sort(scores)[-CAPACITY:])
    np.testing.assert_array_equal(curriculum.scores, scores[curriculum.ids])


def test_update__is_the_mean_of_what_came_out_now() -> None:
    curriculum = _filled(Prioritised, [0.1, 0.3, 0.2])
    curriculum.update(np.array([2, 0, 2, 77]), _outcomes([0.5, 0.6, 0.9, 9.0]))
    np.testing.assert_allclose(curriculum.scores, [0.6, 0.3, 0.7])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["platforms", "narrow"]))
@settings(deadline=None, max_examples=40)
def test_edits__stay_in_the_training_part(seed: int, name: str) -> None:
    structure = STRUCTURE if name == "platforms" else STRUCTURE.narrowed(3, seed=1)
    curriculum = Edits(structure, seed)
    curriculum.admit(curriculum.candidates(6), _outcomes(np.arange(6.0)))
    for _ in range(3):  # edits of edits
        levels = curriculum.candidates(8)
        assert [outside(structure, structure.rule_of(level)) for level in levels] == [()] * 8
        curriculum.admit(levels, _outcomes(np.full(8, 9.0)))


def test_edits__change_a_few_numbers_of_a_level_that_is_held() -> None:
    curriculum = _filled(Edits, np.arange(6.0))
    held = curriculum.levels.copy()
    levels = curriculum.candidates(20)
    changed = (levels[:, None] != held).sum(axis=2).min(axis=1)
    assert set(changed[:10]) == {2}
    assert (changed[10:] == NUMBERS).all()
    edited = {STRUCTURE.rule_of(level).hash for level in levels[:10]}
    assert edited.isdisjoint(STRUCTURE.rule_of(level).hash for level in held)


@given(st.integers(0, 2**32 - 1), st.integers(0, 1000), st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_structure__a_draw_is_the_rule_of_its_numbers(seed: int, market: int, episode: int) -> None:
    for part in STRUCTURE.parts:
        numbers = STRUCTURE.numbers(seed, market, episode, part)
        assert STRUCTURE.rule_of(numbers, part) == STRUCTURE.draw(seed, market, episode, part)


@pytest.mark.parametrize("name", CURRICULA)
def test_state__goes_on_with_the_same_decisions(name: str) -> None:
    def play(curriculum: Curriculum, times: int) -> list[np.ndarray]:
        decided = []
        for _ in range(times):
            levels = curriculum.candidates(5)
            curriculum.admit(levels, _outcomes(levels[:, 0], levels[:, 1]))
            ids, chosen = curriculum.next_rules(3)
            curriculum.update(ids, _outcomes(chosen[:, 2], chosen[:, 3]))
            decided += [ids, chosen]
        return decided

    whole, first, second = (CURRICULA[name](STRUCTURE, seed=8) for _ in range(3))
    play(whole, 20)
    play(first, 20)
    second.restore(first.state())
    for one, other in zip(play(whole, 4), play(second, 4), strict=True):
        np.testing.assert_array_equal(one, other)
    for wrong in (1.0, 1.5, -0.1):
        with pytest.raises(ValueError, match="levels of a curriculum must be between 0 and 1"):
            second.restore(first.state() | {"levels": np.full((CAPACITY, NUMBERS), wrong)})


# What is played


@pytest.mark.parametrize("arm", [name for name, each in ARMS.items() if each.curriculum])
def test_train__a_market_plays_one_rule_through_an_episode_and_another_afterwards(
    arm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Probes play one rule through all their episodes: in minimax, levels were drawn anew after the first (issue 6).

    What is learned from was played in a probe before, where the curriculum probes.
    """
    log = _Log(monkeypatch)
    economies = [ECONOMY, replace(ECONOMY, rounds=3)]
    monkeypatch.setattr("ruleshift.train.arms.economy_set", lambda *_, **__: economies)
    train(_plan(arm, economy=None, steps=1_200), tmp_path, **QUIET)
    learned: dict[tuple[int, int], set[str]] = {}
    probed: dict[int, set[str]] = {}
    known: set[str] = set()
    for round_ in log.rounds:
        for market, episode, rule in round_:
            if market < FIRST_PROBE_MARKET:
                probed.clear()  # the next probe has other levels
                learned.setdefault((market, episode), set()).add(rule)
                assert arm == "replay" or rule in known
            else:
                probed.setdefault(market, set()).add(rule)
                assert len(probed[market]) == 1
                known.add(rule)
    assert all(len(rules) == 1 for rules in learned.values())
    assert len(set().union(*learned.values())) >= 4
    assert bool(known) == CURRICULA[arm].probes


@pytest.mark.parametrize("arm", ["replay", *PROBING])
def test_train__probes_are_charged_to_the_budget(arm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle counts the rounds of all markets, those of probes included."""
    log, steps = _Log(monkeypatch), 3_000
    policy = train(_plan(arm, steps=steps), tmp_path, **QUIET)
    probed = sum(len(each) * 2 for each in log.rounds if each[0][0] >= FIRST_PROBE_MARKET)
    assert policy.card.steps == log.steps
    assert steps <= log.steps < steps + 40
    if CURRICULA[arm].probes:
        assert probed % 56 == 0
        assert PROBED_SHARE * steps - 2 * 56 < probed <= PROBED_SHARE * steps + 56
    else:
        assert probed == 0


def _begun(arm: str) -> tuple[CurriculumCallback, Any]:
    plan = _plan(arm)
    callback = CurriculumCallback(plan)
    model = plan.make_learner(callback.env)
    model.set_logger(Logger(None, []))
    return callback, model


def test_train__scores_are_of_the_rules_that_were_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """With rollouts of 5 rounds and episodes of 7, an episode is scored with the rollout that it ends in."""
    callback, model = _begun("edits")
    curriculum, hashes = callback.curriculum, dict[int, str]()
    scored: list[str] = []
    next_rules, update = curriculum.next_rules, curriculum.update

    def handed_out(markets: int) -> Any:
        ids, levels = next_rules(markets)
        hashes.update(
            {number: STRUCTURE.rule_of(level).hash for number, level in zip(ids.tolist(), levels, strict=True)}
        )
        return ids, levels

    def updated(ids: np.ndarray, outcomes: Outcomes) -> None:
        scored.extend(hashes[number] for number in ids.tolist())
        update(ids, outcomes)

    monkeypatch.setattr(curriculum, "next_rules", handed_out)
    monkeypatch.setattr(curriculum, "update", updated)
    log = _Log(monkeypatch)
    model.learn(800, callback=callback)
    rounds = [each for each in log.rounds if each[0][0] < FIRST_PROBE_MARKET]
    ends = [rounds[end] for end in range(6, len(rounds), 7)]
    assert scored == [rule for each in ends for _, _, rule in each]
    assert len(set(scored)) > 1


def test_probe__no_gradient_is_taken_and_the_learner_goes_on_as_before() -> None:
    callback, model = _begun("prioritised")
    model.learn(200, callback=callback)
    weights = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    last, starts, rewards, updates = (
        model._last_obs,
        model._last_episode_starts,
        model.rollout_buffer.rewards,
        model._n_updates,
    )
    kept, steps = rewards.copy(), model.num_timesteps
    probe = Probe(_plan("prioritised"), STRUCTURE)
    outcomes = probe.play(model, STRUCTURE.numbers(1, 2, 3)[None])
    assert outcomes.table().shape == (3, 1)
    assert np.isfinite(outcomes.table()).all()
    assert model.num_timesteps == steps + probe.cost == steps + 56
    assert (model._last_obs is last, model._last_episode_starts is starts, model._n_updates) == (True, True, updates)
    np.testing.assert_array_equal(model.rollout_buffer.rewards, kept)
    assert all((weights[name] == tensor).all() for name, tensor in model.policy.state_dict().items())


def test_ledger__adds_up_episodes_over_rollouts() -> None:
    """The oracle lays all rollouts end to end and cuts them into episodes; rollouts of 5 rounds, episodes of 7."""
    seats = Seats((0, 1), ((Constant(), (2, 3)),))
    env = MarketVecEnv("price_board", markets=3, economy=ECONOMY, seats=seats)
    env.reset()
    ledger, random = Ledger(env), np.random.default_rng(0)
    advantages, values = random.normal(size=(2, 30, 6))
    earned, found = [], []
    for start in range(0, 30, 5):
        ledger.begin()
        for _ in range(5):
            env.step(random.uniform(-1, 1, (6, env.market.action_size)))
            ledger.watch()
            earned.append(env.rewards.astype(np.float64))
        found += ledger.settle(advantages[start : start + 5], values[start : start + 5])
    assert [(group, episode) for group, episode, _ in found] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    for _, episode, outcomes in found:
        own = slice(7 * episode, 7 * episode + 7)
        for market in range(3):
            rows = slice(2 * market, 2 * market + 2)
            loss = np.mean([max(each, 0) for each in advantages[own, rows].ravel()])
            returns = (advantages + values)[own, rows].mean(axis=0)
            profits = np.sum(earned[own], axis=0)[market]
            assert outcomes.value_loss[market] == pytest.approx(loss)
            assert outcomes.max_mc[market] == pytest.approx(returns.max() - values[own, rows].mean())
            assert outcomes.success[market] == np.mean(profits[:2] > profits[2:].mean())


def test_prioritised__plays_a_rule_of_high_regret_more_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two rules, one leaves organizations what clients pay, the other nothing: there no return exceeds its value."""
    base = load_rule("price_board")
    planted = Structure("planted", base, {"train": {"payment.commission": {"choice": [0.0, 0.95]}}})
    rich = {base.replace(**{"payment.commission": 0.0, "name": "planted", "rationale": ""}).hash}
    shares = {}
    for arm in ("replay", "prioritised"):
        log = _Log(monkeypatch)
        train(_plan(arm, rule=planted, steps=4_000), tmp_path / arm, **QUIET)
        played = [rule in rich for each in log.rounds for market, _, rule in each if market < FIRST_PROBE_MARKET]
        shares[arm] = np.mean(played)
        monkeypatch.undo()
    assert shares["replay"] == pytest.approx(0.5, abs=0.15)
    assert shares["prioritised"] > shares["replay"] + 0.1


class _Stop(Exception):
    pass


@pytest.mark.parametrize("arm", ["replay", "prioritised+memory", "learnability+recurrent", "edits+stack"])
def test_train__a_killed_run_with_a_curriculum_ends_with_the_same_bits(arm: str, tmp_path: Path) -> None:
    if arm.endswith("recurrent"):
        pytest.importorskip("sb3_contrib")

    def stop(learner: Any) -> None:
        if learner.num_timesteps > 450:
            raise _Stop

    plan = _plan(arm, record=True)
    whole = train(plan, tmp_path / "whole", **QUIET)
    with pytest.raises(_Stop):
        train(plan, tmp_path / "killed", checkpoint_rollouts=3, on_rollout=stop, **QUIET)
    assert (tmp_path / "killed" / "checkpoint.safetensors").exists()
    train(plan, tmp_path / "killed", threads=2, **QUIET)
    written = [(tmp_path / name / "policy.safetensors").read_bytes() for name in ("whole", "killed")]
    assert written[0] == written[1]
    assert whole.card.arm == arm
    rewards = load_rewards(tmp_path / "whole")
    np.testing.assert_array_equal(load_rewards(tmp_path / "killed"), rewards)
    probed = whole.card.steps - rewards.size
    assert probed > 0 or arm == "replay"


def test_callback__a_state_is_loaded_whole_or_refused() -> None:
    """It was taken in mid-episode, so that what has been added up so far is a part of it."""
    callback, model = _begun("prioritised")
    model.learn(200, callback=callback)
    state = callback.state_dict()
    assert all(state[name].any() for name in state if name.startswith("ledger."))
    other, _ = _begun("prioritised")
    other.load_state_dict(state)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(value, state[name], err_msg=name)
    with pytest.raises(ValueError, match="levels of a curriculum must be between 0 and 1"):
        other.load_state_dict(state | {"playing.levels": state["playing.levels"] + 1})
    with pytest.raises(ValueError, match=r"state: ledger\.earned\.0 is missing"):
        other.load_state_dict({name: each for name, each in state.items() if name != "ledger.earned.0"})


def test_chosen_structure__draws_nothing_of_its_own() -> None:
    chosen = ChosenStructure(STRUCTURE)
    level = STRUCTURE.numbers(1, 2, 3)
    chosen.choose(4, 5, level)
    assert chosen.hash == STRUCTURE.hash
    assert chosen.draw(99, 4, 5) == chosen.draw(0, 4, 5) == STRUCTURE.rule_of(level)
    with pytest.raises(RuntimeError, match="structure platforms: no rule is chosen for market 4, episode 6"):
        chosen.draw(0, 4, 6)
    chosen.choose(4, 6, level)
    chosen.keep([(4, 6)])
    assert chosen.draw(0, 4, 6) == STRUCTURE.rule_of(level)
    with pytest.raises(RuntimeError, match="market 4, episode 5"):
        chosen.draw(0, 4, 5)


# What is refused


@pytest.mark.parametrize("arm", PROBING)
def test_plan__needs_more_steps_than_the_first_probe(arm: str) -> None:
    assert probe_cost(_plan(arm).market_groups) == 7 * 4 * 2
    with pytest.raises(ValueError, match=f"plan: steps is 56; arm {arm} first plays rules for 56 agent-steps"):
        _plan(arm, steps=56)
    assert _plan(arm, steps=57).curriculum == arm


def test_plan__a_curriculum_plays_no_part_where_groups_are_given() -> None:
    """As where an arm keeps learning after a shift."""
    group = MarketGroup(load_rule("price_board"), ECONOMY, Seats((0, 1), ((Constant(), (2, 3)),)), 4)
    plan = _plan("prioritised+memory", rule=None, economy=None, groups=[group], steps=10)
    assert (plan.curriculum, plan.arm_name) == ("", "prioritised+memory")


def test_arm__has_a_curriculum_only_over_a_structure() -> None:
    told = "arm own: curriculum is '.*'; it must be one of replay, prioritised, learnability, edits"
    with pytest.raises(ValueError, match=told):
        Arm("own", "", "structure", curriculum="best")
    with pytest.raises(ValueError, match=told):
        Arm("own", "", "home", curriculum="replay")
