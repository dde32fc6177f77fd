"""Which bar is the next at which anything can happen, and the extremes of a range of bars.

Theory. A bar matters to what is held if its high reaches the level above or its low the level
below. Whole blocks of 64 and of 4096 bars are judged by their extremes first, so a search costs the
bars it has to look at and a handful of blocks, however far it goes. Bars are looked at by fours,
whose extremes tell whether any of them is reached, and which one is computed, not asked for: where
a search ends no processor foresees, and each question more would cost it as much as ten bars.
"""

import math

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.columns import F64_2D
from engines.types import I64_1D

SMALL, LARGE = 64, 4096
SMALL_MASK, LARGE_MASK = SMALL - 1, LARGE - 1
SMALL_BITS, LARGE_BITS = 6, 12


@rule
def first_touch(reach: F64_2D, bars: int, start: int, stop: int, down: float, up: float) -> int:
    """Return the first bar of [start, stop) that reaches `down` or `up`, else `stop`.

    `reach` is that of `Bars` and `bars` how many bars there are.
    """
    if down == -math.inf and up == math.inf:
        return stop
    large = bars + ((bars + SMALL_MASK) >> SMALL_BITS)
    bar = start
    while bar < stop:
        if bar & SMALL_MASK == 0:
            row, size = bars + (bar >> SMALL_BITS), SMALL
            if bar & LARGE_MASK == 0:
                above = large + (bar >> LARGE_BITS)
                if reach[above, 0] < up and reach[above, 1] > down:
                    row, size = above, LARGE
            if reach[row, 0] < up and reach[row, 1] > down:
                bar += size
                continue
        end = min(stop, (bar | SMALL_MASK) + 1)
        bar = _first_row(reach, bar, end, down, up)
        if bar < end:
            return bar
    return stop


@rule
def _first_row(reach: F64_2D, start: int, stop: int, down: float, up: float) -> int:
    """Return the first row of [start, stop) that reaches `down` or `up`, else `stop`."""
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    row, end = np.uint64(start), np.uint64(stop)
    while row + three < end:
        high = max(max(reach[row, 0], reach[row + one, 0]), reach[row + two, 0])
        low = min(min(reach[row, 1], reach[row + one, 1]), reach[row + two, 1])
        if max(high, reach[row + three, 0]) >= up or min(low, reach[row + three, 1]) <= down:
            first = int((reach[row, 0] < up) & (reach[row, 1] > down))
            second = first & int((reach[row + one, 0] < up) & (reach[row + one, 1] > down))
            third = second & int((reach[row + two, 0] < up) & (reach[row + two, 1] > down))
            return int(np.int64(row)) + first + second + third
        row += four
    while row < end and reach[row, 0] < up and reach[row, 1] > down:
        row += one
    return int(np.int64(row))


@rule
def extremes(reach: F64_2D, bars: int, start: int, stop: int) -> tuple[float, float]:
    """Return the highest high and the lowest low of [start, stop), infinite if it is empty."""
    large = bars + ((bars + SMALL_MASK) >> SMALL_BITS)
    high, low = -math.inf, math.inf
    bar = start
    while bar < stop:
        if bar & LARGE_MASK == 0 and bar + LARGE <= stop:
            row, size = large + (bar >> LARGE_BITS), LARGE
            end = row + 1
        elif bar & SMALL_MASK == 0 and bar + SMALL <= stop:
            row, size = bars + (bar >> SMALL_BITS), SMALL
            end = row + 1
        else:
            row, end = bar, min(stop, (bar | SMALL_MASK) + 1)
            size = end - bar
        above, below = extremes_of_rows(reach, row, end)
        high, low = max(high, above), min(low, below)
        bar += size
    return high, low


@rule
def extremes_of_rows(reach: F64_2D, start: int, stop: int) -> tuple[float, float]:
    """Return the extremes of the rows [start, stop) of `reach`, infinite if there are none.

    Two chains of comparisons wait half as long as one, and places without a sign spare the machine
    to ask whether they count from the end.
    """
    high, low = -math.inf, math.inf
    other_high, other_low = high, low
    one, two = np.uint64(1), np.uint64(2)
    row, end = np.uint64(start), np.uint64(stop)
    while row + one < end:
        high, low = max(high, reach[row, 0]), min(low, reach[row, 1])
        other_high = max(other_high, reach[row + one, 0])
        other_low = min(other_low, reach[row + one, 1])
        row += two
    if row < end:
        high, low = max(high, reach[row, 0]), min(low, reach[row, 1])
    return max(high, other_high), min(low, other_low)


@rule
def loose_extremes(reach: F64_2D, bars: int, start: int, stop: int) -> tuple[float, float]:
    """Return a high and a low that no bar of [start, stop), which is not empty, goes beyond.

    They are those of the blocks that cover the range, so they cost a look at each block.
    """
    large = bars + ((bars + SMALL_MASK) >> SMALL_BITS)
    high, low = -math.inf, math.inf
    block, last = start >> SMALL_BITS, (stop - 1) >> SMALL_BITS
    while block <= last:
        row = bars + block
        if block & SMALL_MASK == 0 and block + SMALL <= last:
            row = large + (block >> SMALL_BITS)
            block += SMALL
        else:
            block += 1
        high, low = max(high, reach[row, 0]), min(low, reach[row, 1])
    return high, low


@rule
def first_place(events: I64_1D, bar: int) -> int:
    """Return the first place whose event is not before `bar`; the events ascend."""
    low, high = 0, len(events)
    while low < high:
        middle = (low + high) >> 1
        if events[middle] < bar:
            low = middle + 1
        else:
            high = middle
    return low


@rule
def place_from(events: I64_1D, place: int, bar: int) -> int:
    """Return the first place from `place` on whose event is not before `bar`."""
    while place < len(events) and events[place] < bar:
        place += 1
    return place
