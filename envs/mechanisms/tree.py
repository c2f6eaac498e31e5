"""The shape of the trees of serial draws: the eight children of a node are adjacent, in one cache line."""

import numpy as np

from ruleshift.envs.compile import inlined

FAN = 8
BELOW = 1.0 - 2.0**-53  # x * BELOW is the number next below x
DEPTH = 16  # more levels than any market has


def tree_size(n: int) -> int:
    """Return the number of nodes for n leaves: levels padded to whole groups of children, root and outside option."""
    total, count = 0, n
    while count > 1 or total == 0:
        padded = -(-count // FAN) * FAN
        total, count = total + padded, padded // FAN
    return total + 2


@inlined
def lay_out(n, starts):
    """Write where each level of the tree starts, beginning with the leaves; returns the number of levels below the
    root."""
    starts[0], depth, count = 0, np.int64(0), n
    while count > 1 or depth == 0:
        groups = (count + FAN - 1) // FAN
        starts[depth + 1] = starts[depth] + groups * FAN
        depth, count = depth + 1, groups
    return depth
