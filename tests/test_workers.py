"""Threads that run kernels beside the caller: none goes on after the call has ended, however it ends."""

import signal
import time
from types import FrameType

import pytest

from ruleshift.envs.workers import run_beside


def test_run_beside__sums_what_the_calls_return() -> None:
    assert run_beside(lambda number: number, [(1,), (2,), (4,)]) == 7


def test_run_beside__raises_what_a_call_raised_after_all_have_ended() -> None:
    ended = []

    def call(number: int) -> int:
        if number == 0:
            raise ValueError("the first")
        time.sleep(0.05)
        ended.append(number)
        return 0

    with pytest.raises(ValueError, match="the first"):
        run_beside(call, [(0,), (1,), (2,)])
    assert sorted(ended) == [1, 2]


def test_run_beside__an_interrupt_waits_for_the_other_threads() -> None:
    """They write to the markets, which the caller may reset as soon as it has control again."""
    ended = []

    def call(number: int) -> int:
        if number > 0:
            time.sleep(0.2)
            ended.append(number)
        return 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        if len(ended) < 2:
            raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.03, 0.03)  # again while it waits
        with pytest.raises(KeyboardInterrupt):
            run_beside(call, [(0,), (1,), (2,)])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert sorted(ended) == [1, 2]
