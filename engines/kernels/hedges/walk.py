"""Both sides of a set, event by event: ends of positions, decisions at closes, fills at opens.

Theory. Each side enters on its own wishes and holds one entry, whose end hangs on that entry alone,
whatever the other side does (`engines/hedge.py`). What they share is the account: an entry spends a
share of what both have earned and of what both positions are worth at the deciding close. So a set
is one pass over its wishes, with the ends of both sides between them, in the order of bars; in one
bar all that the long side does comes before all that the short side does. Sums are the machine's
(`summary`).

Bars in which both sides hold are marked together (`tally`): there the net quantity counts.

A set is unsure where an entry comes near to what the account can pay or to the least size, and a
position near to its liquidation.
"""

import numpy as np

from engines.kernels._compiled import rule
from engines.kernels.chains.columns import (
    I32_1D,
    LINE,
    MODE_BITS,
    NO_LEVELS,
    O_CLOSE,
    O_MONTH,
    O_OPEN,
    O_ORDERED,
    O_PRICE,
    WISH_BITS,
    WISH_MASK,
)
from engines.kernels.chains.walk import lowest
from engines.kernels.hedges.columns import (
    COUNTS,
    ENTRY,
    FEE,
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
    SOON,
    STEPS,
    TIMED,
    WANTED,
    Course,
    Sides,
)
from engines.kernels.passage.columns import Fixed
from engines.kernels.passage.events import STEPS_NOISE, exact_steps
from engines.kernels.passage.lanes import STEPS_MAX, SURE, fee
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


@rule
def begin(sides: Sides, fixed: Fixed) -> None:
    """Put a set into the state before its first bar."""
    sides.held[:] = 0.0
    sides.now[:] = 0
    begin_sums(sides.sums, 0, fixed.capital)
    sides.held[SETTLED_PEAK] = fixed.capital
    sides.now[ENTRY] = sides.now[ENTRY + 1] = NO_ENTRY
    sides.now[LAST_FILL] = -1
    sides.now[COUNTS] = ANY_WISH


@rule
def walk_set(course: Course, wishes: I32_1D, row: int, sides: Sides) -> None:
    """Trade the wishes of a set; `row` is that of its plan among the exits."""
    bars, now = course.opens.bars, sides.now
    for own in range(len(wishes)):
        bar, wish = int(wishes[own]) >> WISH_BITS, int(wishes[own]) & WISH_MASK
        if bar < now[SOON] and wish & now[COUNTS] == 0:
            continue
        if bar >= bars - 1:
            break
        _go_on(course, row, sides, bar)
        is_any = False
        for side in range(2):
            is_any |= _decide(course, sides, bar, wish, side)
        if not is_any:
            _look_ahead(course, now)
            continue
        _reach(course, sides, bar + 1)
        for side in range(2):
            if now[LEAVES + side] != 0:
                now[LEAVES + side] = 0
                _end(course, row, sides, side, bar + 1, True)
            if sides.held[WANTED + side] > 0:
                _enter(course, row, sides, side, bar + 1)
            if now[ENTRY + side] != NO_ENTRY and now[LEVEL + side] == bar + 1:
                _end(course, row, sides, side, bar + 1, False)
        _look_ahead(course, now)
    _go_on(course, row, sides, bars - 1)
    _value_open(course, sides)
    while now[MONTH] < course.fixed.months:
        end_month(sides.sums, 0)
        now[MONTH] += 1


@rule
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


@rule
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


@rule
def _decide(course: Course, sides: Sides, bar: int, wish: int, side: int) -> bool:
    """Let a side decide at a close; return whether it wants anything."""
    now, held = sides.now, sides.held
    leaves, enters = LEAVES_LONG, ENTERS_LONG
    if side != 0:
        leaves, enters = LEAVES_SHORT, ENTERS_SHORT
    is_held = now[ENTRY + side] != NO_ENTRY
    is_left = is_held and (wish & (leaves | ENDS) != 0 or now[TIMED + side] == bar)
    now[LEAVES + side] = 1 if is_left else 0
    held[WANTED + side] = 0.0
    may_enter = wish & enters & course.decides.enters != 0 and bar >= course.decides.start
    if may_enter and (is_left or not is_held):
        held[WANTED + side] = _steps_for(course, sides, bar, side)
    return is_left or held[WANTED + side] > 0


