"""A catalogue of bad inputs, generated from what the suite declares: every field, with values of every wrong kind."""

from collections.abc import Callable, Iterator
from dataclasses import Field, fields
from functools import partial
from typing import Any

import numpy as np

from ruleshift.agents import Constant, Seats
from ruleshift.agents.scripted import FirstPriceBidder, Follower, PostedPrice, SecondPriceBidder
from ruleshift.envs import Economy, Market, Shift, Structure, drift, load_rule, market_v0, periodic, switching
from ruleshift.envs.fields import Count, Counts, Flag, Maybe, Number, Numbers, Of, OneOf, Range, Sizes, Word, Words
from ruleshift.envs.rule import Disclosure, Feedback, Matching, Payment, Rule, Scoring, Weights
from ruleshift.eval import Preset, compare_rules, evaluate, run_scenario
from ruleshift.eval.jobs.pool import worker_count
from ruleshift.train import MarketVecEnv, PPOSettings, TrainingPlan

Call = Callable[[], Any]

NO_NUMBER = (float("nan"), "3", None, [3], {"a": 3}, b"3", True, object(), 1j, 10**400, -(10**400))
NO_WHOLE = (*NO_NUMBER, 1.5, float("inf"), np.float64(2.0))
NO_TEXT = (3, 1.5, None, True, b"x", ["x"], {"a": 1}, object(), "")


def _wrong(kind: Any) -> tuple[Any, ...]:
    """Return values that a field of this kind does not take."""
    if isinstance(kind, Maybe):
        return tuple(value for value in _wrong(kind.kind) if value is not None)
    if isinstance(kind, Number):
        return (*NO_NUMBER, *(end for end in (kind.low - 1, np.float64(kind.low) - 1, -np.inf) if kind.low > -np.inf))
    if isinstance(kind, Count):
        return (*NO_WHOLE, kind.low - 1, np.int64(kind.low) - 1, kind.high + 1)
    if isinstance(kind, OneOf | Word):
        return NO_TEXT
    if isinstance(kind, Flag):
        return (0, 1, "yes", None, [], float("nan"))
    if isinstance(kind, Of):
        return (3, "x", None, [], object())
    if isinstance(kind, Range | Numbers | Words | Counts | Sizes):
        return (3, "x", None, [None], [float("nan")], {"a": 1}, [[1]], object(), [True])
    return ()


def _declared(where: str, make: Callable[..., Any], declared: type) -> Iterator[tuple[str, str, Call]]:
    each: Field[Any]
    for each in fields(declared):
        for value in _wrong(each.metadata.get("kind")):
            yield where, each.name, partial(make, **{each.name: value})


def _rule_with(field: str, value: Any) -> Rule:
    return load_rule("price_board").replace(**{field: value})


