"""Both sides of a set, event by event: ends of positions, decisions at closes, fills at opens.

Theory. Each side enters on its own wishes and holds one entry, whose end hangs on that entry alone,
whatever the other side does (`engines/hedge.py`). What they share is the account, which both ask
where they decide (`decisions`). So a set is one pass over its wishes, with the ends of both sides
between them, in the order of bars; in one bar all that the long side does comes before all that the
short side does. Sums are the machine's (`summary`).

Bars in which both sides hold are marked together (`tally`): there the net quantity counts.

Many sets go side by side, span by span of the bars, as stacks do. A set is unsure where a position
comes near to its liquidation.
"""

import numpy as np

from engines.kernels._compiled import inlined
from engines.kernels._prefetch import prefetch
from engines.kernels.chains.columns import (
    AT_LEVEL,
    I32_1D,
    LINE,
    MODE_BITS,
    MODE_MASK,
    NO_LEVELS,
    O_MONTH,
    O_OPEN,
    O_PRICE,
    WISH_BITS,
    WISH_MASK,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.hedges.columns import (
    COUNTS,
    CURSOR,
    ENTRY,
    FEE,
    FUNDING,
    FUNDING_OPEN,
    IS_UNSURE,
    LAST_FILL,
    LEAVES,
    LEVEL,
    MONTH,
    NET,
    NO_ENTRY,
    PLACE,
    PRICE,
    QTY,
    ROUND_BAR,
    SETTLED_PEAK,
    SETTLEMENT,
    SHARE,
    SOON,
    STEPS,
    TIMED,
    WANTED,
    Course,
    Sides,
)
from engines.kernels.hedges.decisions import decide
from engines.kernels.hedges.money import lacks_where_it_fills
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.lanes import SURE, fee
from engines.kernels.slots import (
    ANY_WISH,
    DEDUCTION,
    ENDS,
    ENTERS_LONG,
    ENTERS_SHORT,
    LEAVES_LONG,
    LEAVES_SHORT,
    MAINTENANCE,
)
from engines.kernels.stacks.rounds import (
    begin_rounds,
    end_round_at,
    first_share,
    weigh_trade,
)
from engines.kernels.stacks.rows import qty_of
from engines.kernels.summary import (
    BEFORE,
    BEFORE_PEAK,
    NET_PROFIT,
    add_exposure,
    add_fall,
    add_open,
    add_result,
    begin_sums,
    deepen,
    end_month,
)
from engines.types import F64_1D, I64_1D

SOON_WISHES = 4  # ahead of the one that acts, what is read of the market is asked for


@inlined
def begin(sides: Sides, fixed: Fixed, terms: F64_1D) -> None:
    """Put a set into the state before its first bar; `terms` are those of its plan."""
    sides.held[:] = 0.0
    for side in range(2):
        begin_rounds(sides.runs[side], terms)
        sides.held[SHARE + side] = first_share(terms, fixed.share)
    sides.now[:] = 0
    begin_sums(sides.sums, 0, fixed.capital)
    sides.held[SETTLED_PEAK] = fixed.capital
    sides.now[ENTRY] = sides.now[ENTRY + 1] = NO_ENTRY
    sides.now[LAST_FILL] = -1
    sides.now[COUNTS] = ANY_WISH


@inlined
def walk_set(course: Course, wishes: I32_1D, row: int, sides: Sides, until: int) -> None:
    """Trade the wishes of a set as far as bar `until`, or to its end if that is the last one.

    `row` is that of its plan among the exits.
    """
    bars, now = course.opens.bars, sides.now
    own = int(now[CURSOR])
    while own < len(wishes):
        bar, wish = int(wishes[own]) >> WISH_BITS, int(wishes[own]) & WISH_MASK
        if bar >= min(until, bars - 1):
            break
        own += 1
        if bar < now[SOON] and wish & now[COUNTS] == 0:
            continue
        _ask_ahead(course, wishes, own)
        _go_on(course, row, sides, bar)
        is_any = False
        for side in range(2):
            _settle(course, sides, side, bar, True)
        for side in range(2):
            is_any |= decide(course, sides, bar, wish, side)
        if is_any:
            _fill(course, row, sides, bar + 1)
        _look_ahead(course, now)
    now[CURSOR] = own
    if until >= bars:
        _go_on(course, row, sides, bars - 1)
        _value_open(course, sides)
        while now[MONTH] < course.fixed.months:
            end_month(sides.sums, 0)
            now[MONTH] += 1


@inlined
def _ask_ahead(course: Course, wishes: I32_1D, place: int) -> None:
    """Ask for what fills read of the market at a wish some places on."""
    line = np.uint64(wishes[min(place + SOON_WISHES, len(wishes) - 1)]) >> np.uint64(WISH_BITS)
    prefetch(course.opens.lines, (line + np.uint64(1)) * np.uint64(LINE))


@inlined
def _fill(course: Course, row: int, sides: Sides, bar: int) -> None:
    """Fill at the open of a bar what both sides have decided, the long one first."""
    now = sides.now
    _reach(course, sides, bar)
    for side in range(2):
        if now[LEAVES + side] != 0:
            now[LEAVES + side] = 0
            _end(course, row, sides, side, bar, True)
        if sides.held[WANTED + side] > 0:
            _enter(course, row, sides, side, bar)
        if now[ENTRY + side] != NO_ENTRY and now[LEVEL + side] == bar:
            _end(course, row, sides, side, bar, False)
        # The short side sees what the long one has paid in the whole bar.
        _settle(course, sides, side, bar, side == 0)


@inlined
def _look_ahead(course: Course, now: I64_1D) -> None:
    """Note until when no position ends by itself, and which wishes count before."""
    soon, counts = course.opens.bars, 0
    for side in range(2):
        leaves, enters = LEAVES_LONG, ENTERS_LONG
        if side != 0:
            leaves, enters = LEAVES_SHORT, ENTERS_SHORT
        if now[ENTRY + side] == NO_ENTRY:
            counts |= enters & course.decides.enters
            continue
        counts |= leaves | ENDS
        soon = min(soon, min(now[LEVEL + side], now[TIMED + side]))
    now[SOON], now[COUNTS] = soon, counts


@inlined
def _go_on(course: Course, row: int, sides: Sides, bar: int) -> None:
    """End the positions that end in the bars up to `bar`, in their order."""
    now = sides.now
    while True:
        first, side = bar + 1, 0
        for own in range(2):
            if now[ENTRY + own] == NO_ENTRY:
                continue
            end = min(now[LEVEL + own], now[TIMED + own] + 1)
            if end < first:
                first, side = end, own
        if first > bar:
            return
        is_timed = now[TIMED + side] < now[LEVEL + side]
        _reach(course, sides, first)
        _end(course, row, sides, side, first, is_timed)


@inlined
def _reach(course: Course, sides: Sides, bar: int) -> None:
    """Note what was before the first fill of a bar: months, and what both held together."""
    held, now, sums, fixed = sides.held, sides.now, sides.sums, course.fixed
    month = int(course.opens.lines[bar * LINE + O_MONTH])
    while now[MONTH] < month:
        end_month(sums, 0)
        now[MONTH] += 1
    if now[LAST_FILL] == bar:
        return
    settled = fixed.capital + sums[NET_PROFIT]
    peak = held[SETTLED_PEAK] = max(held[SETTLED_PEAK], settled)
    start = now[LAST_FILL] + 1
    now[LAST_FILL] = bar
    if now[ENTRY] == NO_ENTRY or now[ENTRY + 1] == NO_ENTRY or start >= bar:
        return
    unit = (held[QTY] - held[QTY + 1]) * fixed.point_value
    cost = (held[QTY] * held[PRICE] - held[QTY + 1] * held[PRICE + 1]) * fixed.point_value
    settled -= cost + held[FEE] + held[FEE + 1]
    if unit != 0:
        against = np.uint64(0 if unit > 0 else 1)
        settled += abs(unit) * lowest(course.opens, np.uint64(start), np.uint64(bar), against)
    fall = max(peak - settled, 0.0)
    deepen(sums, 0, fall, fall / peak)


@inlined
def _settle(course: Course, sides: Sides, side: int, bar: int, is_over: bool) -> None:
    """Settle funding of a side as far as the fills of a bar's open, or the bar's end."""
    held, now, payments, fixed = sides.held, sides.now, course.payments, course.fixed
    if len(payments.rates) == 0:
        return
    stop = int(payments.before[bar + 1] if is_over else payments.after[bar])
    if now[ENTRY + side] != NO_ENTRY:
        qty, steps = (1.0 - 2.0 * side) * held[QTY + side], held[STEPS + side]
        for place in range(now[SETTLEMENT + side], stop):
            paid = qty * payments.prices[place] * fixed.point_value * payments.rates[place]
            held[FUNDING + side] += paid * steps / steps
            held[FUNDING_OPEN + side] += paid
    now[SETTLEMENT + side] = max(int(now[SETTLEMENT + side]), stop)


@inlined
def _enter(course: Course, row: int, sides: Sides, side: int, bar: int) -> None:
    """Fill the entry of a side at the open of a bar, unless the account cannot carry it."""
    held, now, fixed, lines = sides.held, sides.now, course.fixed, course.opens.lines
    steps, price = min(held[WANTED + side], fixed.room_steps), lines[bar * LINE + O_PRICE + side]
    qty = qty_of(fixed, steps)
    held[WANTED + side] = 0.0
    _settle(course, sides, side, bar, False)
    is_too_large = qty * price * fixed.point_value > fixed.value_max
    if steps <= 0 or is_too_large or lacks_where_it_fills(sides, fixed, side, steps, price):
        return
    if now[ENTRY + 1 - side] == NO_ENTRY:
        now[ROUND_BAR] = bar
    held[STEPS + side], held[QTY + side], held[PRICE + side] = steps, qty, price
    held[FEE + side] = fee(fixed, qty, price)
    now[ENTRY + side], now[TIMED + side] = bar, bar - 1 + course.decides.held_max
    now[LEVEL + side] = course.opens.bars + 1
    if row != NO_LEVELS:
        place = course.exits.places[2 * bar + side]
        end = int(course.exits.ends[row, place]) >> MODE_BITS
        now[PLACE + side] = place
        now[LEVEL + side] = end if end < course.opens.bars else course.opens.bars + 1
    opened = (1.0 - 2.0 * side) * lines[bar * LINE + O_OPEN]
    _judge(course, sides, side, opened)


@inlined
def _judge(course: Course, sides: Sides, side: int, worst: float) -> None:
    """Mark the set unsure if a side comes near to its liquidation at a signed price."""
    held, fixed, sign = sides.held, course.fixed, 1.0 - 2.0 * side
    unit = held[QTY + side] * fixed.point_value
    cost, lost = held[PRICE + side] * unit, (sign * held[PRICE + side] - worst) * unit
    left = cost / fixed.leverage - max(0.0, lost) - cost * (1 - SURE)
    for tier in range(len(course.tiers)):
        asked = cost * course.tiers[tier, MAINTENANCE] - course.tiers[tier, DEDUCTION]
        if asked >= left:
            held[IS_UNSURE] = 1.0


@inlined
def _end(course: Course, row: int, sides: Sides, side: int, bar: int, is_at_open: bool) -> None:
    """End the position of a side at the open of a bar, or by the level that is met in it."""
    held, now, fixed, opens = sides.held, sides.now, course.fixed, course.opens
    sign, is_over = 1.0 - 2.0 * side, False
    if not is_at_open:
        is_over = int(course.exits.ends[row, now[PLACE + side]]) & MODE_MASK > AT_LEVEL
    _settle(course, sides, side, bar, is_over)
    if is_at_open:
        price = opens.lines[bar * LINE + O_PRICE + 1 - side]
        worst = lowest(opens, np.uint64(now[ENTRY + side]), np.uint64(bar), np.uint64(side))
        worst = min(worst, sign * opens.lines[bar * LINE + O_OPEN])
    else:
        place = now[PLACE + side]
        price, worst = course.exits.prices[row, place], course.exits.worst[row, place]
    pnl, adverse, entry_fee, exit_fee, funding = _result(sides, fixed, side, price, worst)
    _judge(course, sides, side, min(worst, sign * price))
    entered = now[ENTRY + side]
    held[NET + side] += pnl
    add_result(sides.sums, 0, pnl, entry_fee + exit_fee, funding, float(bar - entered + 1))
    _fall(sides, pnl, adverse * held[QTY + side] * fixed.point_value + entry_fee)
    if course.looks.counts_rounds:
        run, qty, base = sides.runs[side], held[QTY + side], held[PRICE + side]
        weigh_trade(run, pnl, base * (qty * fixed.point_value) + entry_fee, base * qty)
        held[SHARE + side] = end_round_at(run, course.days, bar, held[SHARE + side])
    held[STEPS + side] = held[QTY + side] = held[FEE + side] = held[PRICE + side] = 0.0
    held[FUNDING + side] = held[FUNDING_OPEN + side] = 0.0
    now[ENTRY + side] = NO_ENTRY
    if now[ENTRY + 1 - side] == NO_ENTRY:
        add_exposure(sides.sums, 0, float(now[ROUND_BAR]), float(bar))


@inlined
def _result(
    sides: Sides, fixed: Fixed, side: int, price: float, worst: float
) -> tuple[float, float, float, float, float]:
    """Return what a side's position brings at a price, how far it fell, and its fees."""
    held, sign = sides.held, 1.0 - 2.0 * side
    steps, qty, base = held[STEPS + side], held[QTY + side], held[PRICE + side]
    entry_fee = held[FEE + side] * steps / steps
    exit_fee = fee(fixed, qty, price) * steps / steps * steps / steps
    gain = sign * (price - base)
    funding = held[FUNDING + side] * steps / steps
    pnl = gain * (qty * fixed.point_value) - entry_fee - exit_fee - funding
    return pnl, max(0.0, sign * base - worst, -gain), entry_fee, exit_fee, funding


@inlined
def _fall(sides: Sides, pnl: float, mae: float) -> None:
    sums = sides.sums
    add_fall(sums, 0, sums[BEFORE_PEAK], sums[BEFORE] - max(max(0.0, mae), -pnl))


@inlined
def _value_open(course: Course, sides: Sides) -> None:
    """Value what is open at the last close."""
    held, now, opens = sides.held, sides.now, course.opens
    if now[ENTRY] == NO_ENTRY and now[ENTRY + 1] == NO_ENTRY:
        return
    if now[ENTRY] != NO_ENTRY and now[ENTRY + 1] != NO_ENTRY:
        _reach(course, sides, opens.bars)
    add_exposure(sides.sums, 0, float(now[ROUND_BAR]), float(opens.bars - 1))
    for side in range(2):
        if now[ENTRY + side] == NO_ENTRY:
            continue
        _settle(course, sides, side, opens.bars - 1, True)
        price = opens.lines[opens.bars * LINE + O_PRICE + 1 - side]
        start, stop = np.uint64(now[ENTRY + side]), np.uint64(opens.bars)
        worst = lowest(opens, start, stop, np.uint64(side))
        pnl, adverse, entry_fee, _, funding = _result(sides, course.fixed, side, price, worst)
        _judge(course, sides, side, worst)
        add_open(sides.sums, 0, entry_fee, funding)
        _fall(sides, pnl, adverse * held[QTY + side] * course.fixed.point_value + entry_fee)
