"""Deliver: the cost of serving, the quality that clients receive, and the organizations' profit."""

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined, prefetch
from ruleshift.envs.numerics import QUALITY, draw
from ruleshift.envs.order import AHEAD, FAR


@inlined
def cost_share(base_cost, effort_cost, state, outcome, k, i):
    """Return the cost of serving a job of kind k for organization i, as a share of the job's value."""
    base = base_cost * (1.0 - state.capability[k, i]) * state.relief[i]
    return base + effort_cost * outcome.effort[i] + state.shock[k, i]


@inlined
def expected_quality(weight, state, outcome, k, i):
    """Return the quality, before noise, of a job of kind k served by organization i, in [0, 1]."""
    return weight * state.capability[k, i] + (1.0 - weight) * outcome.effort[i]


@inlined
def _draw_noise(key, round_, episode, width, draws, noise):
    """Write uniform noise of half-width `width` into `noise` (J,)."""
    if width == 0.0:
        noise[:] = 0.0
        return
    draw(key, round_, episode, QUALITY, len(noise), draws)
    for j in range(len(noise)):
        noise[j] = width * (2.0 * draws[0, j] - 1.0)


@inlined
def deliver(key, round_, episode, economy, state, winner, kinds, values, outcome, qualities, draws):
    """Write qualities (J,) in [0, 1] and `cost`, `won`, `served`, `quality` and `profit` of `outcome`; update cash."""
    outcome.cost[:] = 0.0
    outcome.served[:] = 0.0
    outcome.quality[:] = 0.0
    for k in range(len(outcome.won)):
        outcome.won[k][:] = 0.0
    weight, noise = economy[at.QUALITY_CAPABILITY], economy[at.QUALITY_NOISE]
    base_cost, effort_cost = economy[at.BASE_COST], economy[at.EFFORT_COST]
    _draw_noise(key, round_, episode, noise, draws, qualities)
    far = len(outcome.cost) > FAR
    for j in range(len(winner)):
        if far:
            ahead = min(j + AHEAD, len(winner) - 1)
            i, k = winner[ahead], kinds[ahead]
            prefetch(
                i, state.capability[k], state.shock[k], state.relief, state.reputation, outcome.effort, outcome.cost,
                outcome.quality, outcome.won[k], outcome.served,
            )  # fmt: skip
        i, k = winner[j], kinds[j]
        if i < 0:
            qualities[j] = 0.0
            continue
        outcome.cost[i] += values[j] * cost_share(base_cost, effort_cost, state, outcome, k, i)
        quality = expected_quality(weight, state, outcome, k, i)
        qualities[j] = min(max(quality + qualities[j], 0.0), 1.0)
        outcome.quality[i] += qualities[j]
        outcome.won[k, i] += 1.0
        outcome.served[i] += 1.0
    for i in range(len(outcome.profit)):
        outcome.quality[i] /= max(outcome.served[i], 1.0)
        outcome.profit[i] = outcome.paid[i] - outcome.commission[i] - outcome.cost[i] - outcome.charge[i]
        state.cash[i] += outcome.profit[i]
