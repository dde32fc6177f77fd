"""Limits that end what a lane holds: fills of a day, losses of a day, the largest drawdown.

Theory. The rules of `caps` and `forced` for one entry at a time. A cap of the day closes what is
held and lets nothing in until the next trading day, the largest drawdown nothing any more. While
nothing is let in nothing is held, so a lane has but to know the bar before which no wish passes
(HALTED_UNTIL), and to go back among its wishes to the one behind its entry (BEGUN).

Fills are counted: a reversal is one, what a limit closes is none. The entry that is the last one of
its day is closed where it fills. Losses and drawdowns hang on equity at the bars of a position. So
once its end is looked up it is bounded: what equity was at the worst price, and at the best close,
from which both limits count. Only a position that comes near to a limit is walked, bar by bar, by
the operations of the machine (`gates.limit_walk`), and so is one whose funding may tell how high
equity has come. When its result is known, what is realised is judged, too (`conclude`): that may
halt the day, and an entry that waits at the same open. After a close by the loss of a day the
drawdown is judged by a later order that fills nothing, if any: a set that came so low is unsure.

A day begins with what equity was at the close before, so each position, walked or not, leaves the
loss of the last day that began while it was held.
"""

import math

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import (
    AT_LEVEL,
    LINE,
    MODE_BITS,
    MODE_MASK,
    O_CLOSE,
    O_OPEN,
    Exits,
    Given,
    Opens,
)
from engines.kernels.chains.lanes import OPENED, WORST
from engines.kernels.chains.walk import lowest
from engines.kernels.gates.columns import (
    CUT,
    DAY_END,
    DAY_FILLS,
    DAY_LEAST,
    ENDS,
    ENTRY,
    HALTED_UNTIL,
    IS_AT_ONCE,
    IS_SHORT,
    LAST_END,
    NEVER,
    NEXT,
    NO_ENTRY,
    TOP,
    UNKNOWN,
    Gates,
    Watch,
)
from engines.kernels.gates.limit_walk import (
    BY_DRAWDOWN,
    BY_FILLS,
    BY_LOSS,
    NOISE,
    NOT_CUT,
    cut,
    end_trading,
    equity_at,
    first_settlement,
    least_of,
    walk_limits,
)
from engines.kernels.gates.profit import pay_until
from engines.kernels.passage.columns import (
    ALONE,
    OPEN_AT_END,
    RELIEVED,
    REVERSED,
    U64_1D,
    Fixed,
    Payments,
)
from engines.kernels.passage.lanes import (
    AT_HORIZON,
    ENTRY_PRICE,
    FUNDING_MAX,
    IS_UNSURE,
    LANES,
    MODE,
    NET,
    PNL,
    QTY,
    SIDE,
)
from engines.types import F64_1D, I64_1D

NOT_YET = -1  # the end of the first trading day, while nothing has filled


@rule
def has_limits(gates: Gates) -> bool:
    """Return whether a plan has any limit."""
    return gates.fills_max != NEVER or looks_at_money(gates)


@rule
def looks_at_money(gates: Gates) -> bool:
    """Return whether a plan has limits that look at equity."""
    return min(gates.loss_ratio, gates.loss_quote, gates.drawdown) < math.inf


@rule
def forget_limits(stands: I64_1D, lanes: F64_1D, lane: int, fixed: Fixed) -> None:
    """Let nothing have been filled yet."""
    stands[DAY_END + lane] = NOT_YET
    stands[DAY_FILLS + lane] = stands[IS_AT_ONCE + lane] = stands[CUT + lane] = 0
    lanes[TOP + lane], lanes[DAY_LEAST + lane] = fixed.capital, -math.inf


