"""A mechanism in a user's own file: registered by decorator or by place, named in a rule file, and checked."""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ruleshift.envs import Economy, Market, Shift, load_rule, register_mechanism
from ruleshift.envs.mechanisms import MECHANISMS

Write = Callable[[str], str]

ECONOMY = Economy(organizations=4, jobs=6, kinds=2, capacity=2, rounds=5)
_NUMBER = itertools.count()

DECORATED = '''
from ruleshift.envs import register_mechanism


@register_mechanism("{name}", source="a test", cost="J N")
def in_turn(problem, match, floats, integers):
    """Jobs go round the organizations that still have capacity."""
    n = len(problem.capacities)
    following = 0
    for j in range(len(problem.kinds)):
        for step in range(n):
            i = (following + step) % n
            if problem.capacities[i] > 0:
                match.winner[j] = i
                problem.capacities[i] -= 1
                following = i + 1
                break
'''

PLAIN = '''
def {name}(problem, match, floats, integers):
    """{what}"""
    for j in range(len(problem.kinds)):
        {body}
'''


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """What a test registers is gone after it, so that nothing else meets mechanisms that cannot be compiled or run."""
    before = dict(MECHANISMS)
    yield
    MECHANISMS.clear()
    MECHANISMS.update(before)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a user's module that Python can import, and return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write_module(text: str) -> str:
        name = f"users_module_{next(_NUMBER)}"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return name

    return write_module


def _rule_file(folder: Path, mechanism: str) -> Path:
    path = folder / "mine.toml"
    text = load_rule("price_board").to_toml()
    path.write_text(text.replace('mechanism = "serial"', f'mechanism = "{mechanism}"'), encoding="utf-8")
    return path


def _step(market: Market, markets: int = 1, ask: float = 0.0) -> None:
    actions = np.zeros((markets, 4, 5), np.float32)
    actions[:, :, 0] = ask
    market.step(actions)


def test_decorator__usable_from_a_rule_file(write: Write, tmp_path: Path) -> None:
    module = write(DECORATED.format(name="test_in_turn"))
    importlib.import_module(module)
    market = Market(_rule_file(tmp_path, "test_in_turn"), economy=ECONOMY, markets=2)
    market.reset(seed=0)
    _step(market, 2)
    np.testing.assert_array_equal(market.winners, [[0, 1, 2, 3, 0, 1]] * 2)
    assert market.rule_in_force().features().shape == load_rule("price_board").features().shape


def test_entry_point__of_an_installed_package_is_found_by_name(write: Write, tmp_path: Path) -> None:
    name = f"test_packaged_{next(_NUMBER)}"
    body = "match.winner[j] = 3 if problem.capacities[3] > 0 else -1\n        problem.capacities[3] -= 1"
    module = write(PLAIN.format(name=name, what="All to the last.", body=body))
    package = tmp_path / "users_package-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: users-package\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[ruleshift.mechanisms]\n{name} = {module}:{name}\n")
    market = Market(_rule_file(tmp_path, name), economy=ECONOMY)
    market.reset(seed=0)
    _step(market)
    np.testing.assert_array_equal(market.winners, [[3, 3, -1, -1, -1, -1]])


def test_mechanisms__a_place_is_imported(write: Write, tmp_path: Path) -> None:
    module = write(DECORATED.format(name="test_imported"))
    assert module not in sys.modules
    market = Market(
        _rule_file(tmp_path, "test_imported"), economy=ECONOMY, mechanisms=(f"{module}:in_turn",), threads=1
    )
    market.reset(seed=0)
    _step(market)
    np.testing.assert_array_equal(market.winners, [[0, 1, 2, 3, 0, 1]])


def test_mechanisms__a_plain_function_is_known_by_its_own_name(write: Write) -> None:
    name = "test_nobody"
    module = write(PLAIN.format(name=name, what="No job is served.", body="match.winner[j] = -1"))
    market = Market(economy=ECONOMY, mechanisms=(f"{module}:{name}",))
    market.reset(seed=0, rule=load_rule("price_board").replace(**{"matching.mechanism": name}))
    _step(market)
    assert np.all(market.winners == -1)
    assert not market.payments.any()


def test_mechanisms__in_a_shift_beside_built_in_ones(write: Write) -> None:
    module = write(DECORATED.format(name="test_in_a_shift"))
    importlib.import_module(module)
    rule = load_rule("price_board").replace(**{"matching.mechanism": "test_in_a_shift"})
    market = Market("clearing_house", economy=ECONOMY, schedule=(Shift(1, rule), Shift(2, "price_board")))
    market.reset(seed=0)
    for round_ in range(ECONOMY.rounds):
        _step(market)
        if round_ == 1:
            np.testing.assert_array_equal(market.winners, [[0, 1, 2, 3, 0, 1]])


