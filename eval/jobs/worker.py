"""A worker of a study: a process of its own that takes a job, then cells, from its standard input, one line of JSON
each.

It answers on its standard output: `{"share": ..}` on the way, then `{"done": ..}` or `{"error": ..}`. When the study
that it works for ends, however it ends, its input closes and it stops at once.
"""

import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from ruleshift.eval.jobs.folder import Folder, Job, working


def main(root: str) -> None:
    """Work on the study in folder `root` until the input closes."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the study's to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to the log
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    with working(Path(root)):
        threading.Thread(target=_read, args=(tasks,), daemon=True).start()
        _work(tasks, Folder(root), answers)


def _read(tasks: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)


def _work(tasks: "queue.Queue[dict[str, Any]]", folder: Folder, answers: TextIO) -> None:
    import torch

    torch.set_num_threads(1)
    work = Job(**tasks.get()).work()

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    while True:
        cell = tasks.get()
        try:
            work(cell, folder, lambda share: answer(share=share))
        except Exception as error:  # reported to the study, which stops
            traceback.print_exc()
            answer(error=f"{type(error).__name__}: {error}")
        else:
            answer(done=cell["name"])


if __name__ == "__main__":
    main(sys.argv[1])
