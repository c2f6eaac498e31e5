"""The arms that the registered claims are about."""

GENERALIST, SPECIALIST = "randomized+memory", "fixed+nuisance+memory"
"""The two arms of the primary contrast: alike in all but the rules that they were trained on."""
CENTRAL, WITHOUT_MEMORY = "central+memory", "randomized"
"""Controls: a specialist of the most typical rule, and the generalist without its memory."""