@rule
def _equity(held: F64_1D, now: I64_1D, fixed: Fixed, side: int, close: float) -> float:
    """Return the equity at a close, added up as the side that decides adds."""
    other = 1 - side
    earned = (held[NET + side] - held[FEE + side]) + (held[NET + other] - held[FEE + other])
    equity = fixed.capital + earned
    for at in range(2):
        own = side if at == 0 else other
        if now[ENTRY + own] != NO_ENTRY:
            qty = held[QTY + own] * (1.0 - 2.0 * own)
            equity += (close - held[PRICE + own]) * qty * fixed.point_value
    return float(equity)


@rule
def _steps_for(course: Course, sides: Sides, bar: int, side: int) -> float:
    """Return the steps of an entry that is decided at the close of a bar."""
    fixed, sizes, held = course.fixed, course.sizes, sides.held
    line = (bar + 1) * LINE
    ordered, close = course.opens.lines[line + O_ORDERED + side], course.opens.lines[line + O_CLOSE]
    equity, steps = _equity(held, sides.now, fixed, side, close), sizes.steps
    if sizes.is_by_cash:
        qty = sizes.cash / (ordered * fixed.point_value)
        steps = float(np.floor(qty * fixed.step_under / fixed.step_over))
    elif sizes.is_by_equity:
        unit = ordered * fixed.point_value * sizes.factor + sizes.added
        money = equity * (fixed.share * fixed.leverage) - fixed.order_fee
        wanted = money * (fixed.step_under / fixed.step_over / unit)
        steps = float(np.floor(wanted))
        if min(wanted - steps, 1.0 - (wanted - steps)) <= STEPS_NOISE * (wanted + 1.0):
            steps = exact_steps(
                equity, fixed.share, fixed.order_fee, unit, fixed.step_over, fixed.step_under,
                fixed.leverage,
            )  # fmt: skip # one call
    opening = min(steps, fixed.room_steps)
    qty = opening * fixed.step_over / fixed.step_under
    is_sound = opening >= 1.0 and steps <= STEPS_MAX and qty >= fixed.qty_min
    is_sound = is_sound and qty * close * fixed.point_value >= fixed.notional_min
    if not (is_sound and _can_pay(course, sides, line, side, steps, equity)):
        held[IS_UNSURE] = 1.0
        return 0.0
    return opening


@rule
def _can_pay(
    course: Course, sides: Sides, line: int, side: int, steps: float, equity: float
) -> bool:
    """Return whether the account surely carries an entry, where it is decided and where it fills.

    Beside what the other side holds; it may close at the same open, which only frees margin.
    """
    fixed, held, lines, other = course.fixed, sides.held, course.opens.lines, 1 - side
    price, opened = lines[line + O_PRICE + side], lines[line + O_OPEN]
    high = max(max(price, opened), max(lines[line + O_ORDERED + side], lines[line + O_CLOSE]))
    qty, unit = steps * fixed.step_size, fixed.point_value
    own, theirs = fixed.margin_long, fixed.margin_short
    if side != 0:
        own, theirs = theirs, own
    fees = fee(fixed, qty, price) + fee(fixed, held[QTY], high) + fee(fixed, held[QTY + 1], high)
    cost, other_qty = qty * high * unit, held[QTY + other]
    needed = cost * own + other_qty * high * unit * theirs + fees
    at_fill = _equity(held, sides.now, fixed, side, price)
    lost, worse = 0.0, 0.0
    for at in range(2):
        if sides.now[ENTRY + at] != NO_ENTRY:
            left_at = lines[line + O_PRICE + 1 - at]  # what it closes at, if it does at this open
            sign = 1.0 - 2.0 * at
            lost += max(0.0, sign * (held[PRICE + at] - left_at)) * held[QTY + at] * unit
            worse += max(0.0, sign * (price - left_at)) * held[QTY + at] * unit
    settled = fixed.capital + (held[NET] - held[FEE]) + (held[NET + 1] - held[FEE + 1]) - lost
    values = (cost + other_qty * held[PRICE + other] * unit) / fixed.leverage + fees
    owned = min(min(equity, at_fill), at_fill - abs(price - opened) * qty * unit - worse)
    return bool(
        needed <= owned * SURE and values <= settled * SURE and cost <= fixed.value_max * SURE
    )


