"""Arms: one list, one code path, and what each trains on."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ruleshift.agents import MEAN_RATES, Constant, Undisclosed, rival_population
from ruleshift.envs import Economy, Market, Rule, Shift, Structure, load_rule, load_structure
from ruleshift.envs.structure import SAMPLE_SEED
from ruleshift.envs.support import outside
from ruleshift.train import ARMS, Arm, MarketGroup, MixedVecEnv, register_arm, training_groups, variant, variants
from ruleshift.train.arms import HISTORY_ROUNDS, LSTM_UNITS, central_rule

STRUCTURE = load_structure("platforms")
GIVEN = {"home": "price_board", "central": "platforms", "structure": "platforms"}
TRAINED = [arm for arm in ARMS.values() if arm.trains_on != "nothing"]


def _groups(arm: Arm, markets: int = 20, **options: Any) -> tuple[MarketGroup, ...]:
    return training_groups(arm, GIVEN[arm.trains_on], markets, **options)


def test_variants__are_arms_with_every_kind_of_memory() -> None:
    assert len(set(variants())) == len(variants()) == 4 * len(ARMS)
    suffixes = ("", "+memory", "+stack", "+recurrent")
    found = [variant("fixed+nuisance" + suffix) for suffix in suffixes]
    assert {each.arm.name for each in found} == {"fixed+nuisance"}
    assert [(each.memory.rates, each.memory.history, each.memory.units) for each in found] == [
        ((), 0, 0),
        (MEAN_RATES, 0, 0),
        ((), HISTORY_ROUNDS, 0),
        ((), 0, LSTM_UNITS),
    ]
    for wrong in ("wide+memory", "fixed+memory+recurrent", "+memory", ""):
        told = f"arm {re.escape(repr(wrong))} is unknown; the arms are fixed, .*, each also with"
        with pytest.raises(ValueError, match=rf"{told} \+memory or \+stack or \+recurrent"):
            variant(wrong)


def test_variant__says_how_an_arm_is_trained() -> None:
    specialist, generalist, novice = (variant(name) for name in ("fixed+memory", "aware", "scratch"))
    assert [each.is_trained for each in (specialist, generalist, novice)] == [True, True, False]
    assert [each.has_policy_per_home for each in (specialist, generalist, novice)] == [True, False, False]
    assert (specialist.name, specialist.trains_on, generalist.aware) == ("fixed+memory", "home", True)
    assert specialist.summary == "one home rule, one economy: a specialist, with a memory of the whole episode"


@pytest.mark.parametrize("count", [1, 2, 8])
def test_variant__of_some_breadth_trains_on_the_first_rules_of_the_frozen_sample(count: int) -> None:
    """Samples are nested and frozen: they are the rules that presets name `train:0`, `train:1` and so on."""
    arm = variant(f"randomized@{count}+memory").arm
    (rule,) = {group.rule for group in _groups(arm)}
    assert isinstance(rule, Structure)
    wanted = {STRUCTURE.sampled("train", number, SAMPLE_SEED).hash for number in range(count)}
    assert {each.hash for each in rule.sample("train", 40 * count, seed=3)} == wanted
    assert (rule.name, arm.breadth) == (f"platforms@{count}", count)
    assert variant("randomized+memory").arm.breadth == 0


@pytest.mark.parametrize(
    "name", ["randomized@0", "randomized@", "randomized@x", "fixed@2", "randomized+memory@2", "randomized@10000"]
)
def test_variant__refuses_a_breadth_that_is_none(name: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"unknown.*randomized, aware, noticed, schema and distilled also with @ and a number of training rules",
    ):
        variant(name)


def test_register_arm__adds_to_the_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruleshift.train.arms.ARMS", dict(ARMS))
    own = Arm("randomized+plain", "rules drawn from a structure, one economy", "structure", nuisance=False)
    register_arm(own)
    register_arm(own)
    assert variant("randomized+plain+memory").arm is own
    assert "randomized+plain+recurrent" in variants()
    with pytest.raises(ValueError, match=r"an arm named 'randomized\+plain' is already registered"):
        register_arm(replace(own, nuisance=True))
    with pytest.raises(ValueError, match=r"arm own\+memory: \+memory says what a learner remembers"):
        register_arm(Arm("own+memory", "", "home"))
    with pytest.raises(ValueError, match=r"arm 'My arm': a name is words of small letters"):
        Arm("My arm", "", "home")
    with pytest.raises(ValueError, match=r"arm own: trains_on is 'rules'; it must be one of home, central"):
        Arm("own", "", "rules")  # type: ignore[arg-type]


@pytest.mark.parametrize("arm", TRAINED, ids=lambda arm: arm.name)
def test_training_groups__half_of_the_seats_learn_in_markets_of_their_own(arm: Arm) -> None:
    groups = _groups(arm, markets=20, first_market=7)
    numbers = [number for group in groups for number in group.numbers]
    assert numbers == list(range(7, 27))
    assert max(group.markets for group in groups) - min(group.markets for group in groups) <= 1
    for group in groups:
        organizations = group.economy.organizations
        assert group.seats.learning == tuple(range(organizations // 2))


@pytest.mark.parametrize("arm", TRAINED, ids=lambda arm: arm.name)
def test_training_groups__nuisance_is_many_economies_and_rivals(arm: Arm) -> None:
    groups = _groups(arm)
    economies = {group.economy.hash for group in groups}
    rivals = {str(group.seats.describe()["background"]) for group in groups}
    assert len(economies) == len(rivals) == len(groups) == (8 if arm.nuisance else 1)
    assert arm.nuisance or groups[0].economy == Economy()
    given = training_groups(arm, GIVEN[arm.trains_on], 2, economies=[Economy(organizations=2)], rivals=[Constant()])
    assert given[0].seats.background == ((Constant(), (1,)),)


def test_training_groups__play_what_the_arm_trains_on() -> None:
    rules = {arm.name: {group.rule for group in _groups(arm)} for arm in TRAINED}
    assert rules["fixed"] == rules["fixed+nuisance"] == {load_rule("price_board")}
    assert rules["randomized"] == {STRUCTURE}
    assert rules["central"] == {central_rule(STRUCTURE)}
    (aware,) = rules["aware"]
    assert isinstance(aware, Structure)
    for number in range(20):
        rule, told = STRUCTURE.draw(0, number, 0), aware.draw(0, number, 0)
        assert told == rule.replace(**{"disclosure.level": "full"})


def test_noticed__the_rule_changes_within_the_training_part_mostly_when_it_was_announced() -> None:
    groups = _groups(ARMS["noticed"], markets=64)
    told, changed = 0, 0
    shares = {round(group.schedule[0].at / group.economy.rounds, 1) for group in groups}
    assert shares == {0.2, 0.5, 0.8}
    for group in groups:
        market = group.make_env(0).market
        (shift,) = group.schedule
        column = market.layout["notice"].start
        observations = market.reset(seed=0)
        before = market.rule_features.copy()
        for _ in range(shift.at):
            assert shift.notice is not None
            near = shift.at - market.round <= shift.notice
            assert ((observations[:, :, column] > 0) == near).all()
            observations, _, _ = market.step(np.zeros((market.markets, market.organizations, market.action_size)))
        told += market.markets
        moved = (market.rule_features != before).any(axis=1)
        changed += int(moved.sum())
        for index in range(market.markets):
            assert outside(STRUCTURE, market.rule_in_force(index)) == ()
    assert told == 64
    assert changed / told == pytest.approx(0.75, abs=3 * (0.75 * 0.25 / 64) ** 0.5)


def test_noticed__a_schedule_of_ones_own_takes_the_place_of_its_changes() -> None:
    own = (Shift(at=5, to="price_board"),)
    assert {group.schedule for group in training_groups(ARMS["noticed"], "platforms", 8, schedule=own)} == {own}
    assert {group.schedule for group in _groups(ARMS["randomized"])} == {()}


def test_central_rule__is_of_the_training_part_and_nearest_to_it() -> None:
    rule, others = central_rule(STRUCTURE), STRUCTURE.sample("train", 200, seed=1)
    assert outside(STRUCTURE, rule) == ()

    def away(from_rule: Rule) -> float:
        return sum(float(np.abs(from_rule.features() - other.features()).sum()) for other in others)

    assert away(rule) < np.quantile([away(other) for other in others], 0.05)
    assert {group.rule for group in training_groups(ARMS["central"], rule, 8)} == {rule}


@pytest.mark.parametrize(
    ("arm", "given", "markets", "message"),
    [
        ("fixed", STRUCTURE, 8, "arm fixed trains on one rule; a structure, platforms, is for arm randomized"),
        ("aware", load_rule("price_board"), 8, "arm aware trains on a structure; one rule, price_board, is for"),
        ("scratch", "price_board", 8, "arm scratch trains on nothing"),
        ("central", "platforms", 7, "markets is 7; arm central shares them out over 8 economies"),
    ],
)
def test_training_groups__refuse_what_an_arm_does_not_train_on(
    arm: str, given: Any, markets: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        training_groups(ARMS[arm], given, markets)


def test_rivals__vary_around_the_common_population() -> None:
    economy, common = Economy(base_cost=0.4), rival_population(Economy(base_cost=0.4))
    drawn = [rival_population(economy, seed) for seed in range(200)]
    assert rival_population(economy, 3) == drawn[3]
    assert [type(rival) for rival in drawn[0]] == [type(rival) for rival in common]
    for place, name in ((0, "markup"), (1, "step"), (1, "ask"), (2, "ask"), (2, "effort"), (2, "promotion")):
        values = np.array([getattr(rivals[place], name) for rivals in drawn])
        assert len(set(values)) == 200
        assert abs(values.mean() - getattr(common[place], name)) < 4 * values.std() / np.sqrt(200)
    assert all(vars(rival)["economy"] == economy for rivals in drawn for rival in rivals[:2])


def test_undisclosed__sees_no_features() -> None:
    """A policy that does not read the rule's features acts the same whether the rule is disclosed or not."""
    told = load_rule("price_board").replace(**{"disclosure.level": "full"})
    silent = load_rule("price_board").replace(**{"disclosure.level": "scores"})
    seen = {rule: Market(rule, markets=2).reset(seed=3).reshape(16, -1) for rule in (told, silent)}

    class _Mirror(Constant):
        uses_noise = True

        def initial_memory(self, count: int) -> np.ndarray:
            return np.full((count, 2), 7.0, np.float32)

        def act(
            self, observations: np.ndarray, memory: Any = None, noise: np.ndarray | None = None
        ) -> tuple[np.ndarray, Any]:
            return observations, memory

    blind = Undisclosed(_Mirror())
    assert not np.array_equal(seen[told], seen[silent])
    np.testing.assert_array_equal(blind.act(seen[told])[0], seen[silent])
    assert blind.uses_noise
    np.testing.assert_array_equal(np.asarray(blind.initial_memory(3)), np.full((3, 2), 7.0))
    assert blind.describe() == {"policy": "Undisclosed", "of": _Mirror().describe()}


def test_training_groups__go_into_one_vec_env() -> None:
    env = MixedVecEnv(_groups(ARMS["aware"], markets=8))
    assert (env.reset()[:, -24] == 1.0).all()  # the mask of the features
