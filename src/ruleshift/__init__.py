"""ruleshift: learning organizations in an algorithmic market whose matching rule changes.

Importing it registers the Gymnasium ids under `ruleshift/`, as strings: nothing heavy is loaded until an environment
is made.
"""

from importlib.util import find_spec
from pathlib import Path

import gymnasium

__version__ = "0.1.0"

# Without symbolic links (Windows), a checkout has text files in place of the four packages, which are at the root.
if find_spec("ruleshift.envs") is None:
    _root = Path(__file__).resolve().parents[2]
    if not (_root / "pyproject.toml").exists() or not (_root / "envs" / "__init__.py").exists():
        raise ImportError(
            f"ruleshift: {Path(__file__).parent} has no package envs, nor has {_root}; run `pip install .` in a whole "
            "clone of the repository (CONTRIBUTING.md says more under Windows)"
        )
    __path__.append(str(_root))

gymnasium.register(
    id="ruleshift/Market-v0",
    entry_point="ruleshift.agents.market_env:MarketEnv",
    vector_entry_point="ruleshift.agents.market_env:MarketVectorEnv",
    disable_env_checker=False,
)
