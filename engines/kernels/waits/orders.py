"""Where an order that waits is met, whatever the account: a search over the bars of its life.

Theory. The level and what sizing reckons with follow from the deciding close (`desk`). A level that
stands still is met in the first bar that reaches it: at the open, if that has passed it, else on
the way to the extreme on its side, which is the first part of the way or the second. A limit fills
at its price or at a better open, a stop at its level or at a worse open, and slips (`path`). Where
limits are verified one is met some ticks beyond its price, and fills at that or at the better price
of all on the way of the bar until then.
"""

import math

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import LONG, MODE_BITS, ON_THE_WAY, SIDE_MASK
from engines.kernels.columns import F64_2D, Run
from engines.kernels.machine.book import set_levels_of_entry
from engines.kernels.machine.desk import price_if_now, set_level
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.events import slip_at
from engines.kernels.search import first_touch
from engines.kernels.slots import (
    AT_STOP,
    CLOSE,
    ENTRY_KIND,
    ENTRY_OFFSET,
    FIRST_ORDER,
    HIGH,
    KIND_OF_ENTRY,
    LEVEL,
    LOW,
    OPEN,
    ORDER_DOWN,
    ORDER_UP,
    SIDE,
    SLIP_NOW,
    TIMEOUT_BARS,
    TRIGGER,
    WISH_SLIP,
)
from engines.kernels.waits.columns import (
    AT_OPEN,
    IS_SHORT,
    ON_ITS_WAY,
    R_BEFORE,
    R_CLOSE,
    R_DECIDED,
    R_MET,
    R_PATH,
    R_PRICE,
    R_REST,
    R_WHERE,
    SIZED_BEFORE,
    WHERE_BITS,
)
from engines.types import F64_1D


@rule
def find_fill(
    run: Run, prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, entry: int, row: F64_1D
) -> int:
    """Write the row of an order; return its code."""
    decided, side = (entry >> 1) - 1, entry & SIDE_MASK
    close, sign, count = prices[decided, CLOSE], 1.0 if side == LONG else -1.0, len(prices)
    slip_at(run, slip_ratio, decided)
    run[WISH_SLIP] = run[SLIP_NOW]
    run[SIDE + FIRST_ORDER], run[KIND_OF_ENTRY + FIRST_ORDER] = sign, run[ENTRY_KIND]
    is_stop = run[ENTRY_KIND] == AT_STOP
    toward = sign if is_stop else -sign
    set_level(run, FIRST_ORDER, close * (1 + toward * run[ENTRY_OFFSET]))
    set_levels_of_entry(run, FIRST_ORDER)
    down, up = run[ORDER_DOWN + FIRST_ORDER], run[ORDER_UP + FIRST_ORDER]
    row[R_DECIDED], row[R_CLOSE] = price_if_now(run, FIRST_ORDER, close), close
    last = int(min(decided + run[TIMEOUT_BARS], count - 1))
    bar = first_touch(reach, count, decided + 1, last + 1, down, up)
    if bar > last:
        return count << MODE_BITS
    opened, met, mode, flags = prices[bar, OPEN], run[TRIGGER + FIRST_ORDER], AT_OPEN, 0
    filled = met
    if up <= opened or down >= opened:
        met = filled = opened
        flags = SIZED_BEFORE if is_stop else 0
    else:
        is_high_first = prices[bar, HIGH] - opened < opened - prices[bar, LOW]
        part = 0 if (up < math.inf) == is_high_first else 1
        mode, flags = ON_THE_WAY + part, ON_ITS_WAY
        if not is_stop:
            filled = _limit_price(run, prices, bar, part, sign)
    slip_at(run, slip_ratio, bar - 1)
    price = due_price(run, filled)
    if is_stop:
        price = slipped_price(run, price, sign, 0.0)
    row[R_PRICE], row[R_MET], row[R_BEFORE] = price, met, prices[bar - 1, CLOSE]
    _put_extremes(prices, bar, mode - ON_THE_WAY, met, price, sign, row)
    row[R_WHERE] = (bar << WHERE_BITS) | flags | (0 if side == LONG else IS_SHORT)
    return (bar << MODE_BITS) | mode


@rule
def _limit_price(run: Run, prices: F64_2D, bar: int, part: int, sign: float) -> float:
    """Return what a limit fills at on the way: its own price, or the better one before it."""
    level, reached = run[LEVEL + FIRST_ORDER], prices[bar, OPEN]
    if sign > 0:
        return float(min(level, reached if part == 0 else prices[bar, HIGH]))
    return float(max(level, reached if part == 0 else prices[bar, LOW]))


@rule
def _put_extremes(
    prices: F64_2D, bar: int, part: int, met: float, price: float, sign: float, row: F64_1D
) -> None:
    """Write the lowest signed prices of a bar until the order is met and from then on.

    `part` is that of the way on which it is met, below 0 at the open.
    """
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first = high - opened < opened - low
    first, second = (high, low) if is_high_first else (low, high)
    before, rest = min(-sign * opened, -sign * met), min(sign * price, sign * second)
    rest = min(rest, sign * prices[bar, CLOSE])
    if part == 1:
        before = min(before, -sign * first)
    else:
        rest = min(rest, sign * first)
    row[R_PATH], row[R_REST] = before, rest
