"""Learn: capability grows by participation (Wright 1936), and is forgotten."""

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined
from ruleshift.envs.numerics import exp, log


@inlined
def learn(economy, state, outcome):
    """Add the jobs served to experience, depreciate it, and bring capability up to date."""
    retained = 1.0 - economy[at.DEPRECIATION]
    kinds, organizations = state.experience.shape
    for k in range(kinds):
        for i in range(organizations):
            state.experience[k, i] = retained * state.experience[k, i] + outcome.won[k, i]
    update_capability(economy[at.LEARNING_EXPONENT], state)


@inlined
def update_capability(exponent, state):
    """`capability = 1 - (1 - initial) * (1 + experience)**-exponent`; exponent 0 is capability given ex ante."""
    kinds, organizations = state.experience.shape
    for k in range(kinds):
        for i in range(organizations):
            gap = (1.0 - state.initial[k, i]) * exp(-exponent * log(1.0 + state.experience[k, i]))
            state.capability[k, i] = 1.0 - gap
