"""Order: stable sorting and copying, in memory that the caller owns."""

import numpy as np

from ruleshift.envs.compile import jit

FAR = 4_096
"""Organizations beyond which what is kept of them outgrows a core's second-level cache. As jobs go to organizations in
no order, a loop over jobs then has to `prefetch`."""

AHEAD = 64
"""Jobs ahead of the one at work: enough to keep the memory busy, few enough to be held by the first-level cache."""


@jit
def copy(source, target):
    """Copy one array into another of its length; the two do not overlap."""
    for index in range(len(target)):
        target[index] = source[index]


@jit
def highest(values, n):
    """The largest of the first n numbers, -inf where there is none; four at a time, which need not wait for another."""
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
    """Sort the indices in `order` by `first`, ties by `second`, the largest first; stable, O(n log n).

    `spare` is as long as `order`. Runs of eight by insertion, then merged.
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