@rule
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


@rule
def _enter(course: Course, row: int, sides: Sides, side: int, bar: int) -> None:
    """Fill the entry of a side at the open of a bar."""
    held, now, fixed, lines = sides.held, sides.now, course.fixed, course.opens.lines
    if now[ENTRY + 1 - side] == NO_ENTRY:
        now[ROUND_BAR] = bar
    steps, price = held[WANTED + side], lines[bar * LINE + O_PRICE + side]
    qty = steps * fixed.step_over / fixed.step_under
    held[WANTED + side] = 0.0
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


@rule
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


@rule
def _end(course: Course, row: int, sides: Sides, side: int, bar: int, is_at_open: bool) -> None:
    """End the position of a side at the open of a bar, or by the level that is met in it."""
    held, now, fixed, opens = sides.held, sides.now, course.fixed, course.opens
    sign = 1.0 - 2.0 * side
    if is_at_open:
        price = opens.lines[bar * LINE + O_PRICE + 1 - side]
        worst = lowest(opens, np.uint64(now[ENTRY + side]), np.uint64(bar), np.uint64(side))
        worst = min(worst, sign * opens.lines[bar * LINE + O_OPEN])
    else:
        place = now[PLACE + side]
        price, worst = course.exits.prices[row, place], course.exits.worst[row, place]
    pnl, adverse, entry_fee, exit_fee = _result(sides, fixed, side, price, worst)
    _judge(course, sides, side, min(worst, sign * price))
    entered = now[ENTRY + side]
    held[NET + side] += pnl
    add_result(sides.sums, 0, pnl, entry_fee + exit_fee, 0.0, float(bar - entered + 1))
    _fall(sides, pnl, adverse * held[QTY + side] * fixed.point_value + entry_fee)
    held[STEPS + side] = held[QTY + side] = held[FEE + side] = held[PRICE + side] = 0.0
    now[ENTRY + side] = NO_ENTRY
    if now[ENTRY + 1 - side] == NO_ENTRY:
        add_exposure(sides.sums, 0, float(now[ROUND_BAR]), float(bar))


@rule
def _result(
    sides: Sides, fixed: Fixed, side: int, price: float, worst: float
) -> tuple[float, float, float, float]:
    """Return what a side's position brings at a price, how far it fell, and its fees."""
    held, sign = sides.held, 1.0 - 2.0 * side
    steps, qty, base = held[STEPS + side], held[QTY + side], held[PRICE + side]
    entry_fee = held[FEE + side] * steps / steps
    exit_fee = fee(fixed, qty, price) * steps / steps * steps / steps
    gain = sign * (price - base)
    pnl = gain * (qty * fixed.point_value) - entry_fee - exit_fee
    return pnl, max(0.0, sign * base - worst, -gain), entry_fee, exit_fee


@rule
def _fall(sides: Sides, pnl: float, mae: float) -> None:
    sums = sides.sums
    add_fall(sums, 0, sums[BEFORE_PEAK], sums[BEFORE] - max(max(0.0, mae), -pnl))


@rule
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
        price = opens.lines[opens.bars * LINE + O_PRICE + 1 - side]
        start, stop = np.uint64(now[ENTRY + side]), np.uint64(opens.bars)
        worst = lowest(opens, start, stop, np.uint64(side))
        pnl, adverse, entry_fee, _ = _result(sides, course.fixed, side, price, worst)
        _judge(course, sides, side, worst)
        add_open(sides.sums, 0, entry_fee, 0.0)
        _fall(sides, pnl, adverse * held[QTY + side] * course.fixed.point_value + entry_fee)
