"""Order: stable sorting and copying in memory that the caller provides."""

import numpy as np

from ruleshift.envs.compile import jit

FAR = 4_096
"""Number of organizations beyond which their state exceeds a core's second-level cache. Jobs go to organizations in no
particular order, so that a loop over jobs then has to `prefetch`."""

AHEAD = 64
"""How many jobs ahead to prefetch: enough to keep the memory busy, and few enough for the first-level cache."""


@jit
def copy(source, target):
    """Copy an array into another of the same length that does not overlap it."""
    for index in range(len(target)):
        target[index] = source[index]


@jit
def highest(values, n):
    """Return the largest of the first n numbers, -inf if n is 0; four chains run at a time, independently."""
    a, b, c, d = -np.inf, -np.inf, -np.inf, -np.inf
    whole = n - n % 4
    for index in range(0, whole, 4):
        a, b = max(a, values[index]), max(b, values[index + 1])
        c, d = max(c, values[index + 2]), max(d, values[index + 3])
    for index in range(whole, n):
        a = max(a, values[index])
    return max(max(a, b), max(c, d))


@jit
def sort_descending(first, second, order, spare):
    """Sort the indices in `order` by `first`, then by `second`, in descending order; stable, O(n log n).

    `spare` is scratch memory as long as `order`. Runs of eight are sorted by insertion and then merged.
    """
    n = len(order)
    for start in range(0, n, 8):
        for at_ in range(start + 1, min(start + 8, n)):
            item, hole = order[at_], at_
            while hole > start and _before(first, second, item, order[hole - 1]):
                order[hole] = order[hole - 1]
                hole -= 1
            order[hole] = item
    width = 8
    while width < n:
        for low in range(0, n, 2 * width):
            _merge(first, second, order, spare, low, min(low + width, n), min(low + 2 * width, n))
        copy(spare, order)
        width *= 2


@jit
def _before(first, second, a, b):
    return first[a] > first[b] or (first[a] == first[b] and second[a] > second[b])


@jit
def _merge(first, second, order, spare, low, middle, high):
    left, right = low, middle
    for target in range(low, high):
        if right >= high or (left < middle and not _before(first, second, order[right], order[left])):
            spare[target] = order[left]
            left += 1
        else:
            spare[target] = order[right]
            right += 1
