"""Worker processes that compute the cells of a study, and the order in which they get them."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from ruleshift.eval.jobs.folder import Cell, Folder, Job

Report = Callable[[Cell, float], None]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class CellError(RuntimeError):
    """A cell of a study failed; the message names the cell, the error and the log."""


def compute(cells: Sequence[Cell], job: Job, folder: Folder, workers: int, report: Report) -> None:
    """Compute the cells that are absent, each after those that it needs, and return when all are there.

    Args:
        job: how a cell is computed.
        workers: processes; 0 computes in this one.
        report: told a cell and the share of it that is done.

    Raises:
        CellError: a cell failed. What was finished stays.
    """
    absent = [cell for cell in cells if not folder.has(cell["name"])]
    if workers == 0:
        work = job.work()
        for cell in absent:
            work(cell, folder, lambda share, cell=cell: report(cell, share))  # type: ignore[misc]
            report(cell, 1.0)
    elif absent:
        with _Pool(min(workers, len(absent)), job, folder.root) as pool:
            _share_out(absent, pool, report)


def _share_out(absent: list[Cell], pool: "_Pool", report: Report) -> None:
    waiting, missing, busy = list(absent), {cell["name"] for cell in absent}, dict[int, Cell]()
    while missing:
        for worker in range(pool.size):
            ready = next((cell for cell in waiting if not missing.intersection(cell["needs"])), None)
            if worker not in busy and ready is not None:
                waiting.remove(ready)
                busy[worker] = ready
                pool.send(worker, ready)
        worker, message = pool.events.get()
        if worker not in busy:
            raise CellError(f"{message['error']} (details in {pool.log(worker)})")
        if "share" in message:
            report(busy[worker], message["share"])
            continue
        cell = busy.pop(worker)
        if "done" not in message:
            raise CellError(f"{cell['name']} failed: {message['error']} (details in {pool.log(worker)})")
        missing.remove(cell["name"])
        report(cell, 1.0)


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
        path = os.pathsep.join(place or os.getcwd() for place in sys.path)
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
