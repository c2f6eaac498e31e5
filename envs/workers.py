"""Workers: threads that run kernels alongside the caller, shared by all markets of a process.

A pool of the standard library takes tens of microseconds per call, up to a tenth of a step of 512 markets.
"""

import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

_INBOXES: list[SimpleQueue[Any]] = []
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_INBOXES.clear)  # threads do not survive a fork


def run_beside(kernel: Callable[..., int], calls: Sequence[tuple[Any, ...]]) -> int:
    """Call a kernel with each tuple of arguments, the first here and the others on threads; return the sum of results.

    Raises:
        BaseException: what a call raised, after all calls have ended.
    """
    answers: SimpleQueue[int | BaseException] = SimpleQueue()
    for number, arguments in enumerate(calls[1:]):
        _inbox(number).put((kernel, arguments, answers))
    results: list[int | BaseException] = [_answer(kernel, calls[0])]
    results += [answers.get() for _ in calls[1:]]
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(result for result in results if not isinstance(result, BaseException))


def _inbox(number: int) -> "SimpleQueue[Any]":
    if number >= len(_INBOXES):
        with _LOCK:
            while number >= len(_INBOXES):
                inbox: SimpleQueue[Any] = SimpleQueue()
                threading.Thread(target=_serve, args=(inbox,), daemon=True, name=f"ruleshift-{number}").start()
                _INBOXES.append(inbox)
    return _INBOXES[number]


def _serve(inbox: "SimpleQueue[Any]") -> None:
    while True:
        kernel, arguments, answers = inbox.get()
        answers.put(_answer(kernel, arguments))


def _answer(kernel: Callable[..., int], arguments: tuple[Any, ...]) -> int | BaseException:
    try:
        return kernel(*arguments)
    except BaseException as error:
        return error
