"""Worker processes that compute tasks, and the order in which they get them."""

import json
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

from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.progress import Progress
from ruleshift.eval.jobs.task import Job, Task

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class CellError(RuntimeError):
    """A part of long work failed; the message names the task, the error and the log."""


def compute(tasks: Sequence[Task], job: Job, folder: Folder, *, workers: int, quiet: bool) -> None:
    """Compute the tasks whose results are absent, each after those that it needs, and return when all are there.

    Args:
        tasks: in an order in which those that others need come first.
        job: how a task is computed.
        workers: processes; 0 computes in this one.
        quiet: show no progress.

    Raises:
        CellError: a task failed. What was finished stays.
    """
    absent = [task for task in tasks if not folder.has(task.name)]
    with Progress(tasks, folder, quiet=quiet) as progress:
        if workers == 0:
            work = job.work()
            for task in absent:
                work(task.name, folder, partial(progress.report, task))
                progress.report(task, 1.0)
        elif absent:
            with _Pool(min(workers, len(absent)), job, folder.root) as pool:
                _distribute(absent, pool, progress)


def _distribute(absent: list[Task], pool: "_Pool", progress: Progress) -> None:
    """Give every idle worker the first task that is ready, until all are done."""
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
    """A few workers, each one process with one thread; they end with this process, however it ends."""

    def __init__(self, size: int, job: Job, root: Path) -> None:
        self.size, self._root = size, root
        self.events: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self._processes: list[subprocess.Popen[str]] = []
        self._listeners: list[threading.Thread] = []
        self._job = job

    def log(self, worker: int) -> Path:
        """Where a worker's own messages go."""
        return self._root / "log" / f"worker-{worker}.txt"

    def send(self, worker: int, message: dict[str, Any]) -> None:
        """Give a worker something to do."""
        pipe = self._processes[worker].stdin
        assert pipe is not None
        with suppress(BrokenPipeError):  # a worker that has ended is reported by its listener
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

    def __enter__(self) -> "_Pool":
        self.log(0).parent.mkdir(exist_ok=True)
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), "PYTHONPATH": path}
        for worker in range(self.size):
            with open(self.log(worker), "w") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "ruleshift.eval.jobs.worker", str(self._root)],
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
                with suppress(BrokenPipeError):  # what the worker did not take is of no use any more
                    assert pipe is not None
                    pipe.close()

    def _listen(self, worker: int, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.events.put((worker, json.loads(line)))
        self.events.put((worker, {"error": f"its worker ended with status {process.wait()}"}))
