"""Workers: threads that run kernels alongside the caller, shared by all markets of a process.

A pool of the standard library takes tens of microseconds per call, up to a tenth of a step of 512 markets.
"""

import os
import threading
import time
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
        BaseException: what a call raised, or an interrupt such as KeyboardInterrupt; all calls have ended by then.
    """
    answers: SimpleQueue[int | BaseException] = SimpleQueue()
    try:
        for number, arguments in enumerate(calls[1:]):
            _inbox(number).put((kernel, arguments, answers))
        results = [_answer(kernel, calls[0]), *(answers.get() for _ in calls[1:])]
    except BaseException:  # an interrupt of this thread, while others still write to the arguments
        _wait_for_threads(len(calls) - 1)
        raise
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return sum(result for result in results if not isinstance(result, BaseException))


def _wait_for_threads(count: int) -> None:
    """Wait until the first `count` threads have done all that they were given; further interrupts do not end this."""
    while True:
        try:
            done: set[int] = set()
            for number in range(count):
                _inbox(number).put((done.add, (number,), SimpleQueue()))
            while len(done) < count:
                time.sleep(1e-4)
            return
        except BaseException:  # the caller raises the first interrupt once all have ended
            continue


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
