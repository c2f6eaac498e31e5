"""Deliver: what serving costs, the quality that clients get, and the organizations' profit."""

from ruleshift.envs import layout as at
from ruleshift.envs.compile import jit
from ruleshift.envs.numerics import QUALITY, uniform, words


@jit
def cost_share(economy, state, outcome, k, i):
    """Cost of a job of kind k to organization i, a share of its value."""
    base = economy[at.BASE_COST] * (1.0 - state.capability[k, i]) * state.relief[i]
    return base + economy[at.EFFORT_COST] * outcome.effort[i] + state.shock[k, i]


@jit
def _draw_noise(key, round_, episode, width, noise):
    """Uniform noise of this half-width, a number a job."""
    noise[:] = 0.0
    if width == 0.0:
        return
    for start in range(0, len(noise), 4):
        four = words(key[0], key[1], start // 4, round_, episode, QUALITY)
        for offset in range(min(4, len(noise) - start)):
            noise[start + offset] = width * (2.0 * uniform(four[offset]) - 1.0)


@jit
def deliver(key, round_, episode, economy, state, winner, kinds, values, outcome, qualities):
    """Write qualities (J,) in [0, 1], and cost, won, served, quality and profit of `outcome`."""
    outcome.cost[:] = 0.0
    outcome.served[:] = 0.0
    outcome.quality[:] = 0.0
    outcome.won[:] = 0.0
    weight, noise = economy[at.QUALITY_CAPABILITY], economy[at.QUALITY_NOISE]
    _draw_noise(key, round_, episode, noise, qualities)
    for j in range(len(winner)):
        i, k = winner[j], kinds[j]
        if i < 0:
            qualities[j] = 0.0
            continue
        outcome.cost[i] += values[j] * cost_share(economy, state, outcome, k, i)
        quality = weight * state.capability[k, i] + (1.0 - weight) * outcome.effort[i]
        qualities[j] = min(max(quality + qualities[j], 0.0), 1.0)
        outcome.quality[i] += qualities[j]
        outcome.won[k, i] += 1.0
        outcome.served[i] += 1.0
    for i in range(len(outcome.profit)):
        outcome.quality[i] /= max(outcome.served[i], 1.0)
        outcome.profit[i] = outcome.paid[i] - outcome.commission[i] - outcome.cost[i] - outcome.charge[i]
        state.cash[i] += outcome.profit[i]
