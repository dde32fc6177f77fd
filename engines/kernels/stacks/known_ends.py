"""How levels that a strategy gives end entries of stacks, kept as chains keep their walks.

Theory. Strategies of a grid often enter at the same bar with the same levels, whose end is then the
same (`chains.exits`). What is known of one are the first numbers of an end; it has no bar in which
its stop began to follow the price, or it is not kept.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import I32_1D, Given, Opens
from engines.kernels.chains.exits import (
    K_END,
    K_ENTRY,
    K_PLAN,
    K_STOP,
    K_TARGET,
    entry_of,
    is_known_at,
    place_of,
)
from engines.kernels.stacks.columns import END_ARMED
from engines.kernels.stacks.exits import walk
from engines.types import F64_1D


@inlined
def end_given(
    opens: Opens, given: Given, plan: int, wish: int, entry: int, ends: F64_1D, first: int
) -> None:  # fmt: skip # what it reads, then where the end goes
    """Find how the levels that a set gives with a wish end its entry, unless it is known."""
    known, at = given.known, place_of(given, plan, wish, entry)
    if is_known_at(given, plan, wish, entry, at):
        for number in range(END_ARMED):
            ends[first + number] = known[at + np.uint64(K_END + number)]
        ends[first + END_ARMED] = math.inf
        return
    stop, target = given.stops[wish], given.targets[wish]
    walk(
        given.runs[plan], opens, given.prices, given.slip_ratio, entry, opens.bars - 1, stop,
        target, math.nan, ends, first,
    )  # fmt: skip # one call
    if ends[first + END_ARMED] < math.inf:
        return
    known[at + np.uint64(K_ENTRY)], known[at + np.uint64(K_PLAN)] = entry, plan
    known[at + np.uint64(K_STOP)], known[at + np.uint64(K_TARGET)] = stop, target
    for number in range(END_ARMED):
        known[at + np.uint64(K_END + number)] = ends[first + number]


@inlined
def ask_for_end(given: Given, plan: int, wishes: I32_1D, wish: int, enters: int) -> None:
    """Ask for what is known of the entry at a wish."""
    entry = entry_of(int(wishes[wish]), enters)
    prefetch(given.known, place_of(given, plan, wish, entry))