def _parameters() -> Iterator[tuple[str, str, Call]]:
    """Arguments of functions, each with the values that it does not take."""
    plan = partial(TrainingPlan, "price_board", steps=10)
    count, seed = _wrong(Count(1, 10**6)), _wrong(Count(0, 2**64 - 1))
    given: list[tuple[str, Callable[..., Any], dict[str, tuple[Any, ...]]]] = [
        ("Shift", partial(Shift, to="price_board"), {"at": NO_WHOLE}),
        ("Shift", partial(Shift, 3, "price_board"), {"chance": (*NO_NUMBER, 2.0), "notice": (*NO_WHOLE[:2], 0, -1)}),
        ("Shift", partial(Shift, 3), {"to": (3, None, "none_such", "none_such.toml", [], object())}),
        ("periodic", partial(periodic, ["price_board"], rounds=10), {"every": (*NO_WHOLE, 0)}),
        ("switching", partial(switching, ["price_board", "sealed_tender"], rounds=10), {"rate": (*NO_NUMBER, -0.1, 2)}),
        ("drift", partial(drift, "price_board", "sealed_tender", end=9), {"begin": (*NO_WHOLE, -1)}),
        ("Market", Market, {"markets": (*NO_WHOLE, 0), "first_market": (*NO_WHOLE, -1), "threads": (*NO_WHOLE, 0),
                            "rule": (3, None, [], "none_such"), "economy": (3, "x", {}), "schedule": (3, ["x"], [3])}),
        ("MarketVecEnv", MarketVecEnv, {"markets": (*NO_WHOLE, 0), "seats": (3, "x", []), "seed": (-1, "3", 1.5)}),
        ("parallel_env", market_v0.parallel_env, {"rounds": (*NO_WHOLE[:2], 0, -1), "organizations": (0, 1.5, "3"),
                                                  "render_mode": (3, "x", [])}),
        ("Seats", Seats, {"learning": (3, "x", [-1], [0, 0], [1.5], None, [True], [[0]])}),
        ("Seats", partial(Seats, (0,)), {"background": (
            3, "x", [3], [(3, (1,))], [(Constant(), 3)], [(Constant(), (-1,))],
        )}),
        ("TrainingPlan", plan, {"seed": (*NO_WHOLE, -1, 2**32), "snapshots": (-1, 1.5, "x", [-1], [1.5], None, True),
                                "economy": (3, "x", {}), "rivals": (3, "x", [3]), "groups": (3, "x"),
                                "schedule": (3, "x", [3]), "arm": (3, "none_such"), "settings": (3, None, {}),
                                "history": (-1, 1.5, "x", True), "units": (-1, 1.5, "x"), "record": (1, "x")}),
        ("TrainingPlan", partial(TrainingPlan, "price_board"), {"steps": (*NO_WHOLE, 0, -1, 10**13)}),
        ("evaluate", partial(evaluate, Constant(), "price_board"), {"at": (*NO_WHOLE, 0, 100), "markets": count,
                                                                    "seed": seed, "economy": (3, "x"), "panel": (3,)}),
        ("evaluate", partial(evaluate, rule="price_board"), {"policy": (3, None, [], "none/such")}),
        ("run_scenario", partial(run_scenario, "ride_hailing"), {"markets": count, "policy": (3, []), "seed": seed}),
        ("compare_rules", partial(compare_rules, "price_board"), {"second": (3, None, "none_such", [])}),
        ("worker_count", worker_count, {"workers": (*(each for each in NO_WHOLE if each is not None), -2, 10**9)}),
    ]  # fmt: skip
    for where, make, arguments in given:
        for name, values in arguments.items():
            for value in values:
                yield where, name, partial(make, **{name: value})


def _structures() -> Iterator[tuple[str, str, Call]]:
    base = load_rule("price_board")
    bad: dict[str, tuple[Any, ...]] = {
        "payment.reserve": (3, "x", None, [], {"uniform": 3}, {"uniform": [1, 0]}, {"uniform": [0, float("nan")]},
                            {"choice": []}, {"choice": [2]}, {"none": 1}, {"uniform": [[0, 0.5], [0.4, 1]]}),
        "scoring.weights": ({"dirichlet": []}, {"dirichlet": ["x"]}, {"dirichlet": ["price"], "least": 2}, 3),
        "none.such": (1,),
    }  # fmt: skip
    for field, draws in bad.items():
        for draw in draws:
            yield "Structure", field.split(".")[0], partial(Structure, "bad", base, {"train": {field: draw}})


def catalogue() -> list[tuple[str, str, Call]]:
    """Return the bad inputs: what is called, the name that the error must have in it, and the call."""
    settings = partial(PPOSettings)
    found = [
        *_declared("Economy", Economy, Economy),
        *(
            entry
            for part, kind in (("disclosure", Disclosure), ("scoring", Scoring), ("matching", Matching),
                               ("payment", Payment), ("feedback", Feedback))
            for entry in _declared(f"Rule.{part}", kind, kind)
        ),
        *_declared("Weights", Weights, Weights),
        *_declared("PPOSettings", settings, PPOSettings),
        *_declared("Preset", Preset, Preset),
        *(entry for kind in (Constant, PostedPrice, Follower, FirstPriceBidder, SecondPriceBidder)
          for entry in _declared(kind.__name__, kind, kind)),
        *(("Rule", "name", partial(_rule_with, "name", value)) for value in (*NO_TEXT, "a/b", "a\nb", "\0", "x" * 500)),
        *_parameters(),
        *_structures(),
    ]  # fmt: skip
    return found  # type: ignore[return-value]
