"""The arms that the registered claims are about."""

GENERALIST, SPECIALIST = "randomized+memory", "fixed+nuisance+memory"
"""The two arms of the primary contrast, which differ in nothing but the rules that they were trained on."""
CENTRAL, WITHOUT_MEMORY = "central+memory", "randomized"
"""The controls: a specialist of the most typical rule, and the generalist without its memory."""
