"""The page docs/environment.md, written from the layout: `python docs/build/environment_page.py > docs/environment.md`.

Names, sizes and slices come from the code. What it cannot tell (ranges, units, meanings) is in the tables below, and
`tests/test_environment_page.py` holds them to the layout and to what markets show.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from ruleshift.envs import FEATURES, MEASURES, PUBLIC_STATISTICS, action_layout, market_v0, observation_layout
from ruleshift.envs.rule import Weights

Layout = Callable[[int], dict[str, slice]]
KINDS = 3  # of the default economy


@dataclass(frozen=True)
class Part:
    """What the numbers under one name are."""

    low: float
    high: float
    unit: str
    meaning: str
    shown: str = "always"
    """The level of disclosure from which on it is shown."""


ACTION = {
    "ask": Part(
        0, 1.25, "share of the job's value", "`(a + 1) / 2 * 1.25`; an ask above the rule's reserve is not offered"
    ),
    "effort": Part(0, 1, "1 is full effort", "`(a + 1) / 2`; raises quality, and costs"),
    "promotion": Part(0, 1, "1 is full promotion", "`(a + 1) / 2`; paid visibility, charged as the rule says"),
    "focus": Part(
        0, 1, "shares that sum to 1", "`softmax(3 a)` over the kinds: attention, and the reported preference"
    ),
}

OBSERVATION = {
    "capability": Part(0, 1, "1 is perfect", "how well the organization serves each kind"),
    "shock": Part(-10, 10, "share of the job's value", "private cost shock of the round to come, for each kind"),
    "reputation": Part(0.01, 1, "as quality", "the platform's record of its quality"),
    "popularity": Part(0, 10, "the market's mean", "jobs won in the past, which fade by the rule's persistence"),
    "cash": Part(-10, 10, "10 mean job values", "what it owns; bankrupt below 0"),
    "infrastructure": Part(0, 10, "as the economy's", "lowers the base cost"),
    "newcomer": Part(0, 1, "0 or 1", "1 where the tenant of the seat entered in the last round"),
    "jobs": Part(0, 10, "J / K jobs", "jobs of each kind on the board; 1 is an even split"),
    "values": Part(0, 4, "mean job values", "mean value of the jobs of each kind on the board, 0 where there is none"),
    "notice": Part(0, 1, "nearness", "0, rising to 1 as an announced change of the rule comes near"),
    "last_ask": Part(0, 1.25, "share of the job's value", "its own ask in the last round"),
    "last_effort": Part(0, 1, "1 is full effort", "its own effort in the last round"),
    "last_promotion": Part(0, 1, "1 is full promotion", "its own promotion in the last round"),
    "last_focus": Part(0, 1, "shares that sum to 1", "its own focus in the last round"),
    "won": Part(0, 1, "capacity", "jobs of each kind that it won in the last round"),
    "paid": Part(-10, 10, "mean job values, over capacity", "what clients paid it in the last round"),
    "profit": Part(-10, 10, "mean job values", "its profit of the last round, the last reward"),
    "quality": Part(0, 1, "1 is perfect", "mean quality of the jobs it served, 0 where there were none"),
    "public": Part(
        -10, 10, "as each statistic", "winners' mean less everyone's, of the statistics named below", "outcomes"
    ),
    "public_mask": Part(0, 1, "0 or 1", "1 where `public` is shown"),
    "priority": Part(0, 10, "an even share, 1 / N", "its own share of the odds in the last round", "scores"),
    "rank": Part(0, 1, "0 first, 1 last", "its own place by these odds", "scores"),
    "scores_mask": Part(0, 1, "0 or 1", "1 where `priority` and `rank` are shown"),
    "features_mask": Part(0, 1, "0 or 1", "1 where `features` are shown"),
    "features": Part(0, 1, "as named below", "the rule in force, in numbers", "full"),
}

FEATURE = {
    **{f"weight_{each.name}": f"weight of {each.name} in the score" for each in fields(Weights)},
    "amplification": "a / (1 + a): 0 is a lottery, 1 a ranking",
    "promotion_floor": "visibility of those who promote nothing",
    "reads_preferences": "1 where the mechanism reads focus as a report of preferences",
    "stable": "1 where the mechanism declares it",
    "strategy_proof": "1 where the mechanism, with this payment, declares it",
    "efficient": "1 where the mechanism declares it",
    "pricing": "what sets the payment: 1 the own ask, .5 second price, .25 uniform, .125 externality, 0 posted",
    "reserve": "the highest ask that is offered to clients",
    "commission_first": "share of a payment that the platform keeps, before any tier",
    "commission_last": "the same in the last tier",
    "charge_if_lost": "1 where promotion is charged to those who win nothing, too",
    "charge_if_won": "how much of the own promotion a winner pays: 1 all, .5 the next bid, .25 the externality",
    "reputation_gain": "step of reputation towards the quality of a job served",
    "inflation": "share of the gap to the best rating that raters forgive",
    "persistence": "share of popularity that lasts a round",
    "prior": "p / (1 + p), p the popularity of a newcomer",
}

LEDGER = {
    "ask": Part(0, 1.25, "share of the job's value", "its ask"),
    "effort": Part(0, 1, "1 is full effort", "its effort"),
    "promotion": Part(0, 1, "1 is full promotion", "its promotion"),
    "paid": Part(
        -math.inf, math.inf, "mean job values", "what clients paid for its jobs; an externality may be below 0"
    ),
    "commission": Part(-math.inf, math.inf, "mean job values", "what the platform kept of that"),
    "cost": Part(-math.inf, math.inf, "mean job values", "of serving; a shock may take it below 0"),
    "charge": Part(0, math.inf, "mean job values", "for promotion"),
    "profit": Part(-math.inf, math.inf, "mean job values", "paid - commission - cost - charge: the reward"),
    "quality": Part(0, 1, "1 is perfect", "mean over the jobs it served, 0 where there were none"),
    "priority": Part(0, math.inf, "share", "its share of the odds, over kinds, with the noise of the disclosure"),
    "rank": Part(0, 1, "0 first, 1 last", "its place by these odds, with the same noise"),
    "clipped": Part(0, math.inf, "numbers", "numbers of its action that lay outside the box, at most 3 + K"),
    "served": Part(0, math.inf, "jobs", "jobs it won, at most its capacity"),
}

MEASURE = {
    "served": Part(0, 1, "share of the jobs posted", "jobs that an organization of the market served"),
    "surplus": Part(-math.inf, math.inf, "mean job values per job posted", "clients': value * quality - payment"),
    "profit": Part(-math.inf, math.inf, "mean job values per job posted", "the organizations'"),
    "revenue": Part(
        -math.inf, math.inf, "mean job values per job posted", "the platform's: commission and promotion charges"
    ),
    "welfare": Part(-math.inf, math.inf, "mean job values per job posted", "surplus + profit + revenue"),
    "price": Part(-math.inf, math.inf, "share of value", "payments over values of the jobs served"),
    "quality": Part(0, 1, "1 is perfect", "mean over the jobs served"),
    "ask": Part(0, 1.25, "share of the job's value", "mean over organizations"),
    "effort": Part(0, 1, "1 is full effort", "mean over organizations"),
    "promotion": Part(0, 1, "1 is full promotion", "mean over organizations"),
    "capability": Part(0, 1, "1 is perfect", "mean over organizations and kinds"),
    "concentration": Part(
        0, 1, "index", "Herfindahl index of the jobs served: 1 / N even, 1 a monopoly, 0 none served"
    ),
    "clipped": Part(0, math.inf, "numbers an organization", "numbers of actions that lay outside the box"),
    "entered": Part(0, 1, "share of the seats", "newcomers that took the seats of the bankrupt"),
}

_INTRODUCTION = """# The environment

