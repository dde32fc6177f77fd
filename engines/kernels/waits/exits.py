"""How levels end the position of an order that was met, perhaps in the middle of a bar.

Theory. An order that an open has passed is an entry at that open. One that is met on the way leaves
the rest of the way of its bar, from the price at which it was met: that is gone first, then the
bars after it. Levels that move are walked (`exit_walk`). A stop and a target that stand still are
searched for (`bracket_walk`), and only the bars of the fill and of the exit are gone through, in
prices times the position's sign: the stop lies below, the target above. A target that is verified
is met where the price has to go to, and fills at itself or at the lowest price of the bar's way.
"""

import math

from engines.kernels._compiled import rule, shared
from engines.kernels.bracket_walk import skip, stands_still, trigger_of
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LONG,
    MODE_BITS,
    MODE_MASK,
    ON_THE_WAY,
    Opens,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.exit_walk import PART, STAYS, THE_LOT, enter, find_exit_from, walk_way
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.events import slip_at, stop_of, target_of
from engines.kernels.slots import (
    CLOSE,
    HIGH,
    LOT_HIGH,
    LOT_LOW,
    LOW,
    OPEN,
    PATH_HIGH,
    PATH_LOW,
    PRICE,
    PROFIT_ATR,
    PROFIT_RATIO,
    STOP_ATR,
    STOP_RATIO,
)
from engines.kernels.waits.columns import (
    AT_OPEN,
    EXIT_PRICE,
    EXIT_WAY,
    EXIT_WORST,
    IS_SHORT,
    R_CLOSE,
    R_MET,
    R_PRICE,
    R_REST,
    R_WHERE,
    UNKNOWN,
    WHERE_BITS,
)
from engines.types import F64_1D

BY_OPEN = -1  # the part of a way that is its open
NO_MODE = 0  # where a bar does not end a position


@rule
def _search(
    run: Run, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, row: F64_1D, part: int, atr: float,
    known: int, last: int, exit: F64_1D,
) -> int:  # fmt: skip # what it reads, then what it finds
    """Write how levels that stand still end the position of an order; return what is known then."""
    where, close, base = int(row[R_WHERE]), row[R_CLOSE], row[R_PRICE]
    side, bar = where & IS_SHORT, where >> WHERE_BITS
    sign = 1.0 if side == LONG else -1.0
    stop = stop_of(run, math.nan, run[STOP_RATIO], run[STOP_ATR], atr, close, base, sign)
    target = target_of(run, math.nan, run[PROFIT_RATIO], run[PROFIT_ATR], atr, base, sign)
    trigger = trigger_of(run, target, sign)
    if known == UNKNOWN:
        exit[EXIT_WORST], known = sign * base, -bar - 1
        slip_at(run, slip_ratio, bar - 1)
        mode = _go(run, prices, bar, part, sign * row[R_MET], sign, stop, target, trigger, exit)
        if mode != NO_MODE:
            return (bar << MODE_BITS) | mode
        exit[EXIT_WORST] = row[R_REST]
    bar, worst = skip(opens, prices, -known, last, side, stop, trigger)
    exit[EXIT_WORST] = min(exit[EXIT_WORST], worst)
    if bar > last:
        return -max(last + 1, -known)
    opened = sign * prices[bar, OPEN]
    exit[EXIT_WORST] = min(exit[EXIT_WORST], opened)
    slip_at(run, slip_ratio, bar - 1)
    mode = _go(run, prices, bar, BY_OPEN, opened, sign, stop, target, trigger, exit)
    return (bar << MODE_BITS) | mode


