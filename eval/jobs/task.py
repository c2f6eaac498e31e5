"""What is computed apart: tasks, known by their names, and how any process begins to work on them."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ruleshift.eval.jobs.folder import Folder

Report = Callable[[float], None]
"""Is told the share done of a task, 0 .. 1, now and then."""
Work = Callable[[str, Folder, Report], None]
"""Computes the task of that name and stores what it gives, whole."""


@dataclass(frozen=True)
class Task:
    """A unit of work whose result is either whole or absent."""

    name: str
    """What its files are called; it tells tasks apart."""
    description: str
    """What progress shows."""
    needs: tuple[str, ...] = ()
    """Names of the tasks whose results it reads."""
    seconds: float = 1.0
    """Roughly the time that it takes one core."""


@dataclass(frozen=True)
class Job:
    """How any process begins: `begin`, as module:function, makes the `Work` from the setting."""

    begin: str
    setting: Any
    """Plain values, as JSON holds them."""

    def work(self) -> Work:
        """Begin in this process."""
        module, _, name = self.begin.partition(":")
        work: Work = getattr(importlib.import_module(module), name)(self.setting)
        return work
