"""What a process does that `other-processes` starts: it plays an environment and prints a digest of each call."""

import os
import pickle
import sys


def main() -> None:
    """Read a pickled factory, seed, number of episodes and rounds from standard input, play, and print the digests."""
    from ruleshift.envs.checker.determinism import digest_of
    from ruleshift.envs.checker.subject import Subject

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the environment prints must not be taken for an answer
    make, seed, episodes, rounds = pickle.loads(sys.stdin.buffer.read())
    subject = Subject(make, True, seed, episodes, rounds, False)
    answers.write("\n".join(map(digest_of, subject.plain.calls)))
    answers.flush()
