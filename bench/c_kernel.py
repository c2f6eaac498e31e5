"""The compiled kernel against a plain C translation of the same round (bench/c), after checking that both agree.

64 markets of N = J = 8, K = 3 run on one core, with observations written, under a ranking, a lottery, deferred
acceptance, and a mix of the three. It prints nanoseconds per agent-step of both, and C's time as a share of numba's.
"""

import ctypes
import shutil
import subprocess
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from markets import STEPS, bare_kernel_block, random_actions
from timing import CPU, arguments, interleave, median, ratio

from ruleshift.envs import Market, Rule, Structure, load_rule
from ruleshift.envs import layout as at

SOURCE = Path(__file__).parent / "c" / "round.c"
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-trapping-math")  # the last is what LLVM assumes
RULES = ("sealed_tender", "dispatch_lottery", "clearing_house")
MECHANISMS, PRICINGS = ("serial", "deferred_acceptance"), ("as_asked", "posted")
LEVELS = ("opaque", "outcomes", "scores")
MARKETS, SEED = 64, 2  # under this seed the mix puts 22, 22 and 20 markets under the three rules
TARGET = 0.7

WEIGHTS = ("price", "capability", "reputation", "promotion", "popularity", "focus")
SCORING = (*WEIGHTS, "amplification", "floor", "reserve", "commission", "gain", "inflation", "persistence", "prior")
ECONOMY = (
    "base_cost", "effort_cost", "promotion_price", "log_outside_odds", "outside_ask", "learning_exponent",
    "depreciation", "capability_low", "capability_high", "infrastructure_low", "infrastructure_high",
    "infrastructure_gain", "shock_mean", "shock_sd", "value_spread", "quality_capability", "quality_noise",
    "initial_reputation", "initial_cash",
)  # fmt: skip
STATE = (
    "reputation", "popularity", "cash", "infrastructure", "relief",
    "experience", "initial", "capability", "shock", "billed",
)  # fmt: skip


class CRule(ctypes.Structure):
    """The structure `Rule` of round.c."""

    _fields_ = [(name, ctypes.c_double) for name in SCORING] + [
        (name, ctypes.c_int64) for name in ("level", "mechanism", "pricing")
    ]

    def __init__(self, rule: Rule) -> None:
        weights = {name: getattr(rule.scoring.weights, name) for name in WEIGHTS}
        super().__init__(
            **weights,
            amplification=rule.scoring.amplification,
            floor=rule.scoring.promotion_floor,
            reserve=rule.payment.reserve,
            commission=rule.payment.commission,
            gain=rule.feedback.reputation_gain,
            inflation=rule.feedback.inflation,
            persistence=rule.feedback.persistence,
            prior=rule.feedback.prior,
            level=LEVELS.index(rule.disclosure.level),
            mechanism=MECHANISMS.index(rule.matching.mechanism),
            pricing=PRICINGS.index(rule.payment.pricing),
        )


class CEconomy(ctypes.Structure):
    """The structure `Economy` of round.c."""

    _fields_ = [(name, ctypes.c_double) for name in ECONOMY] + [("capacity", ctypes.c_int64)]

    def __init__(self, row: np.ndarray) -> None:
        numbers = {name: row[getattr(at, name.upper())] for name in ECONOMY}
        super().__init__(**numbers, capacity=int(row[at.CAPACITY]))


def compile_c(folder: str) -> ctypes.CDLL:
    """Compile round.c for this machine with `cc`, and load it."""
    if shutil.which("cc") is None:
        raise SystemExit("c_kernel: there is no C compiler named cc on the path")
    target = Path(folder) / "round.so"
    subprocess.run(["cc", *FLAGS, "-shared", "-fPIC", "-o", target, SOURCE], check=True)
    library = ctypes.CDLL(str(target))
    number, memory = ctypes.c_int64, ctypes.c_void_p
    library.open_kernel.restype = memory
    library.open_kernel.argtypes = [number] * 5 + [ctypes.POINTER(CEconomy), ctypes.POINTER(CRule), memory]
    library.begin.argtypes = [memory, number, memory]
    library.play.argtypes = [memory] + [number] * 3 + [memory] * 4
    library.look.argtypes = [memory] * 4
    return library


