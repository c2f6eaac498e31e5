"""The market in plain Python: the same equations, one organization and one job at a time, on ordinary floats.

A peer to measure the compiled market against, and an oracle to check it with: given the same random words it must
give the same rewards and observations. It knows the serial mechanism only, jobs that are drawn for (no expected
shares), and no change of the rule. Nothing here imports ruleshift; a rule and an economy may be ruleshift's own
objects, whose fields it reads by name.
"""

import math
import random
from types import SimpleNamespace

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

# What a random word is for; streams of one purpose are BLOCK apart.
BOARD, SHOCK, DRAW, QUALITY, INITIAL, ENTRY, NOISE, NEWCOMER = 0, 1, 2, 4, 5, 6, 9, 11
BLOCK = 16
LEVELS = ("opaque", "outcomes", "scores", "full")
FEATURES = 23

PRICE_BOARD = SimpleNamespace(
    disclosure=SimpleNamespace(level="outcomes", noise=0.0, delay=0),
    scoring=SimpleNamespace(
        weights=SimpleNamespace(
            price=0.85, capability=0.0, reputation=0.15, promotion=0.0, popularity=0.0, focus=0.0, proximity=0.0
        ),
        amplification=6.0,
        promotion_floor=0.05,
        price_signal="ratio",
    ),
    payment=SimpleNamespace(pricing="as_asked", reserve=1.0, commission=0.1, tiers=(), charge="if_matched"),
    feedback=SimpleNamespace(
        reputation_gain=0.1, inflation=0.0, persistence=0.95, prior=1.0, entry="closed", entry_rate=0.0
    ),
)

