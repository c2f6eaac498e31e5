"""What an onlooker sees: who served whom, the rule in force, and the moment it changes."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ruleshift.envs import Economy, Market, Shift
from ruleshift.envs.layout import outcome_view
from ruleshift.envs.render import MODES, Renderer, save_frames, save_gif
from ruleshift.envs.scene import Ended


def _market(rounds: int = 20, schedule: tuple[Shift, ...] = (), rule: str = "price_board", **sizes: Any) -> Market:
    market = Market(rule, markets=2, economy=Economy(rounds=rounds, **sizes), schedule=schedule)
    market.reset(seed=3)
    return market


def _play(market: Market, rounds: int = 1) -> None:
    actions = np.random.default_rng(market.round).uniform(-1, 1, (2, market.organizations, market.action_size))
    for _ in range(rounds):
        market.step(actions.astype(np.float32))


def test_ansi__each_job_stands_beside_the_organization_that_served_it() -> None:
    market = _market()
    _play(market)
    lines = Renderer("ansi").draw(market, 1).splitlines()
    rows = {line.split()[0]: line for line in lines if line.startswith("org_")}
    assert len(rows) == market.organizations
    served = [outcome_view(market.outcomes[1], market.kinds).served[i] for i in range(market.organizations)]
    assert sum(served) > 0
    assert [rows[f"org_{i}"].count("@") for i in range(market.organizations)] == served
    for job, winner in enumerate(market.winners[1]):
        tag = f"{'ABC'[market.served_kinds[1, job]]}{market.served_values[1, job]:.2f}"
        assert tag in (lines[-1] if winner < 0 else rows[f"org_{winner}"])


def test_ansi__shows_asks_and_profits() -> None:
    market = _market()
    _play(market)
    outcome = outcome_view(market.outcomes[0], market.kinds)
    text = Renderer("ansi").draw(market)
    for i in range(market.organizations):
        line = next(line for line in text.splitlines() if line.startswith(f"org_{i}"))
        assert f"{outcome.ask[i]:.2f}" in line
        assert f"{outcome.profit[i]:+.2f}" in line


def test_ansi__before_the_first_round_shows_the_board_that_waits() -> None:
    market = _market()
    text = Renderer("ansi").draw(market)
    assert "round 0 of 20" in text
    for kind, value in zip(market.job_kinds[0], market.job_values[0], strict=True):
        assert f"{'ABC'[kind]}{value:.2f}" in text


def test_news__the_moment_of_change_is_announced_seen_and_forgotten() -> None:
    market = _market(schedule=(Shift(at=6, to="promoted_listing", notice=2),))
    seen = []
    for _ in range(13):
        seen.append(Renderer("ansi").draw(market))
        _play(market)
    news = [next((line for line in text.splitlines() if line.startswith("***")), "") for text in seen]
    assert news[:4] == [""] * 4
    assert news[4] == news[5] == "*** ANNOUNCED: promoted_listing after round 6 ***"
    assert news[6] == "*** FROM THE NEXT ROUND ON: promoted_listing ***"
    assert news[7] == "*** THE RULE CHANGED after round 6: promoted_listing ***"
    assert news[12] == ""
    assert seen[5].startswith("price_board")
    assert seen[6].startswith("promoted_listing")
    assert all("round 6: promoted_listing" in text for text in seen)


def test_news__a_placebo_says_so() -> None:
    market = _market(schedule=(Shift(at=1, to="promoted_listing", placebo=True),))
    _play(market)
    text = Renderer("ansi").draw(market)
    assert text.startswith("price_board")
    assert "PLACEBO after round 1: the rule stays price_board" in text


@pytest.mark.parametrize("rounds", [1, 6])
def test_ended__the_last_picture_shows_the_last_round(rounds: int) -> None:
    """Other markets, that last a round longer, show what there was to see."""
    shift = (Shift(at=3, to="promoted_listing"),) if rounds > 1 else ()
    market, longer = (_market(length, shift) for length in (rounds, rounds + 1))
    for _ in range(rounds):
        rule = market.rule_in_force(1)
        _play(market)
        _play(longer)
    assert market.last_observations is not None
    ended = Ended(rule, market.last_observations[1])
    expected = Renderer("ansi").draw(longer, 1).splitlines()
    seen = Renderer("ansi").draw(market, 1, ended).splitlines()
    assert seen[0] == f"{rule.name}   round {rounds} of {rounds}   market 1, episode 0"
    assert seen[2].startswith("[" + ("===" if rounds == 1 else "="))
    assert seen[3:] == expected[3:]


def test_news__a_change_that_did_not_come_about_says_so() -> None:
    market = _market(schedule=(Shift(at=2, to="promoted_listing", notice=1, chance=0.5),))
    news = set()
    for _ in range(10):
        _play(market, 3)
        texts = [Renderer("ansi").draw(market, b) for b in range(2)]
        news |= {next(line for line in text.splitlines() if line.startswith("***")) for text in texts}
        market.reset()
    assert news == {
        "*** NO CHANGE after round 2: the rule stays price_board ***",
        "*** THE RULE CHANGED after round 2: promoted_listing ***",
    }


def test_picture__is_never_blank_and_changes_with_every_round() -> None:
    market, renderer = _market(), Renderer("rgb_array")
    frames = [renderer.draw(market)]
    for _ in range(3):
        _play(market)
        frames.append(renderer.draw(market))
    for frame in frames:
        assert frame.dtype == np.uint8
        assert frame.shape == frames[0].shape
        assert frame.mean() > 200  # paper
        assert (frame < 100).any(axis=2).mean() > 0.01  # and ink
    for before, after in pairwise(frames):
        assert (before != after).any()


def test_picture__the_change_of_rule_catches_the_eye() -> None:
    shifted, plain = _market(schedule=(Shift(at=2, to="promoted_listing"),)), _market()
    reds = []
    for market in (shifted, plain):
        _play(market, 2)
        frame = Renderer("rgb_array").draw(market).astype(int)
        reds.append(((frame[..., 0] > 150) & (frame[..., 1] < 80) & (frame[..., 2] < 80)).sum())
    assert reds[0] > reds[1] + 1000


def test_picture__a_line_leads_to_each_job_that_was_served() -> None:
    """Between the two sides there is nothing but lines: no job served, nothing there."""
    market = _market(rule="dispatch_lottery", organizations=4, jobs=4)
    stay_out = np.ones((2, 4, market.action_size), np.float32)
    market.step(stay_out)
    assert (market.winners == -1).all()
    alone = Renderer("rgb_array").draw(market)[210:, 655:865]
    assert (alone == 255).all()
    market.step(-stay_out)
    assert (market.winners >= 0).any()
    assert (Renderer("rgb_array").draw(market)[210:, 655:865] < 255).any()


def test_draw__leaves_the_market_as_it_was_and_repeats_itself() -> None:
    market = _market()
    _play(market)
    before = market.snapshot()
    for mode in ("ansi", "rgb_array"):
        renderer = Renderer(mode)
        first, second = renderer.draw(market), renderer.draw(market)
        assert np.array_equal(first, second)
    after = market.snapshot()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_draw__shows_forty_organizations_and_says_what_it_leaves_out() -> None:
    market = _market(organizations=45, jobs=70, kinds=30)
    _play(market)
    text = Renderer("ansi").draw(market)
    assert "showing the first 40 of 45 organizations and 60 of 70 jobs" in text
    assert "org_39" in text
    assert "\norg_40 " not in text
    assert Renderer("rgb_array").draw(market).shape[1:] == (1120, 3)


def test_human__prints_and_returns_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    market, renderer = _market(), Renderer("human")
    assert renderer.draw(market) is None
    assert "price_board" in capsys.readouterr().out
    renderer.close()
    renderer.close()


def test_renderer__refuses_what_it_cannot_draw() -> None:
    with pytest.raises(ValueError, match=f"'svg'.*{MODES[0]}"):
        Renderer("svg")
    with pytest.raises(IndexError, match="market 2 of 2"):
        Renderer().draw(_market(), 2)
    with pytest.raises(RuntimeError, match="reset"):
        Renderer().draw(Market())


def test_save__a_gif_holds_every_frame_and_a_folder_too(tmp_path: Path) -> None:
    market, renderer = _market(organizations=2, jobs=2), Renderer("rgb_array")
    frames = []
    for _ in range(3):
        frames.append(renderer.draw(market))
        _play(market)
    with Image.open(save_gif(frames, tmp_path / "new" / "market.gif")) as animation:
        animation.seek(2)
        with pytest.raises(EOFError):
            animation.seek(3)
        assert animation.size == frames[0].shape[1::-1]
    folder = save_frames(iter(frames), tmp_path / "frames")
    assert sorted(path.name for path in folder.iterdir()) == [f"frame_000{i}.png" for i in range(3)]
    with Image.open(folder / "frame_0002.png") as image:
        assert np.array_equal(np.asarray(image), frames[2])


@pytest.mark.parametrize("save", [save_gif, save_frames])
def test_save__without_frames_is_refused(save: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frames"):
        save([], tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
