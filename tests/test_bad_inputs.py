"""Every mistake gets one clear line that names what is wrong, and nothing is done."""

import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import catalogue

from ruleshift.agents import Constant
from ruleshift.envs import Economy, Shift
from ruleshift.envs.fields import Count, Number
from ruleshift.train import PPOSettings, TrainingPlan, train

CATALOGUE = catalogue()


def _numpy(value: float) -> Any:
    """Return a number as numpy holds it."""
    return np.int32(value) if isinstance(value, int) else np.float64(value)


def test_catalogue__is_large() -> None:
    assert len(CATALOGUE) >= 600


@pytest.mark.parametrize("where", sorted({where for where, _, _ in CATALOGUE}))
def test_bad_input__gets_one_line_that_names_it(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = []
    for _, name, call in (each for each in CATALOGUE if each[0] == where):
        given = {**getattr(call, "keywords", {})}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                call()
        except (ValueError, TypeError, FileNotFoundError) as error:
            said = str(error)
            if "\n" in said or len(said) > 700 or name not in said:
                wrong.append(f"{name}: {given!r:.200}: said {type(error).__name__}: {said[:300]!r}")
        except Exception as error:
            wrong.append(f"{name}: {given!r:.200}: raised {type(error).__name__}: {error!s:.200}")
        else:
            wrong.append(f"{name}: {given!r:.200}: was taken")
    assert not wrong, f"{len(wrong)} of these:\n" + "\n".join(wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [Economy, PPOSettings, Constant])
def test_numbers__of_numpy_are_numbers(kind: Any) -> None:
    plain = kind()
    given: dict[str, Any] = {}
    for each in fields(kind):
        declared, value = each.metadata.get("kind"), getattr(plain, each.name)
        if isinstance(declared, Number):
            given[each.name] = np.float64(value)
        if isinstance(declared, Count):
            given[each.name] = np.int32(value)
    found = kind(**given)
    assert found == plain
    assert all(type(getattr(found, name)) in (int, float) for name in given)
    assert Shift(_numpy(3), "price_board", chance=_numpy(0.5)) == Shift(3, "price_board", chance=0.5)


def test_train__a_refused_call_leaves_no_mark(tmp_path: Path) -> None:
    out, plan = tmp_path / "run", TrainingPlan("price_board", steps=10)
    for wrong in ({"checkpoint_seconds": -1}, {"checkpoint_rollouts": 0}, {"threads": 0}, {"on_rollout": 3},
                  {"quiet": "no"}):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
            train(plan, out, **wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="train takes a plan"):
        train("price_board", out)  # type: ignore[arg-type]
    assert not out.exists()


def test_train__takes_numbers_of_numpy(tmp_path: Path) -> None:
    small = PPOSettings(markets=_numpy(2), rollout_size=_numpy(16), batch_size=8, n_epochs=1)
    plan = TrainingPlan("price_board", steps=_numpy(16), seed=_numpy(3), snapshots=_numpy(1), settings=small)
    policy = train(plan, tmp_path, checkpoint_seconds=_numpy(60.0), tensorboard=False, quiet=True)
    assert (policy.card.seed, type(policy.card.seed)) == (3, int)
