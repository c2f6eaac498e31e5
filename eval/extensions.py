"""Extensions: modules of one's own that add to the lists of the suite when they are imported."""

import importlib
from collections.abc import Sequence


def load_extensions(modules: Sequence[str]) -> None:
    """Import modules, each of which registers what it adds: arms, mechanisms, protocols, claims, known answers.

    Args:
        modules: names as in `import NAME`; workers import them, too.

    Raises:
        ValueError: a module cannot be imported; names it and the reason.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ValueError(f"extensions: {name!r} cannot be imported ({error}); name a module on the path") from None