ECONOMY = SimpleNamespace(
    organizations=8, jobs=8, kinds=3, rounds=100, capacity=3, blocs=1,
    base_cost=0.5, effort_cost=0.3, promotion_price=0.2, outside_share=0.1, outside_ask=0.75,
    learning="endogenous", progress_ratio=0.8, depreciation=0.01, initial_capability=(0.1, 0.5),
    infrastructure=(0.0, 0.0), infrastructure_gain=0.3, shock_law="uniform", shock_mean=0.0, shock_sd=0.1,
    value_spread=0.5, demand="random", quality_capability=0.4, quality_noise=0.05, initial_reputation=0.5,
    initial_cash=5.0, value_drift=0.0, demand_drift=0.0, drift_period=50,
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


def wave(phase):
    """A triangle of period 1: 0, up to 1, down to -1, and back."""
    phase %= 1
    return 4 * phase if phase < 0.25 else 2 - 4 * phase if phase < 0.75 else 4 * phase - 4


class Words:
    """Random words by number of the call, from the standard library."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def __call__(self, purpose, round_, episode, index):
        return tuple(self.random.getrandbits(32) for _ in range(4))


class Organization:
    """What one organization is, did and got; `shock`, `capability`, `focus` and `won` are by kind."""

    def __init__(self, kinds):
        self.shock, self.won, self.focus = [0.0] * kinds, [0] * kinds, [1 / kinds] * kinds
        self.ask = self.effort = self.promotion = 0.0
        self.paid = self.commission = self.cost = self.charge = self.profit = self.quality = 0.0
        self.priority = self.rank = 0.0

    def enter(self, economy, popularity, infrastructure, initial, newcomer):
        """Begin anew in the seat, with these numbers in (0, 1) for infrastructure and, by kind, for capability."""
        e = economy
        self.cash, self.reputation, self.popularity, self.newcomer = (
            e.initial_cash, e.initial_reputation, popularity, newcomer
        )  # fmt: skip
        low, high = e.infrastructure
        self.infrastructure = low + (high - low) * infrastructure
        self.relief = (1 + self.infrastructure) ** -e.infrastructure_gain
        low, high = e.initial_capability
        self.initial = [low + (high - low) * number for number in initial]
        self.capability = list(self.initial)
        self.experience, self.billed = [0.0] * e.kinds, [0.0] * e.kinds

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
        self.round, self.episode, self.disclosed = 0, self.episode + 1, {}
        self.enter()
        self.post_jobs()
        self.draw_shocks()
        return self.observe(first=True), {agent: {} for agent in self.agents}

    def step(self, actions):
        self.act(actions)
        log_odds, outside = self.score()
        winners, margins = self.match(log_odds, outside)
        self.seat_entrants(winners, margins)
        self.pay(winners, margins)
        qualities = self.deliver(winners)
        self.feed_back(winners, qualities)
        self.learn()
        self.replace_bankrupt()
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
        e = self.economy
        rows = [self.row(INITIAL, k, e.organizations) for k in range(e.kinds)]
        self.organizations = [Organization(e.kinds) for _ in self.possible_agents]
        for i, org in enumerate(self.organizations):
            infrastructure = uniform(self.words(INITIAL, e.kinds, self.episode, i)[0])
            org.enter(e, self.rule.feedback.prior, infrastructure, [row[i] for row in rows], newcomer=False)

    def replace_bankrupt(self):
        """Newcomers take the seats of organizations whose cash is below 0."""
        e = self.economy
        for i, org in enumerate(self.organizations):
            org.newcomer = False
            if self.rule.feedback.entry == "replacement" and org.cash < 0:
                *initial, infrastructure = (
                    uniform(self.words(NEWCOMER + BLOCK * k, self.round, self.episode, i)[0])
                    for k in range(e.kinds + 1)
                )
                org.enter(e, self.rule.feedback.prior, infrastructure, initial, newcomer=True)

    def post_jobs(self):
        e = self.economy
        phase = self.round % e.drift_period / e.drift_period
        level = 1 + e.value_drift * wave(phase)
        weights = [1 + e.demand_drift * wave(phase + k / e.kinds) for k in range(e.kinds)]
        self.jobs = []
        for j in range(e.jobs):
            words = self.words(BOARD, self.round, self.episode, j)
            value = level * (1 + e.value_spread * (2 * uniform(words[1]) - 1))
            goal, kind = uniform(words[0]) * sum(weights), 0
            while kind < e.kinds - 1 and goal >= sum(weights[: kind + 1]):
                kind += 1
            self.jobs.append(SimpleNamespace(kind=kind, value=value))
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
            org.ask, reserve = (action[0] + 1) / 2 * 1.25, self.rule.payment.reserve
            if reserve < org.ask <= reserve + 1.25 * 2**-23:  # rounding in float32
                org.ask = reserve
            org.effort, org.promotion = (action[1] + 1) / 2, (action[2] + 1) / 2
            exponentials = [math.exp(3 * number) for number in action[3:]]
            org.focus = [each / sum(exponentials) for each in exponentials]

    def weigh(self, ask, signals):
        """Weighted sum of the logarithms of the signals, by name, with that of an ask."""
        weights, scoring = self.rule.scoring.weights, self.rule.scoring
        total = 0.0
        if weights.price > 0:
            logit = scoring.price_signal == "logit"
            total -= weights.price * (ask / scoring.logit_scale if logit else math.log(max(ask, 0.02)))
        for name, signal in signals.items():
            if getattr(weights, name) > 0:
                total += getattr(weights, name) * math.log(max(signal, 1e-12))
        return total

    def score(self):
        """Log odds of each organization and kind, and of the outside option; None where not offered."""
        e, scoring = self.economy, self.rule.scoring
        ranked = math.isinf(scoring.amplification)
        scale = 1.0 if ranked else scoring.amplification
        log_odds = []
        for i, org in enumerate(self.organizations):
            signals = {
                "reputation": org.reputation,
                "promotion": org.promotion + scoring.promotion_floor,
                "popularity": org.popularity,
            }
            row = []
            for k in range(e.kinds):
                near = 1.0 if i % e.blocs == k % e.blocs else 0.5
                by_kind = {"capability": org.capability[k], "focus": org.focus[k], "proximity": near}
                row.append(scale * self.weigh(org.ask, signals | by_kind))
            log_odds.append(row if org.ask <= self.rule.payment.reserve else [None] * e.kinds)
        self.last_log_odds = log_odds
        if e.outside_share == 0:
            return log_odds, None
        reference = {
            "capability": 0.5, "reputation": 0.5, "promotion": 0.25 + scoring.promotion_floor, "focus": 1 / e.kinds,
            "popularity": mean([org.popularity for org in self.organizations]),
        }  # fmt: skip
        odds = e.organizations * e.outside_share / (1 - e.outside_share)
        reference = self.weigh(e.outside_ask, reference)
        return log_odds, reference if ranked else scale * reference + math.log(odds)

    def match(self, log_odds, outside):
        """Winner of each job (None is nobody) and its margin over the best excluded rival, in log odds."""
        e = self.economy
        room = [e.capacity if org.ask <= self.rule.payment.reserve else 0 for org in self.organizations]
        winners, margins = [], []
        for j, job in enumerate(self.jobs):
            words = self.words(DRAW, self.round, self.episode, j)
            candidates = {
                i: outside if i == e.organizations else log_odds[i][job.kind]
                for i in range(e.organizations + 1)
                if (outside is not None if i == e.organizations else room[i] > 0)
            }
            winner, margin = self.draw(candidates, words)
            if winner == e.organizations:
                winner = None
            if winner is not None:
                room[winner] -= 1
            winners.append(winner)
            margins.append(margin)
        self.winners = winners
        return winners, margins

    def seat_entrants(self, winners, margins):
        """Some jobs go to a dormant seat instead: the first that offers and has no job, each once a round."""
        reserve, rate = self.rule.payment.reserve, self.rule.feedback.entry_rate
        waiting = [
            i
            for i, org in enumerate(self.organizations)
            if org.popularity == 0 and org.ask <= reserve and i not in winners
        ]
        for j, winner in enumerate(winners):
            enters = rate > 0 and uniform(self.words(ENTRY, self.round, self.episode, j)[0]) < rate
            if enters and winner is not None and waiting:
                winners[j], margins[j] = waiting.pop(0), math.inf

    def draw(self, candidates, words):
        """One of the candidates, in proportion to their odds (under a ranking the best), and its margin."""
        if not candidates:
            return None, math.inf
        ranked = math.isinf(self.rule.scoring.amplification)
        best = max(candidates.values())
        odds = {
            i: (1.0 if value == best else 0.0) if ranked else math.exp(value - best) for i, value in candidates.items()
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
        if ranked:
            return winner, candidates[winner] - max(candidates[i] for i in rivals)
        first = -math.log(uniform(words[3])) / sum(odds.values())
        next_ = first - math.log(uniform(words[2])) / sum(odds[i] for i in rivals)
        return winner, math.log(next_ / first)

    def pay(self, winners, margins):
        rule, e = self.rule.payment, self.economy
        for org in self.organizations:
            org.paid = org.commission = 0.0
            org.charge = e.promotion_price * org.promotion if rule.charge == "sunk" else 0.0
        served = [
            (job, self.organizations[winner], margin)
            for job, winner, margin in zip(self.jobs, winners, margins, strict=True)
            if winner is not None
        ]
        shares = {id(job): self.price(org.ask, margin) for job, org, margin in served}
        if rule.pricing == "uniform":
            shares = {
                id(job): max(shares[id(other)] for other, _, _ in served if other.kind == job.kind)
                for job, _, _ in served
            }
        self.payments = [shares.get(id(job), 0.0) * job.value for job in self.jobs]
        for job, org, _ in served:
            payment = shares[id(job)] * job.value
            org.paid += payment
            org.commission += self.commission(org.billed[job.kind], payment)
            org.billed[job.kind] += payment
            if rule.charge == "if_matched":
                org.charge += e.promotion_price * org.promotion * job.value

    def commission(self, billed, payment):
        """The platform's part of a payment to an organization that has been paid `billed` for this kind before."""
        rule = self.rule.payment
        starts, shares = [0.0, *(start for start, _ in rule.tiers)], [rule.commission, *(s for _, s in rule.tiers)]
        ends = [*starts[1:], math.inf]
        return sum(
            share * max(min(billed + payment, end) - max(billed, start), 0)
            for start, end, share in zip(starts, ends, shares, strict=True)
        )

    def price(self, ask, margin):
        """Payment as a share of the job's value."""
        scoring, rule = self.rule.scoring, self.rule.payment
        slope = scoring.weights.price * (1.0 if math.isinf(scoring.amplification) else scoring.amplification)
        if rule.pricing == "as_asked":
            return ask
        if rule.pricing == "posted" or slope == 0 or math.isinf(margin):
            return rule.reserve
        if scoring.price_signal == "logit":
            return min(rule.reserve, ask + margin / slope * scoring.logit_scale)
        return min(rule.reserve, max(ask, 0.02) * math.exp(min(margin / slope, 100)))

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
            org.profit = org.paid - org.commission - org.cost - org.charge
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
        public, placed = self.disclose(level, first)
        features = [float(number) for number in self.rule.features()] if level == 3 else [0.0] * FEATURES
        popularity = mean([org.popularity for org in self.organizations])
        seen = {}
        for name, org in zip(self.possible_agents, self.organizations, strict=True):
            relative = clip(org.popularity / popularity) if popularity > 0 else 0.0
            own = [*org.capability, *map(clip, org.shock), org.reputation, relative, clip(org.cash / 10)]
            own += [clip(org.infrastructure), float(org.newcomer)]
            scores = [clip(org.priority * len(self.organizations)), org.rank, 1.0] if placed else [0.0] * 3
            last = self.last_outcome(org, first or org.newcomer)
            numbers = [*own, *board, 0.0, *last, *public, *scores, float(level == 3), *features]
            seen[name] = np.array(numbers, np.float32)
        return seen

    def disclose(self, level, first):
        """Public statistics with their mask, and whether there are scores: with noise, and late."""
        rule = self.rule.disclosure
        public = self.sum_public() if level >= 1 and not first else None
        scores = self.place() if level >= 2 and not first else None
        if public and rule.noise:
            errors = [2 * uniform(self.words(NOISE, self.round, self.episode, p)[0]) - 1 for p in range(len(public))]
            public = [clip(each + rule.noise * error) for each, error in zip(public, errors, strict=True)]
        if scores and rule.noise:
            scores = [self.blur(i, *each) for i, each in enumerate(scores)]
        self.disclosed[self.round] = public, scores
        public, scores = self.disclosed.get(self.round - rule.delay, (None, None))
        for i, org in enumerate(self.organizations):
            org.priority, org.rank = scores[i] if scores else (0.0, 0.0)
        return [*public, 1.0] if public else [0.0] * 7, scores is not None

    def blur(self, i, priority, rank):
        """The scores of organization i with noise."""
        word = self.words(NOISE + BLOCK, self.round, self.episode, i)
        errors = [self.rule.disclosure.noise * (2 * uniform(each) - 1) for each in word[:2]]
        return max(priority + errors[0] / len(self.organizations), 0.0), clip(rank + errors[1], 0.0, 1.0)

    def last_outcome(self, org, nothing):
        if nothing:
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

        def winners_less_all(signal):
            if total == 0:
                return 0.0
            return sum(org.served * signal(org) for org in orgs) / total - mean([signal(org) for org in orgs])

        return [
            winners_less_all(lambda org: org.ask),
            winners_less_all(lambda org: org.effort),
            winners_less_all(lambda org: org.promotion),
            winners_less_all(lambda org: org.reputation),
            clip(winners_less_all(lambda org: org.popularity) / popularity) if popularity > 0 else 0.0,
            winners_less_all(lambda org: mean(org.capability)),
        ]

    def place(self):
        """Each organization's share of the odds, over kinds, and its rank from 0 the best to 1 the last."""
        ranked = math.isinf(self.rule.scoring.amplification)
        values = [-math.inf if row[0] is None else mean(row) for row in self.last_log_odds]
        best = max(values)
        odds = [
            0.0 if value == -math.inf else float(value == best) if ranked else math.exp(value - best)
            for value in values
        ]
        shares = [own / sum(odds) if sum(odds) > 0 else 1 / len(odds) for own in odds]
        ranks = [sum(other > value for other in values) / max(len(values) - 1, 1) for value in values]
        return list(zip(shares, ranks, strict=True))


def make():
    """The peer that is measured: a price board, eight organizations, eight jobs of three kinds."""
    return PlainMarket()
