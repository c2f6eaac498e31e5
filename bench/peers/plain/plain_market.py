"""The market in plain Python: the same equations, one organization and one job at a time, on ordinary floats.

A peer to measure the compiled market against, and an oracle to check it with: given the same random words it must
give the same rewards and observations. It knows the serial mechanism only. Nothing here imports ruleshift; a rule and
an economy may be ruleshift's own objects, whose fields it reads by name.
"""

import math
import random
from types import SimpleNamespace

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

BOARD, SHOCK, DRAW, QUALITY, INITIAL = 0, 1, 2, 4, 5  # what a random word is for
LEVELS = ("opaque", "outcomes", "scores", "full")
FEATURES = 23

PRICE_BOARD = SimpleNamespace(
    disclosure=SimpleNamespace(level="outcomes"),
    scoring=SimpleNamespace(
        weights=SimpleNamespace(
            price=0.85, capability=0.0, reputation=0.15, promotion=0.0, popularity=0.0, focus=0.0, proximity=0.0
        ),
        amplification=6.0,
        promotion_floor=0.05,
    ),
    payment=SimpleNamespace(pricing="as_asked", reserve=1.0, commission=0.1, charge="if_matched"),
    feedback=SimpleNamespace(reputation_gain=0.1, inflation=0.0, persistence=0.95, prior=1.0),
)

ECONOMY = SimpleNamespace(
    organizations=8, jobs=8, kinds=3, rounds=100, capacity=3, blocs=1,
    base_cost=0.5, effort_cost=0.3, promotion_price=0.2, outside_share=0.1, outside_ask=0.75,
    learning="endogenous", progress_ratio=0.8, depreciation=0.01, initial_capability=(0.1, 0.5),
    infrastructure=(0.0, 0.0), infrastructure_gain=0.3, shock_law="uniform", shock_mean=0.0, shock_sd=0.1,
    value_spread=0.5, demand="random", quality_capability=0.4, quality_noise=0.05, initial_reputation=0.5,
    initial_cash=5.0,
)  # fmt: skip


def uniform(word):
    """A number in (0, 1) from a 32-bit word."""
    return (int(word) + 0.5) / 2**32


def uniform_fine(word, next_word):
    """A number in (0, 1) with 52 random bits from two words."""
    return clip(uniform(word) + (uniform(next_word) - 0.5) / 2**32, 2**-53, 1 - 2**-53)


def clip(value, low=-10.0, high=10.0):
    return min(max(value, low), high)


def mean(numbers):
    return sum(numbers) / len(numbers)