Every number that an organization sees and sets, by name. All interfaces share it: PettingZoo (`market_v0`), Gymnasium
(`ruleshift/Market-v0`), the VecEnv of stable-baselines3 (`MarketVecEnv`) and the batched `Market` beneath them. This
page is written from the code: `python docs/build/environment_page.py > docs/environment.md`.

A market has N organizations, J jobs per round, K kinds of job and T rounds: 8, 8, 3 and 100 by default. Money is in
units of the mean job value.
"""

_BY_NAME = """
To read an observation or build an action by name:

```python
from ruleshift.envs import action_layout, market_v0, observation_layout

env = market_v0.parallel_env(kinds=3)
observations, infos = env.reset(seed=1)
seen, do = observation_layout(kinds=3), action_layout(kinds=3)

capability = observations["org_0"][seen["capability"]]  # one number for each kind
action = env.action_space("org_0").sample()
action[do["promotion"]] = -1  # promote nothing
```
"""

_ACTION = """
## Action

Finite numbers beyond the box are clipped and counted. NaN, infinity, a wrong shape or type, and wrong agents are
refused with an error that names the agent, before anything changes.
"""

_OBSERVATION = """
## Observation

The length is the same under every rule. What the rule does not disclose reads 0, and so does the mask beside it. The
levels of disclosure include each other, in the order `opaque`, `outcomes`, `scores`, `full`; the column *shown* names
the first level that shows a part. Numbers are clipped to -10 .. 10. In the first round of an episode, and for a
newcomer, there is no last round, and the parts that describe it read 0.
"""

_BLOCKS = """
Together that is F = {numbers}. The parts from `last_ask` to `public_mask` are the outcome block, which is what a memory
stacks.

**`public`** holds, in this order, {statistics}. Popularity is
relative to the market's mean.

**`features`** holds, in this order, numbers in 0 .. 1:
"""

_REWARD = """
## Reward

