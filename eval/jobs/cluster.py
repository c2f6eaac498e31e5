"""Tasks on a Ray cluster (Moritz et al. 2018): any node computes, and this process alone holds the folder.

A task gets the results that it needs, computes in an empty folder of its node, and sends back the files that it wrote;
here they are put in place, whole or not at all. So nodes share no file system, a task whose node is lost is computed
again elsewhere, and the bytes are those of local workers.
"""

import json
import queue
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from importlib.util import find_spec
from types import TracebackType
from typing import Any

from ruleshift.envs.fields import Maybe, Word, checked
from ruleshift.eval.jobs.folder import Files, Folder
from ruleshift.eval.jobs.task import Job, Task, worker_environment


class RayPool:
    """As many workers as a cluster has cores; see `pool.Pool` for how they are used.

    Args:
        address: address of the cluster, such as `auto` or `ray://HOST:10001`.
        tasks: all tasks, with what they need.
        job: how any process computes a task.
        folder: folder of the results.

    Raises:
        ValueError: there is no cluster at the address.
    """

    def __init__(self, address: str, tasks: Sequence[Task], job: Job, folder: Folder) -> None:
        self._address, self._job, self._folder = address, job, folder
        self._tasks = {task.name: task for task in tasks}
        self.events: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self.size = 0

    def __enter__(self) -> "RayPool":
        import ray

        try:
            ray.init(address=self._address, runtime_env={"env_vars": worker_environment()}, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"--ray {self._address}: there is no Ray cluster ({reason})") from None
        self.size = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        # Only lost nodes are tried again; an error in a task would come again, too.
        self._remote = ray.remote(num_cpus=1, max_retries=-1)(compute_apart)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        import ray

        ray.shutdown()

    def log(self, worker: int) -> str:
        """Where more is told about an error."""
        return "the logs of the Ray cluster"

    def send(self, worker: int, message: dict[str, Any]) -> None:
        """Let a worker compute a task."""
        task = self._tasks[message["task"]]
        inputs = {name: self._folder.files(name) for name in task.needs}
        reference = self._remote.remote(asdict(self._job), self._folder.owner, task.name, inputs)

        def finished(future: Any) -> None:
            try:
                self._folder.receive(task.name, future.result())
            except Exception as error:
                reason = str(getattr(error, "cause", None) or error).strip().splitlines()[-1]
                self.events.put((worker, {"error": f"{type(error).__name__}: {reason}"}))
            else:
                self.events.put((worker, {"done": task.name}))

        reference.future().add_done_callback(finished)


def check_ray(address: str | None) -> None:
    """Refuse an address of a cluster that is none, or that is given where Ray is not installed.

    Raises:
        ValueError: it is no text, or Ray is missing; says what to install.
    """
    if checked(address, Maybe(Word()), "ray") is not None and find_spec("ray") is None:
        raise ValueError("--ray needs Ray: pip install 'ruleshift[ray]'")


def compute_apart(job: dict[str, Any], owner: str, task: str, inputs: dict[str, Files]) -> Files:
    """Compute a task in a folder of its own, which holds the results that it needs, and return its result's files."""
    with tempfile.TemporaryDirectory() as root:
        folder = Folder(root, owner)
        for name, files in inputs.items():
            folder.receive(name, files)
        _work_of(json.dumps(job))(task, folder, lambda share: None)
        return folder.files(task)


@lru_cache(maxsize=4)
def _work_of(job: str) -> Any:
    return Job(**json.loads(job)).work_alone()
