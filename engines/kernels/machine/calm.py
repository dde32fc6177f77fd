"""Bars in which nothing fills: how they are told, and what they change all the same.

Theory. A bar is calm if no market order or close waits for its open and its range meets no level:
no order, no guard, and no best price that a trailing stop would follow. Every rule of `path` would
find nothing to do in it.

A bar may go beyond a best price and meet nothing else. Then the stops follow, and nothing is left
of the bar but where they stand: on whichever way the price goes from the low to the high, a stop
that follows it is never nearer to the better end than its distance, give or take the rounding to a
tick. So where the whole range is shorter than that, it is not met.
"""

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.book import is_trailing, order_at, refresh_book
from engines.kernels.machine.legs import arm_on, side_of
from engines.kernels.slots import (
    AT_MARKET,
    BOOK,
    CLOSE_REASON,
    DOWN,
    FIRST_ORDER,
    GUARD_DOWN,
    GUARD_UP,
    IS_LEG,
    IS_MARKED,
    IS_TRAILING,
    KIND_OF_ENTRY,
    LIVES,
    MARK_HIGH,
    MARK_LOW,
    NO_REASON,
    TICK_SIZE,
    TRAIL_DOWN,
    TRAIL_TICKS,
    TRAIL_UP,
    UP,
)


@rule
def is_queued(run: Run) -> bool:
    """Return whether a market entry waits for the next open."""
    return run[LIVES + FIRST_ORDER] != 0 and run[KIND_OF_ENTRY + FIRST_ORDER] == AT_MARKET


@rule
def has_orders(run: Run) -> bool:
    """Return whether the next bar has to be played whatever its prices are."""
    return is_queued(run) or run[CLOSE_REASON] != NO_REASON


@rule
def is_untouched(run: Run, high: float, low: float) -> bool:
    """Return whether a bar with this range, its mark price's included, meets no level."""
    if run[IS_MARKED] != 0:
        high, low = max(high, run[MARK_HIGH]), min(low, run[MARK_LOW])
    return _meets_none(run, high, low) and high <= run[TRAIL_UP] and low >= run[TRAIL_DOWN]


@rule
def _meets_none(run: Run, high: float, low: float) -> bool:
    return high < run[UP] and low > run[DOWN] and high < run[GUARD_UP] and low > run[GUARD_DOWN]


@rule
def slides(run: Run, high: float, low: float) -> bool:
    """Let trailing stops follow a bar that does nothing else; return whether it is such a bar."""
    if run[IS_TRAILING] == 0 or run[IS_MARKED] != 0 or not _meets_none(run, high, low):
        return False
    range_ticks = (high - low) / run[TICK_SIZE] + 1  # 1: more than the rounding of stop and range
    for place in range(int(run[BOOK])):
        order = order_at(run, place)
        follows = run[IS_LEG + order] != 0 and is_trailing(run, order)
        if follows and run[TRAIL_TICKS + order] <= range_ticks:
            return False
    sign = side_of(run)
    for place in range(int(run[BOOK])):
        order = order_at(run, place)
        if run[IS_LEG + order] != 0 and is_trailing(run, order):
            arm_on(run, order, high if sign > 0 else low, sign)
    refresh_book(run)
    return True
