"""A memory of the whole episode: weighted means of all outcomes since the organization entered its seat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruleshift.agents import Card, History, LearnedPolicy, RunningMeans, load_policy, save_policy
from ruleshift.envs.layout import observation_layout


@settings(max_examples=40)
@given(
    rates=st.lists(st.one_of(st.just(0.0), st.floats(0.01, 1.0)), min_size=1, max_size=4),
    kinds=st.integers(1, 4),
    entries=st.lists(st.booleans(), min_size=1, max_size=9),
    seed=st.integers(0, 99),
)
def test_running_means__weight_all_outcomes_of_the_organization(
    rates: list[float], kinds: int, entries: list[bool], seed: int
) -> None:
    """The oracle is the list of outcomes. What a newcomer sees when it enters is the outcome of nothing it did."""
    means, block = RunningMeans(kinds, rates), History(kinds, 0).block
    rng, memory = np.random.default_rng(seed), means.empty(2)
    newcomer = observation_layout(kinds)["newcomer"].start
    outcomes: list[list[np.ndarray]] = [[], []]
    for number, entry in enumerate(entries):
        now = rng.normal(size=(2, History(kinds, 0).observation_size)).astype(np.float32)
        now[:, newcomer] = [entry, 0.0]
        inputs, memory = means.read(now, memory)
        size = now.shape[1]
        np.testing.assert_array_equal(inputs[:, :size], now)
        for row, seen in enumerate(outcomes):
            if row == 0 and entry:
                seen.clear()
            elif number > 0:
                seen.append(now[row, block])
            for index, rate in enumerate(rates):
                width = block.stop - block.start
                found = inputs[row, size + index * width : size + (index + 1) * width]
                weights = [(1.0 - rate) ** age for age in range(len(seen))][::-1]
                expected = np.average(seen, axis=0, weights=weights) if seen else np.zeros(width)
                np.testing.assert_allclose(found, expected, atol=1e-4)


def test_policy__with_running_means_is_saved_loaded_and_plays_alike(tmp_path: object) -> None:
    rng, card = np.random.default_rng(1), Card(kinds=3, hidden=(8,), rates=(0.25, 0.0))
    policy = LearnedPolicy({n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in card.shapes().items()}, card)
    again = load_policy(save_policy(policy, str(tmp_path)))
    assert again.card == card
    memory, other = policy.initial_memory(4), again.initial_memory(4)
    for _ in range(3):
        seen = rng.normal(size=(4, 64)).astype(np.float32)
        actions, memory = policy.act(seen, memory)
        same, other = again.act(seen, other)
        np.testing.assert_array_equal(actions, same)


@pytest.mark.parametrize(("rates", "problem"), [("[2.0]", "rates"), ("[NaN]", "NaN"), ('["a"]', "rates")])
def test_card__with_impossible_rates_is_refused(rates: str, problem: str, tmp_path: object) -> None:
    card = Card(kinds=3, hidden=(8,), rates=(0.25,))
    folder = save_policy(
        LearnedPolicy({n: np.zeros(s, np.float32) for n, s in card.shapes().items()}, card), str(tmp_path)
    )
    path = folder / "policy.json"
    text = path.read_text()
    start = text.index('"rates": [') + len('"rates": ')
    path.write_text(text[:start] + rates + text[text.index("]", start) + 1 :])
    with pytest.raises(ValueError, match=problem):
        load_policy(folder)
