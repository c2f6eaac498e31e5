"""Learn: capability grows with experience (Wright 1936), which depreciates."""

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined
from ruleshift.envs.numerics import exp, log


@inlined
def learn(economy, state, outcome):
    """Depreciate experience, add the jobs served, and update capability."""
    retained = 1.0 - economy[at.DEPRECIATION]
    kinds, organizations = state.experience.shape
    for k in range(kinds):
        for i in range(organizations):
            state.experience[k, i] = retained * state.experience[k, i] + outcome.won[k, i]
    update_capability(economy[at.LEARNING_EXPONENT], state)


@inlined
def update_capability(exponent, state):
    """Write `capability = 1 - (1 - initial) * (1 + experience)**-exponent`; with exponent 0 it is given ex ante."""
    kinds, organizations = state.experience.shape
    for k in range(kinds):
        for i in range(organizations):
            gap = (1.0 - state.initial[k, i]) * exp(-exponent * log(1.0 + state.experience[k, i]))
            state.capability[k, i] = 1.0 - gap
