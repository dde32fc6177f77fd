"""What the walk of a stack reads some wishes on, asked for before it is needed."""

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    CACHE_LINE,
    I32_1D,
    LINE,
    LONG,
    MODE_BITS,
    NO_LEVELS,
    SHORT,
    SPANS,
    WISH_BITS,
    Given,
)
from engines.kernels.parts.columns import CLOSE
from engines.kernels.slots import ENTERS_LONG
from engines.kernels.stacks.columns import END, NEXT_AT, Course, Stack
from engines.kernels.stacks.known_ends import ask_for_end
from engines.kernels.stacks.orders import ask_for_orders

SOON = 4  # wishes ahead of the one that acts, what is read of the market is asked for


@inlined
def ask_for_next(stack: Stack, course: Course) -> None:
    """Ask for the line at which the next entry ends."""
    line = np.uint64(stack.counts[NEXT_AT]) >> np.uint64(MODE_BITS)
    prefetch(course.opens.lines, line * np.uint64(LINE))


@inlined
def ask_ahead(
    course: Course, given: Given, wishes: I32_1D, place: int, plan: int
) -> None:  # fmt: skip # what is read, then by whom
    """Ask for what a wish some places on reads, and for the end of an entry at a nearer one.

    Which spans it looks up is not known yet: the middle ones are most likely.
    """
    opens, ends, last = course.opens, course.ends, len(wishes) - 1
    if last < 0:
        return
    if course.stacking.waits:
        ask_for_orders(course, wishes, place, plan)
    line = np.uint64(wishes[min(place + SOON, last)]) >> np.uint64(WISH_BITS)
    prefetch(opens.lines, (line + np.uint64(1)) * np.uint64(LINE))
    for kind in range(1, SPANS - 1):
        for side in (LONG, SHORT):
            prefetch(opens.lowest, np.uint64((2 * kind + side) * opens.bars) + line)
    if len(given.stops) > 0:
        ask_for_end(given, plan, wishes, min(place + SOON, last), course.decides.enters)
    elif plan != NO_LEVELS and not course.stacking.waits:
        wish = int(wishes[min(place + SOON // 2, last)])
        entry = (((wish >> WISH_BITS) + 1) << 1) | (LONG if wish & ENTERS_LONG != 0 else SHORT)
        if course.portions.targets > 0:
            prefetch(course.parts.places, (line + np.uint64(1)) << np.uint64(1))
            _ask_for_closes(course, plan, entry)
        elif len(ends.places) > 0:
            prefetch(ends.places, (line + np.uint64(1)) << np.uint64(1))
            own = int(ends.places[entry]) * END + plan * ends.values.shape[1]
            prefetch(ends.values, own)


@inlined
def _ask_for_closes(course: Course, plan: int, entry: int) -> None:
    """Ask for how levels close an entry part by part."""
    exits = course.parts
    first = np.uint64((plan * exits.entries + exits.places[entry]) * exits.parts)
    prefetch(exits.codes, first)
    for line in range(2):
        prefetch(exits.closes, first * np.uint64(CLOSE) + np.uint64(line * CACHE_LINE // 8))
