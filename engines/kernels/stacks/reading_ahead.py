"""What the walk of a stack reads some wishes on, asked for before it is needed."""

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    LONG,
    NO_LEVELS,
    SHORT,
    SPANS,
    WISH_BITS,
    Given,
)
from engines.kernels.slots import ENTERS_LONG
from engines.kernels.stacks.columns import END, Course
from engines.kernels.stacks.known_ends import ask_for_end
from engines.kernels.stacks.orders import ask_for_orders

SOON = 4  # wishes ahead of the one that acts, what is read of the market is asked for


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
    elif plan != NO_LEVELS and len(ends.places) > 0 and not course.stacking.waits:
        wish = int(wishes[min(place + SOON // 2, last)])
        entry = (((wish >> WISH_BITS) + 1) << 1) | (LONG if wish & ENTERS_LONG != 0 else SHORT)
        own = int(ends.places[entry]) * END + plan * ends.values.shape[1]
        prefetch(ends.values, own)