class Words:
    """Random words by number of the call, from the standard library."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, purpose, round_, episode, index):
        return tuple(self.random.getrandbits(32) for _ in range(4))


class Organization:
    """What one organization is, did and got; `shock`, `capability`, `focus` and `won` are by kind."""

    def __init__(self, kinds, cash, reputation, popularity):
        self.cash, self.reputation, self.popularity = cash, reputation, popularity
        self.infrastructure, self.relief = 0.0, 1.0
        self.initial, self.capability, self.shock = [0.0] * kinds, [0.0] * kinds, [0.0] * kinds
        self.experience, self.won, self.focus = [0.0] * kinds, [0] * kinds, [1 / kinds] * kinds
        self.ask = self.effort = self.promotion = 0.0
        self.paid = self.cost = self.charge = self.profit = self.quality = 0.0
        self.priority = self.rank = 0.0

    @property
    def served(self):
        return sum(self.won)


class PlainMarket(ParallelEnv):
    """One market of N organizations for T rounds, with dictionaries of float32 observations.

    Args:
        rule: with the fields of a ruleshift `Rule`; the default is its price board.
        economy: with the fields of a ruleshift `Economy`; the default is its default.
        words: `words(purpose, round, episode, index)` gives four 32-bit random words; the default is `random`.
        render_mode: None, the only one.
    """

    metadata = {"name": "plain_market", "render_modes": [], "is_parallelizable": True}  # noqa: RUF012

    def __init__(self, rule=PRICE_BOARD, economy=ECONOMY, words=None, render_mode=None):
        self.rule, self.economy, self.render_mode = rule, economy, render_mode
        self.words, self.injected = words or Words(0), words is not None
        self.possible_agents = [f"org_{i}" for i in range(economy.organizations)]
        self.agents = []
        size = 4 * economy.kinds + 6 + 2 * economy.kinds + 6 + 6 + 1 + 4 + FEATURES
        self.observation_spaces = {a: spaces.Box(-10, 10, (size,), np.float32) for a in self.possible_agents}
        self.action_spaces = {a: spaces.Box(-1, 1, (3 + economy.kinds,), np.float32) for a in self.possible_agents}
        self.round, self.episode = 0, -1

    def observation_space(self, agent):
        return self.observation_spaces[agent]

    def action_space(self, agent):
        return self.action_spaces[agent]

    def render(self):
        return None

    def close(self):
        pass

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.episode = -1
            self.words = self.words if self.injected else Words(seed)
        self.agents = list(self.possible_agents)
        self.round, self.episode = 0, self.episode + 1
        self.enter()
        self.post_jobs()
        self.draw_shocks()
        return self.observe(first=True), {agent: {} for agent in self.agents}

    def step(self, actions):
        self.act(actions)
        log_odds, outside = self.score()
        winners, leads = self.match(log_odds, outside)
        self.pay(winners, leads)
        qualities = self.deliver(winners)
        self.feed_back(winners, qualities)
        self.learn()
        self.round += 1
        self.post_jobs()
        self.draw_shocks()
        over = self.round == self.economy.rounds
        names = self.agents
        observations = self.observe(first=False)
        rewards = {name: org.profit for name, org in zip(names, self.organizations, strict=True)}
        if over:
            self.agents = []
        ends, truncated = dict.fromkeys(names, False), dict.fromkeys(names, over)
        return observations, rewards, ends, truncated, {name: {} for name in names}

    # What enters the market: organizations, jobs, shocks.

    def row(self, purpose, round_, count):
        """`count` uniform numbers: all the first words of the calls, then all the second ones, and so on."""
        calls = -(-count // 4)
        words = [self.words(purpose, round_, self.episode, index) for index in range(calls)]
        return [uniform(words[position % calls][position // calls]) for position in range(count)]

    def enter(self):
        e, prior = self.economy, self.rule.feedback.prior
        low, high = e.infrastructure
        self.organizations = [
            Organization(e.kinds, e.initial_cash, e.initial_reputation, prior) for _ in self.possible_agents
        ]
        for i, org in enumerate(self.organizations):
            org.infrastructure = low + (high - low) * uniform(self.words(INITIAL, e.kinds, self.episode, i)[0])
            org.relief = (1 + org.infrastructure) ** -e.infrastructure_gain
        low, high = e.initial_capability
        for k in range(e.kinds):
            numbers = self.row(INITIAL, k, e.organizations)
            for org, number in zip(self.organizations, numbers, strict=True):
                org.initial[k] = org.capability[k] = low + (high - low) * number

    def post_jobs(self):
        e = self.economy
        self.jobs = []
        for j in range(e.jobs):
            words = self.words(BOARD, self.round, self.episode, j)
            value = 1 + e.value_spread * (2 * uniform(words[1]) - 1)
            self.jobs.append(SimpleNamespace(kind=int(uniform(words[0]) * e.kinds), value=value))
            if e.demand == "even":
                other = int(uniform(words[2]) * (j + 1))
                self.jobs[j].kind = self.jobs[other].kind
                self.jobs[other].kind = j % e.kinds

    def draw_shocks(self):
        e = self.economy
        numbers = self.row(SHOCK, self.round, e.kinds * e.organizations) if e.shock_sd else None
        for i, org in enumerate(self.organizations):
            for k in range(e.kinds):
                org.shock[k] = e.shock_mean
                if numbers:
                    u = numbers[k * e.organizations + i]
                    standard = -math.log(u) - 1 if e.shock_law == "exponential" else (2 * u - 1) * math.sqrt(3)
                    org.shock[k] += e.shock_sd * standard

    # The round.

    def act(self, actions):
        for name, org in zip(self.agents, self.organizations, strict=True):
            action = [clip(float(number), -1.0, 1.0) for number in actions[name]]
            org.ask = (action[0] + 1) / 2 * 1.25
            org.effort, org.promotion = (action[1] + 1) / 2, (action[2] + 1) / 2
            exponentials = [math.exp(3 * number) for number in action[3:]]
            org.focus = [each / sum(exponentials) for each in exponentials]

    def weigh(self, signals):
        """Weighted sum of the logarithms of the signals, by name."""
        weights = self.rule.scoring.weights
        total = 0.0
        for name, signal in signals.items():
            if getattr(weights, name) > 0:
                total += getattr(weights, name) * math.log(max(signal, 1e-12))
        return total

    def score(self):
        """Log odds of each organization and kind, and of the outside option; None where not offered."""
        e, scoring = self.economy, self.rule.scoring
        sharp = math.isinf(scoring.amplification)
        scale = 1.0 if sharp else scoring.amplification
        log_odds = []
        for i, org in enumerate(self.organizations):
            signals = {
                "price": 1 / max(org.ask, 0.02),
                "reputation": org.reputation,
                "promotion": org.promotion + scoring.promotion_floor,
                "popularity": org.popularity,
            }
            row = []
            for k in range(e.kinds):
                near = 1.0 if i % e.blocs == k % e.blocs else 0.5
                by_kind = {"capability": org.capability[k], "focus": org.focus[k], "proximity": near}
                row.append(scale * self.weigh(signals | by_kind))
            log_odds.append(row if org.ask <= self.rule.payment.reserve else [None] * e.kinds)
        self.last_log_odds = log_odds
        if e.outside_share == 0:
            return log_odds, None
        reference = {
            "price": 1 / max(e.outside_ask, 0.02), "capability": 0.5, "reputation": 0.5,
            "promotion": 0.25 + scoring.promotion_floor, "focus": 1 / e.kinds,
            "popularity": mean([org.popularity for org in self.organizations]),
        }  # fmt: skip
        odds = e.organizations * e.outside_share / (1 - e.outside_share)
        return log_odds, self.weigh(reference) if sharp else scale * self.weigh(reference) + math.log(odds)

    def match(self, log_odds, outside):
        """Winner of each job (None is nobody) and its lead over the best excluded rival, in log odds."""
        e = self.economy
        room = [e.capacity if org.ask <= self.rule.payment.reserve else 0 for org in self.organizations]
        winners, leads = [], []
        for j, job in enumerate(self.jobs):
            words = self.words(DRAW, self.round, self.episode, j)
            candidates = {
                i: outside if i == e.organizations else log_odds[i][job.kind]
                for i in in_tree_order(e.organizations)
                if (outside is not None if i == e.organizations else room[i] > 0)
            }
            winner, lead = self.draw(candidates, words)
            if winner == e.organizations:
                winner = None
            if winner is not None:
                room[winner] -= 1
            winners.append(winner)
            leads.append(lead)
        self.winners = winners
        return winners, leads

    def draw(self, candidates, words):
        """One of the candidates, in proportion to their odds (under a ranking the best), and its lead."""
        if not candidates:
            return None, math.inf
        sharp = math.isinf(self.rule.scoring.amplification)
        best = max(candidates.values())
        odds = {
            i: (1.0 if value == best else 0.0) if sharp else math.exp(value - best) for i, value in candidates.items()
        }
        goal = uniform_fine(words[0], words[1]) * sum(odds.values())
        winner = None
        for i, share in odds.items():
            if share > 0:
                winner = i
                if goal < share:
                    break
            goal -= share
        rivals = [i for i in candidates if i != winner]
        if not rivals:
            return winner, math.inf
        if sharp:
            return winner, candidates[winner] - max(candidates[i] for i in rivals)
        first = -math.log(uniform(words[3])) / sum(odds.values())
        next_ = first - math.log(uniform(words[2])) / sum(odds[i] for i in rivals)
        return winner, math.log(next_ / first)

    def pay(self, winners, leads):
        rule, e = self.rule.payment, self.economy
        for org in self.organizations:
            org.paid = 0.0
            org.charge = e.promotion_price * org.promotion if rule.charge == "sunk" else 0.0
        self.payments = []
        for job, winner, lead in zip(self.jobs, winners, leads, strict=True):
            if winner is None:
                self.payments.append(0.0)
                continue
            org = self.organizations[winner]
            self.payments.append(self.price(org.ask, lead) * job.value)
            org.paid += self.payments[-1]
            if rule.charge == "if_matched":
                org.charge += e.promotion_price * org.promotion * job.value

    def price(self, ask, lead):
        """Payment as a share of the job's value."""
        scoring, rule = self.rule.scoring, self.rule.payment
        slope = scoring.weights.price * (1.0 if math.isinf(scoring.amplification) else scoring.amplification)
        if rule.pricing == "as_asked":
            return ask
        if rule.pricing == "posted" or slope == 0 or math.isinf(lead):
            return rule.reserve
        return min(rule.reserve, max(ask, 0.02) * math.exp(min(lead / slope, 100)))

    def deliver(self, winners):
        """Quality of each job; what serving costs."""
        e = self.economy
        qualities = []
        for org in self.organizations:
            org.won, org.cost, org.quality = [0] * e.kinds, 0.0, 0.0
        for j, (job, winner) in enumerate(zip(self.jobs, winners, strict=True)):
            if winner is None:
                qualities.append(0.0)
                continue
            org, k = self.organizations[winner], job.kind
            share = e.base_cost * (1 - org.capability[k]) * org.relief + e.effort_cost * org.effort + org.shock[k]
            org.cost += job.value * share
            noise = e.quality_noise
            if noise:
                noise *= 2 * uniform(self.words(QUALITY, self.round, self.episode, j)[0]) - 1
            level = e.quality_capability * org.capability[k] + (1 - e.quality_capability) * org.effort
            qualities.append(clip(level + noise, 0.0, 1.0))
            org.quality += qualities[-1]
            org.won[k] += 1
        for org in self.organizations:
            org.quality /= max(org.served, 1)
            org.profit = org.paid - self.rule.payment.commission * org.paid - org.cost - org.charge
            org.cash += org.profit
        return qualities

    def feed_back(self, winners, qualities):
        rule = self.rule.feedback
        for winner, quality in zip(winners, qualities, strict=True):
            if winner is not None:
                org = self.organizations[winner]
                rating = quality + rule.inflation * (1 - quality)
                org.reputation = clip(org.reputation + rule.reputation_gain * (rating - org.reputation), 0.01, 1.0)
        for org in self.organizations:
            org.popularity = rule.persistence * org.popularity + (1 - rule.persistence) * rule.prior + org.served

    def learn(self):
        e = self.economy
        exponent = -math.log2(e.progress_ratio) if e.learning == "endogenous" else 0.0
        for org in self.organizations:
            for k in range(e.kinds):
                org.experience[k] = (1 - e.depreciation) * org.experience[k] + org.won[k]
                org.capability[k] = 1 - (1 - org.initial[k]) * (1 + org.experience[k]) ** -exponent

    # What organizations see.

    def observe(self, first):
        level = LEVELS.index(self.rule.disclosure.level)
        kinds = range(self.economy.kinds)
        values = [[job.value for job in self.jobs if job.kind == k] for k in kinds]
        even = len(self.jobs) / len(kinds)
        board = [clip(len(each) / even) for each in values] + [mean(each) if each else 0.0 for each in values]
        public = [*self.sum_public(), 1.0] if level >= 1 and not first else [0.0] * 7
        if level >= 2 and not first:
            self.place()
        features = [float(number) for number in self.rule.features()] if level == 3 else [0.0] * FEATURES
        popularity = mean([org.popularity for org in self.organizations])
        seen = {}
        for name, org in zip(self.possible_agents, self.organizations, strict=True):
            relative = clip(org.popularity / popularity) if popularity > 0 else 0.0
            own = [*org.capability, *map(clip, org.shock), org.reputation, relative, clip(org.cash / 10)]
            own += [clip(org.infrastructure), 0.0]
            scores = [clip(org.priority * len(self.organizations)), org.rank, 1.0]
            tail = (scores if level >= 2 and not first else [0.0] * 3) + [float(level == 3), *features]
            numbers = [*own, *board, 0.0, *self.last_outcome(org, first), *public, *tail]
            seen[name] = np.array(numbers, np.float32)
        return seen

    def last_outcome(self, org, first):
        if first:
            return [0.0] * (6 + 2 * self.economy.kinds)
        capacity = self.economy.capacity
        won = [number / capacity for number in org.won]
        got = [clip(org.paid / capacity), clip(org.profit), org.quality]
        return [org.ask, org.effort, org.promotion, *org.focus, *won, *got]

    def sum_public(self):
        """Winners' mean signals less everyone's."""
        orgs = self.organizations
        total = sum(org.served for org in orgs)
        popularity = mean([org.popularity for org in orgs])

        def lead(signal):
            if total == 0:
                return 0.0
            return sum(org.served * signal(org) for org in orgs) / total - mean([signal(org) for org in orgs])

        return [
            lead(lambda org: org.ask),
            lead(lambda org: org.effort),
            lead(lambda org: org.promotion),
            lead(lambda org: org.reputation),
            clip(lead(lambda org: org.popularity) / popularity) if popularity > 0 else 0.0,
            lead(lambda org: mean(org.capability)),
        ]

    def place(self):
        """Each organization's share of the odds, over kinds, and its rank from 0 the best to 1 the last."""
        sharp = math.isinf(self.rule.scoring.amplification)
        values = [-math.inf if row[0] is None else mean(row) for row in self.last_log_odds]
        best = max(values)
        odds = [
            0.0 if value == -math.inf else float(value == best) if sharp else math.exp(value - best) for value in values
        ]
        for org, value, own in zip(self.organizations, values, odds, strict=True):
            org.priority = own / sum(odds) if sum(odds) > 0 else 1 / len(odds)
            org.rank = sum(other > value for other in values) / max(len(values) - 1, 1)


def in_tree_order(organizations):
    """Candidates (the last is the outside option) as a binary tree with one leaf each has them, left to right.

    Leaf i is node count + i, the children of node v are 2 v and 2 v + 1: the leaves of the deepest level come first.
    """
    count = organizations + 1
    deepest = 2 ** ((2 * count - 1).bit_length() - 1)
    start = deepest - count if count > 1 else 0
    return [(start + step) % count for step in range(count)]


def make():
    """The peer that is measured: a price board, eight organizations, eight jobs of three kinds."""
    return PlainMarket()
