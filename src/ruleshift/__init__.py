"""ruleshift: learning organizations in an algorithmic market whose matching rule changes.

Importing it registers the Gymnasium ids under `ruleshift/`, as strings: nothing heavy is loaded until an environment
is made.
"""

from pathlib import Path

import gymnasium

__version__ = "0.1.0"

# A checkout without symbolic links (Windows) lacks the sub-packages beside this file: they are at the root.
if not (Path(__file__).parent / "envs" / "__init__.py").exists():
    _root = Path(__file__).resolve().parents[2]
    if (_root / "pyproject.toml").exists():
        __path__.append(str(_root))

gymnasium.register(
    id="ruleshift/Market-v0",
    entry_point="ruleshift.agents.market_env:MarketEnv",
    vector_entry_point="ruleshift.agents.market_env:MarketVectorEnv",
    disable_env_checker=False,
)