@pytest.mark.parametrize(
    ("body", "ask"),
    [
        ("match.winner[j] = 0", 0.0),
        ("match.winner[j] = 7", 0.0),
        ("match.winner[j] = -2", 0.0),
        ("match.winner[j] = j % 4", 1.0),
        ("match.winner[j], match.margin[j] = j % 4, -1.0", 0.0),
    ],
    ids=["capacity", "range above", "range below", "not offered", "negative margin"],
)
def test_mechanism__that_breaks_the_market_is_named(write: Write, body: str, ask: float) -> None:
    name = f"test_broken_{next(_NUMBER)}"
    module = write(PLAIN.format(name=name, what="Breaks the market.", body=body))
    rule = load_rule("price_board").replace(**{"matching.mechanism": name})
    market = Market(economy=ECONOMY, first_market=9, mechanisms=(f"{module}:{name}",))
    market.reset(seed=0, rule=rule)
    with pytest.raises(RuntimeError, match=f"{name}.*market 9"):
        _step(market, ask=ask)
    with pytest.raises(RuntimeError, match="reset"):
        _step(market)
    market.reset(seed=0, rule="price_board")
    _step(market)


TELLING = '''
from ruleshift.envs import register_mechanism


@register_mechanism("{name}", payments=("price", "bid"))
def telling(problem, match, floats, integers):
    """The first jobs go to the first organizations, at a price and a bid."""
    for j in range(len(problem.capacities)):
        match.winner[j], match.price[j], match.bid[j] = j, {price}, {bid}
'''


@pytest.mark.parametrize(
    ("price", "bid"), [("float('nan')", 0), ("-float('inf')", 0), (0.5, 1.5), (0.5, -0.5), (0.5, 0.5)]
)
def test_mechanism__that_tells_a_price_or_bid_that_cannot_be_is_named(write: Write, price: object, bid: float) -> None:
    name = f"test_telling_{next(_NUMBER)}"
    importlib.import_module(write(TELLING.format(name=name, price=price, bid=bid)))
    rule = load_rule("price_board").replace(
        **{"matching.mechanism": name, "payment.pricing": "externality", "payment.charge": "next_bid"}
    )
    market = Market(rule, economy=ECONOMY)
    market.reset(seed=0)
    if (price, bid) == (0.5, 0.5):
        _step(market)
        np.testing.assert_allclose(market.payments[0, :4], 0.5 * market.served_values[0, :4])
    else:
        with pytest.raises(RuntimeError, match=name):
            _step(market)


DECLARING = '''
from ruleshift.envs import register_mechanism


@register_mechanism("{name}"{declared})
def leading(problem, match, floats, integers):
    """The first jobs go to the first organizations, each by a margin of 1 over nobody in particular."""
    for j in range(len(problem.capacities)):
        match.winner[j], match.margin[j] = j, 1.0
'''


def test_mechanism__tells_only_what_it_declares(write: Write) -> None:
    """The critical ask is computed from a margin, which a mechanism gives only if it declares so."""
    silent, telling = (f"test_leading_{next(_NUMBER)}" for _ in range(2))
    importlib.import_module(write(DECLARING.format(name=silent, declared="")))
    importlib.import_module(write(DECLARING.format(name=telling, declared=', payments=("margin",)')))
    second_price = load_rule("price_board").replace(**{"payment.pricing": "second_price"})
    with pytest.raises(ValueError, match=f"'second_price', which '{silent}' does not tell .*no payment 'margin'"):
        Market(second_price.replace(**{"matching.mechanism": silent}), economy=ECONOMY)
    market = Market(second_price.replace(**{"matching.mechanism": telling}), economy=ECONOMY)
    market.reset(seed=0)
    _step(market, ask=-0.2)  # half of the value
    paid = market.payments[0, :4] / market.served_values[0, :4]
    scoring = second_price.scoring
    np.testing.assert_allclose(paid, 0.5 * np.exp(1 / (scoring.amplification * scoring.weights.price)), rtol=1e-6)


@pytest.mark.parametrize("payments", [("margins",), "margin", ("margin", "posted")])
def test_register_mechanism__an_unknown_payment_is_named(payments: Any) -> None:
    with pytest.raises(
        ValueError, match=r"mechanism 'test_unknown': payments is .*margin, price, bid, bid_externality"
    ):
        register_mechanism("test_unknown", payments=payments)(lambda problem, match, floats, integers: None)


def test_mechanism__that_does_not_compile_is_named(write: Write) -> None:
    name = "test_uncompiled"
    module = write(PLAIN.format(name=name, what="No such field.", body="match.looser[j] = 0"))
    with pytest.raises(ValueError, match=name):
        Market(economy=ECONOMY, mechanisms=(f"{module}:{name}",)).reset(
            rule=load_rule("price_board").replace(**{"matching.mechanism": name})
        )


@pytest.mark.parametrize("given", [(-1, 0), (0, 2**33), (0.5, 0), 3, None, (1, 2, 3)], ids=str)
def test_scratch__that_cannot_be_is_refused_by_name(write: Write, given: object) -> None:
    name = f"test_scratch_{next(_NUMBER)}"
    importlib.import_module(write(DECLARING.format(name=name, declared=f", scratch=lambda n, j, k, c: {given}")))
    with pytest.raises(ValueError, match=f"{name}.*scratch.*two whole numbers"):
        Market(load_rule("price_board").replace(**{"matching.mechanism": name}), economy=ECONOMY)


def test_register_mechanism__a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match=r"serial.*already"):
        register_mechanism("serial")(lambda problem, match, floats, integers: None)
