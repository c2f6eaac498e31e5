"""Worker processes that compute tasks, and the order in which they receive them."""

import json
import math
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from ruleshift.envs.fields import Count, checked
from ruleshift.eval.jobs.cluster import RayPool
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.progress import Progress
from ruleshift.eval.jobs.task import Job, Task, worker_environment

MOST_WORKERS = 1024
"""The most worker processes."""


class CellError(RuntimeError):
    """Raised when a part of long work failed; the message names the task, the error and the log."""


def worker_count(workers: int | None, most: int = MOST_WORKERS) -> int:
    """Return how many processes to work in: as many as given, or for -1 and None one for each core that is allowed.

    Args:
        workers: number of processes; 0 for none but this one.
        most: the most processes where none are given.

    Raises:
        ValueError: it is no whole number from -1 to `MOST_WORKERS`.
    """
    if workers is None:
        return min(allowed_cores(), most)
    count: int = checked(workers, Count(-1, MOST_WORKERS), "workers")
    return allowed_cores() if count == -1 else count


def allowed_cores() -> int:
    """Number of cores that this process may use, by its affinity and the quota of its control group."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(min(cores, _quota()), 1)


def _quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores that the control group may use, rounded up; many where there is no quota."""
    try:
        quota, period = file.read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return MOST_WORKERS


def compute(
    tasks: Sequence[Task],
    job: Job,
    folder: Folder,
    *,
    workers: int,
    quiet: bool,
    recompute: bool = False,
    ray: str | None = None,
) -> None:
    """Compute the tasks whose results are absent, each after those that it needs, and return when all are finished.

    Results that are there are checked first, and again in the end, when those that they were computed from are there.

    Args:
        tasks: all tasks, in an order in which each comes after those that it needs.
        job: how any process computes a task.
        folder: folder of the results.
        workers: number of processes; 0 to compute in this process.
        quiet: show no progress.
        recompute: whether to compute anew the results that are not what was computed.
        ray: address of a Ray cluster to compute on, in place of local processes.

    Raises:
        CellError: a task failed. The results of finished tasks stay.
        ValueError: a result is not what was computed, or there is no such cluster.
    """
    names = [task.name for task in tasks]
    folder.settle(names, recompute=recompute)
    while absent := [task for task in tasks if not folder.has(task.name)]:
        _compute(tasks, absent, job, folder, workers=workers, quiet=quiet, ray=ray)
        folder.settle(names, recompute=recompute)


def _compute(
    tasks: Sequence[Task],
    absent: list[Task],
    job: Job,
    folder: Folder,
    *,
    workers: int,
    quiet: bool,
    ray: str | None,
) -> None:
    with Progress(tasks, folder, quiet=quiet) as progress:
        if ray is not None:
            with RayPool(ray, absent, job, folder) as cluster:
                _distribute(absent, cluster, progress)
        elif workers == 0:
            work = job.work()
            for task in absent:
                work(task.name, folder, partial(progress.report, task))
                progress.report(task, 1.0)
        else:
            with _Pool(min(workers, len(absent)), job, folder) as pool:
                _distribute(absent, pool, progress)


def _distribute(absent: list[Task], pool: "_Pool | RayPool", progress: Progress) -> None:
    """Give every idle worker the first task whose needs are met, until all tasks are done."""
    waiting, missing, busy = list(absent), {task.name for task in absent}, dict[int, Task]()
    while missing:
        for worker in range(pool.size):
            ready = next((task for task in waiting if not missing.intersection(task.needs)), None)
            if worker not in busy and ready is not None:
                waiting.remove(ready)
                busy[worker] = ready
                pool.send(worker, {"task": ready.name})
        worker, message = pool.events.get()
        if worker not in busy:
            raise CellError(f"{message['error']} (details in {pool.log(worker)})")
        if "share" in message:
            progress.report(busy[worker], message["share"])
            continue
        task = busy.pop(worker)
        if "done" not in message:
            raise CellError(f"{task.name} failed: {message['error']} (details in {pool.log(worker)})")
        missing.remove(task.name)
        progress.report(task, 1.0)


class _Pool:
    """Worker processes with one thread each, which end when this process does, in whatever way."""

    def __init__(self, size: int, job: Job, folder: Folder) -> None:
        self.size, self._root, self._owner = size, folder.root, folder.owner
        self.events: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self._processes: list[subprocess.Popen[str]] = []
        self._listeners: list[threading.Thread] = []
        self._job = job

    def log(self, worker: int) -> Path:
        """File to which a worker's own output goes."""
        return self._root / "log" / f"worker-{worker}.txt"

    def send(self, worker: int, message: dict[str, Any]) -> None:
        """Send a message to a worker."""
        pipe = self._processes[worker].stdin
        assert pipe is not None
        with suppress(BrokenPipeError):  # a worker that has ended is reported by its listener
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

    def __enter__(self) -> "_Pool":
        self.log(0).parent.mkdir(exist_ok=True)
        environment = {**os.environ, **worker_environment()}
        for worker in range(self.size):
            with open(self.log(worker), "w") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "ruleshift.eval.jobs.worker", str(self._root), self._owner],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=environment,
                )
            self._processes.append(process)
            listener = threading.Thread(target=self._listen, args=(worker, process), daemon=True)
            self._listeners.append(listener)
            listener.start()
            self.send(worker, asdict(self._job))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.kill()
        for process, listener in zip(self._processes, self._listeners, strict=True):
            process.wait()
            listener.join()
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):  # messages that the worker has not read no longer matter
                    assert pipe is not None
                    pipe.close()

    def _listen(self, worker: int, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.events.put((worker, json.loads(line)))
        self.events.put((worker, {"error": f"its worker ended with status {process.wait()}"}))