@rule
def _go(
    run: Run, prices: F64_2D, bar: int, part: int, at: float, sign: float, stop: float,
    target: float, trigger: float, exit: F64_1D,
) -> int:  # fmt: skip # where it begins, then what it meets
    """Go the way of a bar from `at` on a part of it, BY_OPEN: its open; return how it ends."""
    lowest = at
    opened, high, low = prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_high_first = high - opened < opened - low
    for point in range(part, 3):
        to, is_open = at, point == BY_OPEN
        if not is_open:
            to = sign * (high if (point == 0) == is_high_first else low)
            to = sign * prices[bar, CLOSE] if point == 2 else to
        below = max(0.0, at - stop) if stop >= min(to, at) else math.inf
        above = max(0.0, trigger - at) if trigger <= max(to, at) else math.inf
        # With both behind the price the limit fills.
        met = max(trigger, at) if above <= below else min(stop, at)
        is_over = min(below, above) < math.inf
        at = met if is_over else to
        lowest = min(lowest, at)
        if not is_open:
            exit[EXIT_WORST] = min(exit[EXIT_WORST], at)
        if not is_over:
            continue
        price = sign * at
        exit[EXIT_WAY] = price if is_high_first == (point != 1) else -price
        if above > below:
            exit[EXIT_PRICE] = slipped_price(run, due_price(run, price), -sign, 0.0)
        else:
            exit[EXIT_PRICE] = due_price(run, price if is_open else sign * max(target, lowest))
        return AT_LEVEL if is_open else ON_THE_WAY + point
    return NO_MODE


@rule
def _follow(
    run: Run, prices: F64_2D, reach: F64_2D, slip_ratio: F64_1D, row: F64_1D, part: int,
    atr: float, last: int, exit: F64_1D,
) -> int:  # fmt: skip # what it reads, then what it finds
    """Write how levels that move end the position of an order; return what is known then."""
    where, count = int(row[R_WHERE]), len(prices)
    sign, bar = 1.0 if where & IS_SHORT == 0 else -1.0, where >> WHERE_BITS
    enter(run, row[R_PRICE], sign, math.nan, math.nan, atr, row[R_CLOSE])
    end, is_passed, price, worst, first = bar, False, STAYS, 0.0, bar
    if part != BY_OPEN:
        run[PRICE] = run[PATH_HIGH] = run[PATH_LOW] = row[R_MET]
        run[THE_LOT + LOT_HIGH] = run[THE_LOT + LOT_LOW] = row[R_PRICE]
        slip_at(run, slip_ratio, bar - 1)
        price, first = walk_way(run, prices, bar, sign, part), bar + 1
        worst = run[THE_LOT + LOT_LOW] if sign > 0 else -run[THE_LOT + LOT_HIGH]
    if price != price:
        end, is_passed, price, worst = find_exit_from(
            run, prices, reach, slip_ratio, first, last, part == BY_OPEN
        )
        worst = worst if part == BY_OPEN else min(worst, row[R_REST])
    if end == count:
        return -last - 1
    mode, is_rising = AT_LEVEL, True
    if not is_passed:
        part, opened = int(run[PART]), prices[end, OPEN]
        is_high_first = prices[end, HIGH] - opened < opened - prices[end, LOW]
        mode, is_rising = ON_THE_WAY + part, is_high_first == (part != 1)
    exit[EXIT_WAY] = run[PRICE] if is_rising else -run[PRICE]
    exit[EXIT_PRICE], exit[EXIT_WORST] = price, worst
    return (end << MODE_BITS) | mode


def _walk(
    run: F64_1D, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, row: F64_1D, code: int,
    atr: float, known: int, last: int, exit: F64_1D,
) -> int:  # fmt: skip # what it reads, then what it finds
    """Look for the end of the position of an order of this code, up to bar `last`.

    `known` and what is returned are the code of its end or, below 0, the first bar not looked at.
    """
    mode = code & MODE_MASK
    part = BY_OPEN if mode == AT_OPEN else mode - ON_THE_WAY
    if stands_still(run, math.nan):
        return _search(run, opens, prices, slip_ratio, row, part, atr, known, last, exit)
    return _follow(run, prices, opens.reach, slip_ratio, row, part, atr, last, exit)


walk = shared(_walk)
