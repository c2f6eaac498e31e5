"""A worker: a separate process that receives a job, then the names of tasks, and computes them one by one.

They arrive on its standard input, one line of JSON each. It answers on its standard output: `{"share": ..}` during a
task, then `{"done": ..}` or `{"error": ..}`. When the parent process ends, in whatever way, the input of the worker
closes and it stops at once.
"""

import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from ruleshift.eval.jobs.folder import Folder, working
from ruleshift.eval.jobs.task import Job


def main(root: str, owner: str) -> None:
    """Work in the folder `root`, whose results belong to `owner`, until standard input closes."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent process to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to the log
    messages: queue.Queue[dict[str, Any]] = queue.Queue()
    try:
        with working(Path(root)):
            threading.Thread(target=_read, args=(messages,), daemon=True).start()
            _work(messages, Folder(root, owner), answers)
    except Exception as error:  # before the first task, such as a module that cannot be imported
        _answer(answers, error=_reason(error))


def _read(messages: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        messages.put(json.loads(line))
    os._exit(0)


def _work(messages: "queue.Queue[dict[str, Any]]", folder: Folder, answers: TextIO) -> None:
    work = Job(**messages.get()).work_alone()
    while True:
        task = messages.get()["task"]
        try:
            work(task, folder, lambda share: _answer(answers, share=share))
        except Exception as error:  # reported to the parent process, which stops
            _answer(answers, error=_reason(error))
        else:
            _answer(answers, done=task)


def _answer(answers: TextIO, **message: Any) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _reason(error: Exception) -> str:
    """Say what an error is, and write where it arose to the log, unless the log's disk is full."""
    with suppress(OSError):
        traceback.print_exc()
        sys.stderr.flush()
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main(*sys.argv[1:])
