"""What pytest must know before it collects."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from ruleshift.agents import warm_up

_TRAINS = re.compile(r"^(from|import) (torch|stable_baselines3|ruleshift\.train|studies|outside_lists)\b", re.MULTILINE)

collect_ignore = ["outside_lists.py"]  # a module of somebody's own: importing it adds to every list of the suite
if find_spec("torch") is None:  # then the tests of training are left out
    tests = Path(__file__).parent
    collect_ignore += [str(path) for path in tests.rglob("*.py") if _TRAINS.search(path.read_text(encoding="utf-8"))]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what compiles for itself, so that it runs beside the one process that compiles for all others."""
    items.sort(key=lambda item: item.get_closest_marker("compiles_alone") is None)


@pytest.fixture(scope="session")
def compiled() -> None:
    """All kernels are compiled, so that processes that a test starts neither say that they compile nor take minutes."""
    warm_up()