class CKernel:
    """The markets of a `Market` that was just reset, with the same keys, played by the C library."""

    def __init__(self, library: ctypes.CDLL, market: Market) -> None:
        self._library = library
        rules = (CRule * market.markets)(*(CRule(market.rule_in_force(b)) for b in range(market.markets)))
        shape = (market.organizations, market.jobs, market.kinds, market.observation_size, market.markets)
        economy = CEconomy(market.arrays.economy)
        self._kernel = library.open_kernel(*shape, economy, rules, market.arrays.keys.ctypes.data)
        self.observations = np.empty((market.markets, market.organizations, market.observation_size), np.float32)
        self.last_observations = np.empty_like(self.observations)
        self.rewards = np.empty(self.observations.shape[:2], np.float32)
        self.winners = np.empty((market.markets, market.jobs), np.int64)
        self.state = np.empty((market.markets, 5 + 5 * market.kinds, market.organizations))
        self.totals = np.empty((market.markets, len(at.MEASURES)))
        self._arguments = [each.ctypes.data for each in (self.observations, self.rewards, self.last_observations)]
        library.begin(self._kernel, 0, self.observations.ctypes.data)

    def step(self, number: int, action: int) -> None:
        """Play round `number` of episode 0; `action` is the address of the actions, float32 (B, N, 3 + K)."""
        self._library.play(self._kernel, number, 0, number == STEPS - 1, action, *self._arguments)

    def look(self) -> None:
        """Fetch the winners of the last round, the state, and the sums of the episode's measures."""
        self._library.look(self._kernel, *(each.ctypes.data for each in (self.winners, self.state, self.totals)))


def mixed(names: tuple[str, ...]) -> Structure:
    """Return a structure that puts each market under one of these rules, all equally likely."""
    rules = [load_rule(name) for name in names]
    return Structure("mix", rules[0], {"train": [_fields(rule) for rule in rules]})


def _fields(rule: Rule) -> dict[str, dict[str, list]]:
    """Every field of a rule by dotted name, as a choice of one."""
    table = {}
    for part in ("disclosure", "scoring", "matching", "payment", "feedback"):
        for field in fields(getattr(rule, part)):
            value = getattr(getattr(rule, part), field.name)
            table[f"{part}.{field.name}"] = {"choice": [asdict(value) if field.name == "weights" else value]}
    return table


def state_of(market: Market) -> np.ndarray:
    """The part of the state that round.c keeps, in its order: float64 (B, 5 + 5K, N)."""
    views = [at.state_view(rows, market.kinds) for rows in market.state]
    return np.array([np.concatenate([np.atleast_2d(getattr(view, name)) for name in STATE]) for view in views])


def opened(rule: str | Structure) -> Market:
    """Return 64 markets at the start of their first episode."""
    market = Market(rule, markets=MARKETS)
    market.reset(seed=SEED)
    return market


def check(library: ctypes.CDLL, rule: str | Structure) -> None:
    """Play an episode and its reset with both; every number must be the same.

    Raises:
        AssertionError: a number differs; the message says which, and in which round.
    """
    market = Market(rule, markets=MARKETS)
    observations = market.reset(seed=SEED)
    c = CKernel(library, market)
    np.testing.assert_array_equal(observations, c.observations, "observations at the start")
    for number, action in enumerate(random_actions(market)):
        observations, rewards, last = market.step(action)
        c.step(number, action.ctypes.data)
        c.look()
        np.testing.assert_array_equal(market.winners, c.winners, f"winners of round {number}")
        np.testing.assert_array_equal(state_of(market), c.state, f"state after round {number}")
        np.testing.assert_array_equal(rewards, c.rewards, f"rewards of round {number}")
        np.testing.assert_array_equal(observations, c.observations, f"observations after round {number}")
    assert last
    np.testing.assert_array_equal(market.last_observations, c.last_observations, "observations at the end")
    np.testing.assert_array_equal(market.episode_measures, c.totals / STEPS, "measures of the episode")


def c_block(library: ctypes.CDLL, rule: str | Structure):
    """Return a block of episodes played by the C library, as `bare_kernel_block` plays them."""
    market = opened(rule)
    c, actions = CKernel(library, market), random_actions(market)
    addresses = [action.ctypes.data for action in actions]

    def block() -> int:
        for number, address in enumerate(addresses):
            c.step(number, address)
        return len(actions) * MARKETS * market.organizations

    return block


def compare(library: ctypes.CDLL, name: str, rule: str | Structure, seconds: float) -> None:
    """Check, time and print one row."""
    check(library, rule)
    blocks = {"c": c_block(library, rule), "numba": bare_kernel_block(rule, MARKETS, seed=SEED)}
    rates = interleave(blocks, seconds, CPU)
    c, numba = (1e9 / median(rates[each]) for each in ("c", "numba"))
    print(f"{name:<20}{c:6.0f}{numba:8.0f}   {ratio(rates, 'numba', 'c')}", flush=True)


if __name__ == "__main__":
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        compiled = compile_c(folder)
        print("Before a row is timed, both play an episode and its reset; winners, state, rewards, observations and")
        print("measures were the same to the bit.")
        print(f"{'ns per agent-step':<20}{'C':>6}{'numba':>8}   C / numba, target {TARGET} on the mix")
        for each in RULES:
            compare(compiled, each, each, options.seconds / 4)
        compare(compiled, "a third each", mixed(RULES), options.seconds / 4)
