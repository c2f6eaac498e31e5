"""Feed back: today's outcome becomes tomorrow's reputation and popularity."""

from ruleshift.envs import layout as at
from ruleshift.envs.compile import inlined


@inlined
def rate(rule, winner, qualities, state):
    """Move the reputation of each winner (J,) towards its rating for the job.

    The rating is quality + inflation * (1 - quality), with qualities (J,). Each job, in order of arrival, closes the
    share `reputation_gain` of the gap. Reputation stays in [.01, 1].
    """
    gain, inflation = rule[at.GAIN], rule[at.INFLATION]
    for j in range(len(winner)):
        i = winner[j]
        if i >= 0:
            rating = qualities[j] + inflation * (1.0 - qualities[j])
            moved = state.reputation[i] + gain * (rating - state.reputation[i])
            state.reputation[i] = min(max(moved, 0.01), 1.0)


@inlined
def feed_back(rule, state, outcome):
    """Update popularity (N,) with the jobs won.

    `popularity = persistence * popularity + (1 - persistence) * prior + jobs won`; persistence 1 is a Polya urn
    (Eggenberger & Polya 1923).
    """
    persistence = rule[at.PERSISTENCE]
    fresh = (1.0 - persistence) * rule[at.PRIOR]
    for i in range(len(state.popularity)):
        state.popularity[i] = persistence * state.popularity[i] + fresh + outcome.served[i]