The organization's profit of the round in mean job values, not clipped: `paid - commission - cost - charge`.

## End of an episode

After round T every organization is truncated; nobody terminates. A learner should bootstrap the value there. Where the
rule says so (`feedback.entry = "replacement"`), an organization whose cash falls below 0 is replaced in its seat by a
newcomer. The episode goes on, `newcomer` reads 1 in the next observation, and `MarketVecEnv` cuts the value there.

## Infos

What an organization did and got in the round, floats by these names. All are 0 at reset.
"""

_STATE = """
## State

`env.state()` of PettingZoo, for a central critic: everyone's observation in the order of the agents, then the features
of the rule in force, disclosed or not. It has N * F + {features} numbers, float32.

## Measures

What the market as a whole did in a round, in the order of `MEASURES`: `Market.measures`, float64 (B, {measures}) for B
markets.
"""


def environment_page() -> str:
    """The whole page in Markdown."""
    statistics = ", ".join(f"`{name}`" for name in PUBLIC_STATISTICS)
    blocks = [
        _INTRODUCTION,
        *spaces(),
        _BY_NAME,
        _ACTION,
        *_places(ACTION, action_layout, "from a in -1 .. 1"),
        _OBSERVATION,
        *_places(OBSERVATION, observation_layout, "meaning"),
        _BLOCKS.format(numbers=_length(observation_layout), statistics=statistics),
        "| feature | meaning |",
        "|---|---|",
        *(f"| `{name}` | {FEATURE[name]} |" for name in FEATURES),
        _REWARD,
        *_listed(LEDGER, market_v0.LEDGER, "info"),
        _STATE.format(features=len(FEATURES), measures=len(MEASURES)),
        *_listed(MEASURE, MEASURES, "measure"),
    ]
    return "\n".join(blocks) + "\n"


def spaces() -> Iterator[str]:
    """The table of spaces, which README.md shows, too."""
    env = market_v0.parallel_env()
    yield "| | dtype | shape | range | what |"
    yield "|---|---|---|---|---|"
    for name, space, layout, what in (
        ("observation", env.observation_space, observation_layout, "own state, job board, last round, disclosures"),
        ("action", env.action_space, action_layout, "ask, effort, promotion, and focus over the kinds"),
    ):
        box = space("org_0")
        shape = f"({_length(layout)},); ({box.shape[0]},) at K = {KINDS}"
        yield f"| {name} | {box.dtype} | {shape} | {box.low.min():g} .. {box.high.max():g} | {what} |"
    yield "| reward | float | a number | not bounded | profit of the round, in mean job values |"
    yield "| end | bool | | | truncated after round T, never terminated |"


def _places(parts: Mapping[str, Part], layout: Layout, meaning: str) -> Iterator[str]:
    """A table of parts, with their places for any number of kinds and for the default."""
    disclosed = any(part.shown != "always" for part in parts.values())
    yield f"| part | numbers | at K = {KINDS} | place | range | unit |{' shown |' * disclosed} {meaning} |"
    yield "|---" * (7 + disclosed) + "|"
    for name, here in layout(KINDS).items():
        there, part = layout(KINDS + 1)[name], parts[name]
        numbers = _in_kinds(here.stop - here.start, there.stop - there.start)
        place = f"{_in_kinds(here.start, there.start)} : {_in_kinds(here.stop, there.stop)}"
        cells = [f"`{name}`", numbers, f"{here.start} : {here.stop}", place, _range(part), part.unit]
        yield f"| {' | '.join([*cells, *[part.shown] * disclosed, part.meaning])} |"


def _listed(parts: Mapping[str, Part], names: Iterable[str], title: str) -> Iterator[str]:
    """A table of single numbers."""
    yield f"| {title} | range | unit | meaning |"
    yield "|---|---|---|---|"
    for name in names:
        yield f"| `{name}` | {_range(parts[name])} | {parts[name].unit} | {parts[name].meaning} |"


def _range(part: Part) -> str:
    ends = [f"{end:g}" if math.isfinite(end) else "" for end in (part.low, part.high)]
    if ends == ["", ""]:
        return "not bounded"
    return f"from {ends[0]}" if not ends[1] else " .. ".join(ends)


def _length(layout: Layout) -> str:
    """The numbers of a layout together, in K."""
    return _in_kinds(*(max(each.stop for each in layout(kinds).values()) for kinds in (KINDS, KINDS + 1)))


def _in_kinds(here: int, there: int) -> str:
    """What is linear in K, from its values at the default and at one kind more.

    >>> _in_kinds(11, 13)
    '2K + 5'
    """
    slope, rest = there - here, here - (there - here) * KINDS
    terms = ["K" if slope == 1 else f"{slope}K"] if slope else []
    return " + ".join([*terms, *([str(rest)] if rest or not slope else [])])


if __name__ == "__main__":
    print(environment_page(), end="")
