"""How a stop and a target that stand still end a position: a search, as nothing moves on the way.

Theory. It is the walk of `exit_walk` where a leg has no trailing part and no breakeven. Prices are
multiplied by the position's sign, as in `passage.walk`: the stop lies below and the target above.
Between the entry and the exit no bar comes to either, so blocks of bars are stepped over by their
extremes, which say as well how far the price went against the position. Only the bar of the exit is
asked for its open and its way; bars are read with these, though the search needs half of it, since
memory would be waited for once more.

What the open has passed fills there, with both behind it the limit; then the price goes to the
extreme nearer to the open, and to the other one. A limit that is verified is searched for where the
price has to go to, some ticks beyond it, and then fills at itself, or at the better price of all on
the way of that bar. An entry at a close (`Opens.lag`) may have passed a level there, and the open
of the next bar is one like any other.
"""

import math

import numpy as np

from engines.kernels._compiled import inlined, rule
from engines.kernels.chains.columns import (
    LINE,
    LONG,
    LOOKS,
    O_CLOSE,
    SPAN_BITS,
    SPANS,
    Opens,
)
from engines.kernels.columns import F64_2D, Run
from engines.kernels.money import due_price, slipped_price
from engines.kernels.passage.events import slip_at, stop_of, target_of
from engines.kernels.rounding import price_of, ticks_nearest
from engines.kernels.search import LARGE_BITS, LARGE_MASK, SMALL_BITS, SMALL_MASK
from engines.kernels.slots import (
    BREAKEVEN_GAIN,
    HAS_EXITS,
    HIGH,
    LOW,
    NO_TRAIL,
    OPEN,
    PROFIT_ATR,
    PROFIT_RATIO,
    STOP_ATR,
    STOP_RATIO,
    TARGETS,
    TRAIL_UNIT,
    VERIFY_TICKS,
)
from engines.types import F64_1D

LONGEST_SPAN = 1 << (SPAN_BITS * (SPANS - 1))  # bars


@rule
def stands_still(run: Run, target: float) -> bool:
    """Return whether the leg of an entry is a stop and a target that nothing moves.

    `target` is the one that the strategy gives, NaN if it leaves that to the plan.
    """
    is_one = target == target or run[TARGETS] == 0
    return bool(
        run[TRAIL_UNIT] == NO_TRAIL and run[BREAKEVEN_GAIN] != run[BREAKEVEN_GAIN] and is_one
    )


@rule
def find_bracket_exit(
    run: Run, opens: Opens, prices: F64_2D, slip_ratio: F64_1D, first: int, last: int, side: int,
    base: float, given_stop: float, given_target: float, atr: float,
) -> tuple[int, bool, float, float]:  # fmt: skip # one list
    """Return how a level ends the position of an entry at `base` at the open of bar `first`.

    `atr` is that of the deciding close, NaN if the plan sets no level by it.
    Returns: as `exit_walk.find_exit`.
    """
    nothing = opens.bars, False, 1.0, 0.0
    is_given = given_stop == given_stop and given_stop != 0
    is_given |= given_target == given_target and given_target != 0
    if run[HAS_EXITS] == 0 and not is_given:
        return nothing
    sign = 1.0 if side == LONG else -1.0
    close = opens.lines[first * LINE + O_CLOSE]
    stop = stop_of(run, given_stop, run[STOP_RATIO], run[STOP_ATR], atr, close, base, sign)
    target = target_of(run, given_target, run[PROFIT_RATIO], run[PROFIT_ATR], atr, base, sign)
    trigger = trigger_of(run, target, sign)
    if opens.lag != 0 and (trigger <= sign * close or stop >= sign * close):
        slip_at(run, slip_ratio, max(0, first - 2))
        price = due_price(run, close)
        price = price if trigger <= sign * close else slipped_price(run, price, -sign, 0.0)
        return first - 1, True, price, math.inf
    bar, worst = skip(opens, prices, first, last, side, stop, trigger)
    if bar > last:
        return nothing
    opened, high, low = sign * prices[bar, OPEN], prices[bar, HIGH], prices[bar, LOW]
    is_up_first = (high - prices[bar, OPEN] < prices[bar, OPEN] - low) == (side == LONG)
    against = low if side == LONG else -high
    before = worst if bar == first and opens.lag == 0 else min(worst, opened)
    slip_at(run, slip_ratio, bar - 1)
    if trigger <= opened:
        return bar, True, due_price(run, sign * opened), before
    if stop >= opened:
        return bar, True, slipped_price(run, due_price(run, sign * opened), -sign, 0.0), before
    along = high if side == LONG else -low
    if trigger <= along and (is_up_first or stop < against):
        worst = before if is_up_first else min(before, against)
        price = max(target, opened if is_up_first else against)
        return bar, False, due_price(run, sign * price), worst
    price = slipped_price(run, due_price(run, sign * stop), -sign, 0.0)
    return bar, False, price, min(before, stop)


