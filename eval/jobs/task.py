"""Tasks, which any process can compute by their names, and jobs, which say how a process begins to work on them."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from ruleshift.eval.jobs.folder import Folder

OnProgress = Callable[[float], None]
"""A function that is called with the share of a task that is done, 0 .. 1, from time to time."""
Work = Callable[[str, Folder, OnProgress], None]
"""A function that computes the task of a name and stores its result in the folder."""


@dataclass(frozen=True)
class Task:
    """A unit of work whose result is either whole or absent."""

    name: str
    """Name of the task and of its files, different for every task."""
    description: str
    """Text that progress shows."""
    needs: tuple[str, ...] = ()
    """Names of the tasks whose results this one reads."""
    seconds: float = 1.0
    """Estimated seconds that one core takes for it."""


@dataclass(frozen=True)
class Job:
    """How any process begins to work on tasks."""

    begin: str
    """Function that returns the `Work`, given the setting, as `module:function`."""
    setting: Any
    """Argument of that function: plain values, as JSON holds them."""

    def work_alone(self) -> Work:
        """Return the work of a process that computes nothing else, on one thread; see `worker_environment`."""
        if find_spec("torch") is not None:
            import torch

            torch.set_num_threads(1)
        return self.work()

    def work(self) -> Work:
        """Import the function in this process, and return the work that it makes."""
        module, _, name = self.begin.partition(":")
        work: Work = getattr(importlib.import_module(module), name)(self.setting)
        return work


def worker_environment() -> dict[str, str]:
    """Environment variables by which a process has one thread, and finds the modules that this one finds."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return {**dict.fromkeys(threads, "1"), "PYTHONPATH": path}
