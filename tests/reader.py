"""A reader of the documentation: runs snippets and commands with the installed package, each in a process of its own.

It imports what they need and is then forked for each of them, so that they share the seconds of importing and nothing
else. It is run as a script; each line of its input asks for one run, and each line of its output answers, in JSON.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

OUTPUT = ".said"
"""File in the reader's folder that takes what a run prints."""


def main() -> None:
    """Answer requests until the input ends."""
    del sys.path[0]  # the folder of the tests: a reader does not have it
    import stable_baselines3  # noqa: F401

    import ruleshift.eval  # noqa: F401
    from ruleshift.envs import Market

    Market().reset(seed=0)
    for line in sys.stdin:
        print(json.dumps(_answer(**json.loads(line))), flush=True)


def _answer(folder: str, until: str = "", **asked: Any) -> dict[str, Any]:
    process = os.fork()
    if process == 0:
        _child(folder, **asked)
    status = _wait(process, Path(folder), until)
    return {"status": status, "output": (Path(folder) / OUTPUT).read_text()}


def _wait(process: int, folder: Path, until: str) -> int:
    """Return the exit status; Ctrl-C is pressed once a file in the folder has a name of the pattern `until`."""
    while until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if any(True for _ in folder.glob(until)):
            os.kill(process, signal.SIGINT)
            until = ""
        time.sleep(0.05)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _child(folder: str, **asked: Any) -> None:
    status: Any = 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job was told to ignore it
    try:
        os.chdir(folder)
        said = os.open(OUTPUT, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(said, stream)
        status = _run(**asked)
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status or 0)


def _run(python: str = "", command: tuple[str, ...] = ()) -> int:
    if command:
        from ruleshift.cli import main as ruleshift

        return ruleshift(command)
    sys.path.insert(0, os.getcwd())
    exec(compile(python, "snippet.py", "exec"), {"__name__": "__main__"})
    return 0


if __name__ == "__main__":
    main()