@rule
def trigger_of(run: Run, target: float, sign: float) -> float:
    """Return where the price must go to for the limit at `target` to fill, in its direction."""
    if run[VERIFY_TICKS] == 0 or target == math.inf:
        return target
    return sign * price_of(run, ticks_nearest(run, sign * target) + sign * run[VERIFY_TICKS])


@rule
def skip(
    opens: Opens, prices: F64_2D, first: int, last: int, side: int, stop: float, target: float
) -> tuple[int, float]:
    """Return the first bar of [first, last] that comes to a level, and the lowest price until it.

    The bar is `last` + 1 if there is none.
    """
    reach, bar, end = opens.reach, np.uint64(first), np.uint64(last + 1)
    mask, bits = np.uint64(SMALL_MASK), np.uint64(SMALL_BITS)
    down = stop if side == LONG else -target
    up = target if side == LONG else -stop
    lowest, highest = math.inf, -math.inf
    while bar < end:
        if bar & mask == np.uint64(0) and bar + mask < end:
            row = np.uint64(opens.bars) + (bar >> bits)
            if reach[row, 0] < up and reach[row, 1] > down:
                lowest, highest = min(lowest, reach[row, 1]), max(highest, reach[row, 0])
                bar += mask + np.uint64(1)
                continue
        high, low = prices[bar, HIGH], prices[bar, LOW]
        if high >= up or low <= down:
            break
        lowest, highest = min(lowest, low), max(highest, high)
        bar += np.uint64(1)
    return int(np.int64(bar)), lowest if side == LONG else -highest


@inlined
def first_met(
    opens: Opens, first: int, last: int, side: int, stop: float, target: float
) -> int:  # fmt: skip # one list
    """Return the first bar of [first, last] that comes to a level, `last` + 1 if there is none.

    The longest spans are stepped over one by one, and whole blocks where they begin; of the finer
    ones three are judged at a time, since a branch on each would be foretold wrongly.
    """
    reach, bar, end = opens.reach, np.uint64(first), np.uint64(last + 1)
    down = stop if side == LONG else -target
    up = target if side == LONG else -stop
    mask, bits, longest = np.uint64(LARGE_MASK), np.uint64(LARGE_BITS), np.uint64(LONGEST_SPAN)
    blocks = np.uint64(opens.bars + ((opens.bars + SMALL_MASK) >> SMALL_BITS))
    while bar + longest <= end:
        row, block_end = blocks + (bar >> bits), (bar | mask) + np.uint64(1)
        is_near = bar & mask < longest and block_end <= end
        if is_near and reach[row, 0] < up and reach[row, 1] > down:
            bar = block_end
        elif _is_clear(opens, np.uint64(SPANS - 1), bar, side, stop, target):
            bar += longest
        else:
            break
    for finer in range(1, SPANS):
        kind = np.uint64(SPANS - 1 - finer)
        width = np.uint64(1) << np.uint64(SPAN_BITS) * kind
        steps, is_clear = np.uint64(0), True
        for step in range(1, LOOKS):
            place = bar + width * np.uint64(step - 1)
            is_clear &= bool(place + width <= end)
            is_clear &= _is_clear(opens, kind, place, side, stop, target)
            steps += np.uint64(is_clear)
        bar += width * steps
    return int(np.int64(bar))


@inlined
def _is_clear(
    opens: Opens, kind: np.uint64, bar: np.uint64, side: int, stop: float, target: float
) -> bool:
    """Return whether no bar of the span from one on, or of what there is of it, meets a level."""
    bars = np.uint64(opens.bars)
    place, row = min(bar, bars - np.uint64(1)), np.uint64(2) * kind * bars
    low = opens.lowest[row + np.uint64(side) * bars + place]
    high = -opens.lowest[row + np.uint64(1 - side) * bars + place]
    return bool((low > stop) & (high < target))