@rule
def heed(
    stands: I64_1D, lanes: F64_1D, places: U64_1D, gates: Gates, watch: Watch, opens: Opens,
    given: Given, exits: Exits, atr: F64_1D, payments: Payments, fixed: Fixed,
) -> bool:  # fmt: skip # where the lanes stand, then what is read
    """Find whether limits end the position of a lane earlier; return whether any is so."""
    is_any, counts_money = False, looks_at_money(gates)
    for lane in range(LANES):
        stands[CUT + lane] = NOT_CUT
        if stands[ENTRY + lane] == NO_ENTRY:
            continue
        _begin(stands, lanes, lane, gates, watch, opens, fixed)
        if stands[IS_AT_ONCE + lane] != 0:
            stands[IS_AT_ONCE + lane] = 0
            line, price = stands[ENTRY + lane] + 1, lanes[ENTRY_PRICE + lane]
            cut(
                stands, lanes, places, lane, opens, line, AT_LEVEL, price, math.inf, BY_FILLS
            )  # fmt: skip # one call
        elif counts_money and _is_near(stands, lanes, lane, gates, watch, opens, payments, fixed):
            walk_limits(
                stands, lanes, places, lane, gates, watch, opens, given, exits, atr, payments,
                fixed,
            )  # fmt: skip # one call
        else:
            _start_days(stands, lanes, lane, gates, watch, opens, payments, fixed)
        is_any |= stands[CUT + lane] != NOT_CUT
    return is_any


@rule
def _begin(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, watch: Watch, opens: Opens, fixed: Fixed
) -> None:
    """Note what a lane had before the bar in which its position was entered, and the fill."""
    filled = stands[ENTRY + lane] + 1 - opens.lag
    if stands[DAY_END + lane] == NOT_YET:
        stands[DAY_END + lane] = watch.first
    if stands[LAST_END + lane] < filled:
        flat, day = fixed.capital + lanes[NET + lane], stands[DAY_END + lane]
        lanes[TOP + lane] = max(lanes[TOP + lane], flat)
        if day <= filled:
            while day <= filled:
                day = watch.next_day[day]
            stands[DAY_END + lane], stands[DAY_FILLS + lane] = day, 0
            lanes[DAY_LEAST + lane] = least_of(gates, flat)
    if (lanes[MODE + lane] != REVERSED) & (lanes[MODE + lane] != RELIEVED):
        _count_entry(stands, lane, gates)


@rule
def _count_entry(stands: I64_1D, lane: int, gates: Gates) -> None:
    """Count the fill that enters; one that is the last of its day is closed where it fills."""
    stands[DAY_FILLS + lane] += 1
    if stands[DAY_FILLS + lane] >= gates.fills_max:
        stands[IS_AT_ONCE + lane] = 1


@rule
def _is_near(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, watch: Watch, opens: Opens,
    payments: Payments, fixed: Fixed,
) -> bool:  # fmt: skip # where the lane stands, then what is read
    """Return whether a position may meet a limit; note how high equity came if it does not."""
    entered, end = stands[ENTRY + lane] + 1, (stands[ENDS + lane] >> MODE_BITS) - opens.lag
    side, start = lanes[SIDE + lane], entered - opens.lag
    opened = side * opens.lines[entered * LINE + O_OPEN]
    worst = min(lanes[WORST + lane], min(opened, side * lanes[OPENED + lane]))
    low = equity_at(lanes, lane, fixed, side * worst, lanes[FUNDING_MAX + lane])
    best = lanes[ENTRY_PRICE + lane]
    if end > start:
        other = np.uint64(1 - stands[IS_SHORT + lane])
        best = -side * lowest(watch.closes, np.uint64(start), np.uint64(end), other)
    high, received, has_paid = equity_at(lanes, lane, fixed, best, 0.0), 0.0, False
    if len(payments.rates) > 0:
        has_paid, received = _received(stands, lanes, lane, opens, payments, fixed, end)
    top = max(lanes[TOP + lane], high + received)
    may_end = not low > top * (1 - gates.drawdown) + NOISE * top
    least = lanes[DAY_LEAST + lane]
    if stands[DAY_END + lane] <= end:
        least = max(least, least_of(gates, high + received))
    may_end |= not low > least + NOISE * top
    if may_end or (has_paid and gates.drawdown < math.inf and top > lanes[TOP + lane]):
        return True
    if end > start and not has_paid:
        lanes[TOP + lane] = max(lanes[TOP + lane], high)
    return False


