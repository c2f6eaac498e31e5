"""Checks of what a trajectory depends on: the seed, the actions and the rule, and nothing else."""

import contextlib
import datetime
import hashlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from ruleshift.envs.checker.play import Call, Episode, difference
from ruleshift.envs.checker.registry import check
from ruleshift.envs.checker.report import NotChecked, describe
from ruleshift.envs.checker.subject import Found, Subject


@check("same-seed")
def _same_seed(subject: Subject) -> Found:
    """The same seed and actions give the same bits, in another instance and in the same one again."""
    yield from subject.compare(subject.play(), "two runs of the same seed differ")
    env = subject.fresh()
    subject.play(env, plan=[Episode(subject.seed + 3, subject.rounds)])
    yield from subject.compare(subject.play(env), "a run of the same seed after another differs")


@check("seeds", "random")
def _seeds(subject: Subject) -> Found:
    """Other seeds give other trajectories."""
    starts: list[tuple[int, list[Call]]] = [(subject.seed, subject.plain.episodes()[0])]
    far = [subject.seed ^ 2**bit for bit in (8, 16, 24, 31)]  # of which a narrower number would keep the same bits
    for seed in (subject.seed + 1, subject.seed + 2, *far):
        play = subject.play(plan=[Episode(seed, subject.rounds)])
        for other, calls in starts:
            if not difference(calls, play.calls):
                yield "", f"seeds {other} and {seed} give the same trajectory"
        if play.broken:
            yield play.broken[0], f"with seed {seed} it {play.broken[1]}"
        starts.append((seed, play.calls))


@check("episodes", "random")
def _episodes(subject: Subject) -> Found:
    """A reset without a seed begins another episode, and no episode of one seed is that of another seed."""
    played = subject.play(plan=[Episode(subject.seed, subject.rounds), *[Episode(None, subject.rounds)] * 2])
    episodes = played.episodes()
    for later in range(1, len(episodes)):
        for before in range(later):
            if not difference(episodes[before], episodes[later]):
                yield f"episode {later}", f"reset() without a seed repeats the episode {before}"
        for seed in (subject.seed + later, subject.seed + later + 1):
            if not difference(episodes[later], subject.play(plan=[Episode(seed, subject.rounds)]).calls):
                yield (
                    f"episode {later}",
                    f"it is the first episode of seed {seed}; seeds and episodes share their noise",
                )


@check("unseeded", "factory", "random")
def _unseeded(subject: Subject) -> Found:
    """Two instances that were never given a seed differ."""
    plan = [Episode(None, subject.rounds)]
    first, second = (subject.play(plan=plan) for _ in range(2))
    if not difference(first.calls, second.calls):
        yield "", "two instances without a seed play the same trajectory"
    for seed in (0, subject.seed):
        if not difference(first.calls, subject.play(plan=[Episode(seed, subject.rounds)]).calls):
            yield "", f"without a seed it plays the trajectory of seed {seed}"


@check("clock")
def _clock(subject: Subject) -> Found:
    """The time of day, and how long the caller waits, change nothing."""
    env = subject.fresh()
    with _other_clocks(env):
        play = subject.play(env)
    yield from subject.compare(play, "at another time, or with longer waits, the environment plays otherwise")


_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time")


@contextlib.contextmanager
def _other_clocks(env: Any) -> Iterator[None]:
    """Let all clocks of Python that the environment's modules can reach run ahead, and a thousand times as fast."""
    replaced: dict[int, Any] = {id(getattr(time, name)): _faster(getattr(time, name)) for name in _CLOCKS}
    replaced[id(datetime.datetime)] = _later_datetime()
    modules = {"time": time, "datetime": datetime}
    while env is not None:  # an environment and what it wraps
        for each in type(env).__mro__:
            modules[each.__module__] = sys.modules.get(each.__module__)  # type: ignore[assignment]
        env = vars(env).get("env") if hasattr(env, "__dict__") else None
    before = [
        (module, name, value)
        for module in modules.values()
        if module is not None and module.__name__ != __name__
        for name, value in list(vars(module).items())
        if id(value) in replaced
    ]
    try:
        for module, name, value in before:
            setattr(module, name, replaced[id(value)])
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _faster(clock: Any) -> Any:
    start = clock()
    whole = isinstance(start, int)

    def fast() -> Any:
        now = start + (clock() - start) * 1000
        return now + (123_456_789_123_457 if whole else 123_456.789)

    return fast


def _later_datetime() -> type:
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return super().now(tz) + datetime.timedelta(days=411, seconds=12_345.678)

        @classmethod
        def utcnow(cls) -> Any:
            return cls.now()

        @classmethod
        def today(cls) -> Any:
            return cls.now()

    return Later


@check("other-processes", "factory", "processes")
def _other_processes(subject: Subject) -> Found:
    """Other processes, with other seeds of Python's hashes and another time zone, play the same trajectory."""
    try:
        task = pickle.dumps((subject.make, subject.seed, len(subject.plan), subject.rounds))
    except Exception as error:
        raise NotChecked(f"other processes cannot import the factory: {describe(error)}") from None
    if getattr(subject.make, "__module__", None) == "__main__":
        raise NotChecked("other processes cannot import the factory: it is defined in __main__")
    running = [_elsewhere(task, hash_seed) for hash_seed in ("1", "2")]
    for hash_seed, process in zip(("1", "2"), running, strict=True):
        out, err = process.communicate()
        if process.returncode:
            lines = err.decode(errors="replace").strip().splitlines()
            raise NotChecked(f"another process could not play it: {lines[-1] if lines else process.returncode}")
        for call, digest in zip(subject.plain.calls, out.decode().split(), strict=False):
            if digest != digest_of(call):
                yield (
                    call.where,
                    f"in another process, with PYTHONHASHSEED={hash_seed}, the environment plays otherwise",
                )
                return


def _elsewhere(task: bytes, hash_seed: str) -> "subprocess.Popen[bytes]":
    variables = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Pacific/Kiritimati"}
    program = f"import sys; sys.path[:] = {sys.path!r}; from ruleshift.envs.checker.elsewhere import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=variables,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(task)
    process.stdin.close()
    process.stdin = None
    return process


def digest_of(call: Call) -> str:
    """Return a digest of all that a call returned."""
    return hashlib.sha256("\n".join(_lines(call.frozen)).encode()).hexdigest()


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield repr(key)
            yield from _lines(each)
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    else:
        yield repr(value)