@rule
def _received(
    stands: I64_1D, lanes: F64_1D, lane: int, opens: Opens, payments: Payments, fixed: Fixed,
    end: int,
) -> tuple[bool, float]:  # fmt: skip # where the lane stands, then what is read
    """Return whether funding is settled while a lane holds, and the most that it receives."""
    first = first_settlement(stands, lane, payments, opens.lag)
    last = int(payments.before[min(end, opens.bars - 1 - opens.lag) + 1])
    qty, received = lanes[SIDE + lane] * lanes[QTY + lane], 0.0
    for place in range(first, max(first, last)):
        paid = qty * payments.prices[place] * fixed.point_value * payments.rates[place]
        received += max(0.0, -paid)
    return last > first, received


@rule
def _start_days(
    stands: I64_1D, lanes: F64_1D, lane: int, gates: Gates, watch: Watch, opens: Opens,
    payments: Payments, fixed: Fixed,
) -> None:  # fmt: skip # where the lane stands, then what is read
    """Note the last day that begins while a lane holds its position."""
    last = min((stands[ENDS + lane] >> MODE_BITS) - opens.lag, opens.bars - 1 - opens.lag)
    bar, day = -1, stands[DAY_END + lane]
    while day <= last:
        bar, day = day, watch.next_day[day]
    if bar < 0:
        return
    paid, settled = 0.0, first_settlement(stands, lane, payments, opens.lag)
    _, paid = pay_until(lanes, lane, payments, fixed.point_value, bar - 1, settled, paid)
    close = opens.lines[bar * LINE + O_CLOSE]
    stands[DAY_END + lane], stands[DAY_FILLS + lane] = day, 0
    lanes[DAY_LEAST + lane] = least_of(gates, equity_at(lanes, lane, fixed, close, paid))


@rule
def conclude(stands: I64_1D, lanes: F64_1D, gates: Gates, fixed: Fixed) -> None:
    """Judge what was realised, and the fills, where the position of each lane ends."""
    for lane in range(LANES):
        mode, how = stands[ENDS + lane] & MODE_MASK, stands[CUT + lane]
        if stands[ENTRY + lane] == NO_ENTRY or mode == OPEN_AT_END or how == BY_DRAWDOWN:
            continue
        settled = fixed.capital + (lanes[NET + lane] + lanes[PNL + lane])
        floor = lanes[TOP + lane] * (1 - gates.drawdown)
        if how == BY_LOSS:
            if settled <= floor + NOISE * lanes[TOP + lane]:
                lanes[IS_UNSURE + lane] = 1.0
            continue
        is_halted = how == BY_FILLS
        if not is_halted:
            stands[DAY_FILLS + lane] += 1
            is_halted = stands[DAY_FILLS + lane] >= gates.fills_max
        if mode == REVERSED:
            stands[IS_AT_ONCE + lane] = 1 if is_halted else 0
            continue
        is_halted |= settled <= lanes[DAY_LEAST + lane]
        if is_halted:
            stands[HALTED_UNTIL + lane] = stands[DAY_END + lane]
        is_over = settled <= floor
        if mode == RELIEVED and (is_halted or is_over):  # The order that waits is cancelled.
            stands[NEXT + lane], stands[ENDS + lane] = UNKNOWN, stands[ENDS + lane] - RELIEVED
            lanes[AT_HORIZON + lane] = float(ALONE)
        elif mode == RELIEVED:
            _count_entry(stands, lane, gates)
        if is_over:
            end_trading(stands, lane)
